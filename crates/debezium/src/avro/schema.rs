//! Connect schemas as Avro schemas, as Confluent's and Apicurio's `AvroData` write them.
//!
//! The text is the same to the byte, for registries compare it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{ConnectSchema, ConnectType, json::write_string};

/// Name of a struct that has none.
const UNNAMED: &str = "io.confluent.connect.avro.ConnectDefault";
const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";
/// Precision of a decimal whose schema does not tell.
const DEFAULT_PRECISION: &str = "64";

/// A Connect schema that Avro has no schema for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the message of each says what it is")]
pub enum AvroSchemaError {
    #[error(
        "make an Avro schema: `{0}` is not an Avro name (letters, digits and `_`, no digit first); \
         set schema.name.adjustment.mode and field.name.adjustment.mode to avro"
    )]
    Name(String),
}

impl ConnectSchema {
    /// The Avro schema as text, with the properties `connect.*` unless `connect.meta.data` is false. A record that
    /// was defined before is referred to by its name.
    ///
    /// # Errors
    /// A struct or a field has a name that Avro does not allow.
    pub fn to_avro(&self, connect_meta_data: bool) -> Result<String, AvroSchemaError> {
        let mut writer = Writer {
            connect_meta_data,
            defined: Vec::new(),
            out: Vec::new(),
        };
        writer.schema(self, None)?;
        Ok(String::from_utf8_lossy(&writer.out).into_owned())
    }
}

struct Writer<'s> {
    connect_meta_data: bool,
    /// Records written so far.
    defined: Vec<&'s ConnectSchema>,
    out: Vec<u8>,
}

impl<'s> Writer<'s> {
    /// A schema inside `namespace`; an optional one is a union, its default's branch first.
    fn schema(
        &mut self,
        schema: &'s ConnectSchema,
        namespace: Option<&str>,
    ) -> Result<(), AvroSchemaError> {
        if !schema.optional {
            return self.required(schema, namespace);
        }
        if schema.default.is_some() {
            self.raw("[");
            self.required(schema, namespace)?;
            self.raw(",\"null\"]");
        } else {
            self.raw("[\"null\",");
            self.required(schema, namespace)?;
            self.raw("]");
        }
        Ok(())
    }

    fn required(
        &mut self,
        schema: &'s ConnectSchema,
        namespace: Option<&str>,
    ) -> Result<(), AvroSchemaError> {
        let kind = match &schema.kind {
            ConnectType::Boolean => "boolean",
            ConnectType::Int8 | ConnectType::Int16 | ConnectType::Int32 => "int",
            ConnectType::Int64 => "long",
            ConnectType::Float32 => "float",
            ConnectType::Float64 => "double",
            ConnectType::String => "string",
            ConnectType::Bytes => "bytes",
            ConnectType::Array(items) => {
                self.raw("{\"type\":\"array\",\"items\":");
                self.schema(items, namespace)?;
                self.properties(schema);
                self.raw("}");
                return Ok(());
            }
            ConnectType::Map { keys, values } => {
                if keys.kind == ConnectType::String && !keys.optional {
                    self.raw("{\"type\":\"map\",\"values\":");
                    self.schema(values, namespace)?;
                } else {
                    self.entries(keys, values, namespace)?;
                }
                self.properties(schema);
                self.raw("}");
                return Ok(());
            }
            ConnectType::Struct(_) => return self.record(schema, namespace),
        };
        let plain = self.out.len();
        self.raw("{\"type\":");
        self.text(kind);
        let bare = self.out.len();
        self.properties(schema);
        if self.out.len() == bare {
            self.out.truncate(plain);
            self.text(kind);
        } else {
            self.raw("}");
        }
        Ok(())
    }

    /// A map whose keys are not plain strings: an array of pairs.
    fn entries(
        &mut self,
        keys: &'s ConnectSchema,
        values: &'s ConnectSchema,
        namespace: Option<&str>,
    ) -> Result<(), AvroSchemaError> {
        self.raw("{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"MapEntry\",\"namespace\":\"io.confluent.connect.avro\",\"fields\":[{\"name\":\"key\",\"type\":");
        self.schema(keys, namespace)?;
        self.raw("},{\"name\":\"value\",\"type\":");
        self.schema(values, namespace)?;
        self.raw("}]}");
        Ok(())
    }

    fn record(
        &mut self,
        schema: &'s ConnectSchema,
        enclosing: Option<&str>,
    ) -> Result<(), AvroSchemaError> {
        let full = schema.name.as_deref().unwrap_or(UNNAMED);
        let (namespace, name) = match full.rsplit_once('.') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, full),
        };
        if self.defined.iter().any(|known| same_record(known, schema)) {
            let reference = if namespace == enclosing { name } else { full };
            self.text(reference);
            return Ok(());
        }
        self.defined.push(schema);
        self.raw("{\"type\":\"record\",\"name\":");
        self.name(name)?;
        if namespace != enclosing {
            self.raw(",\"namespace\":");
            self.text(namespace.unwrap_or_default());
        }
        self.raw(",\"fields\":[");
        for (i, field) in schema.fields().iter().enumerate() {
            self.raw(if i > 0 { ",{\"name\":" } else { "{\"name\":" });
            self.name(&field.name)?;
            self.raw(",\"type\":");
            self.schema(&field.schema, namespace)?;
            if let Some(default) = &field.schema.default {
                self.raw(",\"default\":");
                self.raw(&default_text(&field.schema, default));
            } else if field.schema.optional {
                self.raw(",\"default\":null");
            }
            self.raw("}");
        }
        self.raw("]");
        self.properties(schema);
        self.raw("}");
        Ok(())
    }

    /// What the schema has beside its type, in the order in which the converters add it.
    fn properties(&mut self, schema: &ConnectSchema) {
        let logical = logical_type(schema);
        if schema.name.as_deref() == Some(DECIMAL) {
            let number = |name, default| -> String {
                // What is no number would not be JSON either.
                let value = schema.parameter_value(name).unwrap_or(default);
                value.parse::<i64>().unwrap_or_default().to_string()
            };
            self.property("scale", &number("scale", "0"));
            self.property(
                "precision",
                &number("connect.decimal.precision", DEFAULT_PRECISION),
            );
        }
        if self.connect_meta_data {
            self.connect_properties(schema);
        }
        if let Some(logical) = logical {
            self.property("logicalType", &quoted(logical));
        }
    }

    fn connect_properties(&mut self, schema: &ConnectSchema) {
        if let Some(doc) = &schema.doc {
            self.property("connect.doc", &quoted(doc));
        }
        if let Some(version) = schema.version {
            self.property("connect.version", &version.to_string());
        }
        if !schema.parameters.is_empty() {
            let pairs: Vec<String> = schema
                .parameters
                .iter()
                .map(|(name, value)| format!("{}:{}", quoted(name), quoted(value)))
                .collect();
            self.property("connect.parameters", &format!("{{{}}}", pairs.join(",")));
        }
        if let Some(default) = &schema.default {
            self.property("connect.default", &default_text(schema, default));
        }
        if let Some(name) = &schema.name {
            self.property("connect.name", &quoted(name));
        }
        match schema.kind {
            ConnectType::Int8 => self.property("connect.type", "\"int8\""),
            ConnectType::Int16 => self.property("connect.type", "\"int16\""),
            ConnectType::Boolean
            | ConnectType::Int32
            | ConnectType::Int64
            | ConnectType::Float32
            | ConnectType::Float64
            | ConnectType::String
            | ConnectType::Bytes
            | ConnectType::Array(_)
            | ConnectType::Map { .. }
            | ConnectType::Struct(_) => {}
        }
    }

    fn property(&mut self, name: &str, json: &str) {
        self.raw(",");
        self.text(name);
        self.raw(":");
        self.raw(json);
    }

    fn name(&mut self, name: &str) -> Result<(), AvroSchemaError> {
        let mut chars = name.chars();
        let first = chars.next();
        let letter = |c: char| c.is_alphabetic() || c == '_';
        if !first.is_some_and(letter) || !chars.all(|c| letter(c) || c.is_numeric()) {
            return Err(AvroSchemaError::Name(name.to_owned()));
        }
        self.text(name);
        Ok(())
    }

    fn text(&mut self, text: &str) {
        write_string(&mut self.out, text.as_bytes());
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// Equal as records: whether a place may be null belongs to the place.
fn same_record(one: &ConnectSchema, other: &ConnectSchema) -> bool {
    (&one.name, one.version, &one.doc) == (&other.name, other.version, &other.doc)
        && (&one.kind, &one.parameters) == (&other.kind, &other.parameters)
}

fn logical_type(schema: &ConnectSchema) -> Option<&'static str> {
    Some(match schema.name.as_deref()? {
        DECIMAL => "decimal",
        "org.apache.kafka.connect.data.Date" => "date",
        "org.apache.kafka.connect.data.Time" => "time-millis",
        "org.apache.kafka.connect.data.Timestamp" => "timestamp-millis",
        _ => return None,
    })
}

fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

/// A default of Connect's JSON in Avro's: bytes are not base64 but a string with one character a byte.
fn default_text(schema: &ConnectSchema, json: &str) -> String {
    if schema.kind != ConnectType::Bytes {
        return json.to_owned();
    }
    let bytes = match serde_json::from_str(json) {
        Ok(Value::String(text)) => STANDARD.decode(text).unwrap_or_default(),
        _ => Vec::new(),
    };
    quoted(&bytes.into_iter().map(char::from).collect::<String>())
}
