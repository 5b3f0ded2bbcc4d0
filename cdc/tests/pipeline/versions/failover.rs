//! Proves: a promotion of a standby under load loses nothing and repeats nothing where the slot is one for failover, and
//! halts with the window where it is not.
//! Steps: clients write; the primary is killed; the standby is promoted; the connector goes on there, as behind a name
//! that points to the new primary now; what it delivered is compared with the rows of the new primary.
//! Requires: PostgreSQL 17, the first version with failover slots.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use cdc::ErrorKind;
use debezium::Operation;
use stack::{Postgres, PostgresVersion, until};
use tokio::task::JoinHandle;

use super::server;
use crate::{
    connector::{PATIENCE, config_with, start, until_events, value},
    recording::Store,
};

/// The physical slot that the standby streams through.
const PHYSICAL: &str = "standby";

/// A primary with a table, and its standby, which copies failover slots.
async fn pair() -> Result<(Postgres, Postgres)> {
    let primary = server(PostgresVersion::V17, &[]).await?;
    primary
        .execute(
            "postgres",
            "create table t(id bigint primary key, v text); insert into t values (-1, 'before')",
        )
        .await?;
    let standby = primary
        .standby(PHYSICAL, &[("sync_replication_slots", "on")])
        .await?;
    // Logical readers get nothing that the standby does not have.
    primary
        .execute(
            "postgres",
            &format!("alter system set synchronized_standby_slots = '{PHYSICAL}'"),
        )
        .await?;
    primary
        .execute("postgres", "select pg_reload_conf()")
        .await?;
    Ok((primary, standby))
}

/// Transactions of some rows each until the server dies.
fn load(client: tokio_postgres::Client, first: i64) -> JoinHandle<()> {
    tokio::spawn(async move {
        for round in 0.. {
            let id = first + round * 3;
            let sql = format!(
                "insert into t values ({id}, 'a'), ({id} + 1, 'b'), ({id} + 2, 'c'); \
                 update t set v = v || 'u' where id = {id} + 1; delete from t where id = {id} + 2"
            );
            if client.batch_execute(&sql).await.is_err() {
                return;
            }
        }
    })
}

/// What a reader of the events would have, each row with its value; an event that does not fit is told.
fn replayed(store: &Store) -> Result<BTreeMap<i64, String>> {
    let mut rows = BTreeMap::new();
    for event in store.events() {
        let id: i64 = event.value("id").context("id")?.parse()?;
        let text = event.value("v").unwrap_or_default().to_owned();
        let fits = match event.op {
            Operation::Read | Operation::Create => rows.insert(id, text).is_none(),
            Operation::Update => rows.insert(id, text).is_some(),
            Operation::Delete => rows.remove(&id).is_some(),
            Operation::Truncate => false,
        };
        ensure!(fits, "lost or repeated before: {event:?}");
    }
    Ok(rows)
}

async fn rows(postgres: &Postgres) -> Result<BTreeMap<i64, String>> {
    let rows = postgres
        .query("postgres", "select id, v from t order by id")
        .await?;
    rows.into_iter()
        .map(|row| match row.as_slice() {
            [Some(id), Some(v)] => Ok((id.parse()?, v.clone())),
            other => anyhow::bail!("{other:?}"),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_failover_slot_nothing_is_lost_and_nothing_repeated() -> Result<()> {
    let (primary, standby) = pair().await?;
    let store = Store::default();
    let properties = [("slot.failover", "true")];
    let running = start(&config_with(&primary, &properties), &store, 50);
    running.streaming().await?;
    let loads = [
        load(primary.connect("postgres").await?, 0),
        load(primary.connect("postgres").await?, 1_000_000),
    ];
    // The copy of a slot is temporary until the standby has all that the slot needs.
    until("the slot on the standby", PATIENCE, async || {
        let sql = "select 1 from pg_replication_slots where slot_name = 'debezium' and synced and not temporary";
        Ok((!standby.query("postgres", sql).await?.is_empty()).then_some(()))
    })
    .await?;
    let before = store.len();
    until_events(&store, before + 500).await?;

    primary.kill9()?;
    for load in loads {
        load.await?;
    }
    running.kill().await;
    let delivered = store.len();
    // A name that points to the standby before it is promoted: that is waited for, and is no loss.
    let again = start(&config_with(&standby, &properties), &store, 50);
    until("the connector to find a standby", PATIENCE, async || {
        Ok((again.status.restarts() > 0).then_some(()))
    })
    .await?;
    standby.promote().await?;
    again.streaming().await?;
    let writer = load(standby.connect("postgres").await?, 2_000_000);
    until_events(&store, delivered + 500).await?;
    writer.abort();
    let _ = writer.await;
    standby
        .execute("postgres", "insert into t values (-2, 'last')")
        .await?;
    until("the last row", PATIENCE, async || {
        let last = store.lock().events.last().cloned();
        Ok(last
            .is_some_and(|event| event.value("id") == Some("-2"))
            .then_some(()))
    })
    .await?;
    again.stop().await?;
    ensure!(
        replayed(&store)? == rows(&standby).await?,
        "the events are not what the new primary has"
    );
    let timeline = "select timeline_id::text from pg_control_checkpoint()";
    standby.execute("postgres", "checkpoint").await?;
    ensure!(
        value(&standby, timeline).await? == "2",
        "nothing was promoted"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_failover_slot_it_halts_with_the_window() -> Result<()> {
    let (primary, standby) = pair().await?;
    let store = Store::default();
    let running = start(&config_with(&primary, &[]), &store, 50);
    running.streaming().await?;
    let writer = load(primary.connect("postgres").await?, 0);
    until_events(&store, 500).await?;
    primary.kill9()?;
    writer.await?;
    standby.promote().await?;
    running.kill().await;
    let delivered = store.len();
    let again = start(&config_with(&standby, &[]), &store, 50);
    let error = again.ended().await?.err().context("it halts")?;
    ensure!(error.kind() == ErrorKind::SlotLost, "{error:?}");
    let told = error.to_string();
    ensure!(
        told.contains("may be lost") && told.contains("between"),
        "{told}"
    );
    ensure!(
        error.hint().contains("slot.failover"),
        "the hint says how it is avoided: {}",
        error.hint()
    );
    ensure!(store.len() == delivered, "nothing is delivered after it");
    Ok(())
}
