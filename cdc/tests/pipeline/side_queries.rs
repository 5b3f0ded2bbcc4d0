//! A catalog that does not answer, and locks on tables: the stream goes on.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use stack::{Postgres, until};
use tokio_postgres::Client;

use crate::{
    connector::{PATIENCE, config, start, until_events, value},
    recording::Store,
};

/// A process that stands still until this is dropped.
struct Stopped(String);

impl Stopped {
    fn new(pid: String) -> Result<Self> {
        signal("-STOP", &pid)?;
        Ok(Self(pid))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = signal("-CONT", &self.0);
    }
}

fn signal(signal: &str, pid: &str) -> Result<()> {
    let status = Command::new("kill").args([signal, pid]).status()?;
    ensure!(status.success(), "kill {signal} {pid}");
    Ok(())
}

/// Sessions of the connector that are no walsender.
const CONTROL: &str = "select pid::text from pg_stat_activity where application_name = 'tributary' and backend_type = 'client backend'";

const WALSENDER: &str = "select pid::text from pg_stat_replication";

#[tokio::test]
async fn a_hung_control_backend_stops_nothing() -> Result<()> {
    let postgres = Postgres::start().await?;
    for sql in [
        "alter system set wal_sender_timeout = '2s'",
        "select pg_reload_conf()",
        "create table known(id int primary key); create table news(id int primary key, v text default 'd')",
    ] {
        postgres.execute("postgres", sql).await?;
    }
    let store = Store::default();
    let running = start(&config(&postgres), &store, 100);
    running.streaming().await?;
    let insert = async |sql: &str| postgres.execute("postgres", sql).await;
    insert("insert into known values (0)").await?;
    until_events(&store, 1).await?;
    let walsender = value(&postgres, WALSENDER).await?;
    let stopped = Stopped::new(value(&postgres, CONTROL).await?)?;
    // Longer than the server waits for a reply.
    let start = Instant::now();
    let mut rows = 1;
    while start.elapsed() < Duration::from_secs(4) {
        insert(&format!("insert into known values ({rows})")).await?;
        rows += 1;
        until_events(&store, rows).await?;
    }
    // The first change of a table that is not known yet waits, until the connection is given up.
    insert("insert into news values (1)").await?;
    insert(&format!("insert into known values ({rows})")).await?;
    until_events(&store, rows + 2).await?;
    ensure!(
        value(&postgres, WALSENDER).await? == walsender,
        "the stream was interrupted"
    );
    ensure!(running.status.restarts() == 0);
    drop(stopped);
    let event = &store.events()[rows];
    ensure!(event.name() == "public.news", "{event:?}");
    ensure!(event.table.columns[1].default_expression.as_deref() == Some("'d'::text"));
    running.stop().await
}

/// A session that holds a lock until it is dropped.
async fn lock(postgres: &Postgres, table: &str) -> Result<Client> {
    let holder = postgres.connect("postgres").await?;
    let sql = format!("begin; lock table {table} in access exclusive mode");
    holder.batch_execute(&sql).await?;
    Ok(holder)
}

#[tokio::test]
async fn a_lock_on_a_table_is_not_waited_for() -> Result<()> {
    let postgres = Postgres::start().await?;
    let execute = async |sql: &str| postgres.execute("postgres", sql).await;
    execute(
        "create table locked(id int primary key, v text not null default 'd', n int default 1 + 2, g int generated always as (id * 2) stored);
         create table free(id int primary key)",
    )
    .await?;
    let (store, config) = (Store::default(), config(&postgres));
    let first = start(&config, &store, 100);
    first.streaming().await?;
    first.stop().await?;
    execute("insert into locked values (1)").await?;
    let holder = lock(&postgres, "locked").await?;
    let second = start(&config, &store, 100);
    execute("insert into free values (1)").await?;
    until_events(&store, 2).await?;
    second.stop().await?;
    drop(holder);
    let events = store.events();
    ensure!(events[0].name() == "public.locked" && events[1].name() == "public.free");
    let defaults: Vec<_> = events[0]
        .table
        .columns
        .iter()
        .map(|column| column.default_expression.as_deref())
        .collect();
    ensure!(
        defaults == [None, Some("'d'::text"), Some("(1 + 2)")],
        "{defaults:?}"
    );
    ensure!(events[0].table.key == [0] && !events[0].table.columns[1].optional);
    Ok(())
}

/// The catalog itself is locked: a change that needs it waits, status updates go on, and the connector can be stopped.
#[tokio::test]
async fn a_locked_catalog_is_waited_for_and_stops_nothing_else() -> Result<()> {
    let postgres = Postgres::start().await?;
    let execute = async |sql: &str| postgres.execute("postgres", sql).await;
    execute("alter system set wal_sender_timeout = '2s'").await?;
    execute("select pg_reload_conf()").await?;
    execute("create table known(id int primary key); create table news(id int primary key)")
        .await?;
    let (store, config) = (Store::default(), config(&postgres));
    let running = start(&config, &store, 100);
    running.streaming().await?;
    execute("insert into known values (1)").await?;
    until_events(&store, 1).await?;
    let walsender = value(&postgres, WALSENDER).await?;
    let holder = lock(&postgres, "pg_catalog.pg_enum").await?;
    execute("insert into known values (2)").await?;
    until_events(&store, 2).await?;
    execute("insert into news values (1)").await?;
    let waits = "select pid::text from pg_stat_activity where application_name = 'tributary' and wait_event_type = 'Lock'";
    until("the catalog query to wait", PATIENCE, async || {
        Ok(postgres.query("postgres", waits).await?.into_iter().next())
    })
    .await?;
    // Longer than the server waits for a reply.
    let replied = "select (reply_time > now() - interval '1 s')::text from pg_stat_replication";
    let start_of_silence = Instant::now();
    while start_of_silence.elapsed() < Duration::from_secs(4) {
        ensure!(
            value(&postgres, WALSENDER).await? == walsender,
            "the stream was interrupted"
        );
        until("a status update", PATIENCE, async || {
            Ok((value(&postgres, replied).await? == "true").then_some(()))
        })
        .await?;
    }
    ensure!(store.len() == 2);
    let asked = Instant::now();
    running
        .stop()
        .await
        .context("stop while the catalog is locked")?;
    ensure!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    drop(holder);
    let second = start(&config, &store, 100);
    until_events(&store, 3).await?;
    second.stop().await
}
