//! Values: PostgreSQL's text to the text that Connect's converters write.

mod array;
mod avro;
mod base64;
mod binary;
mod decimal;
mod figure;
mod float;
mod hash_order;
mod hstore;
mod interval;
mod java;
mod java_digits;
mod moment;
mod money;
mod ruled;
mod time;

use array::elements;
pub(crate) use decimal::same_number;
pub use figure::Figure;
pub(crate) use java::write_java_of_json;
pub(crate) use moment::{IsoText, Moment};
pub(crate) use ruled::{RuledText, TextRule, truncated};
pub(crate) use time::write_timestamp_text;

use std::borrow::Cow;

use pgtext::Numeric;

use crate::{BinaryHandling, Compat, json::write_string, type_class::Unsent};

/// Appends raw bytes as a JSON string, as `binary.handling.mode` wants them.
pub(crate) fn write_binary(bytes: &[u8], handling: BinaryHandling, out: &mut Vec<u8>) {
    binary::write_bytes(bytes.iter().copied(), handling, out);
}

/// The text is not what PostgreSQL prints for the type, or the event's type cannot hold the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unconvertible;

impl From<pgtext::ParseError> for Unconvertible {
    fn from(_: pgtext::ParseError) -> Self {
        Self
    }
}

/// How the values of one column are written. Made once per column by the type mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Codec {
    Boolean,
    /// Digits copied as they are.
    Integer,
    Float,
    Double,
    /// Any text, escaped.
    Text,
    /// Connect `Decimal` as base64 of its unscaled integer.
    Decimal {
        scale: i32,
    },
    /// Connect `Decimal` as a JSON number (`decimal.format=NUMERIC`).
    DecimalNumber {
        scale: i32,
    },
    VariableScaleDecimal,
    /// Text of `numeric` with at least so many digits behind the point, special values spelled Debezium's way.
    DecimalText {
        scale: i32,
    },
    /// `money`, brought to a plain decimal first.
    Money {
        /// How many digits behind the point its text has; None: it has to be guessed.
        printed: Option<u8>,
        fraction_digits: u8,
        plain: Box<Codec>,
    },
    /// `money` as a string, which is not rounded.
    MoneyText {
        printed: Option<u8>,
        /// Of the zero that stands where the value is missing.
        fraction_digits: u8,
        /// The digits as Java prints a double.
        double: bool,
    },
    Bytea(BinaryHandling),
    /// The UTF-8 text of an unknown type as bytes.
    Opaque(BinaryHandling),
    /// The same of a geometric type, which Debezium's driver prints anew.
    OpaqueFigure(BinaryHandling),
    Bit,
    Bits,
    Date,
    /// `time`: microseconds, divided.
    Time {
        divisor: i64,
    },
    ZonedTime {
        /// 24:00:00 in UTC stays itself.
        day_end: bool,
    },
    /// `timestamp`: microseconds, divided.
    Timestamp {
        divisor: i64,
    },
    ZonedTimestamp {
        precision: u8,
    },
    IntervalMicros,
    IntervalText,
    Point,
    Geometry {
        /// The struct has the field `extensions`, which is null.
        extensible: bool,
    },
    HstoreJson,
    HstoreMap,
    /// A string under a column rule.
    Ruled(Box<RuledText>),
    Array {
        element: Box<Codec>,
        /// `pg_type.typdelim` of the elements.
        delimiter: u8,
        /// Elements may be NULL (those of Debezium's enum arrays may not).
        optional: bool,
        /// What stands for a TOASTed array that PostgreSQL did not send.
        unsent: Unsent,
    },
    Moment(Moment),
    Iso(IsoText),
    Figure(Figure),
    /// Converts nothing: Debezium gives such columns a schema, but no values.
    Never,
}

/// For whom the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `JsonConverter`.
    Json,
    /// `SimpleHeaderConverter`'s own text, which is nearly JSON.
    Header,
    /// The same, for Connect's own logical times, which are `java.util.Date` in memory.
    HeaderLogicalTime,
    /// Avro binary, without the branch of a union around it.
    Avro,
    /// Java's `toString`.
    Text,
    /// The same, for Connect's own logical times.
    TextLogicalTime,
}

impl Codec {
    /// How the rows of a snapshot are written, where that is another way: 2.7.3 reads `money` as a double.
    pub(crate) fn of_snapshot(&self, compat: Compat) -> Option<Self> {
        let Self::MoneyText {
            printed,
            fraction_digits,
            double: _,
        } = self
        else {
            return None;
        };
        (compat == Compat::V2_7).then_some(Self::MoneyText {
            printed: *printed,
            fraction_digits: *fraction_digits,
            double: true,
        })
    }

    /// Appends the value's text. Nothing is appended if it cannot be converted.
    #[inline]
    pub(crate) fn write(
        &self,
        text: &[u8],
        style: Style,
        out: &mut Vec<u8>,
    ) -> Result<(), Unconvertible> {
        let start = out.len();
        let written = match style {
            Style::Json => self.write_json(text, out),
            Style::Avro => self.write_avro(text, out),
            Style::Header | Style::HeaderLogicalTime => self.write_header(text, style, out),
            Style::Text | Style::TextLogicalTime => self.write_java(text, style, out),
        };
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    #[inline]
    fn write_json(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
        match self {
            Self::Boolean => out.extend_from_slice(boolean(text)?),
            Self::Integer => write_integer(text, out)?,
            Self::Float => float::write_float(text, true, out)?,
            Self::Double => float::write_double(text, true, out)?,
            Self::Text => write_string(out, text),
            Self::Decimal { scale } => decimal::write_unscaled(text, *scale, out)?,
            Self::DecimalNumber { scale } => decimal::write_number(text, *scale, out)?,
            Self::VariableScaleDecimal => decimal::write_variable_scale(text, out)?,
            Self::DecimalText { scale } => {
                out.push(b'"');
                out.extend_from_slice(&decimal_text(text, *scale)?);
                out.push(b'"');
            }
            Self::Money {
                printed,
                fraction_digits,
                plain,
            } => {
                let money = money::plain_money(text, *printed, *fraction_digits)?;
                plain.write_json(&money, out)?;
            }
            Self::MoneyText {
                printed, double, ..
            } => {
                out.push(b'"');
                out.extend_from_slice(&money::money_text(text, *printed, *double)?);
                out.push(b'"');
            }
            Self::Bytea(handling) => binary::write_bytea(text, *handling, out)?,
            Self::Opaque(handling) => binary::write_bytes(text.iter().copied(), *handling, out),
            Self::OpaqueFigure(handling) => {
                Self::Opaque(*handling).write_json(&figure::java_text(text)?, out)?;
            }
            Self::Bit => out.extend_from_slice(match text {
                b"0" => b"false",
                b"1" => b"true",
                _ => return Err(Unconvertible),
            }),
            Self::Bits => binary::write_bits(text, out)?,
            Self::Date => write_number(i64::from(time::date(text)?), out),
            Self::Time { divisor } => write_number(time::time(text)?.div_euclid(*divisor), out),
            Self::ZonedTime { day_end } => {
                out.push(b'"');
                time::write_zoned_time(text, *day_end, out)?;
                out.push(b'"');
            }
            Self::Timestamp { divisor } => write_number(time::divided(text, *divisor)?, out),
            Self::ZonedTimestamp { precision } => {
                out.push(b'"');
                time::write_zoned_timestamp(text, *precision, out)?;
                out.push(b'"');
            }
            Self::IntervalMicros => write_number(interval::micros(text)?, out),
            Self::IntervalText => {
                out.push(b'"');
                interval::write_iso(text, out)?;
                out.push(b'"');
            }
            Self::Point => float::write_point(text, out)?,
            Self::Geometry { extensible } => {
                binary::write_geometry(text, out)?;
                if *extensible {
                    out.pop();
                    out.extend_from_slice(b",\"extensions\":null}");
                }
            }
            Self::HstoreJson => hstore::write_json_string(text, out)?,
            Self::HstoreMap => hstore::write_object(text, out)?,
            Self::Ruled(ruled) => write_string(out, ruled.text(text)?.as_bytes()),
            Self::Array {
                element, delimiter, ..
            } => element.write_array(text, *delimiter, Style::Json, out)?,
            Self::Moment(moment) => write_number(moment.of(text)?, out),
            Self::Iso(iso) => write_string(out, &iso.of(text)?),
            Self::Figure(figure) => figure.of(text)?.write_json(out),
            Self::Never => return Err(Unconvertible),
        }
        Ok(())
    }

    fn write_array(
        &self,
        text: &[u8],
        delimiter: u8,
        style: Style,
        out: &mut Vec<u8>,
    ) -> Result<(), Unconvertible> {
        let mut unescaped = Vec::new();
        let start = out.len();
        for element in elements(text, delimiter)? {
            let element = element?;
            out.push(if out.len() == start { b'[' } else { b',' });
            match element {
                None => out.extend_from_slice(b"null"),
                Some(quoted) => self.write(quoted.text_in(&mut unescaped), style, out)?,
            }
        }
        if out.len() == start {
            out.push(b'[');
        }
        out.push(b']');
        Ok(())
    }

    /// The text of a value inside a struct, as Connect's `Values.convertToString` prints it.
    fn write_header(
        &self,
        text: &[u8],
        style: Style,
        out: &mut Vec<u8>,
    ) -> Result<(), Unconvertible> {
        match self {
            Self::Text => write_header_string(text, out),
            Self::Float => float::write_float(text, false, out)?,
            Self::Double => float::write_double(text, false, out)?,
            Self::Decimal { scale } => decimal::write_number(text, *scale, out)?,
            Self::Money {
                printed,
                fraction_digits,
                plain,
            } => {
                plain.write_header(
                    &money::plain_money(text, *printed, *fraction_digits)?,
                    style,
                    out,
                )?;
            }
            Self::HstoreJson => {
                let mut object = Vec::new();
                hstore::write_object(text, &mut object)?;
                write_header_string(&object, out);
            }
            Self::Array {
                element, delimiter, ..
            } => element.write_array(text, *delimiter, style, out)?,
            Self::Date if style == Style::HeaderLogicalTime => {
                write_logical_time(i64::from(time::date(text)?).saturating_mul(86_400_000), out);
            }
            Self::Time { divisor } if style == Style::HeaderLogicalTime => {
                write_logical_time(time::time(text)?.div_euclid(*divisor), out);
            }
            Self::Timestamp { divisor } if style == Style::HeaderLogicalTime => {
                write_logical_time(time::divided(text, *divisor)?, out);
            }
            Self::Moment(moment) if style == Style::HeaderLogicalTime => {
                write_logical_time(moment.millis(text)?, out);
            }
            Self::Boolean
            | Self::Integer
            | Self::DecimalNumber { .. }
            | Self::VariableScaleDecimal
            | Self::DecimalText { .. }
            | Self::MoneyText { .. }
            | Self::Bytea(_)
            | Self::Opaque(_)
            | Self::OpaqueFigure(_)
            | Self::Bit
            | Self::Bits
            | Self::Date
            | Self::Time { .. }
            | Self::ZonedTime { .. }
            | Self::Timestamp { .. }
            | Self::ZonedTimestamp { .. }
            | Self::IntervalMicros
            | Self::IntervalText
            | Self::Point
            | Self::Geometry { .. }
            | Self::HstoreMap
            | Self::Ruled(_)
            | Self::Moment(_)
            | Self::Iso(_)
            | Self::Figure(_)
            | Self::Never => self.write_json(text, out)?,
        }
        Ok(())
    }
}

/// Appends a string as `SimpleHeaderConverter` does inside a struct: only quotes and backslashes are escaped.
pub(crate) fn write_header_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in String::from_utf8_lossy(text).as_bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Connect prints a `java.util.Date` by its value: what is below a day as time, whole days as date.
fn write_logical_time(millis: i64, out: &mut Vec<u8>) {
    const MILLIS_PER_DAY: i64 = 86_400_000;
    if millis < MILLIS_PER_DAY {
        time::write_time_text(millis, out);
    } else if millis % MILLIS_PER_DAY == 0 {
        time::write_date_text(millis / MILLIS_PER_DAY, out);
    } else {
        time::write_timestamp_text(millis, out);
    }
}

fn boolean(text: &[u8]) -> Result<&'static [u8], Unconvertible> {
    match text {
        b"t" | b"true" => Ok(b"true"),
        b"f" | b"false" => Ok(b"false"),
        _ => Err(Unconvertible),
    }
}

/// Copies the digits of an integer. Leading zeros, which JSON does not allow, do not come from PostgreSQL.
#[inline]
fn write_integer(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.first() == Some(&b'0');
    if digits.is_empty()
        || digits.len() > 19
        || leading_zero
        || !digits.iter().all(u8::is_ascii_digit)
    {
        return Err(Unconvertible);
    }
    out.extend_from_slice(text);
    Ok(())
}

fn write_number(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// `decimal.handling.mode=string`: the text at its scale, special values by the names of Java's enum.
fn decimal_text(text: &[u8], scale: i32) -> Result<Cow<'_, [u8]>, Unconvertible> {
    Ok(match Numeric::parse(text)? {
        Numeric::NaN => Cow::Borrowed(&b"NAN"[..]),
        Numeric::Infinity => Cow::Borrowed(&b"POSITIVE_INFINITY"[..]),
        Numeric::NegativeInfinity => Cow::Borrowed(&b"NEGATIVE_INFINITY"[..]),
        Numeric::Finite(decimal) => decimal::padded(text, decimal, scale),
    })
}
