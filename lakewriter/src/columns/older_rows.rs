//! The value that rows have which are older than their column, as the lake's column has it.

use arrow::array::ArrayRef;
use debezium::PgType;

use super::{buffer::ColumnBuffer, from_text, lake_type::LakeType};

/// A value of PostgreSQL's text in the type that the lake has for this type: an array of one, and the text where the type
/// cannot tell the value, which is null then. None: the lake has no such column, or the text is none of its values.
pub fn value_of_text(pg_type: &PgType, text: &str) -> Option<(ArrayRef, Option<String>)> {
    let lake_type = LakeType::of(pg_type)?;
    let arrow = lake_type.arrow();
    let mut column = ColumnBuffer::new(&arrow);
    let raw = from_text::append(&mut column, &lake_type, text.as_bytes()).ok()?;
    Some((column.finish(&arrow).ok()?, raw))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array as _, AsArray as _};
    use arrow::datatypes::{Date32Type, Int64Type};
    use debezium::PgTypeKind;

    use super::*;

    fn of(kind: PgTypeKind, text: &str) -> Option<(ArrayRef, Option<String>)> {
        let pg_type = PgType {
            oid: 0,
            name: format!("{kind:?}").to_lowercase(),
            modifier: -1,
            kind,
        };
        value_of_text(&pg_type, text)
    }

    #[test]
    fn texts_become_values_of_the_lake() {
        let (value, raw) = of(PgTypeKind::Int4, "5").expect("a number");
        assert_eq!(value.as_primitive::<Int64Type>().value(0), 5);
        assert_eq!(raw, None);
        let (value, _) = of(PgTypeKind::Date, "1970-01-03").expect("a date");
        assert_eq!(value.as_primitive::<Date32Type>().value(0), 2);
        let (value, raw) = of(PgTypeKind::Date, "infinity").expect("no date of the lake's");
        assert!(value.is_null(0));
        assert!(raw.is_some());
        assert_eq!(of(PgTypeKind::Int4, "five").map(|_| ()), None);
    }
}
