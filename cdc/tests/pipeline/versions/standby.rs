//! Proves: a standby can be the source: snapshot and stream, nothing lost and nothing twice; the position goes on there
//! after a restart, after a kill of the standby and after its promotion.
//! Requires: PostgreSQL 16, the first version with logical slots on standbys.

use anyhow::{Context, Result, ensure};
use stack::{Postgres, PostgresVersion, until};

use super::server;
use crate::{
    connector::{PATIENCE, Running, config_with, start, until_events, value},
    recording::Store,
};

/// Waits until the connector streams from a standby.
async fn streams(primary: &Postgres, running: &Running) -> Result<()> {
    // A standby makes a slot when its primary says which transactions run, which it does by itself only now and then.
    let told = until("nothing", PATIENCE, async || -> Result<Option<()>> {
        primary
            .execute("postgres", "select pg_log_standby_snapshot()")
            .await?;
        Ok(None)
    });
    tokio::select! {
        streaming = running.streaming() => streaming?,
        told = told => told?,
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_a_source() -> Result<()> {
    let primary = server(PostgresVersion::V16, &[]).await?;
    primary
        .execute(
            "postgres",
            "create table t(id int primary key, v text); insert into t select i, 'before' from generate_series(1, 100) i;
             create publication dbz_publication for table t",
        )
        .await?;
    let standby = primary.standby("standby", &[]).await?;
    let store = Store::default();
    let running = start(&config_with(&standby, &[]), &store, 50);
    streams(&primary, &running).await?;
    primary
        .execute(
            "postgres",
            "insert into t select i, 'while' from generate_series(101, 200) i",
        )
        .await?;
    until_events(&store, 200).await?;
    running.kill().await;
    primary
        .execute(
            "postgres",
            "insert into t select i, 'after' from generate_series(201, 300) i",
        )
        .await?;
    let running = start(&config_with(&standby, &[]), &store, 50);
    until_events(&store, 300).await?;
    let end = value(&primary, "select pg_current_wal_lsn()::text").await?;
    let confirmed = format!(
        "select 1 from pg_replication_slots where slot_name = 'debezium' and confirmed_flush_lsn >= '{end}'"
    );
    until("the standby's slot to be confirmed", PATIENCE, async || {
        Ok((!standby.query("postgres", &confirmed).await?.is_empty()).then_some(()))
    })
    .await?;
    running.stop().await?;
    let log = std::fs::read_to_string(standby.log())?;
    let refused: Vec<_> = log
        .lines()
        .filter(|line| line.contains("recovery"))
        .filter(|line| line.contains("ERROR:"))
        .collect();
    ensure!(
        refused.is_empty(),
        "nothing is asked that a standby does not answer: {refused:#?}"
    );
    let ids: Vec<i32> = store
        .events()
        .iter()
        .map(|event| Ok(event.value("id").context("id")?.parse()?))
        .collect::<Result<_>>()?;
    ensure!(ids == (1..=300).collect::<Vec<_>>(), "{ids:?}");
    Ok(())
}

/// A standby that was killed replays its WAL while it can be read already: that it is not yet where the connector was is
/// no loss. Then it is promoted under the running connector.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_is_not_there_yet_is_waited_for() -> Result<()> {
    let primary = server(PostgresVersion::V16, &[]).await?;
    primary
        .execute(
            "postgres",
            "create table t(id int primary key); create publication dbz_publication for table t",
        )
        .await?;
    let standby = primary.standby("standby", &[]).await?;
    let store = Store::default();
    let properties = [("errors.max.retries", "1000")];
    let running = start(&config_with(&standby, &properties), &store, 50);
    streams(&primary, &running).await?;
    // From here on the standby replays again after a kill.
    primary.execute("postgres", "checkpoint").await?;
    standby.execute("postgres", "checkpoint").await?;
    insert(&primary, 1).await?;
    until_events(&store, 100).await?;

    standby.kill9()?;
    standby
        .restart_with(&[("recovery_min_apply_delay", "1h")])
        .await?;
    until(
        "the connector to wait for the standby",
        PATIENCE,
        async || {
            let trouble = running.status.trouble().context("no trouble")?;
            ensure!(trouble.contains("has the WAL up to"), "{trouble}");
            Ok(Some(()))
        },
    )
    .await?;
    standby
        .execute("postgres", "alter system set recovery_min_apply_delay = 0")
        .await?;
    standby.restart().await?;
    insert(&primary, 101).await?;
    until_events(&store, 200).await?;

    primary.kill9()?;
    standby.promote().await?;
    insert(&standby, 201).await?;
    until_events(&store, 300).await?;
    running.stop().await?;
    let ids: Vec<i32> = store
        .events()
        .iter()
        .map(|event| Ok(event.value("id").context("id")?.parse()?))
        .collect::<Result<_>>()?;
    ensure!(ids == (1..=300).collect::<Vec<_>>(), "{ids:?}");
    // Its position is of the new timeline.
    let again = start(&config_with(&standby, &properties), &store, 50);
    again.streaming().await?;
    insert(&standby, 301).await?;
    until_events(&store, 400).await?;
    again.stop().await
}

async fn insert(postgres: &Postgres, first: u32) -> Result<()> {
    let sql = format!("insert into t select generate_series({first}, {first} + 99)");
    postgres.execute("postgres", &sql).await
}
