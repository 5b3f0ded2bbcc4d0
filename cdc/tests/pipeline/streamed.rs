//! Transactions that the server streams before they commit: spooled, partly rolled back, resumed in the middle.

use anyhow::{Context, Result, ensure};
use cdc::{ErrorKind, checkpoint::Resume};
use stack::{Postgres, PostgresOptions, until};

use crate::{
    connector::{PATIENCE, config, matching, start, until_events, value},
    recording::{Durable, Store},
};

async fn server() -> Result<Postgres> {
    Postgres::start_with(PostgresOptions {
        // Transactions above this are streamed while they are open.
        settings: vec![("logical_decoding_work_mem".to_owned(), "64kB".to_owned())],
        ..PostgresOptions::default()
    })
    .await
}

/// Two large transactions at once, each with subtransactions that are rolled back, DDL within one, a third one aborted:
/// the committed changes arrive in commit order, spilled or not, and in the same order when sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_transactions_are_spooled_and_aborted_parts_left_out() -> Result<()> {
    let postgres = server().await?;
    postgres
        .execute("postgres", "create table t(id int primary key, v text); create table u(id int primary key, v text); create table skipped(id int);")
        .await?;
    let mut config = config(&postgres);
    config.filter.table_exclude = matching(&["public\\.skipped"]);
    // Small enough that all of them spill, again and again.
    config.spill_memory_bytes = 600 * 1024;
    let store = Store::default();
    let first = start(&config, &store, 500);
    first.streaming().await?;
    postgres
        .execute(
            "postgres",
            "select pg_create_logical_replication_slot('before', 'pgoutput')",
        )
        .await?;
    let (a, b, c) = (
        postgres.connect("postgres").await?,
        postgres.connect("postgres").await?,
        postgres.connect("postgres").await?,
    );
    for client in [&a, &b, &c] {
        client.batch_execute("begin").await?;
    }
    for part in 0..10 {
        a.batch_execute(&format!(
            "insert into t select i, repeat('a', 100) from generate_series({0}, {0} + 999) i; insert into skipped values (1);
             savepoint s; insert into t select i, 'gone' from generate_series({0} + 5000000, {0} + 5001999) i; rollback to s;
             savepoint inner1; insert into t values (-{part} - 1, 'kept'); release inner1",
            part * 1000
        ))
        .await?;
        b.batch_execute(&format!(
            "insert into u select i, repeat('b', 100) from generate_series({0}, {0} + 999) i; savepoint s;
             alter table u add column gone{part} int; insert into u select i, 'gone', i from generate_series({0} + 5000000, {0} + 5000999) i; rollback to s;
             update u set v = 'b2' where id = {0}",
            part * 1000
        ))
        .await?;
        c.batch_execute(&format!(
            "insert into t select i, repeat('c', 100) from generate_series({0}, {0} + 999) i",
            10_000_000 + part * 1000
        ))
        .await?;
    }
    b.batch_execute(
        "alter table u add column extra int; insert into u values (-1, 'extra', 7); commit",
    )
    .await?;
    c.batch_execute("rollback").await?;
    a.batch_execute("commit").await?;
    postgres
        .execute("postgres", "insert into u values (-2, 'after', 8)")
        .await?;
    let (of_b, of_a) = (10 * 1001 + 1, 10 * 1001);
    until_events(&store, of_b + of_a + 1).await?;
    streamed_before_commit(&postgres).await?;
    first.kill().await;
    let events = store.events();
    ensure!(events.len() == of_b + of_a + 1, "{} events", events.len());
    ensure!(
        events[..of_b]
            .iter()
            .all(|event| event.name() == "public.u")
    );
    ensure!(
        events[of_b..of_b + of_a]
            .iter()
            .all(|event| event.name() == "public.t")
    );
    ensure!(events.iter().all(|event| event.value("v") != Some("gone")));
    ensure!(events[0].table.columns.len() == 2 && events[of_b - 1].table.columns.len() == 3);
    ensure!(events[of_b + of_a].table.columns.len() == 3);
    ensure!(
        events
            .windows(2)
            .all(|pair| pair[0].position < pair[1].position)
    );
    // The rows of table `skipped` have ordinals as well: ten of them.
    ensure!(
        events[of_b + of_a - 1].position.ordinal == (of_a + 10 - 1) as u64,
        "{:?}",
        events[of_b + of_a - 1].position
    );
    // Sent again to a connector that was delivered half of it, everything has the same position.
    let again = Store::default();
    let half = events.len() / 2;
    for (mode, work_mem) in [("streamed", "64kB"), ("whole", "1GB")] {
        *again.lock() = half_of(&store, half);
        postgres
            .execute(
                "postgres",
                &format!("alter system set logical_decoding_work_mem = '{work_mem}'"),
            )
            .await?;
        postgres
            .execute("postgres", "select pg_reload_conf()")
            .await?;
        config.slot_name = format!("copy_{mode}");
        postgres
            .execute(
                "postgres",
                &format!(
                    "select pg_copy_logical_replication_slot('before', '{}')",
                    config.slot_name
                ),
            )
            .await?;
        let second = start(&config, &again, 500);
        until_events(&again, events.len()).await?;
        second.stop().await?;
        let replayed = again.events();
        ensure!(replayed.len() == events.len(), "{mode}: {}", replayed.len());
        for (one, other) in events.iter().zip(&replayed) {
            ensure!(
                one.position == other.position
                    && one.after == other.after
                    && one.source == other.source,
                "{mode}: {one:?} {other:?}"
            );
        }
    }
    Ok(())
}

/// What a life that ended after `half` events would have left.
fn half_of(store: &Store, half: usize) -> Durable {
    let whole = store.lock();
    let last = &whole.events[half - 1];
    Durable {
        events: whole.events[..half].to_vec(),
        resume: whole.resume.clone().map(|resume| Resume {
            position: last.position,
            last_commit_lsn: last.source.last_commit_lsn,
            end_lsn: None,
            ..resume
        }),
        ..Durable::default()
    }
}

/// Waits until the server tells that it streamed transactions before their commit. Version 14 tells it a moment later.
async fn streamed_before_commit(postgres: &Postgres) -> Result<()> {
    let sql = "select coalesce(sum(stream_txns), 0)::text from pg_stat_replication_slots";
    until("the server to have streamed", PATIENCE, async || {
        Ok((value(postgres, sql).await? != "0").then_some(()))
    })
    .await
}

/// The catalog shows what an open transaction made only after its commit.
#[tokio::test]
async fn a_table_made_by_a_streamed_transaction_is_known_in_full() -> Result<()> {
    let postgres = server().await?;
    let store = Store::default();
    let running = start(&config(&postgres), &store, 500);
    running.streaming().await?;
    for round in 1..=5 {
        postgres
            .execute(
                "postgres",
                &format!(
                    "create table made{round}(v text not null default 'd', id int, primary key (id));
                     insert into made{round} select repeat('x', 100), i from generate_series(1, 2000) i"
                ),
            )
            .await?;
        until_events(&store, round * 2000).await?;
    }
    running.stop().await?;
    streamed_before_commit(&postgres).await?;
    for event in store.events() {
        ensure!(event.table.key == [1], "{:?}", event.table);
        ensure!(
            !event.table.columns[0].optional && event.table.columns[0].default_expression.is_some()
        );
    }
    Ok(())
}

/// A spill folder that cannot be used is named; nothing is lost, for nothing was confirmed.
#[tokio::test]
async fn a_spill_folder_that_cannot_be_made_halts() -> Result<()> {
    let postgres = server().await?;
    postgres
        .execute("postgres", "create table t(id int primary key, v text)")
        .await?;
    let mut config = config(&postgres);
    config.spill_memory_bytes = 300 * 1024;
    config.spill_folder = "/proc/nowhere".into();
    let store = Store::default();
    let running = start(&config, &store, 500);
    running.streaming().await?;
    postgres
        .execute(
            "postgres",
            "insert into t select i, repeat('x', 100) from generate_series(1, 20000) i",
        )
        .await?;
    let error = running.ended().await?.err().context("it halts")?;
    ensure!(error.kind() == ErrorKind::Spill, "{error:?}");
    ensure!(error.to_string().contains("/proc/nowhere"), "{error}");
    config.spill_folder = postgres.socket_dir().join("spill");
    let again = start(&config, &store, 500);
    until_events(&store, 20_000).await?;
    again.stop().await
}
