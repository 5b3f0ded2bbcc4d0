//! From snapshot to stream: no change is lost and none comes twice, whatever runs at the moment of the snapshot.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use debezium::{Operation, SnapshotMarker};
use stack::Postgres;

use crate::{
    connector::{PATIENCE, config, matching, start, until_events, value},
    recording::{Recorded, Store},
};

/// The rows as they are after all events: what a reader of the topic would have.
fn replayed(
    events: &[Recorded],
    table: &str,
    key: &str,
    column: &str,
) -> Result<BTreeMap<i64, String>> {
    let mut rows = BTreeMap::new();
    for event in events.iter().filter(|event| event.name() == table) {
        let id: i64 = event.value(key).context("key")?.parse()?;
        match event.op {
            Operation::Read | Operation::Create => {
                let text = event.value(column).unwrap_or("null").to_owned();
                ensure!(rows.insert(id, text).is_none(), "row {id} came twice");
            }
            Operation::Update => {
                let text = event.value(column).unwrap_or("null").to_owned();
                ensure!(
                    rows.insert(id, text).is_some(),
                    "update of unknown row {id}"
                );
            }
            Operation::Delete => {
                ensure!(rows.remove(&id).is_some(), "delete of unknown row {id}");
            }
            Operation::Truncate => rows.clear(),
        }
    }
    Ok(rows)
}

async fn rows_now(postgres: &Postgres) -> Result<BTreeMap<i64, String>> {
    let rows = postgres.query("postgres", "select id, v from t").await?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.into_iter();
            let id = row.next().flatten().context("id")?.parse()?;
            Ok((
                id,
                row.next().flatten().unwrap_or_else(|| "null".to_owned()),
            ))
        })
        .collect()
}

/// Writers run before, during and after the snapshot, one transaction stays open across it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_lost_and_nothing_twice_between_snapshot_and_stream() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table t(id bigint primary key, v text); create table done(id int primary key);
             insert into t select i, repeat('x', 50) || i from generate_series(1, 20000) i;",
        )
        .await?;
    let open = postgres.connect("postgres").await?;
    open.batch_execute(
        "begin; insert into t values (1000000, 'open'); update t set v = 'open' where id = 1",
    )
    .await?;
    let writer = postgres.connect("postgres").await?;
    let writing = tokio::spawn(async move {
        for i in 0..1500_i64 {
            writer
                .batch_execute(&format!(
                    "begin; insert into t values ({0}, 'new'), ({0} + 500000, 'new'); update t set v = 'u{i}' where id = {1}; delete from t where id = {2}; commit",
                    100_000 + i, 2 + i % 9000, 10_000 + i
                ))
                .await?;
        }
        Ok::<_, tokio_postgres::Error>(())
    });
    let store = Store::default();
    let running = start(&config(&postgres), &store, 700);
    // The slot waits for the open transaction: it must commit meanwhile.
    stack::until("the slot to be made", PATIENCE, async || {
        let slots = postgres
            .query("postgres", "select 1 from pg_replication_slots")
            .await?;
        Ok((!slots.is_empty()).then_some(()))
    })
    .await?;
    open.batch_execute("commit").await?;
    running.streaming().await?;
    writing.await??;
    postgres
        .execute("postgres", "insert into done values (1)")
        .await?;
    stack::until("the last change", PATIENCE, async || {
        let events = store.events();
        Ok(events
            .iter()
            .any(|event| event.name() == "public.done")
            .then_some(()))
    })
    .await?;
    running.stop().await?;
    let events = store.events();
    ensure!(
        events
            .windows(2)
            .all(|pair| pair[0].position < pair[1].position),
        "positions grow"
    );
    ensure!(replayed(&events, "public.t", "id", "v")? == rows_now(&postgres).await?);
    let confirmed = value(
        &postgres,
        "select confirmed_flush_lsn::text from pg_replication_slots",
    )
    .await?;
    let last_end = store
        .lock()
        .resume
        .as_ref()
        .and_then(|resume| resume.end_lsn)
        .context("end")?;
    ensure!(
        confirmed == pgoutput::Lsn(last_end).to_string(),
        "{confirmed}"
    );
    Ok(())
}

#[tokio::test]
async fn snapshot_rows_are_marked_by_their_place() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            r"create table a(id int primary key, t text, n numeric(10,2) default 1.5, g int generated always as (id * 2) stored);
             create table b(id int primary key); create table c(id int); create table d(id int primary key); create table ignored(id int);
             insert into a values (1, E'tab\there\nnew\\line'), (2, null), (3, ''); insert into b values (1);
             insert into c values (1), (2); create view v as select * from a;",
        )
        .await?;
    let mut config = config(&postgres);
    config.filter.table_include = matching(&["public\\.c", "public\\.[a-d]"]);
    let store = Store::default();
    let running = start(&config, &store, 1000);
    until_events(&store, 6).await?;
    running.streaming().await?;
    let progress = (
        running.status.rows_snapshotted(),
        running
            .status
            .snapshot
            .tables_done
            .load(std::sync::atomic::Ordering::Relaxed),
    );
    running.stop().await?;
    ensure!(progress == (6, 4), "{progress:?}");
    let events = store.events();
    let markers: Vec<_> = events
        .iter()
        .map(|event| (event.table.table.table.as_str(), event.source.snapshot))
        .collect();
    use SnapshotMarker::{First, FirstInDataCollection, Last, LastInDataCollection, True};
    ensure!(
        markers
            == [
                ("c", First),
                ("c", LastInDataCollection),
                ("a", FirstInDataCollection),
                ("a", True),
                ("a", LastInDataCollection),
                ("b", Last),
            ],
        "{markers:?}"
    );
    ensure!(events.iter().all(|event| event.op == Operation::Read));
    let first = events.get(2).context("a row")?;
    ensure!(
        first.after
            == Some(vec![
                Some("1".to_owned()),
                Some("tab\there\nnew\\line".to_owned()),
                Some("1.50".to_owned()),
                Some("2".to_owned()),
            ]),
        "{first:?}"
    );
    ensure!(
        events
            .iter()
            .enumerate()
            .all(|(i, event)| event.position.ordinal == i as u64
                && event.position.commit_lsn + 1 == event.source.lsn)
    );
    let a = &first.table;
    ensure!(a.key == [0] && a.columns.len() == 4, "{a:?}");
    ensure!(
        a.columns[2].default_expression.as_deref() == Some("1.5"),
        "{a:?}"
    );
    ensure!(a.columns[3].generated && !a.columns[2].generated, "{a:?}");
    ensure!(events[0].table.key.is_empty());
    Ok(())
}

/// A life that ended within a table leaves some of its rows behind; the next delivers what became of them, then all rows,
/// on the same slot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_table_is_read_again() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table t(id bigint primary key, v text); insert into t select i, 'x' from generate_series(1, 50000) i;",
        )
        .await?;
    let store = Store::default();
    let first = start(&config(&postgres), &store, 100);
    until_events(&store, 500).await?;
    first.kill().await;
    ensure!(store.len() < 50_000, "it was interrupted");
    ensure!(
        store
            .lock()
            .resume
            .as_ref()
            .is_some_and(|resume| !resume.snapshot_completed)
    );
    postgres
        .execute("postgres", "insert into t values (100000, 'late'); delete from t where id = 7; update t set v = 'y' where id = 8")
        .await?;
    let before = store.len();
    let second = start(&config(&postgres), &store, 1000);
    second.streaming().await?;
    postgres
        .execute("postgres", "insert into t values (100001, 'later')")
        .await?;
    until_events(&store, before + 3 + 50_001).await?;
    second.stop().await?;
    let events = store.events().split_off(before);
    ensure!(events.len() == 3 + 50_001, "{}", events.len());
    let (since, rows) = events.split_at(3);
    let operations: Vec<Operation> = since.iter().map(|event| event.op).collect();
    ensure!(
        operations == [Operation::Create, Operation::Delete, Operation::Update],
        "{operations:?}"
    );
    ensure!(replayed(rows, "public.t", "id", "v")? == rows_now(&postgres).await?);
    let slots = postgres
        .query("postgres", "select slot_name from pg_replication_slots")
        .await?;
    ensure!(slots.len() == 1, "the temporary slot is gone: {slots:?}");
    Ok(())
}
