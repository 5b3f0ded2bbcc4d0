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

/// The orderly end within a transaction delivers the rest of it, and no more: a sink that knows only whole transactions has
/// nothing left over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_ends_at_the_end_of_a_transaction() -> Result<()> {
    const ROWS: usize = 2000;
    const TRANSACTIONS: usize = 5;
    let postgres = Postgres::start().await?;
    postgres
        .execute("postgres", "create table t(id int primary key)")
        .await?;
    let config = config(&postgres);
    let store = Store::default();
    // The destination takes nothing more when half of the second transaction is there.
    let within = ROWS + ROWS / 2;
    store.lock().limit = Some(within);
    let running = start(&config, &store, 10);
    running.streaming().await?;
    for transaction in 0..TRANSACTIONS {
        postgres
            .execute(
                "postgres",
                &format!("insert into t select {transaction} * {ROWS} + i from generate_series(1, {ROWS}) i"),
            )
            .await?;
    }
    until_events(&store, within).await?;
    let (stopped, ()) = tokio::join!(running.stop(), async { store.lock().limit = None });
    stopped?;
    let stopped_at = store.len();
    ensure!(stopped_at == 2 * ROWS, "{stopped_at}");
    let again = start(&config, &store, 5000);
    until_events(&store, TRANSACTIONS * ROWS).await?;
    again.stop().await?;
    ensure!(store.len() == TRANSACTIONS * ROWS);
    Ok(())
}
