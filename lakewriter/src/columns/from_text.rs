//! Values as PostgreSQL prints them.

use pgtext::{Array, BitString, Hex, Point};

use super::{
    buffer::ColumnBuffer,
    decimal::{self, Number},
    error::ValueError,
    hstore, interval,
    lake_type::LakeType,
    list::ListItems,
    temporal::{Moment, parse_date, parse_time, parse_timestamp, utc_time},
};

fn utf8(text: &[u8]) -> Result<&str, ValueError> {
    std::str::from_utf8(text).map_err(|_| ValueError::NotUtf8)
}

/// Appends one value. Some: the column's type cannot tell the value, a null was appended, and this is the text for the
/// `_raw` column.
pub(super) fn append(
    column: &mut ColumnBuffer,
    lake_type: &LakeType,
    text: &[u8],
) -> Result<Option<String>, ValueError> {
    match lake_type {
        LakeType::Boolean => match text {
            b"t" => column.push_bool(true)?,
            b"f" => column.push_bool(false)?,
            _ => return Err(ValueError::Expected("`t` or `f`")),
        },
        LakeType::Int64 => {
            let number = utf8(text)?.parse();
            column.push_i64(number.map_err(|_| ValueError::Expected("an integer"))?)?;
        }
        LakeType::Single => {
            let number: Result<f32, _> = utf8(text)?.parse();
            column.push_f64(f64::from(
                number.map_err(|_| ValueError::Expected("a floating-point number"))?,
            ))?;
        }
        LakeType::Double => {
            let number = utf8(text)?.parse();
            column
                .push_f64(number.map_err(|_| ValueError::Expected("a floating-point number"))?)?;
        }
        LakeType::Decimal { precision, scale } => {
            return append_decimal(column, Number::of_postgres(text)?, *precision, *scale);
        }
        LakeType::DecimalText { scale } => {
            append_plain(
                column,
                Number::of_postgres(text)?,
                Some(usize::from(*scale)),
            )?;
        }
        LakeType::UnconstrainedDecimal => append_plain(column, Number::of_postgres(text)?, None)?,
        LakeType::Money { printed } => {
            let plain = decimal::parse_money(utf8(text)?, *printed)?;
            column.push_bytes(plain.as_bytes())?;
        }
        LakeType::Utf8 => column.push_bytes(utf8(text)?.as_bytes())?,
        LakeType::Binary => {
            let bytes = Hex::parse_bytea(text)?.bytes();
            column.write_bytes(|out| {
                out.extend(bytes);
                Ok(())
            })?;
        }
        LakeType::Geometry => {
            let bytes = Hex::parse(text)?.bytes();
            column.write_bytes(|out| {
                out.extend(bytes);
                Ok(())
            })?;
        }
        LakeType::Bits => {
            let bytes = BitString::parse(text)?.little_endian();
            column.write_bytes(|out| {
                out.extend(bytes);
                Ok(())
            })?;
        }
        LakeType::Date => return append_moment(column, parse_date(utf8(text)?)?),
        LakeType::Time => column.push_i64(parse_time(utf8(text)?)?)?,
        LakeType::TimeTz => column.push_bytes(utc_time(utf8(text)?)?.as_bytes())?,
        LakeType::Timestamp | LakeType::TimestampTz => {
            return append_moment(column, parse_timestamp(utf8(text)?)?);
        }
        LakeType::Interval => {
            let micros = interval::parse_postgres(utf8(text)?)?;
            column.push_bytes(interval::iso(micros).as_bytes())?;
        }
        LakeType::Point => {
            let Point { x, y } = Point::parse(text)?;
            column.push_point(x, y)?;
        }
        LakeType::Hstore => hstore::append_text(column, text)?,
        LakeType::List(element) => return append_list(column, element, text),
    }
    Ok(None)
}

/// A moment, or null and its text.
pub(super) fn append_moment(
    column: &mut ColumnBuffer,
    moment: Moment,
) -> Result<Option<String>, ValueError> {
    match moment {
        Moment::Finite(number) => column.push_i64(number).map(|()| None),
        Moment::Beyond(raw) => {
            column.push_null();
            Ok(Some(raw))
        }
    }
}

/// A number's unscaled integer, or null and the name of what has none.
pub(super) fn append_decimal(
    column: &mut ColumnBuffer,
    number: Number<'_>,
    precision: u8,
    scale: i8,
) -> Result<Option<String>, ValueError> {
    match number {
        Number::Digits(digits) => {
            column.push_i128(digits.unscaled(scale, precision)?)?;
            Ok(None)
        }
        Number::Special(name) => {
            column.push_null();
            Ok(Some(name.to_owned()))
        }
    }
}

/// A number's exact text, or that of NaN and infinities.
pub(super) fn append_plain(
    column: &mut ColumnBuffer,
    number: Number<'_>,
    scale: Option<usize>,
) -> Result<(), ValueError> {
    match number {
        Number::Digits(digits) => column.push_bytes(digits.plain(scale)?.as_bytes()),
        Number::Special(name) => column.push_bytes(name.as_bytes()),
    }
}

/// Elements in one dimension; an array of more becomes null and its whole text.
fn append_list(
    column: &mut ColumnBuffer,
    element: &LakeType,
    text: &[u8],
) -> Result<Option<String>, ValueError> {
    let array = Array::parse(text, b',')?;
    if array.dimensions() > 1 {
        let raw = utf8(text)?.to_owned();
        column.push_null();
        return Ok(Some(raw));
    }
    let mut list = ListItems::begin(column)?;
    let mut unescaped = Vec::new();
    for value in array.elements() {
        let value = value?;
        list.item(|items| match value {
            Some(quoted) => append(items, element, quoted.text_in(&mut unescaped)),
            None => {
                items.push_null();
                Ok(None)
            }
        })?;
    }
    list.end(element)
}
