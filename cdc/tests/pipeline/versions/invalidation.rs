//! Proves: a slot that the server invalidated halts the connector with the window, the server's reason, and the setting
//! that keeps it from happening again.
//! Requires: PostgreSQL 17, which tells the reason, and 18, which has `idle_replication_slot_timeout`.

use anyhow::{Context, Result, ensure};
use cdc::ErrorKind;
use stack::{Postgres, PostgresVersion, until};

use super::server;
use crate::{
    connector::{PATIENCE, config, start, until_events, value},
    recording::Store,
};

/// A connector that delivered something and was stopped.
async fn delivered(postgres: &Postgres) -> Result<Store> {
    let store = Store::default();
    postgres
        .execute("postgres", "create table t(id int primary key)")
        .await?;
    let running = start(&config(postgres), &store, 100);
    running.streaming().await?;
    postgres
        .execute("postgres", "insert into t values (1)")
        .await?;
    until_events(&store, 1).await?;
    running.stop().await?;
    Ok(store)
}

/// Until the server has invalidated the slot for `reason`; `sql` brings it nearer.
async fn invalidated(postgres: &Postgres, reason: &str, sql: &[&str]) -> Result<()> {
    until("the slot to be invalidated", PATIENCE, async || {
        for sql in sql {
            postgres.execute("postgres", sql).await?;
        }
        let found = value(
            postgres,
            "select coalesce(invalidation_reason, 'none') from pg_replication_slots",
        )
        .await?;
        Ok((found == reason).then_some(()))
    })
    .await
}

async fn halts(postgres: &Postgres, store: &Store, reason: &str, setting: &str) -> Result<()> {
    let running = start(&config(postgres), store, 100);
    let error = running.ended().await?.err().context("it halts")?;
    ensure!(error.kind() == ErrorKind::SlotLost, "{error:?}");
    let told = error.to_string();
    ensure!(
        told.contains(&format!("({reason})")) && told.contains("may be lost"),
        "{told}"
    );
    ensure!(error.hint().contains(setting), "{}", error.hint());
    ensure!(store.len() == 1, "nothing is delivered after it");
    Ok(())
}

#[tokio::test]
async fn wal_that_was_removed() -> Result<()> {
    let settings = [
        ("max_slot_wal_keep_size", "1MB"),
        ("max_wal_size", "32MB"),
        ("min_wal_size", "32MB"),
    ];
    let postgres = server(PostgresVersion::V17, &settings).await?;
    let store = delivered(&postgres).await?;
    let more = [
        "delete from t where id > 1",
        "insert into t select i from generate_series(2, 50000) i",
        "select pg_switch_wal()",
        "checkpoint",
    ];
    invalidated(&postgres, "wal_removed", &more).await?;
    halts(&postgres, &store, "wal_removed", "max_slot_wal_keep_size").await
}

#[tokio::test]
async fn a_reader_that_was_away_too_long() -> Result<()> {
    let settings = [("idle_replication_slot_timeout", "1s")];
    let postgres = server(PostgresVersion::V18, &settings).await?;
    let store = delivered(&postgres).await?;
    // Only a checkpoint looks.
    let look = ["insert into t select max(id) + 1 from t", "checkpoint"];
    invalidated(&postgres, "idle_timeout", &look).await?;
    halts(
        &postgres,
        &store,
        "idle_timeout",
        "idle_replication_slot_timeout",
    )
    .await
}
