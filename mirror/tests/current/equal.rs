//! Whether `current` is the fold of `changes` up to the version that its `txn` names.

use anyhow::{Context as _, Result, ensure};
use arrow::{
    array::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use console::{Rows, SourceLog, SqlEngine};
use datafusion::prelude::SessionContext;
use deltalake_core::DeltaTable;
use lakewriter::Lake;
use mirror::{APP_ID, Follower, Step};

/// Steps until nothing is left to do; what was done.
pub async fn advance(follower: &mut Follower) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    loop {
        match follower.step().await? {
            Step::Idle => return Ok(steps),
            Step::Resting => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            step => steps.push(step),
        }
        ensure!(steps.len() < 100, "no end: {steps:?}");
    }
}

/// The rows of `current`, and the version of `changes` that they are said to be.
pub async fn current(lake: &Lake, folder: &str) -> Result<(Vec<String>, u64)> {
    let log = lake.log_store(folder)?;
    let mut table = DeltaTable::new(log.clone());
    table.load().await.context("open current")?;
    let snapshot = table.snapshot()?;
    let txn = snapshot
        .snapshot()
        .transaction_version(log.as_ref(), APP_ID)
        .await?
        .context("it has a txn")?;
    let session = SessionContext::new();
    let state = session.state();
    table.update_datafusion_session(&state)?;
    let provider = table
        .table_provider()
        .with_session(std::sync::Arc::new(state))
        .await?;
    let rows = session.read_table(provider)?.collect().await?;
    Ok((texts(&rows)?, txn.cast_unsigned()))
}

pub async fn assert_equal(lake: &Lake, changes: &str) -> Result<()> {
    let folder = changes.replace("/changes", "/current");
    assert_roads_agree(lake).await?;
    let (found, version) = current(lake, &folder).await?;
    let session = SessionContext::new();
    let log = SourceLog::open(lake, &session, changes, Some(version), 64 << 20).await;
    let log = log.map_err(|error| anyhow::anyhow!("{error}"))?;
    let expected = texts(&log.latest()?.collect().await?)?;
    if found != expected {
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these
                .iter()
                .filter(|row| !those.contains(row))
                .cloned()
                .collect()
        };
        anyhow::bail!(
            "at version {version}: {} rows for {}; only in current {:#?}; only in the replay {:#?}",
            found.len(),
            expected.len(),
            only(&found, &expected),
            only(&expected, &found),
        );
    }
    Ok(())
}

/// Every table by `current` and by a replay of its whole log: values, names, types, and what is said with them.
pub async fn assert_roads_agree(lake: &Lake) -> Result<()> {
    let by = |rows| SqlEngine::over(lake.clone(), "memory:///", Some(512 << 20), rows);
    let (kept, replayed) = (by(Rows::Kept).await?, by(Rows::Replayed).await?);
    ensure!(
        kept.warnings() == replayed.warnings(),
        "{:?}",
        kept.warnings()
    );
    for table in replayed.tables() {
        let table = format!("\"{}\".\"{}\"", table.schema, table.table);
        let all = format!("select * from {table}");
        let rows = replayed.query(&all).await?;
        let columns: Vec<String> = rows
            .schema()
            .fields()
            .iter()
            .map(|field| format!("\"{}\"", field.name()))
            .collect();
        let (Some(first), Some(last)) = (columns.first(), columns.last()) else {
            continue;
        };
        let filtered = format!(
            "select {last}, {first} from {table} where {last} is not null and {first} is not null"
        );
        for sql in [all, filtered] {
            let mut answers = Vec::new();
            for engine in [&kept, &replayed] {
                let rows = engine.query(&sql).await?;
                let schema = rows.schema().as_arrow().clone();
                let rows = rows.collect().await?;
                answers.push((schema, texts(&rows)?, engine.take_notices()));
            }
            let [kept, replayed] = answers.as_slice() else {
                anyhow::bail!("two answers");
            };
            ensure!(kept == replayed, "{sql}: {kept:#?} for {replayed:#?}");
        }
    }
    Ok(())
}

pub fn texts(batches: &[RecordBatch]) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    let options = FormatOptions::new().with_null("NULL");
    for batch in batches {
        let columns = batch.columns().iter();
        let columns = columns.map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let values: Vec<String> = columns.iter().map(|c| c.value(row).to_string()).collect();
            rows.push(values.join("|"));
        }
    }
    rows.sort();
    Ok(rows)
}
