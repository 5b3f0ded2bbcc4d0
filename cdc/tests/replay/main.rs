//! The recorded changes of every scenario through the parts that make events of them (settings, decoder, assembler,
//! encoders), without any server: keys, values, headers and their order in each topic are compared with what a real
//! Debezium wrote of the same WAL, LSNs and times included. Snapshot rows and heartbeats are not in the WAL; scenarios
//! that are stopped and started again are played on real servers only.

mod catalog;
#[expect(dead_code, reason = "the other test that reads it uses all of it")]
#[path = "../../../crates/debezium/tests/replay/compare.rs"]
mod compare;
mod messages;
mod recording;
mod sink;

use std::{collections::BTreeSet, path::PathBuf};

use compare::Deviations;
use recording::{Replayed, replay};

/// What `compare` knows a record as.
mod assemble {
    pub use crate::sink::Record;
}

/// Scenarios that must be there and equal in both corpora, one for each kind of record and rule.
const REQUIRED: [&str; 20] = [
    "arrays",
    "cloudevents",
    "column-include",
    "column-mask",
    "column-source-type",
    "composite-key",
    "converter-headers-json",
    "converter-numeric",
    "converter-string",
    "crud-full-identity",
    "enums-domains",
    "keys-odd",
    "logical-messages",
    "primary-key-change",
    "route",
    "table-column-filters",
    "toast",
    "topic-names",
    "transactions",
    "truncate",
];

#[test]
fn what_the_wal_holds_becomes_what_debezium_wrote() {
    let home = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let deviations = Deviations::read(&home.join("tests/conformance/deviations.toml"));
    let golden = std::env::var_os("TRIBUTARY_GOLDEN");
    let golden = golden.map_or_else(|| home.join("data/golden"), PathBuf::from);
    let mut failures = Vec::new();
    for (corpus, compat) in [("debezium-2.7.3", "2.7"), ("debezium-3", "3")] {
        let (mut equal, mut records, mut used) = (BTreeSet::new(), 0, BTreeSet::new());
        for name in names(&golden.join(corpus)) {
            match replay(&golden, corpus, compat, &name, &deviations, &mut used) {
                Replayed::Equal(count) => {
                    records += count;
                    equal.insert(name);
                }
                Replayed::Elsewhere(reason) => println!("{corpus}: not replayed: {name}: {reason}"),
                Replayed::Different(found) => {
                    println!("{corpus}: DIFFERENT: {name}");
                    failures.extend(found);
                }
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

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("list the scenarios");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("list the scenarios"))
        .filter(|entry| entry.path().join("wal.jsonl").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
