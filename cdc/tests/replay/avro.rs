//! The recorded Avro: binary and schemas.

use std::{collections::HashMap, path::Path};

use apache_avro::{Schema, reader::datum::GenericDatumReader};
use serde_json::Value;

use recorded::{Difference, tree_differences};

use crate::{
    recording::{Recording, hex},
    sink::Record,
};

/// The schemas of a recording, by their ids.
pub struct TheirSchemas(HashMap<u32, String>);

impl TheirSchemas {
    pub fn read(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join("schemas.json")).expect("read the schemas");
        let list: Value = serde_json::from_str(&text).expect("parse schemas.json");
        let schemas = list.as_array().expect("a list of schemas").iter();
        let known = schemas.map(|schema| {
            let id = schema["id"].as_u64().expect("an id") as u32;
            (id, schema["schema"].as_str().expect("a schema").to_owned())
        });
        Self(known.collect())
    }
}

/// What is not equal between a record of `recording` and ours.
pub fn differences(
    recording: &Recording,
    schemas: &TheirSchemas,
    theirs: &Record,
    ours: &Record,
) -> Vec<Difference> {
    let mut found = header_differences(theirs, ours);
    let has_times = recording.has_times(&theirs.topic);
    for (part, theirs, ours, has_times) in [
        ("key", &theirs.key, &ours.key, false),
        ("value", &theirs.value, &ours.value, has_times),
    ] {
        let theirs = theirs.as_deref().map(|record| Part::new(record, has_times));
        let ours = ours.as_deref().map(|record| Part::new(record, has_times));
        found.extend(part_differences(
            part,
            theirs.map(|part| (schemas.0[&part.schema_id].as_str(), part)),
            ours.map(|part| (recording.schemas.text(part.schema_id), part)),
        ));
    }
    found
}

/// A key or a value in Confluent's wire format.
struct Part {
    schema_id: u32,
    bytes: Vec<u8>,
    /// Without the time of writing.
    compared: Vec<u8>,
}

impl Part {
    fn new(record: &str, has_times: bool) -> Self {
        let record = hex(record);
        let (prefix, bytes) = record.split_at(5);
        assert_eq!(prefix[0], 0, "Confluent's magic");
        let compared = if has_times {
            without_time(bytes)
        } else {
            bytes
        };
        Self {
            schema_id: u32::from_be_bytes(prefix[1..].try_into().expect("an id")),
            bytes: bytes.to_vec(),
            compared: compared.to_vec(),
        }
    }
}

fn header_differences(theirs: &Record, ours: &Record) -> Vec<Difference> {
    if theirs.headers == ours.headers {
        return Vec::new();
    }
    let text = |record: &Record| format!("{:?}", record.headers);
    vec![Difference::new("headers", text(theirs), text(ours))]
}

/// Schemas property for property and binary byte for byte; where the binary differs, which values do.
fn part_differences(
    part: &str,
    theirs: Option<(&str, Part)>,
    ours: Option<(&str, Part)>,
) -> Vec<Difference> {
    let (theirs, ours) = match (theirs, ours) {
        (Some(theirs), Some(ours)) => (theirs, ours),
        (None, None) => return Vec::new(),
        (theirs, ours) => {
            let text = |there: bool| if there { "a record" } else { "null" }.to_owned();
            let difference = Difference::new(part, text(theirs.is_some()), text(ours.is_some()));
            return vec![difference];
        }
    };
    let mut found = Vec::new();
    if theirs.0 != ours.0 {
        let parse = |text| serde_json::from_str(text).expect("parse a schema");
        let path = format!("{part} schema");
        tree_differences(&path, &parse(theirs.0), &parse(ours.0), &mut found);
        if found.is_empty() {
            found.push(Difference::new(&path, theirs.0, ours.0));
        }
    }
    if theirs.1.compared != ours.1.compared {
        let before = found.len();
        let tree = |(schema, part): &(&str, Part)| without_times(json(schema, &part.bytes));
        tree_differences(part, &tree(&theirs), &tree(&ours), &mut found);
        if found.len() == before {
            let text = |bytes: &[u8]| format!("{bytes:02x?}");
            let (theirs, ours) = (text(&theirs.1.compared), text(&ours.1.compared));
            found.push(Difference::new(part, theirs, ours));
        }
    }
    found
}

/// A datum as the library `apache-avro` reads it.
fn json(schema: &str, bytes: &[u8]) -> Value {
    let schema = Schema::parse_str(schema).expect("parse an Avro schema");
    let reader = GenericDatumReader::builder(&schema)
        .build()
        .expect("read records of the schema");
    let value = reader.read_value(&mut &bytes[..]).expect("decode a record");
    value.try_into().expect("an Avro value as JSON")
}

fn without_times(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !matches!(name.as_str(), "ts_ms" | "ts_us" | "ts_ns"));
    }
    value
}

/// A row of a snapshot has `r` where the operation stands, before three optional longs.
pub fn is_read(record: &Record) -> bool {
    let value = record.value.as_deref().map(hex);
    value.is_some_and(|value| without_time(&value).last() == Some(&b'r'))
}

/// The value without the three times of writing at its end.
fn without_time(value: &[u8]) -> &[u8] {
    let mut rest = value;
    for _ in 0..3 {
        let (&last, mut head) = rest.split_last().expect("a time");
        assert!(last < 0x80, "the end of a number");
        while head.last().is_some_and(|byte| *byte >= 0x80) {
            head = &head[..head.len() - 1];
        }
        let (branch, head) = head.split_last().expect("a branch");
        assert_eq!(*branch, 2, "a time that is there");
        rest = head;
    }
    rest
}
