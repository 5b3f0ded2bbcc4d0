//! Our events against those of a real Debezium, live: the recorded scenarios are played on a PostgreSQL, read by a
//! connector that is posted with the recorded settings, and what arrives in Kafka is compared with the recorded records
//! byte for byte. Only what cannot be equal is put in order first: LSNs, transaction ids and times become ranks.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

mod compare;
mod corpus;
mod leaves;
mod normal;
mod play;
mod report;
mod script;
mod versions;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use corpus::{Corpus, Found, Scenario};
use futures::{StreamExt, stream};
use play::Servers;
use recorded::{Deviations, Place};
use report::{CorpusReport, Outcome};

/// Scenarios that are played at a time: they mostly wait, for their own pauses and for the server.
const AT_ONCE: usize = 4;
/// Of a hundred records, this many may deviate.
const DEVIATING_PERCENT: usize = 3;

/// Scenarios that must be among those of 2.7.3 that are played.
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

/// `TRIBUTARY_GOLDEN` is another folder of corpora; `TRIBUTARY_CORPUS` and `TRIBUTARY_SCENARIO` (name,name) play a part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_debeziums() -> Result<()> {
    let home = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let golden = std::env::var_os("TRIBUTARY_GOLDEN").map(PathBuf::from);
    let deviations = Deviations::read(&home.join("tests/conformance/deviations.toml"))?;
    let (corpora, scenarios) = (only("TRIBUTARY_CORPUS"), only("TRIBUTARY_SCENARIO"));
    let complete = golden.is_none() && corpora.is_none() && scenarios.is_none();
    let mut reports = Vec::new();
    let mut like_recorded = true;
    for corpus in Corpus::all(&golden.unwrap_or_else(|| home.join("data/golden")))? {
        if is_among(&corpora, &corpus.name) {
            let servers = Servers::start().await?;
            like_recorded &= versions::is_like_recorded(servers.postgres_major);
            reports.push(played(servers, &corpus, &scenarios, &deviations).await?);
        }
    }
    let different: Vec<String> = reports.iter().flat_map(differences).collect();
    ensure!(
        different.is_empty(),
        "{} differences:\n{}",
        different.len(),
        different.join("\n")
    );
    if complete && like_recorded {
        let counts = reports.iter().map(CorpusReport::counts);
        let (records, deviating) =
            counts.fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
        ensure!(
            deviating * 100 <= records * DEVIATING_PERCENT,
            "{deviating} of {records} records deviate"
        );
        let unmet = deviations.unmet();
        ensure!(unmet.is_empty(), "deviations that are gone: {unmet:#?}");
        let first = reports.first().context("a corpus")?;
        for required in REQUIRED {
            ensure!(
                first.outcomes.contains_key(required),
                "scenario `{required}` is missing"
            );
        }
        page_is_written(&home, &reports)?;
    }
    Ok(())
}

fn only(variable: &str) -> Option<Vec<String>> {
    let names = std::env::var(variable).ok()?;
    Some(names.split(',').map(str::to_owned).collect())
}

fn is_among(only: &Option<Vec<String>>, name: &str) -> bool {
    only.as_ref()
        .is_none_or(|only| only.iter().any(|it| it == name))
}

/// A line each, with its scenario.
fn differences(report: &CorpusReport) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, outcome) in &report.outcomes {
        if let Outcome::Different(found) | Outcome::OtherPositions(found) = outcome {
            let corpus = &report.corpus;
            lines.extend(found.iter().map(|it| format!("{corpus}: {name}: {it}")));
        }
    }
    lines
}

/// Plays all scenarios of a corpus on servers of its own: every corpus has the same names.
async fn played(
    servers: Servers,
    corpus: &Corpus,
    only: &Option<Vec<String>>,
    deviations: &Deviations,
) -> Result<CorpusReport> {
    let (mut scenarios, mut outcomes) = (Vec::new(), BTreeMap::new());
    for name in corpus.scenarios()? {
        if !is_among(only, &name) {
            continue;
        }
        let found = match versions::hindered(&name, servers.postgres_major) {
            Some(why) => Found::Later(why),
            None => corpus.read(&name)?,
        };
        match found {
            Found::Scenario(scenario) => scenarios.push(scenario),
            Found::Later(reason) => {
                println!("{}: later: {name}: {reason}", corpus.name);
                outcomes.insert(name, Outcome::Later(reason));
            }
        }
    }
    let played: Vec<_> = stream::iter(scenarios)
        .map(async |scenario| {
            let outcome = outcome(&servers, corpus, &scenario, deviations).await;
            if !matches!(outcome, Outcome::OtherPositions(_)) {
                print(corpus, &scenario.name, &outcome);
            }
            (scenario, outcome)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    servers.end().await?;
    for (scenario, mut outcome) in played {
        if matches!(outcome, Outcome::OtherPositions(_)) {
            println!("{}: alone: {}", corpus.name, scenario.name);
            let servers = Servers::start().await?;
            outcome = self::outcome(&servers, corpus, &scenario, deviations).await;
            servers.end().await?;
            print(corpus, &scenario.name, &outcome);
        }
        outcomes.insert(scenario.name, outcome);
    }
    let report = CorpusReport {
        corpus: corpus.name.clone(),
        outcomes,
    };
    let (records, deviating) = report.counts();
    println!(
        "{}: {} scenarios, {records} records equal, {deviating} of them with a deviation ({:.1} %)",
        corpus.name,
        report.outcomes.len(),
        100.0 * deviating as f64 / records.max(1) as f64
    );
    Ok(report)
}

async fn outcome(
    servers: &Servers,
    corpus: &Corpus,
    scenario: &Scenario,
    deviations: &Deviations,
) -> Outcome {
    let found = match servers.play(corpus, scenario).await {
        Ok(found) => found,
        Err(error) => return Outcome::Different(vec![format!("{error:#}")]),
    };
    let only_positions = found.iter().all(|it| it.difference.is_of_position());
    let (mut unexplained, mut explained) = (Vec::new(), BTreeMap::new());
    let mut deviating = BTreeSet::new();
    for found in found {
        let place = Place {
            corpus: &corpus.name,
            scenario: &scenario.name,
            topic: &found.topic,
            record: found.record,
        };
        match deviations.reason(place, &found.difference) {
            Some(why) => {
                let record = (found.topic, found.record);
                deviating.insert(record.clone());
                let records: &mut BTreeSet<_> = explained.entry(why.to_owned()).or_default();
                records.insert(record);
            }
            None => unexplained.push(found.to_string()),
        }
    }
    if !unexplained.is_empty() {
        return if only_positions {
            Outcome::OtherPositions(unexplained)
        } else {
            Outcome::Different(unexplained)
        };
    }
    let explained = explained.into_iter();
    Outcome::Equal {
        records: scenario.theirs.len(),
        deviating: deviating.len(),
        deviations: explained
            .map(|(why, records)| (why, records.len()))
            .collect(),
    }
}

fn print(corpus: &Corpus, name: &str, outcome: &Outcome) {
    let corpus = &corpus.name;
    match outcome {
        Outcome::Equal { .. } => println!("{corpus}: equal: {name}"),
        Outcome::Later(_) => {}
        Outcome::Different(found) | Outcome::OtherPositions(found) => {
            println!("{corpus}: DIFFERENT: {name}");
            for difference in found {
                println!("{corpus}: {name}: {difference}");
            }
        }
    }
}

/// Without a run, which would take minutes.
#[test]
fn the_properties_of_the_page_are_these() -> Result<()> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    let properties = report::properties();
    let page = std::fs::read_to_string(&path)?;
    let heading = properties.lines().nth(1).context("a heading")?;
    let at = page
        .find(&format!("\n{heading}\n"))
        .context("the page has no properties")?;
    let (found, _) = page.split_at(at);
    let wanted = format!("{found}{properties}");
    if std::env::var_os("TRIBUTARY_BLESS").is_some() {
        std::fs::write(&path, &wanted)?;
    }
    ensure!(
        std::fs::read_to_string(&path)? == wanted,
        "the properties of docs/compatibility.md are not these: TRIBUTARY_BLESS=1 writes them"
    );
    Ok(())
}

fn page_is_written(home: &Path, reports: &[CorpusReport]) -> Result<()> {
    let path = home.join("docs/compatibility.md");
    let page = report::page(reports);
    if std::env::var_os("TRIBUTARY_BLESS").is_some() {
        std::fs::write(&path, &page)?;
    }
    ensure!(
        std::fs::read_to_string(&path)? == page,
        "docs/compatibility.md is not what this run found: TRIBUTARY_BLESS=1 writes it"
    );
    Ok(())
}
