//! Positions on real servers: what is no row among rows, and what a crash of the server does to them.

use anyhow::{Context, Result, ensure};
use cdc::ErrorKind;
use pgoutput::Lsn;
use stack::{Postgres, until};

use crate::{
    connector::{PATIENCE, config, config_with, start, until_events, value},
    recording::Store,
};

fn ids(store: &Store) -> Vec<i64> {
    let events = store.events();
    let ids = events.iter().filter_map(|event| event.value("id"));
    ids.filter_map(|id| id.parse().ok()).collect()
}

/// A message that belongs to no transaction is the last record before a COMMIT record, and so ends where that starts. The
/// connector is killed when the message is durable and nothing of the transaction is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_message_right_before_a_commit_costs_no_change() -> Result<()> {
    const ROWS: i64 = 2000;
    let postgres = Postgres::start().await?;
    postgres
        .execute("postgres", "create table t(id int primary key, v text)")
        .await?;
    let config = config(&postgres);
    let store = Store::default();
    let first = start(&config, &store, 100);
    first.streaming().await?;
    first.stop().await?;
    let client = postgres.connect("postgres").await?;
    for round in 0..3 {
        let base = round * ROWS;
        store.lock().limit = Some((base + round + 1) as usize);
        let life = start(&config, &store, 1);
        life.streaming().await?;
        client
            .batch_execute(&format!(
                "begin; insert into t select {base} + i, 'x' from generate_series(1, {ROWS}) i;
                 select pg_logical_emit_message(false, 'p', 'lone {round}'); commit"
            ))
            .await?;
        until("the message to be durable", PATIENCE, async || {
            let messages = store.lock().messages.len() as i64;
            Ok((messages == round + 1).then_some(()))
        })
        .await?;
        life.kill().await;
        ensure!(store.len() as i64 == base, "a change is durable already");
        store.lock().limit = None;
        let again = start(&config, &store, 100);
        until_events(&store, (base + ROWS) as usize).await?;
        again.stop().await?;
    }
    ensure!(
        ids(&store) == (1..=3 * ROWS).collect::<Vec<_>>(),
        "{:?}",
        ids(&store).len()
    );
    ensure!(store.lock().messages == ["lone 0", "lone 1", "lone 2"]);
    let events = store.events();
    let mut pairs = events.windows(2);
    ensure!(pairs.all(|pair| pair[0].position < pair[1].position));
    Ok(())
}

/// After a crash the server knows an older position of the slot than the one that was confirmed, and begins there. What
/// is stored stays, so the crash of the connector that follows repeats nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_server_moves_no_stored_position_back() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table t(id int primary key); create table other(id int)",
        )
        .await?;
    let mut config = config(&postgres);
    config.filter.table_include = crate::connector::matching(&["public\\.t"]);
    let store = Store::default();
    let lsn = async |sql: &str| -> Result<Lsn> { Ok(value(&postgres, sql).await?.parse()?) };
    let confirmed = "select confirmed_flush_lsn::text from pg_replication_slots";
    let end = "select pg_current_wal_lsn()::text";
    let follows = async || {
        let target = lsn(end).await?;
        until("the slot to follow", PATIENCE, async || {
            Ok((lsn(confirmed).await? >= target).then_some(()))
        })
        .await?;
        Ok::<_, anyhow::Error>(target)
    };
    let mut rows = 0;
    loop {
        let first = start(&config, &store, 100);
        first.streaming().await?;
        // With this the slot is on disk as it is now, and usually not again when the rows are confirmed.
        postgres.execute("postgres", "checkpoint").await?;
        follows().await?;
        let insert = format!("insert into t select {rows} + i from generate_series(1, 1000) i");
        postgres.execute("postgres", &insert).await?;
        rows += 1000;
        until_events(&store, rows).await?;
        let reached = follows().await?;
        first.kill().await;
        postgres.kill9()?;
        postgres.restart().await?;
        if lsn(confirmed).await? < reached {
            break;
        }
        ensure!(rows < 10_000, "the slot does not fall back");
    }
    let stored = store.lock().resume.clone();
    // Long enough for idle marks, in a server whose WAL goes on without anything for us.
    let second = start(&config, &store, 100);
    second.streaming().await?;
    for i in 0..20 {
        postgres
            .execute("postgres", &format!("insert into other values ({i})"))
            .await?;
    }
    follows().await?;
    second.kill().await;
    let now = store.lock().resume.clone();
    ensure!(
        now.as_ref().map(|resume| resume.position) >= stored.as_ref().map(|resume| resume.position),
        "{stored:?} {now:?}"
    );
    let last = start(&config, &store, 100);
    postgres
        .execute("postgres", "insert into t values (-1)")
        .await?;
    until_events(&store, rows + 1).await?;
    last.stop().await?;
    let wanted: Vec<i64> = (1..=rows as i64).chain([-1]).collect();
    ensure!(ids(&store) == wanted, "{} events", store.len());
    Ok(())
}

/// Ordinals count what the publication sends, so the rest of a transaction is not asked for in another way than the part
/// that was delivered; between transactions that is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_publication_waits_for_the_end_of_the_transaction() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table t(id int primary key); create table u(id int primary key);
             create publication wide for table t, u; create publication narrow for table t",
        )
        .await?;
    let with = |publication: &str| {
        let properties = [
            ("publication.name", publication),
            ("table.include.list", "public.t"),
        ];
        config_with(&postgres, &properties)
    };
    let store = Store::default();
    let first = start(&with("wide"), &store, 10);
    first.streaming().await?;
    first.stop().await?;
    // Every second change is of the table that the second publication does not have.
    let rows: String = (1..=300)
        .map(|id| format!("insert into u values ({id}); insert into t values ({id});"))
        .collect();
    postgres
        .execute("postgres", &format!("begin; {rows} commit"))
        .await?;
    store.lock().limit = Some(100);
    let part = start(&with("wide"), &store, 10);
    until_events(&store, 100).await?;
    part.kill().await;
    store.lock().limit = None;
    let refused = start(&with("narrow"), &store, 10).ended().await?;
    let error = refused.err().context("it is refused")?;
    ensure!(error.kind() == ErrorKind::Configuration, "{error:?}");
    ensure!(
        error.to_string().contains("within the transaction"),
        "{error}"
    );
    ensure!(
        error.hint().contains("publication.name"),
        "{}",
        error.hint()
    );
    ensure!(store.len() == 100, "{}", store.len());
    let rest = start(&with("wide"), &store, 10);
    until_events(&store, 300).await?;
    rest.stop().await?;
    let other = start(&with("narrow"), &store, 10);
    postgres
        .execute(
            "postgres",
            "insert into u values (301); insert into t values (301)",
        )
        .await?;
    until_events(&store, 301).await?;
    other.stop().await?;
    ensure!(ids(&store) == (1..=301).collect::<Vec<_>>());
    Ok(())
}
