//! Kafka Connect's schemas, as far as Debezium's events need them.

use crate::json::write_string;

/// A Kafka Connect schema, as Debezium builds it and `JsonConverter` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectSchema {
    /// What its values are.
    pub kind: ConnectType,
    /// The value may be null.
    pub optional: bool,
    /// The semantic name, such as `io.debezium.time.MicroTimestamp`.
    pub name: Option<String>,
    /// Version of what `name` names.
    pub version: Option<i32>,
    /// A sentence about it.
    pub doc: Option<String>,
    /// In the order they were set: it shows in the JSON text.
    pub parameters: Vec<(String, String)>,
    /// The default as the converter writes it: JSON text.
    pub default: Option<String>,
}

/// `type` of a Connect schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectType {
    /// `true` or `false`.
    Boolean,
    /// A signed number of 8 bits.
    Int8,
    /// A signed number of 16 bits.
    Int16,
    /// A signed number of 32 bits.
    Int32,
    /// A signed number of 64 bits.
    Int64,
    /// A float of 32 bits.
    Float32,
    /// A float of 64 bits.
    Float64,
    /// UTF-8 text.
    String,
    /// Any bytes.
    Bytes,
    /// Any number of values of one schema.
    Array(Box<ConnectSchema>),
    /// Values by keys.
    Map {
        /// Of every key.
        keys: Box<ConnectSchema>,
        /// Of every value.
        values: Box<ConnectSchema>,
    },
    /// Named fields, in their order.
    Struct(Vec<ConnectField>),
}

/// A member of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectField {
    /// The field's name.
    pub name: String,
    /// Of its values.
    pub schema: ConnectSchema,
}

impl ConnectType {
    /// The name in the JSON text of a schema (`float` and `double`, not `float32` and `float64`).
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float",
            Self::Float64 => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Array(_) => "array",
            Self::Map { .. } => "map",
            Self::Struct(_) => "struct",
        }
    }
}

impl ConnectSchema {
    /// A schema without name, optional or not.
    pub const fn new(kind: ConnectType, optional: bool) -> Self {
        Self {
            kind,
            optional,
            name: None,
            version: None,
            doc: None,
            parameters: Vec::new(),
            default: None,
        }
    }

    /// The same with a semantic name; Debezium's and Connect's own all have version 1.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self.version = Some(1);
        self
    }

    /// The same with one more parameter.
    pub fn parameter(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((key.into(), value.into()));
        self
    }

    /// The value of a parameter.
    pub fn parameter_value(&self, key: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// The members, if this is a struct.
    pub fn fields(&self) -> &[ConnectField] {
        if let ConnectType::Struct(fields) = &self.kind {
            fields
        } else {
            &[]
        }
    }

    /// The schema of the items, if this is an array.
    pub(crate) fn items(&self) -> Option<&Self> {
        let ConnectType::Array(items) = &self.kind else {
            return None;
        };
        Some(items)
    }

    /// Appends the JSON text exactly as Connect's `JsonConverter` writes it: no spaces, attributes in its order,
    /// absent ones left out.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        self.write(None, out);
    }

    /// The JSON text.
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write_json(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn write(&self, field: Option<&str>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(self.kind.as_str().as_bytes());
        out.push(b'"');
        match &self.kind {
            ConnectType::Array(items) => {
                out.extend_from_slice(b",\"items\":");
                items.write(None, out);
            }
            ConnectType::Map { keys, values } => {
                out.extend_from_slice(b",\"keys\":");
                keys.write(None, out);
                out.extend_from_slice(b",\"values\":");
                values.write(None, out);
            }
            ConnectType::Struct(fields) => {
                out.extend_from_slice(b",\"fields\":[");
                for (i, field) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    field.schema.write(Some(&field.name), out);
                }
                out.push(b']');
            }
            ConnectType::Boolean
            | ConnectType::Int8
            | ConnectType::Int16
            | ConnectType::Int32
            | ConnectType::Int64
            | ConnectType::Float32
            | ConnectType::Float64
            | ConnectType::String
            | ConnectType::Bytes => {}
        }
        out.extend_from_slice(if self.optional {
            b",\"optional\":true"
        } else {
            b",\"optional\":false"
        });
        if let Some(name) = &self.name {
            out.extend_from_slice(b",\"name\":");
            write_string(out, name.as_bytes());
        }
        if let Some(version) = self.version {
            out.extend_from_slice(b",\"version\":");
            out.extend_from_slice(itoa::Buffer::new().format(version).as_bytes());
        }
        if let Some(doc) = &self.doc {
            out.extend_from_slice(b",\"doc\":");
            write_string(out, doc.as_bytes());
        }
        if !self.parameters.is_empty() {
            out.extend_from_slice(b",\"parameters\":{");
            for (i, (key, value)) in self.parameters.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_string(out, key.as_bytes());
                out.push(b':');
                write_string(out, value.as_bytes());
            }
            out.push(b'}');
        }
        if let Some(default) = &self.default {
            out.extend_from_slice(b",\"default\":");
            out.extend_from_slice(default.as_bytes());
        }
        if let Some(field) = field {
            out.extend_from_slice(b",\"field\":");
            write_string(out, field.as_bytes());
        }
        out.push(b'}');
    }
}
