//! Proves: a connector that streams while the server is replaced underneath it goes on where the new one had everything,
//! and halts before it delivers anything where it lagged.
//! Steps: the primary is killed; in its place, on its port, a standby starts that nobody feeds; the connector meets it as
//! a standby; it is promoted, and written to.

use anyhow::{Context, Result, ensure};
use cdc::ErrorKind;
use debezium::Operation;
use stack::{Postgres, until};

use crate::{
    connector::{PATIENCE, Running, config_with, matching, start, until_events, value},
    history::{copy, grow_beyond, server, stand_by, wal_end},
    recording::Store,
};

async fn insert(postgres: &Postgres, first: usize, last: usize, v: &str) -> Result<()> {
    let sql = format!("insert into t select i, '{v}' from generate_series({first}, {last}) i");
    postgres.execute("postgres", &sql).await
}

/// The connector has met the standby, which says why it waits, and waits.
async fn waits_for_the_standby(running: &Running) -> Result<()> {
    until("the connector to meet the standby", PATIENCE, async || {
        let trouble = running.status.trouble().context("no trouble")?;
        ensure!(trouble.contains("is a standby"), "{trouble}");
        ensure!(trouble.contains("promote"), "{trouble}");
        Ok(Some(()))
    })
    .await
}

async fn promote(postgres: &Postgres) -> Result<()> {
    let promoted = value(postgres, "select pg_promote()::text").await?;
    ensure!(promoted == "true", "not promoted");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_standby_that_lagged_halts_the_running_connector() -> Result<()> {
    let postgres = server().await?;
    let mut config = config_with(&postgres, &[("errors.max.retries", "1000")]);
    config.filter.table_include = matching(&["public\\.t"]);
    let store = Store::default();
    let running = start(&config, &store, 100);
    running.streaming().await?;
    insert(&postgres, 1, 100, "before").await?;
    until_events(&store, 100).await?;
    postgres.stop().await?;
    let data = postgres.socket_dir().join("data");
    let behind = postgres.socket_dir().join("behind");
    copy(&data, &behind)?;
    postgres.restart().await?;
    insert(&postgres, 101, 200, "since").await?;
    until_events(&store, 200).await?;
    let end = wal_end(&postgres).await?;
    until("everything to be stored", PATIENCE, async || {
        let stored = store.lock().resume.as_ref().and_then(|it| it.end_lsn);
        Ok((stored >= Some(end.0)).then_some(()))
    })
    .await?;

    postgres.kill9()?;
    std::fs::remove_dir_all(&data)?;
    std::fs::rename(&behind, &data)?;
    stand_by(&postgres).await?;
    waits_for_the_standby(&running).await?;
    promote(&postgres).await?;
    insert(&postgres, 101, 400, "again").await?;
    grow_beyond(&postgres, end).await?;
    let error = running.ended().await?.err().context("it halts")?;
    ensure!(error.kind() == ErrorKind::LsnsReused, "{error:?}");
    let told = error.to_string();
    ensure!(told.contains("may be lost"), "{told}");
    ensure!(told.contains("between"), "{told}");
    ensure!(error.hint().contains("start again"), "{}", error.hint());
    ensure!(store.len() == 200, "{} events", store.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_standby_that_had_everything_costs_nothing() -> Result<()> {
    let postgres = server().await?;
    let mut config = config_with(&postgres, &[("errors.max.retries", "1000")]);
    config.filter.table_include = matching(&["public\\.t"]);
    let store = Store::default();
    let running = start(&config, &store, 7);
    running.streaming().await?;
    for round in 0..3 {
        insert(&postgres, round * 1000 + 1, round * 1000 + 300, "before").await?;
        // Once with all of it delivered, and twice within what it delivers.
        until_events(&store, round * 600 + [300, 150, 1][round]).await?;
        postgres.kill9()?;
        stand_by(&postgres).await?;
        waits_for_the_standby(&running).await?;
        promote(&postgres).await?;
        insert(&postgres, round * 1000 + 301, round * 1000 + 600, "after").await?;
        until_events(&store, (round + 1) * 600).await?;
    }
    running.stop().await?;
    let events = store.events();
    ensure!(events.iter().all(|event| event.op == Operation::Create));
    let ids: Vec<usize> = events
        .iter()
        .map(|event| Ok(event.value("id").context("id")?.parse()?))
        .collect::<Result<_>>()?;
    let want = (0..3).flat_map(|round| round * 1000 + 1..=round * 1000 + 600);
    ensure!(ids.iter().copied().eq(want), "{ids:?}");
    let mut pairs = events.windows(2);
    ensure!(pairs.all(|pair| pair[0].position < pair[1].position));
    Ok(())
}
