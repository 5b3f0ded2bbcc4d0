use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::binary::{FIRST, SECOND, write_bytes, write_length, write_long, write_string};
use crate::{ConnectSchema, ConnectType};

/// A value that is not of its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write {value} as Avro {expected}")]
pub struct DatumError {
    expected: &'static str,
    /// What was found, shortened.
    value: String,
}

/// Appends the branch of the union that an optional schema is, for a value that is not null: the branch of the default
/// is the first.
pub(crate) fn write_branch(schema: &ConnectSchema, out: &mut Vec<u8>) {
    if schema.optional {
        out.push(if schema.default.is_some() {
            FIRST
        } else {
            SECOND
        });
    }
}

/// Appends a value given as the text of Connect's JSON.
///
/// # Errors
/// The text is not JSON, or not of the schema.
pub(crate) fn write_json_datum(
    schema: &ConnectSchema,
    json: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), DatumError> {
    let text = str::from_utf8(json).unwrap_or_default();
    // serde_json may read a double one bit off.
    match (&schema.kind, text.parse::<f64>()) {
        (ConnectType::Float64, Ok(number)) => {
            write_branch(schema, out);
            out.extend_from_slice(&number.to_le_bytes());
            Ok(())
        }
        _ => {
            let value = serde_json::from_str(text).map_err(|_| DatumError {
                expected: "JSON",
                value: text.chars().take(80).collect(),
            })?;
            write_datum(schema, &value, out)
        }
    }
}

/// Appends a value given in Connect's JSON (`JsonConverter` without schemas, decimals and bytes in base64).
///
/// # Errors
/// The value is not of the schema.
pub(crate) fn write_datum(
    schema: &ConnectSchema,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<(), DatumError> {
    if value.is_null() && schema.optional {
        out.push(if schema.default.is_some() {
            SECOND
        } else {
            FIRST
        });
        return Ok(());
    }
    write_branch(schema, out);
    let error = || DatumError {
        expected: schema.kind.as_str(),
        value: value.to_string().chars().take(80).collect(),
    };
    match &schema.kind {
        ConnectType::Boolean => out.push(u8::from(value.as_bool().ok_or_else(error)?)),
        ConnectType::Int8 | ConnectType::Int16 | ConnectType::Int32 => {
            let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
            write_long(i64::from(number.ok_or_else(error)?), out);
        }
        ConnectType::Int64 => write_long(value.as_i64().ok_or_else(error)?, out),
        ConnectType::Float32 => {
            let number = double(value).ok_or_else(error)? as f32;
            out.extend_from_slice(&number.to_le_bytes());
        }
        ConnectType::Float64 => {
            let number = double(value).ok_or_else(error)?;
            out.extend_from_slice(&number.to_le_bytes());
        }
        ConnectType::String => write_string(value.as_str().ok_or_else(error)?.as_bytes(), out),
        ConnectType::Bytes => {
            let text = value.as_str().ok_or_else(error)?;
            write_bytes(&STANDARD.decode(text).map_err(|_| error())?, out);
        }
        ConnectType::Array(items) => {
            let values = value.as_array().ok_or_else(error)?;
            block(values.len(), out, |out| {
                values
                    .iter()
                    .try_for_each(|value| write_datum(items, value, out))
            })?;
        }
        ConnectType::Map { keys, values } => {
            let members = value.as_object().ok_or_else(error)?;
            block(members.len(), out, |out| {
                members.iter().try_for_each(|(key, value)| {
                    write_datum(keys, &Value::String(key.clone()), out)?;
                    write_datum(values, value, out)
                })
            })?;
        }
        ConnectType::Struct(fields) => {
            let members = value.as_object().ok_or_else(error)?;
            for field in fields {
                let value = members.get(&field.name).unwrap_or(&Value::Null);
                write_datum(&field.schema, value, out)?;
            }
        }
    }
    Ok(())
}

/// Items of an array or a map: their number, they, and the end.
fn block(
    count: usize,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), DatumError>,
) -> Result<(), DatumError> {
    if count > 0 {
        write_length(count, out);
        write(out)?;
    }
    out.push(0);
    Ok(())
}

/// A JSON number, or one of the three that JSON has no number for.
fn double(value: &Value) -> Option<f64> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other JSON values are alike here"
    )]
    match value {
        Value::String(text) => text.parse().ok(),
        number => number.as_f64(),
    }
}
