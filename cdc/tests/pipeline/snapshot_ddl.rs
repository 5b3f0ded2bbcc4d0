//! Tables that are rewritten, truncated, dropped, renamed, attached or detached while a snapshot is taken: its rows are
//! complete, or it says so and starts over.

use anyhow::{Context, Result, ensure};
use debezium::Operation;
use stack::{Postgres, until};

use crate::{
    connector::{PATIENCE, Running, config_with, start, until_events, value},
    recording::{Recorded, Store},
    snapshot_threads::{Rows, replayed},
};

/// What a test does, and the tables that it does it to. `{}` is the test's schema.
struct Case {
    name: &'static str,
    change: &'static str,
    /// The tables whose rows are compared at the end.
    tables: &'static [&'static str],
}

const CASES: [Case; 12] = [
    Case {
        name: "rewritten",
        change: "alter table {}.b alter k type bigint",
        tables: &["a", "b"],
    },
    Case {
        name: "computed_default",
        change: "alter table {}.b add column c timestamptz default clock_timestamp()",
        tables: &["a", "b"],
    },
    Case {
        name: "truncated",
        change: "truncate {}.b; insert into {}.b values (1000, 'after', 1)",
        tables: &["a", "b"],
    },
    Case {
        name: "recreated",
        change: "drop table {}.b; create table {}.b(id bigint primary key, v text, k int);
                 insert into {}.b values (1000, 'after', 1)",
        tables: &["a", "b"],
    },
    Case {
        name: "dropped",
        change: "drop table {}.b",
        tables: &["a"],
    },
    Case {
        name: "swapped",
        change: "alter table {}.b rename to old; alter table {}.a rename to b; alter table {}.old rename to a",
        tables: &["a", "b"],
    },
    Case {
        name: "replaced_column",
        change: "alter table {}.b drop column v; alter table {}.b add column v text default 'new'",
        tables: &["a", "b"],
    },
    Case {
        name: "renamed_column",
        change: "alter table {}.b rename column k to l",
        tables: &["a", "b"],
    },
    Case {
        name: "unlogged",
        change: "alter table {}.b set unlogged; alter table {}.b set logged",
        tables: &["a", "b"],
    },
    Case {
        name: "repacked",
        change: "cluster {}.b using b_pkey",
        tables: &["a", "b"],
    },
    Case {
        name: "detached",
        change: "alter table {}.root detach partition {}.leaf; alter table {}.leaf rename to d",
        tables: &["a", "b", "root", "d"],
    },
    Case {
        name: "attached",
        change: "alter table {}.root attach partition {}.c for values from (0) to (10000)",
        tables: &["a", "b", "root"],
    },
];

/// A server whose schemas, one for each name, have the tables `a`, `b`, `c` and the partitioned `root` with `leaf`.
async fn server(names: impl IntoIterator<Item = &str>) -> Result<Postgres> {
    let postgres = Postgres::start().await?;
    for name in names {
        let sql = "create schema {};
            create table {}.a(id bigint primary key, v text, k int); create table {}.b(like {}.a including all);
            create table {}.c(like {}.a including all);
            create table {}.root(like {}.a including all) partition by range (id);
            create table {}.leaf partition of {}.root for values from (10000) to (20000);
            insert into {}.a select i, repeat('x', 1000) || i, i from generate_series(1, 3000) i;
            insert into {}.b select i, 'b' || i, i from generate_series(1, 100) i;
            insert into {}.c select i, 'c' || i, i from generate_series(1, 50) i;
            insert into {}.root select i, 'r' || i, i from generate_series(10001, 10070) i;
            create publication {} for tables in schema {} with (publish_via_partition_root = true)";
        postgres
            .execute("postgres", &sql.replace("{}", name))
            .await?;
    }
    Ok(postgres)
}

fn connector(
    postgres: &Postgres,
    name: &str,
    properties: &[(&str, &str)],
    store: &Store,
) -> Running {
    let own = [
        ("slot.name", name),
        ("publication.name", name),
        ("publication.autocreate.mode", "disabled"),
        ("schema.include.list", name),
        ("skipped.operations", "none"),
        ("publish.via.partition.root", "true"),
    ];
    let all = [&own[..], properties].concat();
    start(&config_with(postgres, &all), store, 700)
}

async fn rows_now(postgres: &Postgres, schema: &str, tables: &[&str]) -> Result<Rows> {
    let mut all = Rows::new();
    for table in tables {
        let sql = format!("select id, v from {schema}.{table}");
        for row in postgres.query("postgres", &sql).await? {
            let mut row = row.into_iter().flatten();
            let id = row.next().context("id")?.parse()?;
            let text = row.next().context("v")?;
            all.insert((format!("{schema}.{table}"), id), text);
        }
    }
    Ok(all)
}

/// The events' rows of these tables.
fn rows_of(events: &[Recorded], schema: &str, tables: &[&str]) -> Result<Rows> {
    let mut rows = replayed(events)?;
    rows.retain(|(name, _), _| {
        tables
            .iter()
            .any(|table| *name == format!("{schema}.{table}"))
    });
    Ok(rows)
}

/// Between the moment that the slot exports and the first lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_altered_before_it_is_locked_is_read_as_of_another_moment() -> Result<()> {
    let postgres = server(CASES.iter().map(|case| case.name)).await?;
    for (index, case) in CASES.iter().enumerate() {
        let Case { name, tables, .. } = case;
        let store = Store::default();
        let threads = if index % 2 == 0 { "1" } else { "3" };
        let properties = [
            ("snapshot.delay.ms", "2000"),
            ("snapshot.max.threads", threads),
            ("errors.max.retries", "0"),
        ];
        let running = connector(&postgres, name, &properties, &store);
        let exported = format!(
            "select 1 from pg_replication_slots where slot_name = '{name}' and confirmed_flush_lsn is not null"
        );
        until("the slot to be made", PATIENCE, async || {
            Ok(postgres
                .query("postgres", &exported)
                .await?
                .first()
                .map(drop))
        })
        .await?;
        for statement in case.change.split(';') {
            postgres
                .execute("postgres", &statement.replace("{}", name))
                .await?;
        }
        running
            .streaming()
            .await
            .with_context(|| (*name).to_owned())?;
        let sql = format!("insert into {name}.a values (5000, 'last', 1)");
        postgres.execute("postgres", &sql).await?;
        until("the last change", PATIENCE, async || {
            let events = store.events();
            let last = events.iter().any(|it| it.value("id") == Some("5000"));
            Ok(last.then_some(()))
        })
        .await?;
        running.stop().await?;
        let events = store.events();
        let want = rows_now(&postgres, name, tables).await?;
        let got = rows_of(&events, name, tables).with_context(|| (*name).to_owned())?;
        ensure!(got == want, "{name}: {} of {} rows", got.len(), want.len());
        let read = events.iter().filter(|it| it.op == Operation::Read);
        let moments: std::collections::BTreeSet<u64> = read.map(|it| it.source.lsn).collect();
        ensure!(moments.len() == 1, "{name}: {moments:?}");
    }
    Ok(())
}

/// While another table is read: the alteration waits, for the snapshot has a lock on what it has not read yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_its_turn_cannot_be_altered() -> Result<()> {
    let cases = || CASES.iter().filter(|case| case.name != "attached");
    let postgres = server(cases().map(|case| case.name)).await?;
    for (index, case) in cases().enumerate() {
        let Case { name, tables, .. } = case;
        let store = Store::default();
        store.lock().limit = Some(50);
        let threads = if index % 2 == 0 { "3" } else { "1" };
        let properties = [
            ("snapshot.max.threads", threads),
            ("errors.max.retries", "0"),
        ];
        let running = connector(&postgres, name, &properties, &store);
        until_events(&store, 50).await?;
        let client = postgres.connect("postgres").await?;
        let change = case.change.replace("{}", name);
        let altering = tokio::spawn(async move {
            for statement in change.split(';') {
                client.batch_execute(statement).await?;
            }
            Ok::<_, tokio_postgres::Error>(())
        });
        let waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and wait_event = 'relation'";
        until("the alteration to wait", PATIENCE, async || {
            Ok(postgres.query("postgres", waits).await?.first().map(drop))
        })
        .await
        .with_context(|| (*name).to_owned())?;
        store.lock().limit = None;
        running.streaming().await?;
        altering.await??;
        running.stop().await?;
        let read: Vec<Recorded> = store.events();
        let read: Vec<Recorded> = read
            .into_iter()
            .filter(|it| it.op == Operation::Read)
            .collect();
        ensure!(read.len() == 3220, "{name}: {} rows", read.len());
        ensure!(replayed(&read)?.len() == 3220, "{name}");
        ensure!(!tables.is_empty());
    }
    Ok(())
}

/// ATTACH PARTITION does not wait for readers of the parent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_is_attached_meanwhile_starts_the_snapshot_over() -> Result<()> {
    let postgres = server(["late"]).await?;
    postgres
        .execute(
            "postgres",
            "drop publication late; create publication late for table late.a, late.root with (publish_via_partition_root = true)",
        )
        .await?;
    let store = Store::default();
    store.lock().limit = Some(50);
    let properties = [
        ("table.include.list", "late.a,late.root"),
        ("errors.max.retries", "0"),
    ];
    let running = connector(&postgres, "late", &properties, &store);
    until_events(&store, 50).await?;
    postgres
        .execute(
            "postgres",
            "alter table late.root attach partition late.c for values from (0) to (10000)",
        )
        .await?;
    store.lock().limit = None;
    let error = running.ended().await?.err().context("it starts over")?;
    ensure!(
        error.to_string().contains("the snapshot starts over"),
        "{error}"
    );
    ensure!(error.kind() == cdc::ErrorKind::Database, "{error:?}");
    let of_root = store.events().iter().any(|it| it.name() == "late.root");
    ensure!(!of_root, "nothing of it was written");
    store.lock().events.clear();
    let running = connector(&postgres, "late", &properties, &store);
    running.streaming().await?;
    running.stop().await?;
    let want = rows_now(&postgres, "late", &["a", "root"]).await?;
    ensure!(want.len() == 3120 && replayed(&store.events())? == want);
    let slots = value(&postgres, "select count(*)::text from pg_replication_slots").await?;
    ensure!(slots == "1", "{slots} slots");
    Ok(())
}
