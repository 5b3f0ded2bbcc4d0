use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use debezium::{
    BinaryHandling, ContractSettings, DecimalFormat, DecimalHandling, Format, HstoreHandling,
    IntervalHandling, NameAdjustment, SkippedOperations, TimePrecision,
};
use serde_json::{Map, Value};

use crate::{
    assemble::{Assembler, Record},
    catalog::Catalog,
    compare::{Deviations, Difference, differences},
};

/// A recorded scenario, and what we make of it. Order is kept within a topic (the recorded topics have one partition).
pub struct Scenario {
    pub name: String,
    corpus: String,
    /// Snapshot rows per topic: they are not replayed.
    snapshot_rows: BTreeMap<String, usize>,
    expected: BTreeMap<String, Vec<Record>>,
    ours: BTreeMap<String, Vec<Record>>,
}

impl Scenario {
    pub fn read(folder: &Path) -> Self {
        let file_name = |path: &Path| {
            let name = path.file_name().expect("a folder");
            name.to_string_lossy().into_owned()
        };
        let name = file_name(folder);
        let corpus = file_name(folder.parent().expect("a corpus"));
        let text =
            |file: &str| std::fs::read_to_string(folder.join(file)).expect("read a recorded file");
        let connector: Value =
            serde_json::from_str(&text("connector.json")).expect("parse connector.json");
        let config = connector.get("config").unwrap_or(&connector);
        let config = config.as_object().expect("connector.json is an object");
        let settings = settings(config);
        let delimiter = setting(config, "topic.delimiter").unwrap_or(".");
        let mut assembler = Assembler::new(&settings, delimiter, Catalog::read(&catalog(folder)));
        for line in text("wal.jsonl").lines() {
            let message: Value = serde_json::from_str(line).expect("parse wal.jsonl");
            let field = |name: &str| {
                message[name]
                    .as_str()
                    .expect("a text field of wal.jsonl")
                    .to_owned()
            };
            assembler.message(lsn(&field("start")), &hex(&field("hex")));
        }
        let events = text("events.jsonl");
        let mut snapshot_rows: BTreeMap<String, usize> = BTreeMap::new();
        let (snapshot, expected): (Vec<Record>, Vec<Record>) = events
            .lines()
            .map(|line| record(&serde_json::from_str(line).expect("parse events.jsonl")))
            .partition(is_snapshot);
        for record in snapshot {
            *snapshot_rows.entry(record.topic).or_default() += 1;
        }
        // RegexRouter with `$3` for all: topics only.
        let routed = setting(config, "transforms.route.replacement") == Some("$3");
        let ours = assembler.into_records().into_iter().map(|record| {
            match record.topic.rsplit_once('.') {
                Some((_, table)) if routed => Record {
                    topic: table.to_owned(),
                    ..record
                },
                _ => record,
            }
        });
        Self {
            name,
            corpus,
            snapshot_rows,
            expected: by_topic(expected.into_iter()),
            ours: by_topic(ours),
        }
    }

    pub fn expected_count(&self) -> usize {
        self.expected.values().map(Vec::len).sum()
    }

    /// One line for each difference that `deviations` does not allow; those it allows are noted in `used`.
    pub fn differences(&self, deviations: &Deviations, used: &mut BTreeSet<usize>) -> Vec<String> {
        let mut found = Vec::new();
        let topics: BTreeSet<_> = self.expected.keys().chain(self.ours.keys()).collect();
        for topic in topics {
            let none = Vec::new();
            let expected = self.expected.get(topic).unwrap_or(&none);
            let ours = self.ours.get(topic).unwrap_or(&none);
            let first = self.snapshot_rows.get(topic).copied().unwrap_or_default();
            let mut check = |at, difference: Difference| {
                let at = first + at;
                if !deviations.allows(&self.corpus, &self.name, topic, at, &difference, used) {
                    found.push(format!("{}: {topic} {at}: {difference}", self.name));
                }
            };
            if expected.len() != ours.len() {
                check(0, Difference::of_counts(expected.len(), ours.len()));
                continue;
            }
            for (at, (expected, ours)) in expected.iter().zip(ours).enumerate() {
                for difference in differences(expected, ours) {
                    check(at, difference);
                }
            }
        }
        found
    }

    /// Topics, keys, row schemas and rows that are not those of another version's recording of the same scenario. Its
    /// `source` and headers have more than those of 2.7.3.
    pub fn row_differences(&self, recording: &Path) -> Vec<String> {
        let events =
            std::fs::read_to_string(recording.join("events.jsonl")).expect("read a recording");
        let expected = by_topic(
            events
                .lines()
                .map(|line| record(&serde_json::from_str(line).expect("parse a recording")))
                .filter(|record| !is_snapshot(record)),
        );
        let parts =
            |records: &BTreeMap<String, Vec<Record>>| -> Vec<(String, Option<String>, String)> {
                records
                    .values()
                    .flatten()
                    .map(|record| (record.topic.clone(), record.key.clone(), row_part(record)))
                    .collect()
            };
        let (expected, ours) = (parts(&expected), parts(&self.ours));
        let mut found: Vec<String> = expected
            .iter()
            .zip(&ours)
            .filter(|(theirs, ours)| theirs != ours)
            .map(|(theirs, ours)| format!("{}: theirs {theirs:?}\n    ours {ours:?}", self.name))
            .collect();
        if expected.len() != ours.len() {
            found.push(format!(
                "{}: theirs {} records, ours {}",
                self.name,
                expected.len(),
                ours.len()
            ));
        }
        found
    }
}

/// Row schema, rows and operation of an event with embedded schema, as text.
fn row_part(record: &Record) -> String {
    let Some(value) = &record.value else {
        return "tombstone".to_owned();
    };
    let value: Value = serde_json::from_str(value).expect("parse an event");
    let payload = &value["payload"];
    format!(
        "{} {} {} {}",
        value["schema"]["fields"][0], payload["before"], payload["after"], payload["op"]
    )
}

/// The tables of a scenario are those of 2.7.3, whatever the corpus.
fn catalog(folder: &Path) -> PathBuf {
    let own = folder.join("catalog.json");
    let name = folder.file_name().expect("a folder");
    match folder.parent().and_then(Path::parent) {
        Some(golden) if !own.exists() => golden
            .join("debezium-2.7.3")
            .join(name)
            .join("catalog.json"),
        _ => own,
    }
}

/// Whether a scenario is one of row changes that the encoder alone decides: without records of other kinds, filters and
/// rules that the connector's configuration finds, and other converters. The live test plays those.
pub fn is_replayed(folder: &Path) -> bool {
    const ELSEWHERE: [&str; 8] = [
        "column.",
        "datatype.",
        "heartbeat.",
        "header.converter",
        "schema.include",
        "schema.exclude",
        "table.include",
        "table.exclude",
    ];
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
    let connector: Value =
        serde_json::from_str(&read("connector.json")).expect("parse connector.json");
    let config = connector.get("config").unwrap_or(&connector);
    let settings = config.as_object().expect("connector.json is an object");
    let elsewhere = settings.iter().any(|(name, value)| {
        let other_converter = matches!(name.as_str(), "key.converter" | "value.converter")
            && value != "org.apache.kafka.connect.json.JsonConverter";
        ELSEWHERE
            .iter()
            .any(|beginning| name.starts_with(beginning))
            || other_converter
            || (name == "provide.transaction.metadata" && value == "true")
    });
    // 4d is M: a logical message.
    let messages = read("wal.jsonl").contains("\"hex\": \"4d");
    !elsewhere && !messages && catalog(folder).exists() && !folder.join("error.txt").exists()
}

pub fn by_topic(records: impl Iterator<Item = Record>) -> BTreeMap<String, Vec<Record>> {
    let mut topics: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for record in records {
        topics.entry(record.topic.clone()).or_default().push(record);
    }
    topics
}

fn is_snapshot(record: &Record) -> bool {
    let Some(value) = &record.value else {
        return false;
    };
    let value: Value = serde_json::from_str(value).expect("parse an event");
    value.get("payload").unwrap_or(&value)["op"] == "r"
}

fn record(line: &Value) -> Record {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let headers = line["headers"].as_array().cloned().unwrap_or_default();
    Record {
        topic: text(&line["topic"]).expect("a topic"),
        key: text(&line["key"]),
        value: text(&line["value"]),
        headers: headers
            .iter()
            .map(|header| {
                let part = |at: usize| text(&header[at]).expect("a header of text");
                (part(0), part(1))
            })
            .collect(),
    }
}

pub fn lsn(text: &str) -> u64 {
    let (high, low) = text.split_once('/').expect("an LSN");
    let part = |hex: &str| u64::from_str_radix(hex, 16).expect("an LSN");
    part(high) << 32 | part(low)
}

pub fn hex(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).expect("hexadecimal") as u8;
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

fn setting<'a>(config: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    config.get(name).and_then(Value::as_str)
}

pub fn settings(config: &Map<String, Value>) -> ContractSettings {
    let get = |name: &str| setting(config, name);
    let is_true = |name: &str, default: bool| get(name).map_or(default, |text| text == "true");
    let mut settings = ContractSettings::new(get("topic.prefix").expect("topic.prefix"));
    settings.decimal_handling = match get("decimal.handling.mode") {
        Some("double") => DecimalHandling::Double,
        Some("string") => DecimalHandling::String,
        _ => DecimalHandling::Precise,
    };
    settings.time_precision = match get("time.precision.mode") {
        Some("adaptive_time_microseconds") => TimePrecision::AdaptiveTimeMicroseconds,
        Some("connect") => TimePrecision::Connect,
        _ => TimePrecision::Adaptive,
    };
    settings.interval_handling = match get("interval.handling.mode") {
        Some("string") => IntervalHandling::String,
        _ => IntervalHandling::Numeric,
    };
    settings.hstore_handling = match get("hstore.handling.mode") {
        Some("map") => HstoreHandling::Map,
        _ => HstoreHandling::Json,
    };
    settings.binary_handling = match get("binary.handling.mode") {
        Some("base64") => BinaryHandling::Base64,
        Some("base64-url-safe") => BinaryHandling::Base64UrlSafe,
        Some("hex") => BinaryHandling::Hex,
        _ => BinaryHandling::Bytes,
    };
    let adjustment = |name: &str| match get(name) {
        Some("avro") => NameAdjustment::Avro,
        Some("avro_unicode") => NameAdjustment::AvroUnicode,
        _ => NameAdjustment::None,
    };
    settings.schema_name_adjustment = adjustment("schema.name.adjustment.mode");
    settings.field_name_adjustment = adjustment("field.name.adjustment.mode");
    settings.include_unknown_datatypes = is_true("include.unknown.datatypes", false);
    settings.tombstones_on_delete = is_true("tombstones.on.delete", true);
    settings.key_schemas_enable = is_true("key.converter.schemas.enable", true);
    settings.value_schemas_enable = is_true("value.converter.schemas.enable", true);
    settings.replace_null_with_default = is_true("value.converter.replace.null.with.default", true);
    let format = |name: &str| match get(name) {
        Some(class) if class.ends_with("AvroConverter") => Format::Avro,
        _ => Format::Json,
    };
    settings.key_format = format("key.converter");
    settings.value_format = format("value.converter");
    let decimals = |name: &str| match get(name) {
        Some("NUMERIC") => DecimalFormat::Numeric,
        _ => DecimalFormat::Base64,
    };
    settings.decimal_format = decimals("value.converter.decimal.format");
    settings.key_decimal_format = decimals("key.converter.decimal.format");
    settings.key_replace_null_with_default =
        is_true("key.converter.replace.null.with.default", true);
    if let Some(list) = get("skipped.operations") {
        let skips = |op: &str| list.split(',').any(|skipped| skipped.trim() == op);
        settings.skipped_operations = SkippedOperations {
            create: skips("c"),
            update: skips("u"),
            delete: skips("d"),
            truncate: skips("t"),
        };
    }
    settings
}
