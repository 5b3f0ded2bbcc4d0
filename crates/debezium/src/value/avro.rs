//! Values in Avro's binary encoding, straight from PostgreSQL's text.

use pgtext::{Hex, Point};

use super::{
    Codec, Unconvertible,
    array::elements,
    binary, decimal, decimal_text,
    figure::{self, FigureValue},
    float, hstore, interval, money, time,
};
use crate::{
    BinaryHandling,
    avro::binary::{
        FIRST, SECOND, write_bytes, write_counted, write_length, write_long, write_sized,
        write_string,
    },
};

impl Codec {
    /// Appends the value; what is appended before an error has to be removed by the caller.
    #[inline]
    pub(super) fn write_avro(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
        match self {
            Self::Boolean => out.push(match text {
                b"t" | b"true" => 1,
                b"f" | b"false" => 0,
                _ => return Err(Unconvertible),
            }),
            Self::Integer => write_long(integer(text)?, out),
            Self::Float => out.extend_from_slice(&float::parse::<f32>(text)?.to_le_bytes()),
            Self::Double => out.extend_from_slice(&float::parse::<f64>(text)?.to_le_bytes()),
            Self::Text => write_string(text, out),
            Self::Decimal { scale } | Self::DecimalNumber { scale } => {
                decimal::with_unscaled(text, *scale, |bytes| write_bytes(bytes, out))?;
            }
            Self::VariableScaleDecimal => {
                decimal::with_variable_scale(text, |scale, bytes| {
                    write_long(i64::from(scale), out);
                    write_bytes(bytes, out);
                })?;
            }
            Self::DecimalText { scale } => write_bytes(&decimal_text(text, *scale)?, out),
            Self::Money {
                printed,
                fraction_digits,
                plain,
            } => plain.write_avro(&money::plain_money(text, *printed, *fraction_digits)?, out)?,
            Self::MoneyText {
                printed, double, ..
            } => write_bytes(&money::money_text(text, *printed, *double)?, out),
            Self::Bytea(handling) => {
                let bytes = Hex::parse_bytea(text)?.bytes();
                write_binary(bytes.clone(), bytes.len(), *handling, out)?;
            }
            Self::OpaqueFigure(handling) => {
                Self::Opaque(*handling).write_avro(&figure::java_text(text)?, out)?;
            }
            Self::Opaque(handling) => {
                write_binary(text.iter().copied(), text.len(), *handling, out)?;
            }
            Self::Bit => out.push(match text {
                b"0" => 0,
                b"1" => 1,
                _ => return Err(Unconvertible),
            }),
            Self::Bits => {
                let bytes = binary::bits(text)?;
                write_length(bytes.len(), out);
                out.extend(bytes);
            }
            Self::Date => write_long(i64::from(time::date(text)?), out),
            Self::Time { divisor } => write_long(time::time(text)?.div_euclid(*divisor), out),
            Self::Timestamp { divisor } => write_long(time::divided(text, *divisor)?, out),
            Self::ZonedTime { day_end } => {
                write_sized(out, |out| time::write_zoned_time(text, *day_end, out))?;
            }
            Self::ZonedTimestamp { precision } => {
                write_sized(out, |out| {
                    time::write_zoned_timestamp(text, *precision, out)
                })?;
            }
            Self::IntervalMicros => write_long(interval::micros(text)?, out),
            Self::IntervalText => write_sized(out, |out| interval::write_iso(text, out))?,
            Self::Point => {
                let Point { x, y } = Point::parse(text)?;
                out.extend_from_slice(&x.to_le_bytes());
                out.extend_from_slice(&y.to_le_bytes());
                out.push(SECOND);
                write_sized(out, |out| {
                    out.extend(float::point_wkb(x, y));
                    Ok::<_, Unconvertible>(())
                })?;
                out.push(FIRST);
            }
            Self::Geometry { extensible } => {
                let bytes = Hex::parse(text)?.bytes();
                write_length(bytes.len(), out);
                out.extend(bytes.clone());
                match binary::srid(bytes) {
                    None => out.push(FIRST),
                    Some(srid) => {
                        out.push(SECOND);
                        write_long(i64::from(srid), out);
                    }
                }
                if *extensible {
                    out.push(FIRST);
                }
            }
            Self::Moment(moment) => write_long(moment.of(text)?, out),
            Self::Iso(iso) => write_string(&iso.of(text)?, out),
            Self::Figure(figure) => write_figure(&figure.of(text)?, out),
            Self::HstoreJson => write_sized(out, |out| hstore::write_json_text(text, out))?,
            Self::HstoreMap => write_map(text, out)?,
            Self::Array {
                element,
                optional,
                delimiter,
                unsent: _,
            } => element.write_items(text, *delimiter, *optional, out)?,
            Self::Ruled(ruled) => write_string(ruled.text(text)?.as_bytes(), out),
            Self::Never => return Err(Unconvertible),
        }
        Ok(())
    }

    /// An array: one block and the end.
    fn write_items(
        &self,
        text: &[u8],
        delimiter: u8,
        optional: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Unconvertible> {
        let mut unescaped = Vec::new();
        let elements = elements(text, delimiter)?;
        let mut count = 0;
        write_counted(out, |out| {
            for element in elements {
                count += 1;
                match (element?, optional) {
                    (None, true) => out.push(FIRST),
                    (None, false) => return Err(Unconvertible),
                    (Some(quoted), _) => {
                        if optional {
                            out.push(SECOND);
                        }
                        self.write_avro(quoted.text_in(&mut unescaped), out)?;
                    }
                }
            }
            Ok(count)
        })?;
        if count > 0 {
            out.push(0);
        }
        Ok(())
    }
}

fn write_figure(figure: &FigureValue, out: &mut Vec<u8>) {
    let number = |number: &f64, out: &mut Vec<u8>| out.extend(number.to_le_bytes());
    match figure {
        FigureValue::Line { a, b, c } => {
            for coefficient in [a, b, c] {
                number(coefficient, out);
            }
        }
        FigureValue::Circle { center, radius } => {
            for coordinate in center {
                number(coordinate, out);
            }
            out.push(SECOND);
            write_bytes(&FigureValue::point(*center), out);
            out.push(FIRST);
            number(radius, out);
        }
        FigureValue::Shape { wkb, extensions } => {
            write_bytes(wkb, out);
            out.extend([FIRST, SECOND]);
            write_length(extensions.len(), out);
            for (name, value) in extensions {
                write_string(name.as_bytes(), out);
                write_string(value.as_bytes(), out);
            }
            out.push(0);
        }
    }
}

/// Digits to a number; what PostgreSQL does not print is none, as in JSON.
#[inline]
fn integer(text: &[u8]) -> Result<i64, Unconvertible> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    let leading_zero = digits.len() > 1 && digits.first() == Some(&b'0');
    if digits.is_empty() || digits.len() > 19 || leading_zero {
        return Err(Unconvertible);
    }
    let mut magnitude = 0u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Unconvertible);
        }
        // 19 digits always fit.
        magnitude = magnitude * 10 + u64::from(digit);
    }
    match (i64::try_from(magnitude), negative) {
        (Ok(value), false) => Ok(value),
        (Ok(value), true) => Ok(-value),
        (Err(_), true) if magnitude == i64::MIN.unsigned_abs() => Ok(i64::MIN),
        (Err(_), _) => Err(Unconvertible),
    }
}

/// Bytes as `binary.handling.mode` wants them: as they are, or as text.
fn write_binary(
    bytes: impl Iterator<Item = u8>,
    length: usize,
    handling: BinaryHandling,
    out: &mut Vec<u8>,
) -> Result<(), Unconvertible> {
    match handling {
        BinaryHandling::Bytes => {
            write_length(length, out);
            out.extend(bytes);
            Ok(())
        }
        BinaryHandling::Base64 | BinaryHandling::Base64UrlSafe | BinaryHandling::Hex => {
            write_sized(out, |out| {
                binary::write_encoded(bytes, handling, out);
                Ok(())
            })
        }
    }
}

/// A map of optional strings, in the order PostgreSQL prints it.
fn write_map(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let mut count = 0;
    write_counted(out, |out| {
        hstore::each_pair(text, |part| match part {
            hstore::Part::Key(key) => {
                count += 1;
                write_string(key, out);
            }
            hstore::Part::Value(None) => out.push(FIRST),
            hstore::Part::Value(Some(value)) => {
                out.push(SECOND);
                write_string(value, out);
            }
        })?;
        Ok::<_, Unconvertible>(count)
    })?;
    if count > 0 {
        out.push(0);
    }
    Ok(())
}
