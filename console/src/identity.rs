//! The values that tell a row apart -> bytes that are equal where the values are.

use std::hash::{DefaultHasher, Hasher as _};

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{DataType, Date32Type, Int64Type, TimeUnit, TimestampMicrosecondType},
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};

use crate::change::Identity;

/// Longer identities are kept as a hash of 128 bits.
const LONGEST: usize = 64;

/// How values of other types are written down: exactly, and apart for different values.
const EXACT: FormatOptions<'static> = FormatOptions::new();

/// Some columns of a batch, as parts of identities.
pub(crate) struct Parts<'a>(Vec<(&'a ArrayRef, Kind<'a>)>);

enum Kind<'a> {
    Number,
    Day,
    Moment,
    Text,
    Other(ArrayFormatter<'a>),
}

impl<'a> Parts<'a> {
    pub(crate) fn new(columns: Vec<&'a ArrayRef>) -> Result<Self, ArrowError> {
        let parts = columns.into_iter().map(|column| {
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "all other types of Arrow are alike here"
            )]
            let kind = match column.data_type() {
                DataType::Int64 => Kind::Number,
                DataType::Date32 => Kind::Day,
                DataType::Timestamp(TimeUnit::Microsecond, _) => Kind::Moment,
                DataType::Utf8 => Kind::Text,
                _ => Kind::Other(ArrayFormatter::try_new(column.as_ref(), &EXACT)?),
            };
            Ok((column, kind))
        });
        Ok(Self(parts.collect::<Result<_, ArrowError>>()?))
    }

    /// The identity of a row. `scratch` saves allocations.
    pub(crate) fn of(&self, row: usize, scratch: &mut Vec<u8>) -> Result<Identity, ArrowError> {
        scratch.clear();
        for (column, kind) in &self.0 {
            if column.is_null(row) {
                scratch.push(0);
                continue;
            }
            let number = match kind {
                Kind::Number => column.as_primitive::<Int64Type>().value(row),
                Kind::Day => i64::from(column.as_primitive::<Date32Type>().value(row)),
                Kind::Moment => column.as_primitive::<TimestampMicrosecondType>().value(row),
                Kind::Text => {
                    append_text(scratch, column.as_string::<i32>().value(row));
                    continue;
                }
                Kind::Other(formatter) => {
                    append_text(scratch, &formatter.value(row).try_to_string()?);
                    continue;
                }
            };
            scratch.push(1);
            scratch.extend_from_slice(&number.to_le_bytes());
        }
        Ok(if scratch.len() > LONGEST {
            let half = |salt: u8| {
                let mut hasher = DefaultHasher::new();
                hasher.write_u8(salt);
                hasher.write(scratch);
                hasher.finish().to_le_bytes()
            };
            [half(0), half(1)].concat().into_boxed_slice()
        } else {
            scratch.as_slice().into()
        })
    }
}

fn append_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(2);
    bytes.extend_from_slice(&text.len().to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Float64Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn only_equal_values_give_equal_bytes() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(1), None, Some(1)]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "a", "a", ""]));
        let days: ArrayRef = Arc::new(Date32Array::from(vec![i32::MAX, i32::MAX - 1, 0, 1]));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, f64::NAN, 0.0, -0.0]));
        let identities = |columns: Vec<&ArrayRef>| {
            let parts = Parts::new(columns).expect("parts");
            let mut scratch = Vec::new();
            let identity = |row| parts.of(row, &mut scratch).expect("an identity");
            (0..4).map(identity).collect::<Vec<_>>()
        };
        let found = identities(vec![&numbers, &texts]);
        assert_eq!(found[0], found[1]);
        assert_ne!(found[0], found[2]);
        assert_ne!(found[0], found[3]);
        let found = identities(vec![&floats]);
        assert_eq!(found[0], found[1]);
        // PostgreSQL takes them for equal, and prints a row's own spelling in each of its changes.
        assert_ne!(found[2], found[3]);
        let found = identities(vec![&days]);
        assert_ne!(found[0], found[1]);
        let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(99), "x".repeat(98)]));
        let parts = Parts::new(vec![&long]).expect("parts");
        let mut scratch = Vec::new();
        let first = parts.of(0, &mut scratch).expect("an identity");
        assert_eq!(first.len(), 16);
        assert_ne!(first, parts.of(1, &mut scratch).expect("an identity"));
    }
}
