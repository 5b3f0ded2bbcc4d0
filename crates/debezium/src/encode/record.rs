use crate::{ConnectSchema, ConnectValue, ContractSettings};

/// Writes keys and values of records that are no change of a row, from their schemas.
#[derive(Debug)]
pub struct RecordEncoder {
    key: Part,
    value: Part,
    replace_null_with_default: bool,
}

/// The key or the value.
#[derive(Debug)]
struct Part {
    schema: ConnectSchema,
    /// `{"schema":...,"payload":`, or nothing.
    prefix: Vec<u8>,
    suffix: &'static [u8],
}

impl Part {
    fn new(schema: ConnectSchema, embedded: bool) -> Self {
        let (mut prefix, mut suffix) = (Vec::new(), &b""[..]);
        if embedded {
            prefix.extend_from_slice(b"{\"schema\":");
            schema.write_json(&mut prefix);
            prefix.extend_from_slice(b",\"payload\":");
            suffix = b"}";
        }
        Self {
            schema,
            prefix,
            suffix,
        }
    }

    fn encode(&self, value: &ConnectValue<'_>, replace_null: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix);
        value.write_json(&self.schema, replace_null, out);
        out.extend_from_slice(self.suffix);
    }
}

impl RecordEncoder {
    pub fn new(key: ConnectSchema, value: ConnectSchema, settings: &ContractSettings) -> Self {
        Self {
            key: Part::new(key, settings.key_schemas_enable),
            value: Part::new(value, settings.value_schemas_enable),
            replace_null_with_default: settings.replace_null_with_default,
        }
    }

    pub fn key_schema(&self) -> &ConnectSchema {
        &self.key.schema
    }

    pub fn value_schema(&self) -> &ConnectSchema {
        &self.value.schema
    }

    /// Appends the record's key.
    pub fn encode_key(&self, key: &ConnectValue<'_>, out: &mut Vec<u8>) {
        self.key.encode(key, self.replace_null_with_default, out);
    }

    /// Appends the record's value.
    pub fn encode_value(&self, value: &ConnectValue<'_>, out: &mut Vec<u8>) {
        self.value
            .encode(value, self.replace_null_with_default, out);
    }
}
