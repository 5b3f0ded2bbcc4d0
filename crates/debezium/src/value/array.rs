//! Arrays, of which Debezium knows those of one dimension.

use pgtext::{Array, Elements};

use super::Unconvertible;

/// The elements of array text; None is NULL.
#[inline]
pub(super) fn elements(text: &[u8], delimiter: u8) -> Result<Elements<'_>, Unconvertible> {
    let array = Array::parse(text, delimiter)?;
    if array.dimensions() > 1 {
        return Err(Unconvertible);
    }
    Ok(array.elements())
}
