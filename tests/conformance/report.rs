//! `docs/compatibility.md`: what the run found, and what is done with each property.

use std::{collections::BTreeMap, fmt::Write};

use connector::known;

/// What became of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All records are equal but for deviations.
    Equal {
        records: usize,
        /// Records with a deviation.
        deviating: usize,
        /// The reasons, and how many records each concerns.
        deviations: BTreeMap<String, usize>,
    },
    Later(String),
    Different(Vec<String>),
    /// Nothing but ranks of LSNs differ. Two records have one rank where nothing was written between them; whoever else
    /// writes meanwhile gives them two.
    OtherPositions(Vec<String>),
}

/// The outcomes of one corpus by scenario.
pub struct CorpusReport {
    pub corpus: String,
    pub outcomes: BTreeMap<String, Outcome>,
}

impl CorpusReport {
    /// Records that were compared, and how many of them deviate.
    pub fn counts(&self) -> (usize, usize) {
        let mut counts = (0, 0);
        for outcome in self.outcomes.values() {
            if let Outcome::Equal {
                records, deviating, ..
            } = outcome
            {
                counts.0 += records;
                counts.1 += deviating;
            }
        }
        counts
    }
}

const HEAD: &str = "\
# Compatibility

This page is written by the conformance run (`TRIBUTARY_BLESS=1 cargo test --test conformance`), which plays recorded
scenarios of a real Debezium and compares every key, value, header, partition and order byte for byte. LSNs, transaction
ids and times are compared by their rank. What differs on purpose stands in `tests/conformance/deviations.toml`, value by
value. [types.md](types.md) lists what becomes of each type of PostgreSQL.
";

const PROPERTIES: &str = "
## Properties

Settings of a connector. A name that ends in `*` stands for all names with that beginning; whatever is not listed is
ignored with a warning that names the nearest known property.

| property | handling |
|---|---|
";

/// The whole page.
pub fn page(corpora: &[CorpusReport]) -> String {
    let mut text = HEAD.to_owned();
    for report in corpora {
        let equal = |outcome: &&Outcome| matches!(outcome, Outcome::Equal { .. });
        let later = |outcome: &&Outcome| matches!(outcome, Outcome::Later(_));
        let (records, deviating) = report.counts();
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n## {}\n\n{} scenarios equal, {} later. {records} records compared, {deviating} of them with a deviation.\n\n\
             | scenario | result |\n|---|---|\n",
            report.corpus,
            report.outcomes.values().filter(equal).count(),
            report.outcomes.values().filter(later).count(),
        );
        for (scenario, outcome) in &report.outcomes {
            let _ = writeln!(text, "| {scenario} | {} |", shown(outcome));
        }
    }
    text.push_str(&properties());
    text
}

/// The part of the page that no run has to find out.
pub fn properties() -> String {
    let mut text = PROPERTIES.to_owned();
    for (property, handling) in known() {
        let _ = writeln!(text, "| `{}` | {handling} |", property.name);
    }
    text
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Equal {
            records,
            deviations,
            ..
        } => {
            let mut text = match records {
                0 => "equal".to_owned(),
                records => format!("equal, {records} records"),
            };
            for (why, records) in deviations {
                let _ = write!(text, "; deviation of {records}: {why}");
            }
            text
        }
        Outcome::Later(reason) => format!("later: {reason}"),
        Outcome::Different(differences) | Outcome::OtherPositions(differences) => {
            format!("{} differences", differences.len())
        }
    }
}
