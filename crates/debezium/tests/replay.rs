//! Replays recorded changes through the pgoutput decoder and this crate's encoder, and compares every key, value,
//! header and their order with what Debezium 2.7.3 made of the same changes: byte for byte, but for other spellings of
//! the same double. Where Debezium is wrong, `tests/conformance/deviations.toml` says so, value by value.
//!
//! Each folder under `data/golden/debezium-2.7.3` has: `wal.jsonl` (the messages), `events.jsonl` (Debezium's records),
//! `connector.json` (the settings) and `catalog.json` (what the messages lack; `data/golden/record_catalog.py`).

#[path = "replay/assemble.rs"]
mod assemble;
#[path = "replay/avro.rs"]
mod avro;
#[path = "replay/catalog.rs"]
mod catalog;
#[path = "replay/compare.rs"]
mod compare;
#[path = "replay/scenario.rs"]
mod scenario;

use std::{collections::BTreeSet, path::PathBuf};

use compare::Deviations;
use scenario::{Scenario, is_replayed};

/// Scenarios that must be there and equal, whatever else is in the folder.
const REQUIRED: [&str; 11] = [
    "arrays",
    "composite-key",
    "copy-shared-lsn",
    "crud-default-identity",
    "crud-full-identity",
    "crud-schemas",
    "no-primary-key",
    "primary-key-change",
    "scalars",
    "scalars-schemas",
    "toast",
];

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/golden")
}

#[test]
fn events_equal_debeziums() {
    let deviations = Deviations::read(&golden().join("../../tests/conformance/deviations.toml"));
    let mut folders: Vec<PathBuf> = std::fs::read_dir(golden().join("debezium-2.7.3"))
        .expect("list the recorded scenarios")
        .map(|entry| entry.expect("list the recorded scenarios").path())
        .filter(|path| path.is_dir() && is_replayed(path))
        .collect();
    folders.sort();
    let (mut equal, mut failures, mut used) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for folder in folders {
        let scenario = Scenario::read(&folder);
        let differences = scenario.differences(&deviations, &mut used);
        if differences.is_empty() {
            println!(
                "equal: {} ({} records)",
                scenario.name,
                scenario.expected_count()
            );
            equal.insert(scenario.name.clone());
        } else {
            println!("DIFFERENT: {}", scenario.name);
            failures.extend(differences);
        }
    }
    for failure in &failures {
        println!("{failure}");
    }
    assert!(
        failures.is_empty(),
        "{} differences, see above",
        failures.len()
    );
    for required in REQUIRED {
        assert!(equal.contains(required), "scenario `{required}` is missing");
    }
}

/// 2.7.3 garbles names beyond ASCII while streaming (see the deviations), so these rows are compared with 3.7.0's.
#[test]
fn odd_names_equal_debezium_3s() {
    for name in ["odd-names", "odd-names-avro-adjusted"] {
        let scenario = Scenario::read(&golden().join("debezium-2.7.3").join(name));
        let differences = scenario.row_differences(&golden().join("debezium-3").join(name));
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

/// Apicurio's converter in Confluent's form: every byte but the time of writing, and every schema's text.
#[test]
fn avro_equals_apicurios() {
    let deviations = Deviations::read(&golden().join("deviations-avro.toml"));
    let (mut failures, mut used, mut scenarios) = (Vec::new(), BTreeSet::new(), 0);
    for entry in std::fs::read_dir(golden().join("debezium-2.7.3-avro")).expect("list recordings") {
        let folder = entry.expect("list recordings").path();
        let name = folder.file_name().expect("a name");
        let scenario = golden().join("debezium-2.7.3").join(name);
        if !folder.is_dir() || !is_replayed(&scenario) {
            continue;
        }
        let catalog = scenario.join("catalog.json");
        let outcome = avro::compare(&folder, &catalog, &deviations, &mut used);
        println!(
            "{}: {} records equal, {} differ",
            name.to_string_lossy(),
            outcome.equal,
            outcome.deviating
        );
        failures.extend(outcome.failures);
        scenarios += 1;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(scenarios >= 11, "a scenario is missing");
    let stale: Vec<_> = deviations.unused(&used);
    assert!(
        stale.is_empty(),
        "deviations that no longer exist: {stale:#?}"
    );
}
