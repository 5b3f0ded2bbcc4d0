//! `tributary.commit.interval.ms`: how often a batch is committed, and what is not lost by waiting.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cdc::EventSink;
use stack::{Kafka, until};

use crate::events::{config, deliver, ids, insert, open, table};

const INTERVAL: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(60);

/// Transactions of one row every few milliseconds: some commits, each row once; the first row and the last do not wait.
pub async fn commits_are_as_rare_as_asked(kafka: &Kafka) -> Result<()> {
    let interval = INTERVAL.as_millis().to_string();
    let properties = [
        ("tributary.commit.interval.ms", interval.as_str()),
        ("topic.creation.default.partitions", "1"),
        ("topic.creation.default.replication.factor", "1"),
    ];
    let (mut sink, _) = open(kafka, &config("rare", &properties)?).await?;
    ensure!(sink.rests_until().is_none(), "nothing was sent before");
    let t = table("t");
    let began = Instant::now();
    let mut rows = 0;
    while began.elapsed() < INTERVAL * 5 {
        insert(&mut sink, &t, 8 * (rows + 1), rows..rows + 1)?;
        rows += 1;
        sink.dispatch()?;
        let resting = sink.rests_until().context("a batch was sent")?;
        ensure!(resting <= tokio::time::Instant::now() + INTERVAL);
        let step = tokio::time::timeout(Duration::from_millis(5), sink.progress()).await;
        step.unwrap_or_else(|_| Ok(Default::default()))?;
    }
    let took = began.elapsed();
    sink.begin_drain();
    ensure!(
        sink.rests_until().is_none(),
        "the end does not wait for the interval"
    );
    deliver(&mut sink).await?;
    until("the last rows to be visible", PATIENCE, async || {
        let records = kafka.read_all("rare.public.t", true).await?;
        Ok((ids(&records)? == (0..rows).collect::<Vec<u64>>()).then_some(()))
    })
    .await?;
    // What a topic holds beside its records are the markers of transactions.
    let end: i64 = kafka.end_offsets("rare.public.t").await?.iter().sum();
    let commits = end - i64::try_from(rows)?;
    let most = took.as_millis() / INTERVAL.as_millis() + 2;
    ensure!(
        commits >= 2 && commits <= i64::try_from(most)?,
        "{commits} commits of {rows} transactions in {took:?}"
    );
    Ok(())
}
