//! Values of Kafka Connect, for records that are no change of a row: messages, heartbeats, ends of transactions.

use std::borrow::Cow;

use crate::{
    BinaryHandling, ConnectSchema, ConnectType,
    avro::{binary, write_branch},
    json::write_string,
    value::write_binary,
};

/// A value of a Connect schema, for records that are no change of a row: they are few, so they are put together before
/// a converter writes them. What a converter has to know of such a record is its schema and this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectValue<'a> {
    /// Of an optional schema.
    Null,
    /// Of `int8` to `int64`.
    Integer(i64),
    /// Of `string`.
    String(Cow<'a, str>),
    /// Of `bytes`.
    Bytes(&'a [u8]),
    /// Of `array`.
    Array(Vec<ConnectValue<'a>>),
    /// One value for each field, in the order of the schema.
    Struct(Vec<ConnectValue<'a>>),
}

impl<'a> ConnectValue<'a> {
    /// A string.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::String(text.into())
    }

    /// A number that PostgreSQL counts without sign, in Java's signed type of the same width.
    pub const fn long(number: u64) -> Self {
        Self::Integer(number.cast_signed())
    }

    /// Null where there is none.
    pub fn optional(value: Option<Self>) -> Self {
        value.unwrap_or(Self::Null)
    }

    /// Appends the JSON text as Connect's `JsonConverter` writes it: a null whose schema has a default is written as
    /// that default if `replace_null_with_default` says so. Fields without a value are null.
    pub fn write_json(
        &self,
        schema: &ConnectSchema,
        replace_null_with_default: bool,
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Null => match &schema.default {
                Some(default) if replace_null_with_default => {
                    out.extend_from_slice(default.as_bytes());
                }
                _ => out.extend_from_slice(b"null"),
            },
            Self::Integer(number) => {
                out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
            }
            Self::String(text) => write_string(out, text.as_bytes()),
            Self::Bytes(bytes) => write_binary(bytes, BinaryHandling::Bytes, out),
            Self::Array(items) => {
                let none = ConnectSchema::new(ConnectType::String, true);
                let schema = schema.items().unwrap_or(&none);
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write_json(schema, replace_null_with_default, out);
                }
                out.push(b']');
            }
            Self::Struct(values) => {
                out.push(b'{');
                for (i, field) in schema.fields().iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_string(out, field.name.as_bytes());
                    out.push(b':');
                    values.get(i).unwrap_or(&Self::Null).write_json(
                        &field.schema,
                        replace_null_with_default,
                        out,
                    );
                }
                out.push(b'}');
            }
        }
    }
}

impl ConnectValue<'_> {
    /// Appends the text of `StringConverter`: Java's `Struct{a=1}` without the fields that are null, `[1, 2]`.
    pub fn write_text(&self, schema: &ConnectSchema, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Integer(number) => {
                out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
            }
            Self::String(text) => out.extend_from_slice(text.as_bytes()),
            // A `java.nio.ByteBuffer` prints its bounds, not what is in it.
            Self::Bytes(bytes) => {
                let length = bytes.len();
                let text = format!("java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]");
                out.extend_from_slice(text.as_bytes());
            }
            Self::Array(items) => {
                let none = ConnectSchema::new(ConnectType::String, true);
                let schema = schema.items().unwrap_or(&none);
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.extend_from_slice(b", ");
                    }
                    item.write_text(schema, out);
                }
                out.push(b']');
            }
            Self::Struct(values) => {
                out.extend_from_slice(b"Struct{");
                let fields = schema.fields().iter().zip(values);
                let present = fields.filter(|(_, value)| **value != Self::Null);
                for (i, (field, value)) in present.enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(field.name.as_bytes());
                    out.push(b'=');
                    value.write_text(&field.schema, out);
                }
                out.push(b'}');
            }
        }
    }

    /// Appends binary Avro: a union's branch before what is optional.
    pub(crate) fn write_avro(&self, schema: &ConnectSchema, out: &mut Vec<u8>) {
        if *self == Self::Null {
            // The branch of a default comes first.
            out.push(if schema.default.is_some() {
                binary::SECOND
            } else {
                binary::FIRST
            });
            return;
        }
        write_branch(schema, out);
        match self {
            Self::Null => {}
            Self::Integer(number) => binary::write_long(*number, out),
            Self::String(text) => binary::write_string(text.as_bytes(), out),
            Self::Bytes(bytes) => binary::write_bytes(bytes, out),
            Self::Array(items) => {
                let none = ConnectSchema::new(ConnectType::String, true);
                let schema = schema.items().unwrap_or(&none);
                if !items.is_empty() {
                    binary::write_length(items.len(), out);
                    for item in items {
                        item.write_avro(schema, out);
                    }
                }
                out.push(0);
            }
            Self::Struct(values) => {
                for (i, field) in schema.fields().iter().enumerate() {
                    values
                        .get(i)
                        .unwrap_or(&Self::Null)
                        .write_avro(&field.schema, out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConnectField;

    fn text(value: &ConnectValue<'_>, schema: &ConnectSchema, replace: bool) -> String {
        let mut out = Vec::new();
        value.write_json(schema, replace, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn json_is_that_of_the_converter() {
        let string = ConnectSchema::new(ConnectType::String, true);
        let mut defaulted = string.clone();
        defaulted.default = Some("\"d\"".to_owned());
        let long = ConnectSchema::new(ConnectType::Int64, false);
        let bytes = ConnectSchema::new(ConnectType::Bytes, true);
        let items = ConnectSchema::new(ConnectType::Array(Box::new(long.clone())), true);
        let field = |name: &str, schema: &ConnectSchema| ConnectField {
            name: name.to_owned(),
            schema: schema.clone(),
        };
        let row = ConnectSchema::new(
            ConnectType::Struct(vec![field("a", &long), field("b", &defaulted)]),
            false,
        );
        for (value, schema, replace, want) in [
            (
                ConnectValue::text("a\"🐘"),
                &string,
                true,
                r#""a\"\uD83D\uDC18""#,
            ),
            (ConnectValue::Null, &string, true, "null"),
            (ConnectValue::Null, &defaulted, true, "\"d\""),
            (ConnectValue::Null, &defaulted, false, "null"),
            (ConnectValue::long(u64::MAX), &long, true, "-1"),
            (ConnectValue::Bytes(b"\x00\xff"), &bytes, true, "\"AP8=\""),
            (
                ConnectValue::Array(vec![ConnectValue::Integer(1), ConnectValue::Integer(2)]),
                &items,
                true,
                "[1,2]",
            ),
            (ConnectValue::Array(Vec::new()), &items, true, "[]"),
            (
                ConnectValue::Struct(vec![ConnectValue::Integer(7)]),
                &row,
                true,
                r#"{"a":7,"b":"d"}"#,
            ),
        ] {
            assert_eq!(text(&value, schema, replace), want, "{value:?}");
        }
    }
}
