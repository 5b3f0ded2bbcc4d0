//! What the recordings show of a newer PostgreSQL than the one that is played on. They were made on version 15 and later.

use std::{ops::RangeInclusive, sync::LazyLock};

use anyhow::{Context, Result};
use regex::Regex;
use stack::Postgres;

use recorded::Difference;

/// The first version that does not send transactions of which nothing is published.
const WITHOUT_EMPTY_TRANSACTIONS: u32 = 15;

/// Scenarios that only some versions can play, and why the others cannot.
const PLAYED: [(&str, RangeInclusive<u32>, &str); 4] = [
    (
        "own-numeric-scales",
        15..=u32::MAX,
        "has no numeric scales below zero or above the precision",
    ),
    ("own-transactions", 15..=u32::MAX, "has no MERGE"),
    (
        "own-partitions",
        WITHOUT_EMPTY_TRANSACTIONS..=u32::MAX,
        "sends BEGIN and END of transactions without a published change",
    ),
    (
        "tables-identity",
        0..=17,
        "refuses to update a table whose replica identity has a generated column that is not published",
    ),
];

static LAST_COMMIT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\[(?:null|\\*"\d+\\*"),"#).expect("a sequence's first LSN"));

/// The server's major version.
pub async fn major(postgres: &Postgres) -> Result<u32> {
    let sql = "select current_setting('server_version_num')::int / 10000";
    let rows = postgres.query("postgres", sql).await?;
    let text = rows.into_iter().flatten().flatten().next();
    Ok(text.context("the server's version")?.parse()?)
}

/// Whether this version plays all scenarios.
pub fn is_like_recorded(major: u32) -> bool {
    PLAYED
        .iter()
        .all(|(_, versions, _)| versions.contains(&major))
}

/// Why a scenario cannot be played on this version, if it cannot.
pub fn hindered(scenario: &str, major: u32) -> Option<String> {
    let (_, versions, why) = PLAYED.iter().find(|(name, _, _)| *name == scenario)?;
    (!versions.contains(&major)).then(|| format!("PostgreSQL {major} {why}"))
}

/// Whether a difference is what this version is known for: transactions without a published change are sent and count as
/// the last commit that `source.sequence` tells.
pub fn is_known(difference: &Difference, major: u32) -> bool {
    let without = |text: &str| LAST_COMMIT.replace_all(text, "[").into_owned();
    major < WITHOUT_EMPTY_TRANSACTIONS && without(&difference.theirs) == without(&difference.ours)
}

#[test]
fn only_the_last_commit_may_differ() {
    let difference = |theirs: &str, ours: &str| Difference::new("", theirs, ours);
    let last = difference(r#""[null,\"3\"]""#, r#""[\"2\",\"3\"]""#);
    assert!(is_known(&last, 14) && !is_known(&last, 15));
    let lsn = difference(r#""[\"2\",\"3\"]""#, r#""[\"2\",\"4\"]""#);
    assert!(!is_known(&lsn, 14));
}
