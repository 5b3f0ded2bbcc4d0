//! Our events against those of a real Debezium, live: the recorded scenarios are played on a PostgreSQL, read by a
//! connector that is posted with the recorded settings, and what arrives in Kafka is compared with the recorded records
//! byte for byte. Only what cannot be equal is put in order first: LSNs, transaction ids and times become ranks.

mod compare;
mod normal;
mod play;
mod script;

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Result, ensure};
use compare::Deviations;
use play::Servers;

/// Scenarios that must be among those that are played.
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

/// `TRIBUTARY_SCENARIO=name,name` plays some of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_debeziums() -> Result<()> {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/golden");
    let deviations = Deviations::read(&golden)?;
    let only: Option<Vec<String>> = std::env::var("TRIBUTARY_SCENARIO")
        .ok()
        .map(|names| names.split(',').map(str::to_owned).collect());
    let servers = Servers::start().await?;
    let mut names: Vec<String> = std::fs::read_dir(golden.join("scenarios"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.sort();
    let (mut equal, mut failures) = (BTreeSet::new(), Vec::new());
    for name in names {
        if only.as_ref().is_some_and(|only| !only.contains(&name)) {
            continue;
        }
        let found = match servers.play(&golden, &name).await {
            Ok(played) => played.differences(&deviations),
            Err(error) => vec![format!("{name}: {error:#}")],
        };
        if found.is_empty() {
            println!("equal: {name}");
            equal.insert(name);
        } else {
            println!("DIFFERENT: {name}");
            for difference in &found {
                println!("{name}: {difference}");
            }
            failures.extend(found);
        }
    }
    servers.end().await?;
    ensure!(
        failures.is_empty(),
        "{} differences, see above",
        failures.len()
    );
    for required in REQUIRED {
        ensure!(
            only.is_some() || equal.contains(required),
            "scenario `{required}` is missing"
        );
    }
    Ok(())
}
