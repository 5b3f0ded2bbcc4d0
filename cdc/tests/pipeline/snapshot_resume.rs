//! A snapshot that is killed goes on with the tables that it had not finished.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use cdc::{Phase, checkpoint::TablesRead};
use debezium::{Operation, SnapshotMarker};
use stack::{Postgres, until};

use crate::{
    connector::{PATIENCE, config_with, start, until_events, value},
    recording::{Recorded, Store},
    snapshot_threads::Rows,
};

const TABLES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Six tables; `d` has no rows.
async fn server() -> Result<Postgres> {
    let postgres = Postgres::start().await?;
    for (table, rows) in TABLES.into_iter().zip([900, 1100, 1000, 0, 1300, 1]) {
        let sql = format!(
            "create table {table}(id bigint primary key, v text);
             insert into {table} select i, '{table}' || i || repeat('x', 200) from generate_series(1, {rows}) i"
        );
        postgres.execute("postgres", &sql).await?;
    }
    Ok(postgres)
}

async fn names(postgres: &Postgres) -> Result<BTreeMap<u32, String>> {
    let sql = "select oid::text, 'public.' || relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace";
    let rows = postgres.query("postgres", sql).await?.into_iter();
    rows.map(|row| {
        let mut row = row.into_iter().flatten();
        let oid = row.next().context("oid")?.parse()?;
        Ok((oid, row.next().context("name")?))
    })
    .collect()
}

async fn rows_now(postgres: &Postgres) -> Result<Rows> {
    let mut all = Rows::new();
    for table in TABLES {
        let sql = format!("select id, v from {table}");
        for row in postgres.query("postgres", &sql).await? {
            let mut row = row.into_iter().flatten();
            let id = row.next().context("id")?.parse()?;
            all.insert((format!("public.{table}"), id), row.next().context("v")?);
        }
    }
    Ok(all)
}

/// What somebody has who keeps the newest row of each key.
fn kept(events: &[Recorded]) -> Result<Rows> {
    let mut rows = Rows::new();
    for event in events {
        let id = event.value("id").context("id")?.parse()?;
        let key = (event.name(), id);
        match event.op {
            Operation::Read | Operation::Create | Operation::Update => {
                rows.insert(key, event.value("v").unwrap_or_default().to_owned());
            }
            Operation::Delete => drop(rows.remove(&key)),
            Operation::Truncate => rows.retain(|(name, _), _| *name != event.name()),
        }
    }
    Ok(rows)
}

fn tables_read(store: &Store) -> Option<TablesRead> {
    let store = store.lock();
    store.resume.as_ref()?.tables_read.clone()
}

/// Rows come, go and change in every table, those of a finished one, of one that was begun, and of the rest.
async fn change(postgres: &Postgres, round: usize) -> Result<()> {
    let mut sql = String::new();
    for table in TABLES {
        sql += &format!(
            "begin; insert into {table} values ({0}, 'new{round}'), ({0} + 1000000, 'new'); update {table} set v = 'u{round}' where id % 50 = {1};
             delete from {table} where id % 97 = {2}; commit;",
            100_000 + round, round % 50, (round * 7) % 97
        );
    }
    postgres.execute("postgres", &sql).await
}

/// Lives end at arbitrary places of the snapshot, and of the changes that each of them streams before it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_of_a_finished_table_comes_twice() -> Result<()> {
    for (threads, steps) in [
        ("1", [400, 1, 1800, 700, 33, 2600, 1500, 300]),
        ("3", [1500, 40, 2500, 1, 1000, 3000, 1300, 500]),
    ] {
        let postgres = server().await?;
        let names = names(&postgres).await?;
        let properties = [
            ("snapshot.max.threads", threads),
            ("errors.max.retries", "0"),
        ];
        let config = config_with(&postgres, &properties);
        let store = Store::default();
        // Up to which event of all, the tables that were finished by then.
        let mut finished: Vec<(usize, BTreeSet<u32>)> = Vec::new();
        for (round, step) in steps.into_iter().enumerate() {
            let limit = store.len() + step;
            store.lock().limit = Some(limit);
            let life = start(&config, &store, 1 + round * 29 % 97);
            until("the end of this life", PATIENCE, async || {
                let over = store.len() >= limit || life.status.phase() == Phase::Streaming;
                Ok(over.then_some(()))
            })
            .await?;
            life.kill().await;
            let Some(read) = tables_read(&store) else {
                break;
            };
            finished.push((store.len(), read.finished));
            change(&postgres, round).await?;
        }
        ensure!(
            finished.iter().any(|(_, tables)| tables.len() > 1),
            "some were finished: {finished:?}"
        );
        store.lock().limit = None;
        let last = start(&config, &store, 100);
        last.streaming().await?;
        postgres
            .execute("postgres", "insert into f values (999999, 'done')")
            .await?;
        until("the last change", PATIENCE, async || {
            let done = store
                .events()
                .iter()
                .any(|it| it.value("id") == Some("999999"));
            Ok(done.then_some(()))
        })
        .await?;
        last.stop().await?;

        let events = store.events();
        ensure!(kept(&events)? == rows_now(&postgres).await?, "{threads}");
        ensure!(
            events
                .windows(2)
                .all(|pair| pair[0].position < pair[1].position),
            "positions grow"
        );
        for (at, tables) in &finished {
            let tables: BTreeSet<&String> = tables.iter().map(|oid| &names[oid]).collect();
            let again = events[*at..]
                .iter()
                .find(|it| it.op == Operation::Read && tables.contains(&it.name()));
            ensure!(again.is_none(), "{again:?} after {at}");
        }
        let is_last = |it: &&Recorded| it.source.snapshot == SnapshotMarker::Last;
        ensure!(events.iter().filter(is_last).count() == 1, "one end");
        let slots = value(&postgres, "select count(*)::text from pg_replication_slots").await?;
        ensure!(slots == "1", "{slots} slots");
        ensure!(tables_read(&store).is_none());
    }
    Ok(())
}

/// The slot was made anew meanwhile: what committed before it is lost to the tables that were read, so all are read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_slot_a_snapshot_starts_from_scratch() -> Result<()> {
    let postgres = server().await?;
    let config = config_with(&postgres, &[("errors.max.retries", "0")]);
    for recreated in [false, true] {
        let store = Store::default();
        store.lock().limit = Some(1500);
        let life = start(&config, &store, 100);
        until_events(&store, 1500).await?;
        life.kill().await;
        let read = tables_read(&store).context("what was read")?;
        ensure!(
            read.finished.len() == 1 && read.begun.len() == 1,
            "{read:?}"
        );
        until("the slot to be free", PATIENCE, async || {
            let free = "select 1 from pg_replication_slots where not active";
            Ok(postgres.query("postgres", free).await?.first().map(drop))
        })
        .await?;
        postgres
            .execute("postgres", "select pg_drop_replication_slot('debezium')")
            .await?;
        change(&postgres, usize::from(recreated)).await?;
        if recreated {
            postgres
                .execute(
                    "postgres",
                    "select pg_create_logical_replication_slot('debezium', 'pgoutput')",
                )
                .await?;
        }
        let before = store.len();
        store.lock().limit = None;
        let life = start(&config, &store, 100);
        life.streaming().await?;
        life.stop().await?;
        let again = store.events().split_off(before);
        ensure!(again.iter().all(|it| it.op == Operation::Read));
        ensure!(kept(&again)? == rows_now(&postgres).await?);
        postgres
            .execute("postgres", "select pg_drop_replication_slot('debezium')")
            .await?;
    }
    Ok(())
}
