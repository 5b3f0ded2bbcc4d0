//! The recorded changes of every scenario through the parts that make events of them (settings, decoder, assembler,
//! encoders), without any server: keys, values, headers and their order in each topic are compared with what a real
//! Debezium wrote of the same WAL, LSNs and times included. Snapshot rows and heartbeats are not in the WAL; scenarios
//! that are stopped and started again are played on real servers only.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

mod avro;
mod catalog;
mod compare;
mod messages;
mod recording;
mod sink;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use avro::TheirSchemas;
use compare::differences;
use recorded::Deviations;
use recording::{Recording, Topics, Unreplayed, streamed};
use sink::Record;

/// Scenarios that must be there and equal in both corpora, one for each kind of record and rule.
const REQUIRED: [&str; 26] = [
    "arrays",
    "cloudevents",
    "column-include",
    "column-mask",
    "column-source-type",
    "composite-key",
    "converter-headers-json",
    "converter-numeric",
    "converter-string",
    "copy-shared-lsn",
    "crud-default-identity",
    "crud-full-identity",
    "crud-schemas",
    "enums-domains",
    "keys-odd",
    "logical-messages",
    "no-primary-key",
    "primary-key-change",
    "route",
    "scalars",
    "scalars-schemas",
    "table-column-filters",
    "toast",
    "topic-names",
    "transactions",
    "truncate",
];

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn what_the_wal_holds_becomes_what_debezium_wrote() {
    let file = home().join("tests/conformance/deviations.toml");
    let deviations = Deviations::read(&file).expect("deviations").of_a_part();
    let golden = std::env::var_os("TRIBUTARY_GOLDEN");
    let golden = golden.map_or_else(|| home().join("data/golden"), PathBuf::from);
    let mut failures = Vec::new();
    for (corpus, compat) in [("debezium-2.7.3", "2.7"), ("debezium-3", "3")] {
        let (mut equal, mut records) = (BTreeSet::new(), 0);
        for name in names(&golden.join(corpus)) {
            let found = match Recording::replay(&golden, corpus, compat, &name) {
                Ok(recording) => {
                    let (count, found) = recording.compare(differences, &deviations);
                    records += if found.is_empty() { count } else { 0 };
                    found
                }
                Err(Unreplayed::Failed(problem)) => vec![problem],
                Err(Unreplayed::Elsewhere(reason)) => {
                    println!("{corpus}: not replayed: {name}: {reason}");
                    continue;
                }
            };
            if found.is_empty() {
                equal.insert(name);
            } else {
                println!("{corpus}: DIFFERENT: {name}");
                failures.extend(found);
            }
        }
        println!(
            "{corpus}: {} scenarios, {records} records equal",
            equal.len()
        );
        for required in REQUIRED {
            if std::env::var_os("TRIBUTARY_GOLDEN").is_none() && !equal.contains(required) {
                failures.push(format!(
                    "{corpus}: `{required}` is not among the equal ones"
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Apicurio's converter in Confluent's form: every byte but the time of writing, and every schema's text.
#[test]
fn avro_equals_apicurios() {
    const CORPUS: &str = "debezium-2.7.3-avro";
    let golden = home().join("data/golden");
    let file = golden.join("deviations-avro.toml");
    let deviations = Deviations::read(&file).expect("deviations").of_a_part();
    let (mut failures, mut scenarios) = (Vec::new(), 0);
    for name in names(&golden.join(CORPUS)) {
        let recording = match Recording::replay(&golden, CORPUS, "2.7", &name) {
            Ok(recording) => recording,
            Err(Unreplayed::Failed(why) | Unreplayed::Elsewhere(why)) => {
                failures.push(format!("{name}: {why}"));
                continue;
            }
        };
        let schemas = TheirSchemas::read(&golden.join(CORPUS).join(&name));
        let differences =
            |theirs: &Record, ours: &Record| avro::differences(&recording, &schemas, theirs, ours);
        let (count, found) = recording.compare(differences, &deviations);
        println!("{name}: {count} records");
        failures.extend(found);
        scenarios += 1;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(scenarios >= 12, "a scenario is missing");
    let stale = deviations.unmet();
    assert!(
        stale.is_empty(),
        "deviations that no longer exist: {stale:#?}"
    );
}

/// 2.7.3 garbles names beyond ASCII while streaming (see the deviations), so these rows are compared with 3.7.0's, whose
/// `source` and headers have more.
#[test]
fn odd_names_equal_debezium_3s() {
    let golden = home().join("data/golden");
    for name in ["odd-names", "odd-names-avro-adjusted"] {
        let Ok(recording) = Recording::replay(&golden, "debezium-2.7.3", "2.7", name) else {
            panic!("{name} is not replayed");
        };
        let events = golden.join("debezium-3").join(name).join("events.jsonl");
        let theirs = streamed(&std::fs::read_to_string(events).expect("read a recording"));
        assert_eq!(rows(&recording.ours), rows(&theirs), "{name}");
    }
}

/// Topic, key, row schema, rows and operation of each record.
fn rows(topics: &Topics) -> Vec<(String, Option<String>, String)> {
    let records = topics.values().flatten();
    let part = |record: &Record| {
        let value = record.value.as_deref()?;
        let value: serde_json::Value = serde_json::from_str(value).expect("parse an event");
        let payload = &value["payload"];
        Some(format!(
            "{} {} {} {}",
            value["schema"]["fields"][0], payload["before"], payload["after"], payload["op"]
        ))
    };
    records
        .map(|record| {
            let row = part(record).unwrap_or_else(|| "tombstone".to_owned());
            (record.topic.clone(), record.key.clone(), row)
        })
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("list the scenarios");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("list the scenarios"))
        .filter(|entry| entry.path().join("wal.jsonl").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
