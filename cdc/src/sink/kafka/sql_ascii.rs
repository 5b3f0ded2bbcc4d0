//! A database in `SQL_ASCII` holds any bytes and converts none. Events are UTF-8: what is none could only be written as other
//! text, and two keys could become one.

use debezium::{ChangeEvent, ColumnValue};

use crate::{Error, ErrorKind};

/// # Errors
/// A value of the event is no UTF-8.
pub(super) fn require_utf8(event: &ChangeEvent<'_>) -> Result<(), Error> {
    let rows = [event.after, event.before.columns()];
    for row in rows.into_iter().flatten() {
        for (value, column) in row.iter().zip(&event.table.columns) {
            let ColumnValue::Text(text) = value else {
                continue;
            };
            if let Err(error) = std::str::from_utf8(text) {
                let attempted = format!(
                    "encode column `{}` of table `{}` at position {}: the database has the encoding SQL_ASCII, and the value is no UTF-8",
                    column.name, event.table.table, event.position
                );
                return Err(Error::new(ErrorKind::Encode, attempted).with_source(error).with_hint(
                    "correct the value (convert_to(convert_from(value::bytea, 'LATIN1'), 'UTF8')), or exclude the column; event.processing.failure.handling.mode=warn leaves such events out",
                ));
            }
        }
    }
    Ok(())
}
