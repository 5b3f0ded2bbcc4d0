//! Reading a Connect schema back from the JSON text that `JsonConverter` embeds in messages.

use serde_json::{Map, Value};

use crate::{ConnectField, ConnectSchema, ConnectType};

/// The text is not a Connect schema.
#[derive(Debug, thiserror::Error)]
pub enum ParseSchemaError {
    /// The text is not JSON.
    #[error("parse a Connect schema")]
    Json(#[from] serde_json::Error),
    /// The JSON is not a schema.
    #[error("parse a Connect schema: `{at}` {problem}")]
    Shape {
        /// The place within the schema, as the names of fields with dots between.
        at: String,
        /// What is wrong there.
        problem: &'static str,
    },
}

impl ConnectSchema {
    /// Reads the `schema` object of a message with embedded schema.
    ///
    /// # Errors
    /// The text is not JSON, or not a schema.
    pub fn from_json(text: &[u8]) -> Result<Self, ParseSchemaError> {
        let value: Value = serde_json::from_slice(text)?;
        Self::from_value(&value, "")
    }

    fn from_value(value: &Value, at: &str) -> Result<Self, ParseSchemaError> {
        let error = |problem| ParseSchemaError::Shape {
            at: if at.is_empty() {
                "schema".to_owned()
            } else {
                at.to_owned()
            },
            problem,
        };
        let object = value.as_object().ok_or_else(|| error("is not an object"))?;
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let part = |name: &str| {
            let value = object
                .get(name)
                .ok_or_else(|| error("lacks the schema of its parts"))?;
            Self::from_value(value, &format!("{at}.{name}")).map(Box::new)
        };
        let kind = match text("type").ok_or_else(|| error("has no type"))? {
            "boolean" => ConnectType::Boolean,
            "int8" => ConnectType::Int8,
            "int16" => ConnectType::Int16,
            "int32" => ConnectType::Int32,
            "int64" => ConnectType::Int64,
            "float" => ConnectType::Float32,
            "double" => ConnectType::Float64,
            "string" => ConnectType::String,
            "bytes" => ConnectType::Bytes,
            "array" => ConnectType::Array(part("items")?),
            "map" => ConnectType::Map {
                keys: part("keys")?,
                values: part("values")?,
            },
            "struct" => {
                let fields = object.get("fields").and_then(Value::as_array);
                let fields = fields.ok_or_else(|| error("is a struct without fields"))?;
                ConnectType::Struct(
                    fields
                        .iter()
                        .map(|field| Self::field(field, at))
                        .collect::<Result<_, _>>()?,
                )
            }
            _ => return Err(error("has an unknown type")),
        };
        let version = object.get("version").and_then(Value::as_i64);
        Ok(Self {
            kind,
            // JsonConverter reads a schema without `optional` as required.
            optional: object
                .get("optional")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            name: text("name").map(str::to_owned),
            version: version.and_then(|version| i32::try_from(version).ok()),
            doc: text("doc").map(str::to_owned),
            parameters: object
                .get("parameters")
                .and_then(Value::as_object)
                .map(parameters)
                .unwrap_or_default(),
            default: object.get("default").map(Value::to_string),
        })
    }

    fn field(value: &Value, at: &str) -> Result<ConnectField, ParseSchemaError> {
        let name =
            value
                .get("field")
                .and_then(Value::as_str)
                .ok_or_else(|| ParseSchemaError::Shape {
                    at: at.to_owned(),
                    problem: "has a field without name",
                })?;
        let at = if at.is_empty() {
            name.to_owned()
        } else {
            format!("{at}.{name}")
        };
        Ok(ConnectField {
            name: name.to_owned(),
            schema: Self::from_value(value, &at)?,
        })
    }
}

fn parameters(object: &Map<String, Value>) -> Vec<(String, String)> {
    object
        .iter()
        .map(|(key, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (key.clone(), text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_back_and_writes_the_same() {
        for text in [
            r#"{"type":"int32","optional":false,"default":0}"#,
            r#"{"type":"array","items":{"type":"double","optional":true},"optional":true}"#,
            r#"{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"string","optional":true},"optional":true}"#,
            r#"{"type":"struct","fields":[{"type":"int32","optional":false,"field":"scale"},{"type":"bytes","optional":false,"field":"value"}],"optional":true,"name":"io.debezium.data.VariableScaleDecimal","version":1,"doc":"Variable scaled decimal"}"#,
            r#"{"type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"a,b"},"default":"a"}"#,
        ] {
            assert_eq!(
                ConnectSchema::from_json(text.as_bytes())
                    .expect("a schema")
                    .to_json(),
                text
            );
        }
    }

    #[test]
    fn damage_is_named() {
        for (text, message) in [
            ("{", "parse a Connect schema"),
            ("[]", "parse a Connect schema: `schema` is not an object"),
            (
                r#"{"type":"struct"}"#,
                "parse a Connect schema: `schema` is a struct without fields",
            ),
            (
                r#"{"type":"struct","fields":[{"type":"x","field":"a"}]}"#,
                "parse a Connect schema: `a` has an unknown type",
            ),
        ] {
            assert_eq!(
                ConnectSchema::from_json(text.as_bytes())
                    .expect_err("no schema")
                    .to_string(),
                message
            );
        }
    }
}
