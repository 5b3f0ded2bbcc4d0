//! What refuses to stream does so before the first row of a snapshot, and a snapshot that was delivered is not repeated.

use anyhow::{Context, Result, ensure};
use cdc::{Error, ErrorKind, Phase};
use stack::{Postgres, PostgresOptions, until};

use crate::{
    connector::{PATIENCE, config_with, start, until_events, value},
    recording::Store,
};

const IMPATIENT: [(&str, &str); 3] = [
    ("errors.max.retries", "0"),
    ("slot.max.retries", "1"),
    ("slot.retry.delay.ms", "100"),
];

async fn server() -> Result<Postgres> {
    let postgres = Postgres::start().await?;
    let sql = "create table t(id int primary key, v text); create table u(id int primary key);
               insert into t select i, repeat('x', 1000) from generate_series(1, 2000) i; insert into u values (1)";
    postgres.execute("postgres", sql).await?;
    Ok(postgres)
}

/// A connector that is refused before it writes anything.
async fn refused(postgres: &Postgres, properties: &[(&str, &str)]) -> Result<Error> {
    let store = Store::default();
    let all = [&IMPATIENT[..], properties].concat();
    let running = start(&config_with(postgres, &all), &store, 700);
    let error = running.ended().await?.err().context("it is refused")?;
    ensure!(store.len() == 0, "{} rows were written", store.len());
    Ok(error)
}

/// The slot of another connector that streams, or that still takes its snapshot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_in_use_is_refused_before_the_first_row() -> Result<()> {
    let postgres = server().await?;
    let store = Store::default();
    store.lock().limit = Some(50);
    let first = start(&config_with(&postgres, &[]), &store, 700);
    until_events(&store, 50).await?;
    for phase in [Phase::Snapshotting, Phase::Streaming] {
        if phase == Phase::Streaming {
            store.lock().limit = None;
            first.streaming().await?;
        }
        ensure!(first.status.phase() == phase);
        let error = refused(&postgres, &[]).await?;
        let told = service::render_error(&error, Some(error.hint()));
        ensure!(told.contains("is active for PID"), "{told}");
        ensure!(told.contains("set another `slot.name`"), "{told}");
    }
    first.stop().await?;
    ensure!(store.len() == 2001, "{}", store.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_that_the_server_refuses_are_found_before_the_first_row() -> Result<()> {
    let postgres = server().await?;
    // With a new slot, and with the one that the first attempt leaves.
    for _ in 0..2 {
        let error = refused(&postgres, &[("slot.stream.params", "no_such_option=1")]).await?;
        let told = service::render_error(&error, None);
        ensure!(told.contains("no_such_option"), "{told}");
    }
    Ok(())
}

/// One walsender is enough for a snapshot and the stream after it, of a new slot and of one that exists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_walsender_is_enough() -> Result<()> {
    let postgres = Postgres::start_with(PostgresOptions {
        settings: vec![("max_wal_senders".to_owned(), "1".to_owned())],
        ..PostgresOptions::default()
    })
    .await?;
    let sql = "create table t(id int primary key); insert into t select generate_series(1, 100)";
    postgres.execute("postgres", sql).await?;
    for _ in 0..2 {
        let store = Store::default();
        let running = start(&config_with(&postgres, &[]), &store, 700);
        running.streaming().await?;
        until_events(&store, 100).await?;
        running.stop().await?;
    }
    Ok(())
}

/// The slot is lost while the snapshot is read, and somebody else takes it: the snapshot is delivered, once, whatever the
/// mode, and streaming begins when the slot is free again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivered_snapshot_is_not_repeated() -> Result<()> {
    let postgres = server().await?;
    for mode in ["initial", "always"] {
        let store = Store::default();
        store.lock().limit = Some(50);
        let properties = [
            ("snapshot.mode", mode),
            ("slot.name", mode),
            ("publication.name", mode),
            ("slot.max.retries", "1"),
            ("slot.retry.delay.ms", "100"),
        ];
        let config = config_with(&postgres, &properties);
        let running = start(&config, &store, 700);
        until_events(&store, 50).await?;
        let holder = format!("from pg_replication_slots where slot_name = '{mode}'");
        let sql = format!("select pg_terminate_backend(active_pid) {holder}");
        postgres.execute("postgres", &sql).await?;
        let free = format!("select 1 {holder} and not active");
        until("the slot to be free", PATIENCE, async || {
            Ok(postgres.query("postgres", &free).await?.first().map(drop))
        })
        .await?;
        let mut thief =
            cdc::source::connection::ReplicationConnection::connect(&config.database).await?;
        let take = format!(
            "START_REPLICATION SLOT {mode} LOGICAL 0/0 (proto_version '1', publication_names '{mode}')"
        );
        thief.start_replication(&take, mode).await?;
        store.lock().limit = None;
        until_events(&store, 2001).await?;
        until("it to try again", PATIENCE, async || {
            Ok((running.status.restarts() >= 3).then_some(()))
        })
        .await?;
        let trouble = running
            .status
            .trouble()
            .context("it says what it waits for")?;
        ensure!(trouble.contains("is active for PID"), "{trouble}");
        drop(thief);
        running.streaming().await?;
        ensure!(running.status.trouble().is_none());
        let sql = format!("insert into u select count(*) + 1 from u -- {mode}");
        postgres.execute("postgres", &sql).await?;
        let rows = if mode == "initial" { 2002 } else { 2003 };
        until_events(&store, rows).await?;
        running.stop().await?;
        ensure!(store.len() == rows, "{mode}: {}", store.len());
    }
    Ok(())
}

/// Creating a slot waits for every transaction that writes: which one it is, its age and its process are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_is_not_made_names_what_it_waits_for() -> Result<()> {
    let postgres = server().await?;
    let open = postgres.connect("postgres").await?;
    open.batch_execute("set application_name = 'forgotten'; begin")
        .await?;
    let pid: i32 = open.query_one("select pg_backend_pid()", &[]).await?.get(0);
    open.batch_execute("insert into u values (2)").await?;
    let error = refused(&postgres, &[("create.slot.command.timeout", "3")]).await?;
    ensure!(error.kind() == ErrorKind::Connection, "{error:?}");
    let told = error.hint();
    for word in [
        &format!("process {pid}"),
        "application forgotten",
        "transaction open for",
        "idle in transaction",
        "insert into u values (2)",
    ] {
        ensure!(told.contains(word), "{told}");
    }
    open.batch_execute("rollback").await?;
    let count = "select count(*)::text from pg_replication_slots";
    until("the slot to be given up", PATIENCE, async || {
        Ok((value(&postgres, count).await? == "0").then_some(()))
    })
    .await
}
