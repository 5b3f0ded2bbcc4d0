//! Values as Java prints them (`toString`), which is what `StringConverter` writes of a struct.

use pgtext::{Hex, Point};
use serde_json::Value;

use super::{
    Codec, Style, Unconvertible,
    array::elements,
    base64, binary, decimal, decimal_text,
    figure::{self, FigureValue},
    float, hstore, interval, money, time,
};
use crate::{BinaryHandling, ConnectSchema, ConnectType};

impl Codec {
    pub(super) fn write_java(
        &self,
        text: &[u8],
        style: Style,
        out: &mut Vec<u8>,
    ) -> Result<(), Unconvertible> {
        match self {
            Self::Ruled(ruled) => out.extend_from_slice(ruled.text(text)?.as_bytes()),
            Self::Text => out.extend_from_slice(String::from_utf8_lossy(text).as_bytes()),
            Self::Float => float::write_float(text, false, out)?,
            Self::Double => float::write_double(text, false, out)?,
            Self::Decimal { scale } | Self::DecimalNumber { scale } => {
                decimal::write_number(text, *scale, out)?;
            }
            Self::VariableScaleDecimal => {
                decimal::with_variable_scale(text, |scale, bytes| {
                    out.extend_from_slice(format!("Struct{{scale={scale},value=").as_bytes());
                    write_buffer(bytes.len(), out);
                    out.push(b'}');
                })?;
            }
            Self::DecimalText { scale } => out.extend_from_slice(&decimal_text(text, *scale)?),
            Self::Money {
                printed,
                fraction_digits,
                plain,
            } => {
                plain.write_java(
                    &money::plain_money(text, *printed, *fraction_digits)?,
                    style,
                    out,
                )?;
            }
            Self::MoneyText {
                printed, double, ..
            } => {
                out.extend_from_slice(&money::money_text(text, *printed, *double)?);
            }
            Self::Bytea(handling) => {
                let bytes = Hex::parse_bytea(text)?.bytes();
                match handling {
                    BinaryHandling::Bytes => write_buffer(bytes.len(), out),
                    BinaryHandling::Base64
                    | BinaryHandling::Base64UrlSafe
                    | BinaryHandling::Hex => binary::write_encoded(bytes, *handling, out),
                }
            }
            Self::OpaqueFigure(handling) => {
                Self::Opaque(*handling).write_java(&figure::java_text(text)?, style, out)?;
            }
            Self::Opaque(BinaryHandling::Bytes) => write_buffer(text.len(), out),
            Self::Opaque(handling) => {
                binary::write_encoded(text.iter().copied(), *handling, out);
            }
            Self::Bits => write_buffer(binary::bits(text)?.len(), out),
            Self::ZonedTime { day_end } => time::write_zoned_time(text, *day_end, out)?,
            Self::ZonedTimestamp { precision } => {
                time::write_zoned_timestamp(text, *precision, out)?;
            }
            Self::IntervalText => interval::write_iso(text, out)?,
            Self::Date if style == Style::TextLogicalTime => {
                time::write_java_date(i64::from(time::date(text)?).saturating_mul(86_400_000), out);
            }
            Self::Time { divisor } if style == Style::TextLogicalTime => {
                time::write_java_date(time::time(text)?.div_euclid(*divisor), out);
            }
            Self::Timestamp { divisor } if style == Style::TextLogicalTime => {
                time::write_java_date(time::divided(text, *divisor)?, out);
            }
            Self::Moment(moment) if style == Style::TextLogicalTime => {
                time::write_java_date(moment.millis(text)?, out);
            }
            Self::Point => {
                let Point { x, y } = Point::parse(text)?;
                out.extend_from_slice(b"Struct{x=");
                float::write_java_double(x, out);
                out.extend_from_slice(b",y=");
                float::write_java_double(y, out);
                out.extend_from_slice(b",wkb=");
                write_buffer(float::point_wkb(x, y).count(), out);
                out.push(b'}');
            }
            Self::Geometry { .. } => {
                let bytes = Hex::parse(text)?.bytes();
                out.extend_from_slice(b"Struct{wkb=");
                write_buffer(bytes.len(), out);
                if let Some(srid) = binary::srid(bytes) {
                    out.extend_from_slice(format!(",srid={srid}").as_bytes());
                }
                out.push(b'}');
            }
            Self::HstoreJson => hstore::write_json_text(text, out)?,
            Self::HstoreMap => write_map(text, out)?,
            Self::Array {
                element, delimiter, ..
            } => {
                let mut unescaped = Vec::new();
                out.push(b'[');
                let mut first = true;
                for item in elements(text, *delimiter)? {
                    if !std::mem::take(&mut first) {
                        out.extend_from_slice(b", ");
                    }
                    match item? {
                        None => out.extend_from_slice(b"null"),
                        Some(quoted) => {
                            element.write_java(quoted.text_in(&mut unescaped), style, out)?;
                        }
                    }
                }
                out.push(b']');
            }
            // Numbers and booleans are the same text in JSON.
            Self::Boolean
            | Self::Integer
            | Self::Bit
            | Self::Date
            | Self::Time { .. }
            | Self::Timestamp { .. }
            | Self::Moment(_)
            | Self::IntervalMicros => self.write_json(text, out)?,
            Self::Iso(iso) => out.extend_from_slice(&iso.of(text)?),
            Self::Figure(figure) => write_figure(&figure.of(text)?, out),
            Self::Never => return Err(Unconvertible),
        }
        Ok(())
    }
}

fn write_figure(figure: &FigureValue, out: &mut Vec<u8>) {
    let numbers = |named: &[(&str, f64)], out: &mut Vec<u8>| {
        for (name, number) in named {
            out.extend_from_slice(name.as_bytes());
            float::write_java_double(*number, out);
        }
    };
    match figure {
        FigureValue::Line { a, b, c } => {
            numbers(&[("Struct{a=", *a), (",b=", *b), (",c=", *c)], out);
        }
        FigureValue::Circle { center, radius } => {
            let [x, y] = *center;
            numbers(&[("Struct{center=Struct{x=", x), (",y=", y)], out);
            out.extend_from_slice(b",wkb=");
            write_buffer(FigureValue::point(*center).len(), out);
            numbers(&[("},radius=", *radius)], out);
        }
        FigureValue::Shape { wkb, extensions } => {
            out.extend_from_slice(b"Struct{wkb=");
            write_buffer(wkb.len(), out);
            out.extend_from_slice(b",extensions={");
            let entries = extensions
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            out.extend_from_slice(entries.collect::<Vec<_>>().join(", ").as_bytes());
            out.push(b'}');
        }
    }
    out.push(b'}');
}

fn write_map(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    out.push(b'{');
    let mut first = true;
    hstore::each_pair(text, |part| match part {
        hstore::Part::Key(key) => {
            if !std::mem::take(&mut first) {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(String::from_utf8_lossy(key).as_bytes());
            out.push(b'=');
        }
        hstore::Part::Value(value) => {
            out.extend_from_slice(String::from_utf8_lossy(value.unwrap_or(b"null")).as_bytes());
        }
    })?;
    out.push(b'}');
    Ok(())
}

/// Java prints a buffer by its size, not by its bytes.
fn write_buffer(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(
        format!("java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]").as_bytes(),
    );
}

/// Appends a value given in Connect's JSON, numbers as they stand there.
pub(crate) fn write_java_of_json(schema: &ConnectSchema, json: &[u8], out: &mut Vec<u8>) {
    match (&schema.kind, serde_json::from_slice::<Value>(json)) {
        (_, Ok(value @ (Value::String(_) | Value::Array(_) | Value::Object(_)))) => {
            write_value(schema, &value, out);
        }
        _ => out.extend_from_slice(json),
    }
}

fn write_value(schema: &ConnectSchema, value: &Value, out: &mut Vec<u8>) {
    match (&schema.kind, value) {
        (ConnectType::Bytes, Value::String(text)) => {
            write_buffer(base64::decoded_length(text.as_bytes()), out);
        }
        (_, Value::String(text)) => out.extend_from_slice(text.as_bytes()),
        (ConnectType::Array(items), Value::Array(values)) => {
            out.push(b'[');
            for (i, value) in values.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                write_value(items, value, out);
            }
            out.push(b']');
        }
        (ConnectType::Map { values, .. }, Value::Object(members)) => {
            out.push(b'{');
            for (i, (name, value)) in members.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
                write_value(values, value, out);
            }
            out.push(b'}');
        }
        (ConnectType::Struct(fields), Value::Object(members)) => {
            out.extend_from_slice(b"Struct{");
            let mut first = true;
            for field in fields {
                let Some(value) = members.get(&field.name).filter(|value| !value.is_null()) else {
                    continue;
                };
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                out.extend_from_slice(field.name.as_bytes());
                out.push(b'=');
                write_value(&field.schema, value, out);
            }
            out.push(b'}');
        }
        (_, other) => out.extend_from_slice(other.to_string().as_bytes()),
    }
}
