//! The recorded Avro: binary and schemas.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use apache_avro::{Schema, reader::datum::GenericDatumReader};
use serde_json::Value;

use crate::{
    assemble::{Assembler, Record},
    catalog::Catalog,
    compare::{Deviations, Difference, tree_differences},
    scenario::{by_topic, hex, lsn, settings},
};

/// What a comparison found.
#[derive(Default)]
pub struct Outcome {
    /// Differences that are not on purpose, one line each.
    pub failures: Vec<String>,
    pub equal: usize,
    /// Records that differ on purpose.
    pub deviating: usize,
}

/// Compares a recorded scenario with ours.
pub fn compare(
    folder: &Path,
    catalog: &Path,
    deviations: &Deviations,
    used: &mut BTreeSet<usize>,
) -> Outcome {
    let name = folder.file_name().expect("a folder").to_string_lossy();
    let text = |file: &str| std::fs::read_to_string(folder.join(file)).expect("read a recording");
    let json = |file: &str| -> Value { serde_json::from_str(&text(file)).expect("parse JSON") };
    let connector = json("connector.json");
    let settings = settings(connector.as_object().expect("an object"));
    let mut assembler = Assembler::new(&settings, ".", Catalog::read(catalog));
    for line in text("wal.jsonl").lines() {
        let message: Value = serde_json::from_str(line).expect("parse wal.jsonl");
        let field = |name: &str| message[name].as_str().expect("a text").to_owned();
        assembler.message(lsn(&field("start")), &hex(&field("hex")));
    }
    let their_schemas: HashMap<u32, String> = json("schemas.json")
        .as_array()
        .expect("a list of schemas")
        .iter()
        .map(|schema| {
            let id = schema["id"].as_u64().expect("an id") as u32;
            (id, schema["schema"].as_str().expect("a schema").to_owned())
        })
        .collect();
    let (records, our_schemas) = assembler.into_avro();
    let theirs = recorded(&text("events.jsonl"));
    let ours = by_topic(records.into_iter());
    let mut outcome = Outcome::default();
    let topics: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
    for topic in topics {
        let mut check = |at, difference: &Difference| {
            let allowed =
                deviations.allows("debezium-2.7.3-avro", &name, topic, at, difference, used);
            if !allowed {
                let line = format!("{name}: {topic} {at}: {difference}");
                outcome.failures.push(line);
            }
        };
        let theirs = theirs.get(topic).map(Vec::as_slice).unwrap_or_default();
        let ours = ours.get(topic).map(Vec::as_slice).unwrap_or_default();
        if theirs.len() != ours.len() {
            check(0, &Difference::of_counts(theirs.len(), ours.len()));
            continue;
        }
        for (at, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
            let mut found = header_differences(theirs, ours);
            for (part, theirs, ours) in [
                ("key", &theirs.key, &ours.key),
                ("value", &theirs.value, &ours.value),
            ] {
                let theirs = theirs.as_deref().map(|record| Part::new(record, part));
                let ours = ours.as_deref().map(|record| Part::new(record, part));
                found.extend(part_differences(
                    part,
                    theirs.map(|part| (their_schemas[&part.schema_id].as_str(), part)),
                    ours.map(|part| (our_schemas[part.schema_id as usize].as_str(), part)),
                ));
            }
            if found.is_empty() {
                outcome.equal += 1;
            } else {
                outcome.deviating += 1;
            }
            for difference in &found {
                check(at, difference);
            }
        }
    }
    outcome
}

/// A key or a value in Confluent's wire format.
struct Part {
    schema_id: u32,
    bytes: Vec<u8>,
    /// Without the time of writing.
    compared: Vec<u8>,
}

impl Part {
    fn new(record: &str, part: &str) -> Self {
        let record = hex(record);
        let (prefix, bytes) = record.split_at(5);
        assert_eq!(prefix[0], 0, "Confluent's magic");
        Self {
            schema_id: u32::from_be_bytes(prefix[1..].try_into().expect("an id")),
            bytes: bytes.to_vec(),
            compared: without_time(bytes, part).to_vec(),
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
            found.push(Difference::new(&path, theirs.0.into(), ours.0.into()));
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

/// The streamed records by topic. Those of a snapshot have `r` where the operation stands.
fn recorded(events: &str) -> BTreeMap<String, Vec<Record>> {
    let records = events.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("parse events.jsonl");
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let headers = line["headers"].as_array().cloned().unwrap_or_default();
        Record {
            topic: text("topic").expect("a topic"),
            key: text("key"),
            value: text("value"),
            headers: headers
                .iter()
                .map(|header| {
                    let part = |at: usize| header[at].as_str().expect("a text").to_owned();
                    (part(0), part(1))
                })
                .collect(),
        }
    });
    let streamed = records.filter(|record| {
        let value = record.value.as_deref().map(hex);
        value.is_none_or(|value| operation(&value) != Some(b'r'))
    });
    by_topic(streamed.filter(|record| !record.topic.ends_with(".transaction")))
}

/// The operation stands before three optional longs.
fn operation(value: &[u8]) -> Option<u8> {
    let rest = without_time(value, "value");
    rest.last().copied()
}

/// The value without the three times of writing at its end.
fn without_time<'v>(value: &'v [u8], part: &str) -> &'v [u8] {
    if part == "key" {
        return value;
    }
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
