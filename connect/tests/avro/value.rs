//! Avro as the library `apache-avro` reads it.

use anyhow::{Result, ensure};
use apache_avro::{Schema, reader::datum::GenericDatumReader, types};
use serde_json::Value;

/// A datum and the schema it was written with; what differs from run to run is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    schema: Value,
    value: Value,
}

pub fn decoded(schema: &str, bytes: &[u8]) -> Result<Datum> {
    let parsed = Schema::parse_str(schema)?;
    let reader = GenericDatumReader::builder(&parsed).build()?;
    let mut rest = bytes;
    let mut value = json(reader.read_value(&mut rest)?);
    ensure!(rest.is_empty(), "{} bytes behind the datum", rest.len());
    leave_out(&mut value);
    Ok(Datum {
        schema: serde_json::from_str(schema)?,
        value,
    })
}

/// What JSON has no form for, NaN among it, stands as text.
fn json(value: types::Value) -> Value {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other Avro values are alike here"
    )]
    match value {
        types::Value::Null => Value::Null,
        types::Value::Union(_, value) => json(*value),
        types::Value::Array(items) => items.into_iter().map(json).collect(),
        types::Value::Record(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, json(value)))
            .collect(),
        types::Value::Map(entries) => entries
            .into_iter()
            .map(|(name, value)| (name, json(value)))
            .collect(),
        other => Value::String(format!("{other:?}")),
    }
}

/// Only whether they are there can be compared.
fn leave_out(value: &mut Value) {
    let Some(envelope) = value.as_object_mut() else {
        return;
    };
    let times = ["ts_ms", "ts_us", "ts_ns"];
    let is_event = envelope.contains_key("source");
    for (name, value) in envelope.iter_mut() {
        if name == "source"
            && let Some(source) = value.as_object_mut()
        {
            for (name, value) in source.iter_mut() {
                let varies = ["sequence", "txId", "lsn"].contains(&name.as_str());
                if varies || times.contains(&name.as_str()) {
                    cover(value);
                }
            }
        } else if is_event && times.contains(&name.as_str()) {
            cover(value);
        }
    }
}

fn cover(value: &mut Value) {
    if !value.is_null() {
        *value = Value::from("there");
    }
}
