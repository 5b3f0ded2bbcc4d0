use anyhow::{Result, ensure};
use stack::Postgres;

use crate::{
    connector::{config, start, until_events},
    recording::Store,
};

/// Lives end at arbitrary points, within transactions too; together they deliver every change once, in one order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_life_goes_on_exactly_where_the_last_was_durable() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table t(id int primary key, v text); create table other(id int);",
        )
        .await?;
    let config = config(&postgres);
    let store = Store::default();
    let first = start(&config, &store, 100);
    first.streaming().await?;
    first.stop().await?;
    // One LSN for many rows, changes of several tables, small transactions between.
    postgres
        .execute(
            "postgres",
            "insert into t select i, 'a' from generate_series(1, 3000) i; insert into other values (1); update t set v = 'b' where id % 2 = 0;",
        )
        .await?;
    for i in 0..200 {
        postgres
            .execute("postgres", &format!("begin; insert into t values ({0}, 'c'), ({0} + 10000, 'd'); delete from t where id = {1}; commit", 5000 + i, 1 + i))
            .await?;
    }
    let total = 3000 + 1 + 1500 + 600;
    let mut lives = 0;
    while store.len() < total {
        // Each life is killed while the destination takes no more.
        let limit = total.min(store.len() + 150 + lives * 31 % 200);
        store.lock().limit = Some(limit);
        let life = start(&config, &store, 1 + lives * 13 % 97);
        until_events(&store, limit).await?;
        life.kill().await;
        ensure!(store.len() == limit);
        lives += 1;
    }
    store.lock().limit = None;
    let last = start(&config, &store, 100);
    last.streaming().await?;
    postgres
        .execute("postgres", "insert into other values (2)")
        .await?;
    until_events(&store, total + 1).await?;
    last.stop().await?;
    let events = store.events();
    ensure!(events.len() == total + 1, "{} events", events.len());
    ensure!(
        events
            .windows(2)
            .all(|pair| pair[0].position < pair[1].position)
    );
    // The same transaction has the same predecessor in every life.
    let mut by_commit = std::collections::HashMap::new();
    for event in &events {
        let before = by_commit
            .entry(event.position.commit_lsn)
            .or_insert(event.source.last_commit_lsn);
        ensure!(*before == event.source.last_commit_lsn, "{event:?}");
    }
    Ok(())
}

/// The orderly end within a transaction delivers the rest of it: a sink that knows only whole transactions has nothing
/// left over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_ends_at_the_end_of_a_transaction() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute("postgres", "create table t(id int primary key)")
        .await?;
    let config = config(&postgres);
    let store = Store::default();
    let running = start(&config, &store, 10);
    running.streaming().await?;
    for transaction in 0..20 {
        postgres
            .execute(
                "postgres",
                &format!("insert into t select {transaction} * 20000 + i from generate_series(1, 20000) i"),
            )
            .await?;
    }
    until_events(&store, 15_000).await?;
    running.stop().await?;
    let stopped_at = store.len();
    ensure!(stopped_at % 20_000 == 0, "{stopped_at}");
    let again = start(&config, &store, 5000);
    until_events(&store, 400_000).await?;
    again.stop().await?;
    ensure!(store.len() == 400_000);
    Ok(())
}
