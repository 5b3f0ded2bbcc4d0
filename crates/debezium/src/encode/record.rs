use super::form::avro_prefix;
use crate::{ConnectSchema, ConnectValue, ContractSettings, Format};

/// Writes keys and values of records that are no change of a row, from their schemas, in any format.
#[derive(Debug)]
pub struct RecordEncoder {
    key: Part,
    value: Part,
}

/// The key or the value.
#[derive(Debug)]
struct Part {
    schema: ConnectSchema,
    format: Format,
    /// `{"schema":...,"payload":`, or Avro's schema id, or nothing.
    prefix: Vec<u8>,
    suffix: &'static [u8],
    replace_null_with_default: bool,
}

impl Part {
    fn new(
        schema: ConnectSchema,
        format: Format,
        embedded: bool,
        replace_null_with_default: bool,
    ) -> Self {
        let (mut prefix, mut suffix) = (Vec::new(), &b""[..]);
        match format {
            Format::Json if embedded => {
                prefix.extend_from_slice(b"{\"schema\":");
                schema.write_json(&mut prefix);
                prefix.extend_from_slice(b",\"payload\":");
                suffix = b"}";
            }
            Format::Avro => prefix.extend_from_slice(&avro_prefix(0)),
            Format::Json | Format::Text | Format::CloudEvents => {}
        }
        Self {
            schema,
            format,
            prefix,
            suffix,
            replace_null_with_default,
        }
    }

    fn set_schema_id(&mut self, id: u32) {
        if self.format == Format::Avro {
            self.prefix = avro_prefix(id).to_vec();
        }
    }

    fn encode(&self, value: &ConnectValue<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix);
        match self.format {
            Format::Json => value.write_json(&self.schema, self.replace_null_with_default, out),
            Format::Avro => value.write_avro(&self.schema, out),
            Format::Text => value.write_text(&self.schema, out),
            Format::CloudEvents => {}
        }
        out.extend_from_slice(self.suffix);
    }
}

impl RecordEncoder {
    /// An encoder of records with these schemas, in the form that the settings ask for.
    pub fn new(key: ConnectSchema, value: ConnectSchema, settings: &ContractSettings) -> Self {
        let replace_null = settings.replace_null_with_default;
        Self {
            key: Part::new(
                key,
                settings.key_format,
                settings.key_schemas_enable,
                replace_null,
            ),
            value: Part::new(
                value,
                settings.value_format,
                settings.value_schemas_enable,
                replace_null,
            ),
        }
    }

    /// Of the keys.
    pub fn key_schema(&self) -> &ConnectSchema {
        &self.key.schema
    }

    /// Of the values.
    pub fn value_schema(&self) -> &ConnectSchema {
        &self.value.schema
    }

    /// From now on Avro keys and values carry these ids of their schemas; before, they carry zeros.
    pub fn set_schema_ids(&mut self, key: u32, value: u32) {
        self.key.set_schema_id(key);
        self.value.set_schema_id(value);
    }

    /// Appends the record's key.
    pub fn encode_key(&self, key: &ConnectValue<'_>, out: &mut Vec<u8>) {
        self.key.encode(key, out);
    }

    /// Appends the record's value; nothing for CloudEvents, whose converter makes null of what is no change of a row.
    pub fn encode_value(&self, value: &ConnectValue<'_>, out: &mut Vec<u8>) {
        self.value.encode(value, out);
    }
}
