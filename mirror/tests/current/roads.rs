//! Queries read `current` and what was committed after it: proved by a log whose folded files are gone, so that nobody can
//! replay it.

use std::{sync::Arc, time::Instant};

use anyhow::{Context as _, Result, ensure};
use console::{Rows, SqlEngine};
use datafusion::prelude::SessionContext;
use lakewriter::Lake;
use mirror::Follower;
use object_store::{ObjectStoreExt as _, memory::InMemory, path::Path};

use crate::{
    equal::{advance, assert_roads_agree, texts},
    log::{Body, CHANGES, Event, Log, lake_on},
    random::{QUIET, settings},
    source::{Dice, Source},
};

async fn rows(lake: &Lake, rows: Rows, sql: &str) -> Result<Vec<String>> {
    let engine = SqlEngine::over(lake.clone(), "memory:///", Some(512 << 20), rows).await?;
    texts(&engine.query(sql).await?.collect().await?)
}

#[tokio::test]
async fn folded_files_of_the_log_are_not_read() -> Result<()> {
    for seed in 0..6 {
        let mut dice = Dice::new(seed);
        let store = Arc::new(InMemory::new());
        let lake = lake_on(store.clone())?;
        let mut log = Log::create(lake.clone()).await?;
        let mut source = Source::new(QUIET);
        let session = SessionContext::new();
        let mut follower = Follower::new(&lake, &session, CHANGES, settings());
        for _ in 0..4 {
            (0..4).for_each(|_| source.transact(&mut dice));
            log.commit(&source.drain()).await?;
        }
        advance(&mut follower).await?;
        for _ in 0..seed % 4 {
            (0..3).for_each(|_| source.transact(&mut dice));
            log.commit(&source.drain()).await?;
        }
        assert_roads_agree(&lake).await?;
        for file in 1..=4 {
            let path = Path::from(format!("{CHANGES}/{file}.parquet"));
            store.delete(&path).await.context("delete a folded file")?;
        }
        let sql = "select id, n, body from t";
        let found = rows(&lake, Rows::Kept, sql).await;
        let found = found.with_context(|| format!("seed {seed}: read current"))?;
        ensure!(found == source.rows(), "seed {seed}: {found:#?}");
        ensure!(rows(&lake, Rows::Replayed, sql).await.is_err(), "replayed");
    }
    Ok(())
}

/// How long queries take by both roads. It asserts nothing of time, which other tests share.
#[tokio::test]
async fn both_roads_answer_many_commits_alike() -> Result<()> {
    // `TRIBUTARY_COMMITS=2000` measures.
    let commits = std::env::var("TRIBUTARY_COMMITS").ok();
    let commits: i64 = commits.and_then(|text| text.parse().ok()).unwrap_or(30);
    let lake = lake_on(Arc::new(InMemory::new()))?;
    let mut log = Log::create(lake.clone()).await?;
    let session = SessionContext::new();
    for commit in 1..=commits {
        let events: Vec<Event> = (0..150)
            .map(|row| Event {
                op: if row < 100 { 'c' } else { 'u' },
                incarnation: 1,
                lsn: commit * 1000,
                seq: row,
                id: if row < 100 {
                    commit * 100 + row
                } else {
                    (commit / 2).max(1) * 100 + row - 100
                },
                n: commit,
                body: Body::Sent(Some(format!("text {row}").repeat(10))),
                partition: 0,
                offset: commit * 1000 + row,
            })
            .collect();
        log.commit(&events).await?;
        if commit + 1 == commits {
            let mut follower = Follower::new(&lake, &session, CHANGES, settings());
            advance(&mut follower).await?;
        }
    }
    for sql in [
        "select count(*) from t",
        "select id, n, body from t limit 3",
    ] {
        let mut counts = Vec::new();
        for by in [Rows::Replayed, Rows::Kept] {
            let began = Instant::now();
            let engine = SqlEngine::over(lake.clone(), "memory:///", None, by).await?;
            let opened = began.elapsed();
            let found = texts(&engine.query(sql).await?.collect().await?)?;
            println!(
                "{commits} commits, {by:?}, {sql}: open {opened:?}, answer {:?}",
                began.elapsed() - opened
            );
            counts.push(if sql.contains("count") {
                found
            } else {
                vec![found.len().to_string()]
            });
        }
        ensure!(counts.first() == counts.last(), "{sql}: {counts:?}");
    }
    Ok(())
}
