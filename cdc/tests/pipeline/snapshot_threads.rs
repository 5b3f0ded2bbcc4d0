//! `snapshot.max.threads`: several tables are read at the same time, and all as of the same moment.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use cdc::metrics::ConnectorMetrics;
use debezium::{Operation, SnapshotMarker};
use stack::{Postgres, until};

use crate::{
    connector::{PATIENCE, Running, config_with, start, until_events, value},
    recording::{Recorded, Store},
};

/// Rows of `t0`, `t1` and so on: a big one, some that do not fit a socket's buffer, and small ones.
const TABLES: [usize; 8] = [30_000, 4000, 0, 4000, 4000, 1, 2, 300];

/// Rows after which a destination stops taking more: every connection is open then, and none has come to its end.
const STALL: usize = 100;

pub type Rows = BTreeMap<(String, i64), String>;

async fn server() -> Result<Postgres> {
    let postgres = Postgres::start().await?;
    for (table, rows) in TABLES.iter().enumerate() {
        postgres
            .execute(
                "postgres",
                &format!(
                    "create table t{table}(id bigint primary key, v text);
                     insert into t{table} select i, repeat('x', 200) || i from generate_series(1, {rows}) i"
                ),
            )
            .await?;
    }
    Ok(postgres)
}

fn total() -> usize {
    TABLES.iter().sum()
}

/// A connector whose destination takes `STALL` rows and no more, for now.
async fn stalled(postgres: &Postgres, properties: &[(&str, &str)]) -> Result<(Running, Store)> {
    let store = Store::default();
    store.lock().limit = Some(STALL);
    let own = [("errors.max.retries", "0")];
    let all = [&own[..], properties].concat();
    let running = start(&config_with(postgres, &all), &store, 700);
    until_events(&store, STALL).await?;
    Ok((running, store))
}

fn go_on(store: &Store) {
    store.lock().limit = None;
}

/// The sessions that read the snapshot.
async fn readers(postgres: &Postgres, of_them: &str) -> Result<Vec<String>> {
    let sql = format!(
        "select pid::text from pg_stat_activity where application_name = 'tributary'
         and backend_type = 'client backend' and xact_start is not null and {of_them} order by pid"
    );
    let rows = postgres.query("postgres", &sql).await?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

async fn until_closed(postgres: &Postgres, pids: &[String]) -> Result<()> {
    let sql = format!(
        "select pid::text from pg_stat_activity where pid in ({})",
        pids.join(",")
    );
    until(
        "the snapshot's connections to be closed",
        PATIENCE,
        async || {
            Ok(postgres
                .query("postgres", &sql)
                .await?
                .is_empty()
                .then_some(()))
        },
    )
    .await
}

async fn rows_now(postgres: &Postgres) -> Result<Rows> {
    let mut all = Rows::new();
    for table in 0..TABLES.len() {
        let sql = format!("select id, v from t{table}");
        for row in postgres.query("postgres", &sql).await? {
            let mut row = row.into_iter().flatten();
            let id = row.next().context("id")?.parse()?;
            all.insert((format!("public.t{table}"), id), row.next().context("v")?);
        }
    }
    Ok(all)
}

/// The rows as they are after all events; none may come, go or change that is not, or is, already there.
pub fn replayed(events: &[Recorded]) -> Result<Rows> {
    let mut rows = Rows::new();
    for event in events {
        let id = event.value("id").context("id")?.parse()?;
        let key = (event.name(), id);
        let text = event.value("v").unwrap_or_default().to_owned();
        match event.op {
            Operation::Read | Operation::Create => {
                ensure!(rows.insert(key, text).is_none(), "twice: {event:?}");
            }
            Operation::Update => ensure!(rows.insert(key, text).is_some(), "unknown: {event:?}"),
            Operation::Delete => ensure!(rows.remove(&key).is_some(), "unknown: {event:?}"),
            Operation::Truncate => rows.clear(),
        }
    }
    Ok(rows)
}

fn snapshotted(events: &[Recorded]) -> Vec<Recorded> {
    let read = events.iter().filter(|event| event.op == Operation::Read);
    read.cloned().collect()
}

fn ensure_positions_grow(events: &[Recorded]) -> Result<()> {
    let mut pairs = events.windows(2);
    ensure!(
        pairs.all(|pair| pair[0].position < pair[1].position),
        "positions grow"
    );
    Ok(())
}

/// One first, one last, and the edges of every table, however the tables come interleaved.
fn ensure_markers(events: &[Recorded]) -> Result<()> {
    use SnapshotMarker::{First, FirstInDataCollection, Last, LastInDataCollection, True};
    let mut by_table: BTreeMap<String, Vec<SnapshotMarker>> = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        let marker = event.source.snapshot;
        by_table.entry(event.name()).or_default().push(marker);
        ensure!((marker == First) == (index == 0), "{index}: {marker:?}");
        let is_last = index + 1 == events.len();
        ensure!((marker == Last) == is_last, "{index}: {marker:?}");
    }
    for (table, markers) in by_table {
        let count = markers.len();
        for (row, marker) in markers.into_iter().enumerate() {
            let right = match marker {
                First => row == 0,
                FirstInDataCollection => row == 0 && count > 1,
                True => row > 0 && row + 1 < count,
                LastInDataCollection | Last => row + 1 == count,
                SnapshotMarker::Incremental | SnapshotMarker::False => false,
            };
            ensure!(right, "{table}: row {row} of {count} is {marker:?}");
        }
    }
    Ok(())
}

/// Rows are inserted, updated and deleted in every table while four connections read eight.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_lost_and_nothing_twice_with_several_connections() -> Result<()> {
    let postgres = server().await?;
    let before = rows_now(&postgres).await?;
    let (running, store) = stalled(&postgres, &[("snapshot.max.threads", "4")]).await?;
    let pids = readers(&postgres, "true").await?;
    ensure!(pids.len() == 4, "{pids:?}");
    let xmins = value(
        &postgres,
        &format!(
            "select count(distinct backend_xmin::text)::text from pg_stat_activity where pid in ({})",
            pids.join(",")
        ),
    )
    .await?;
    ensure!(xmins == "1", "{xmins} snapshots");
    let writer = postgres.connect("postgres").await?;
    let change = async |round: i64| {
        let mut sql = "begin;".to_owned();
        for table in 0..TABLES.len() {
            sql += &format!(
                "insert into t{table} values ({}, 'new'); update t{table} set v = 'u{round}' where id = {};
                 delete from t{table} where id = {};",
                100_000 + round, 2 + round % 2000, 2001 + round
            );
        }
        writer.batch_execute(&(sql + "commit")).await
    };
    for round in 0..20 {
        change(round).await?;
    }
    go_on(&store);
    for round in 20..300 {
        change(round).await?;
    }
    writer
        .batch_execute("insert into t5 values (999999, 'done')")
        .await?;
    until("the last change", PATIENCE, async || {
        let done = store
            .events()
            .iter()
            .any(|it| it.value("id") == Some("999999"));
        Ok(done.then_some(()))
    })
    .await?;
    until_closed(&postgres, &pids).await?;
    let shown = cdc::metrics::render(&[ConnectorMetrics {
        connector: "c".to_owned(),
        tags: Vec::new(),
        state: "RUNNING",
        status: running.status.clone(),
    }]);
    for line in [
        "tributary_cdc_snapshot_tables{connector=\"c\",kind=\"total\"} 8",
        "tributary_cdc_snapshot_tables{connector=\"c\",kind=\"remaining\"} 0",
        "tributary_cdc_snapshot_rows{connector=\"c\",table=\"public.t7\"} 300",
    ] {
        ensure!(shown.contains(line), "{shown}");
    }
    running.stop().await?;

    let events = store.events();
    ensure!(replayed(&events)? == rows_now(&postgres).await?);
    let read = snapshotted(&events);
    ensure!(read.len() == total(), "{}", read.len());
    ensure!(replayed(&read)? == before, "the snapshot is of its start");
    ensure!(
        read.iter().all(|it| it.source.lsn == read[0].source.lsn
            && it.source.tx_id == read[0].source.tx_id
            && it.source.commit_micros == read[0].source.commit_micros),
        "one source"
    );
    ensure_positions_grow(&events)?;
    ensure_markers(&read)?;
    for table in 0..TABLES.len() {
        let name = format!("public.t{table}");
        let ids = read.iter().filter(|it| it.name() == name);
        let ids: Vec<i64> = ids
            .map(|it| Ok(it.value("id").context("id")?.parse()?))
            .collect::<Result<_>>()?;
        ensure!(ids.is_sorted(), "{name}: rows in their order");
    }
    let changes = read.windows(2).filter(|it| it[0].name() != it[1].name());
    ensure!(changes.count() > TABLES.len(), "tables come interleaved");
    Ok(())
}

/// A lost connection and a stop both end all of them, and the next start reads what was not finished.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_breaks_off_ends_as_a_whole() -> Result<()> {
    let postgres = server().await?;
    let four = [("snapshot.max.threads", "4")];
    let (running, store) = stalled(&postgres, &four).await?;
    let pids = readers(&postgres, "true").await?;
    let copying = "state = 'active' and query like 'copy %'";
    let victim = readers(&postgres, copying).await?;
    let victim = victim.first().context("a table is being read")?;
    let sql = format!("select query from pg_stat_activity where pid = {victim}");
    let query = value(&postgres, &sql).await?;
    let from = query.split(" from ").nth(1).context("from")?;
    let table = from.trim_start_matches("only ");
    let table = table.trim_end_matches(") to stdout");
    let sql = format!("select pg_terminate_backend({victim})");
    postgres.execute("postgres", &sql).await?;
    go_on(&store);
    let error = running.ended().await?.err().context("it fails")?;
    let told = service::render_error(&error, None);
    ensure!(
        told.contains(&format!("read table {table} for the snapshot")),
        "{told}"
    );
    ensure!(error.kind() == cdc::ErrorKind::Connection, "{told}");
    until_closed(&postgres, &pids).await?;
    ensure!(store.lock().ends.is_empty(), "no end of the snapshot");

    // Stopped while it reads.
    let more = [("snapshot.max.threads", "3"), ("slot.name", "stopped")];
    let (running, stopped) = stalled(&postgres, &more).await?;
    let pids = readers(&postgres, "true").await?;
    ensure!(pids.len() == 3, "{pids:?}");
    running.stop().await?;
    until_closed(&postgres, &pids).await?;
    ensure!(stopped.len() == STALL, "{}", stopped.len());

    for (store, slot) in [(store, "debezium"), (stopped, "stopped")] {
        let before = store.len();
        let finished = finished(&postgres, &store).await?;
        let mut want = rows_now(&postgres).await?;
        want.retain(|(table, _), _| !finished.contains(table));
        go_on(&store);
        let properties = [("snapshot.max.threads", "2"), ("slot.name", slot)];
        let running = start(&config_with(&postgres, &properties), &store, 700);
        running.streaming().await?;
        until_events(&store, before + want.len()).await?;
        running.stop().await?;
        let again = store.events().split_off(before);
        ensure!(replayed(&again)? == want, "{slot}");
        ensure_markers(&again)?;
        ensure_positions_grow(&again)?;
    }
    Ok(())
}

/// The tables of which all rows were delivered, and their end with them.
async fn finished(postgres: &Postgres, store: &Store) -> Result<Vec<String>> {
    let oids = {
        let store = store.lock();
        let read = store.resume.as_ref().context("a position")?;
        let read = read.tables_read.as_ref().context("what was read")?;
        let oids: Vec<String> = read.finished.iter().map(u32::to_string).collect();
        oids.join(",")
    };
    let sql = format!("select 'public.' || relname from pg_class where oid = any('{{{oids}}}')");
    let rows = postgres.query("postgres", &sql).await?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

/// The server has no room for so many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_refuses() -> Result<()> {
    let postgres = Postgres::start().await?;
    for sql in [
        "create table a(id int primary key); create table b(id int primary key); create table c(id int primary key);
         create table d(id int primary key); create publication few for all tables",
        "create role few login replication connection limit 3; grant pg_read_all_data to few",
    ] {
        postgres.execute("postgres", sql).await?;
    }
    let properties = [
        ("database.user", "few"),
        ("publication.name", "few"),
        ("publication.autocreate.mode", "disabled"),
        ("snapshot.max.threads", "8"),
        ("errors.max.retries", "0"),
    ];
    let store = Store::default();
    let running = start(&config_with(&postgres, &properties), &store, 700);
    let error = running.ended().await?.err().context("it fails")?;
    let told = service::render_error(&error, None);
    ensure!(
        told.contains("open 4 connections for the snapshot (`snapshot.max.threads`)")
            && told.contains("too many connections for role"),
        "{told}"
    );
    ensure!(error.hint().contains("the limit of the role"), "{told}");
    ensure!(error.kind() == cdc::ErrorKind::Connection, "{told}");
    let sessions = "select 1 from pg_stat_activity where application_name = 'tributary'";
    until("its connections to be closed", PATIENCE, async || {
        Ok(postgres
            .query("postgres", sessions)
            .await?
            .is_empty()
            .then_some(()))
    })
    .await?;
    let properties = [&properties[..3], &[("snapshot.max.threads", "2")]].concat();
    let running = start(&config_with(&postgres, &properties), &store, 700);
    running.streaming().await?;
    running.stop().await
}

/// There are no more connections than tables, and every one has the locks that `snapshot.locking.mode` asks for: whoever
/// waits to alter a table waits until the end, and nobody waits for him.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_and_their_locks() -> Result<()> {
    let postgres = server().await?;
    for (slot, tables, threads, want) in [
        ("many", "public.t[013]", "100", 3),
        ("one", "public.t0", "8", 1),
        ("default", ".*", "", 1),
    ] {
        let properties = [
            ("slot.name", slot),
            ("table.include.list", tables),
            ("snapshot.max.threads", threads),
        ];
        let (running, store) = stalled(&postgres, &properties).await?;
        let pids = readers(&postgres, "true").await?;
        ensure!(pids.len() == want, "{slot}: {pids:?}");
        go_on(&store);
        running.streaming().await?;
        until_closed(&postgres, &pids).await?;
        running.stop().await?;
        ensure_markers(&store.events())?;
    }

    // No table at all.
    let store = Store::default();
    let properties = [
        ("slot.name", "none"),
        ("table.include.list", "public.nothing"),
        ("snapshot.max.threads", "4"),
    ];
    let running = start(&config_with(&postgres, &properties), &store, 700);
    running.streaming().await?;
    running.stop().await?;
    ensure!(store.len() == 0);

    let properties = [
        ("slot.name", "locking"),
        ("snapshot.max.threads", "3"),
        ("snapshot.locking.mode", "shared"),
    ];
    let (running, store) = stalled(&postgres, &properties).await?;
    let locks = value(
        &postgres,
        "select count(*)::text from pg_locks where granted and mode = 'AccessShareLock'
         and relation in (select oid from pg_class where relname ~ '^t[0-7]$')
         and pid in (select pid from pg_stat_activity where application_name = 'tributary')",
    )
    .await?;
    ensure!(locks == "24", "{locks}");
    let client = postgres.connect("postgres").await?;
    let altering = tokio::spawn(async move {
        client
            .batch_execute("alter table t7 add column w int")
            .await
    });
    let waits =
        "select 1 from pg_stat_activity where query like 'alter %' and wait_event_type = 'Lock'";
    until("the alteration to wait", PATIENCE, async || {
        Ok(postgres.query("postgres", waits).await?.first().map(drop))
    })
    .await?;
    go_on(&store);
    running.streaming().await?;
    until_events(&store, total()).await?;
    altering.await??;
    running.stop().await
}
