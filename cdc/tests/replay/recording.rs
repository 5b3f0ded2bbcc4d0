//! A recorded scenario: its WAL played through the assembler and the sink's encoder, and the records that Debezium
//! wrote.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use cdc::assemble::{Assembler, DeliveredUpTo, Demand};
use connector::ConnectorConfig;
use debezium::Format;
use pgoutput::{Lsn, PgTimestamp, XLogData};
use recorded::{Deviations, Difference, Place};
use serde_json::Value;

use crate::{
    avro,
    catalog::Catalog,
    sink::{AvroSchemas, Record, Records},
};

pub type Topics = BTreeMap<String, Vec<Record>>;

/// A scenario as it was recorded, and what we make of its WAL.
pub struct Recording {
    corpus: String,
    name: String,
    config: ConnectorConfig,
    /// How many rows of a snapshot come first in each topic: they are not in the WAL.
    snapshot: BTreeMap<String, usize>,
    theirs: Topics,
    pub ours: Topics,
    pub schemas: AvroSchemas,
}

/// Why there is nothing to compare.
pub enum Unreplayed {
    /// It needs more than its WAL, or what is not part of the contract so far.
    Elsewhere(String),
    /// Ours ended with an error.
    Failed(String),
}

impl Recording {
    pub fn replay(
        golden: &Path,
        corpus: &str,
        compat: &str,
        name: &str,
    ) -> Result<Self, Unreplayed> {
        let elsewhere = |why: &str| Err(Unreplayed::Elsewhere(why.to_owned()));
        let folder = golden.join(corpus).join(name);
        let text =
            |file: &str| std::fs::read_to_string(folder.join(file)).expect("read a recording");
        if golden.join("scenarios").join(name).join("restart").exists() {
            return elsewhere("a restart");
        }
        if folder.join("error.txt").exists() {
            return elsewhere("the recorded task ends with an error");
        }
        // The tables of a scenario are those of 2.7.3, whatever the corpus.
        let catalog = [corpus, "debezium-2.7.3"]
            .map(|corpus| golden.join(corpus).join(name).join("catalog.json"));
        let Some(catalog) = catalog.iter().find(|path| path.exists()) else {
            return elsewhere("no catalog.json");
        };
        let config = config(&text("connector.json"), compat).map_err(Unreplayed::Elsewhere)?;
        let (snapshot, theirs): (Vec<Record>, Vec<Record>) = records(&text("events.jsonl"))
            .into_iter()
            .filter(|record| record.topic != config.records.heartbeat_topic)
            .partition(|record| is_snapshot(record, &config));
        // The clock of what comes before the first transaction stands where the snapshot began.
        let delivered = DeliveredUpTo {
            last_commit_micros: snapshot.last().and_then(commit_micros),
            ..DeliveredUpTo::default()
        };
        let catalog = Catalog::read(catalog);
        let (ours, schemas) = events(&config, delivered, catalog, &text("wal.jsonl"))
            .map_err(|problem| Unreplayed::Failed(format!("{corpus} {name}: {problem}")))?;
        let rows = by_topic(snapshot).into_iter();
        Ok(Self {
            corpus: corpus.to_owned(),
            name: name.to_owned(),
            config,
            snapshot: rows.map(|(topic, rows)| (topic, rows.len())).collect(),
            theirs: by_topic(theirs),
            ours: by_topic(ours),
            schemas,
        })
    }

    /// How many records were compared, and one line for each difference that `deviations` does not allow.
    pub fn compare(
        &self,
        differences: impl Fn(&Record, &Record) -> Vec<Difference>,
        deviations: &Deviations,
    ) -> (usize, Vec<String>) {
        let Self { corpus, name, .. } = self;
        let (mut found, mut count) = (Vec::new(), 0);
        for topic in self
            .theirs
            .keys()
            .chain(self.ours.keys())
            .collect::<BTreeSet<_>>()
        {
            if is_timed(&self.config, topic) {
                continue;
            }
            let theirs = self
                .theirs
                .get(topic)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let ours = self.ours.get(topic).map(Vec::as_slice).unwrap_or_default();
            // Records are numbered as they were recorded, behind those of the snapshot.
            let first = self.snapshot.get(topic).copied().unwrap_or_default();
            let mut check = |at: usize, difference: Difference| {
                let at = first + at;
                let place = Place {
                    corpus,
                    scenario: name,
                    topic,
                    record: Some(at),
                };
                if deviations.reason(place, &difference).is_none() {
                    found.push(format!("{corpus} {name}: {topic} {at}: {difference}"));
                }
            };
            if theirs.len() != ours.len() {
                check(0, Difference::of_counts(theirs.len(), ours.len()));
                continue;
            }
            count += ours.len();
            for (at, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                for difference in differences(theirs, ours) {
                    check(at, difference);
                }
            }
        }
        (count, found)
    }

    /// Whether a topic's values end with the time of writing.
    pub fn has_times(&self, topic: &str) -> bool {
        topic != self.config.records.transaction_topic
    }
}

/// The records that were streamed, of any recording in JSON.
pub fn streamed(events: &str) -> Topics {
    let records = records(events).into_iter();
    by_topic(records.filter(|record| !is_read(record)).collect())
}

fn records(events: &str) -> Vec<Record> {
    let parse = |line| serde_json::from_str(line).expect("parse events.jsonl");
    events.lines().map(|line| record(&parse(line))).collect()
}

/// The recorded settings; what is wrong with them where they are not for us.
fn config(connector: &str, compat: &str) -> Result<ConnectorConfig, String> {
    let connector: Value = serde_json::from_str(connector).expect("parse connector.json");
    let settings = connector.get("config").unwrap_or(&connector);
    let mut properties: BTreeMap<String, String> = settings
        .as_object()
        .expect("connector.json is an object")
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    properties.insert("name".to_owned(), "replay".to_owned());
    properties.insert("debezium.compat".to_owned(), compat.to_owned());
    // Which run it is differs from run to run, and only the sink that writes to Kafka knows it.
    properties.insert("extended.headers.enabled".to_owned(), "false".to_owned());
    match ConnectorConfig::parse(&properties) {
        Ok(parsed) => Ok(parsed.config),
        Err(report) => Err(report
            .problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default()),
    }
}

/// Whether a topic's table is written at every heartbeat: which of them are in the recorded WAL is a matter of time.
fn is_timed(config: &ConnectorConfig, topic: &str) -> bool {
    let query = config.records.heartbeat.as_ref();
    let query = query.and_then(|heartbeat| heartbeat.action_query.as_deref());
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    query
        .zip(topic.rsplit('.').next())
        .is_some_and(|(query, table)| {
            let mut words = query.split(|c| !is_word(c));
            words.any(|word| word == table)
        })
}

/// `source.ts_us` of an event in JSON.
fn commit_micros(record: &Record) -> Option<i64> {
    let value: Value = serde_json::from_str(record.value.as_deref()?).ok()?;
    let event = value.get("payload").unwrap_or(&value);
    event["source"]["ts_us"].as_i64()
}

fn events(
    config: &ConnectorConfig,
    delivered: DeliveredUpTo,
    mut catalog: Catalog,
    wal: &str,
) -> Result<(Vec<Record>, AvroSchemas), String> {
    let told = |error: cdc::Error| service::render_error(&error, None);
    let mut sink = Records::new(config);
    let mut assembler = Assembler::new(config, delivered);
    for line in wal.lines() {
        let message: Value = serde_json::from_str(line).expect("parse wal.jsonl");
        let field = |name: &str| message[name].as_str().expect("a text of wal.jsonl");
        let data = hex(field("hex"));
        let wal_start: Lsn = field("start").parse().expect("an LSN");
        let xlog = XLogData {
            wal_start,
            wal_end: wal_start,
            sent_at: PgTimestamp::default(),
            data: &data,
        };
        let mut step = assembler.accept(&xlog, &mut sink).map_err(told)?;
        loop {
            step = match step {
                Demand::Resolve {
                    description, enums, ..
                } => {
                    let table = catalog.table(&description, !enums.is_empty(), config)?;
                    assembler.add_relation(description, table)
                }
                Demand::GoOn => assembler.go_on(&mut sink).map_err(told)?,
                Demand::Next | Demand::Replay => break,
            };
        }
    }
    Ok((sink.records, sink.schemas))
}

fn by_topic(records: Vec<Record>) -> Topics {
    let mut topics = Topics::new();
    for record in records {
        topics.entry(record.topic.clone()).or_default().push(record);
    }
    topics
}

fn is_snapshot(record: &Record, config: &ConnectorConfig) -> bool {
    if config.contract.value_format == Format::Avro {
        return record.topic != config.records.transaction_topic && avro::is_read(record);
    }
    is_read(record)
}

fn is_read(record: &Record) -> bool {
    let Some(value) = &record.value else {
        return false;
    };
    if let Ok(value) = serde_json::from_str::<Value>(value) {
        let event = value.get("payload").unwrap_or(&value);
        return event["op"] == "r" || event["iodebeziumop"] == "r";
    }
    value.contains(",op=r,ts_ms=")
}

fn record(line: &Value) -> Record {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let headers = line["headers"].as_array().cloned().unwrap_or_default();
    let headers = headers.iter().map(|header| {
        let part = |at: usize| text(&header[at]).expect("a header of text");
        (part(0), part(1))
    });
    Record {
        topic: text(&line["topic"]).expect("a topic"),
        key: text(&line["key"]),
        value: text(&line["value"]),
        headers: headers
            .filter(|(name, _)| !name.starts_with("__debezium.context."))
            .collect(),
    }
}

pub fn hex(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).expect("hexadecimal") as u8;
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
