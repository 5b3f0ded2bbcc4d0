//! Properties that decide what is captured and how the slot is used, each on a real server.

use anyhow::{Context, Result, ensure};
use debezium::PgTypeKind;
use stack::{Postgres, PostgresOptions};

use crate::{
    connector::{Running, config_with, start, until_events, value},
    recording::{Recorded, Store},
};

async fn server() -> Result<Postgres> {
    Postgres::start_with(PostgresOptions {
        // Transactions above this are streamed while they are open.
        settings: vec![("logical_decoding_work_mem".to_owned(), "64kB".to_owned())],
        ..PostgresOptions::default()
    })
    .await
}

fn connector(
    postgres: &Postgres,
    name: &str,
    properties: &[(&str, &str)],
    store: &Store,
) -> Running {
    let own = [
        ("snapshot.mode", "no_data"),
        ("slot.name", name),
        ("publication.name", name),
        ("errors.max.retries", "0"),
    ];
    let all = [&own[..], properties].concat();
    start(&config_with(postgres, &all), store, 10_000)
}

/// What a connector captures of `sql`: `count` events, and no more.
async fn captured(
    postgres: &Postgres,
    name: &str,
    properties: &[(&str, &str)],
    sql: &[&str],
    count: usize,
) -> Result<Vec<Recorded>> {
    let store = Store::default();
    let running = connector(postgres, name, properties, &store);
    running.streaming().await?;
    let client = postgres.connect("postgres").await?;
    for sql in sql {
        client
            .batch_execute(sql)
            .await
            .with_context(|| (*sql).to_owned())?;
    }
    until_events(&store, count).await?;
    running.stop().await?;
    let events = store.events();
    ensure!(events.len() == count, "{name}: {} events", events.len());
    Ok(events)
}

/// How a connector fails at its start.
async fn failure(postgres: &Postgres, name: &str, properties: &[(&str, &str)]) -> Result<String> {
    let running = connector(postgres, name, properties, &Store::default());
    let error = running.ended().await?.err().context("it fails")?;
    Ok(service::render_error(&error, None))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_source_tells_of_origin_and_xmin() -> Result<()> {
    let postgres = server().await?;
    postgres
        .execute("postgres", "create table t(id int primary key, v text)")
        .await?;
    let replicated = [
        "select pg_replication_origin_create('from_afar')",
        "select pg_replication_origin_session_setup('from_afar')",
        "begin",
        "insert into t values (1)",
        "select pg_replication_origin_xact_setup('0/ABCD', now())",
        "commit",
        // Large enough to be streamed before its commit, and with it the commit's origin, is known.
        "begin",
        "insert into t select i, repeat('x', 100) from generate_series(2, 3001) i",
        "select pg_replication_origin_xact_setup('0/ABCE', now())",
        "commit",
        "select pg_replication_origin_session_reset()",
        "insert into t values (5000)",
    ];
    let properties = [("debezium.compat", "3"), ("xmin.fetch.interval.ms", "100")];
    let events = captured(&postgres, "told", &properties, &replicated, 3002).await?;
    let name = "from_afar".to_owned();
    ensure!(
        events[0].origin == Some((name.clone(), Some(0xABCD))),
        "{:?}",
        events[0]
    );
    for streamed in &events[1..3001] {
        ensure!(
            streamed.origin == Some((name.clone(), None)),
            "{streamed:?}"
        );
    }
    ensure!(events[3001].origin.is_none(), "{:?}", events[3001]);
    ensure!(
        events.iter().all(|event| event.source.xmin > Some(0)),
        "{:?}",
        events[0].source
    );

    // An option of the stream in place of ours: what came from elsewhere is not sent.
    let again = [
        "truncate t",
        "select pg_replication_origin_session_setup('from_afar')",
        "insert into t values (1)",
        "select pg_replication_origin_session_reset()",
        "insert into t values (2)",
    ];
    let properties = [("slot.stream.params", "origin=none;messages=false")];
    let version = value(&postgres, "select current_setting('server_version_num')").await?;
    if version.parse::<u32>()? >= 160_000 {
        let events = captured(&postgres, "own", &properties, &again, 2).await?;
        ensure!(events[1].value("id") == Some("2"), "{:?}", events[1]);
        ensure!(events[1].source.xmin.is_none());
    }
    Ok(())
}

/// `ALTER TYPE ... ADD VALUE` is told by its first value only, in 3.x; 2.7 lists what was there at the start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_of_enums_that_grow() -> Result<()> {
    let postgres = server().await?;
    for (compat, after) in [("2.7", "sad,ok"), ("3", "sad,ok,happy")] {
        postgres
            .execute(
                "postgres",
                "drop table if exists feelings; drop type if exists mood; create type mood as enum ('sad', 'ok');
                 create table feelings(id int primary key, m mood, v text)",
            )
            .await?;
        let sql = [
            "insert into feelings values (1, 'sad')",
            "alter type mood add value 'happy'",
            "insert into feelings values (2, 'ok')",
            "insert into feelings values (3, 'happy')",
            "insert into feelings values (4, 'sad')",
            // Streamed before it commits.
            "alter type mood add value 'late'",
            "insert into feelings select i, 'late', repeat('x', 100) from generate_series(5, 3004) i",
            // The label is gone from the catalog before the row is read; it is looked for once.
            "alter type mood rename value 'sad' to 'blue'",
            "insert into feelings values (4000, 'blue')",
        ];
        let name = if compat == "3" { "later" } else { "older" };
        let events = captured(&postgres, name, &[("debezium.compat", compat)], &sql, 3005).await?;
        let labels = |at: usize| -> Result<String> {
            let kind = &events[at].table.columns[1].pg_type.kind;
            let PgTypeKind::Enum { labels } = kind else {
                anyhow::bail!("{kind:?}");
            };
            Ok(labels.join(","))
        };
        ensure!(labels(0)? == "sad,ok" || compat == "3", "{}", labels(0)?);
        if compat == "2.7" {
            for at in [1, 2, 3, 4, 3003, 3004] {
                ensure!(labels(at)? == after, "{compat} {at}: {}", labels(at)?);
            }
        } else {
            for at in [2, 3] {
                ensure!(labels(at)?.contains("happy"), "{at}: {}", labels(at)?);
            }
            for at in [4, 3003, 3004] {
                ensure!(labels(at)?.contains("late"), "{at}: {}", labels(at)?);
            }
            ensure!(labels(3004)?.starts_with("blue,"), "{}", labels(3004)?);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_captured() -> Result<()> {
    let postgres = server().await?;
    postgres
        .execute(
            "postgres",
            "create schema hidden; create table hidden.t(id int primary key); create table t(id int primary key, v text);
             alter table t replica identity full;
             create table parts(id int primary key, v text) partition by range (id);
             create table parts_1 partition of parts for values from (0) to (10)",
        )
        .await?;
    let events = captured(
        &postgres,
        "filtered",
        &[
            ("schema.exclude.list", "hid.*"),
            ("skip.messages.without.change", "true"),
        ],
        &[
            "insert into hidden.t values (1)",
            "insert into t values (1, 'a')",
            "update t set v = 'a'",
            "update t set v = 'b'",
        ],
        2,
    )
    .await?;
    ensure!(events[1].value("v") == Some("b"), "{:?}", events[1]);
    let insert = ["insert into parts values (1, 'x')", "delete from parts"];
    let events = captured(&postgres, "leaves", &[], &insert, 2).await?;
    ensure!(events[0].name() == "public.parts_1", "{}", events[0].name());
    let properties = [("publish.via.partition.root", "true")];
    let events = captured(&postgres, "root", &properties, &insert, 2).await?;
    ensure!(events[0].name() == "public.parts", "{}", events[0].name());

    let guarded = |action| {
        [
            ("guardrail.collections.max", "3"),
            ("guardrail.collections.limit.action", action),
        ]
    };
    let told = failure(&postgres, "guarded", &guarded("fail")).await?;
    ensure!(
        told.contains("Guardrail limit exceeded: 4 tables/collections configured for capture, but maximum allowed is 3."),
        "{told}"
    );
    let insert = ["insert into hidden.t values (2)"];
    captured(&postgres, "warned", &guarded("warn"), &insert, 1).await?;

    postgres
        .execute(
            "postgres",
            "truncate t; insert into t select i from generate_series(1, 50) i; insert into parts values (2); analyze",
        )
        .await?;
    for (order, first) in [("descending", "public.t"), ("ascending", "hidden.t")] {
        let store = Store::default();
        let properties = [
            ("snapshot.mode", "initial"),
            ("snapshot.tables.order.by.row.count", order),
            ("table.include.list", "hidden.t,public.t"),
            ("snapshot.delay.ms", "50"),
            ("streaming.delay.ms", "50"),
        ];
        let running = connector(&postgres, order, &properties, &store);
        running.streaming().await?;
        until_events(&store, 52).await?;
        running.stop().await?;
        let events = store.events();
        ensure!(events[0].name() == first, "{order}: {}", events[0].name());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_connections_and_slots_are_used() -> Result<()> {
    let postgres = server().await?;
    postgres
        .execute("postgres", "create table t(id int primary key)")
        .await?;
    let slow = [
        ("database.query.timeout.ms", "200"),
        ("database.initial.statements", "select pg_sleep(30)"),
    ];
    let told = failure(&postgres, "slow", &slow).await?;
    ensure!(told.contains("statement timeout"), "{told}");

    // Somebody else confirms: the slot stays where it is.
    for (name, property) in [
        ("source", ("flush.lsn.source", "false")),
        ("manual", ("lsn.flush.mode", "manual")),
        ("connector", ("lsn.flush.mode", "connector")),
    ] {
        let store = Store::default();
        let running = connector(&postgres, name, &[property], &store);
        running.streaming().await?;
        let confirmed = format!(
            "select confirmed_flush_lsn::text from pg_replication_slots where slot_name = '{name}'"
        );
        let before = value(&postgres, &confirmed).await?;
        postgres
            .execute("postgres", "delete from t; insert into t values (1)")
            .await?;
        until_events(&store, 1).await?;
        running.stop().await?;
        let after = value(&postgres, &confirmed).await?;
        ensure!(
            (before == after) == (name != "connector"),
            "{name}: {before} {after}"
        );
    }

    // A slot that was moved beyond the stored position has skipped something, unless that is told to be fine.
    let store = Store::default();
    let running = connector(&postgres, "moved", &[], &store);
    running.streaming().await?;
    postgres
        .execute("postgres", "delete from t; insert into t values (1)")
        .await?;
    until_events(&store, 2).await?;
    running.stop().await?;
    postgres
        .execute(
            "postgres",
            "insert into t values (2); select pg_switch_wal()",
        )
        .await?;
    postgres
        .execute(
            "postgres",
            "select pg_replication_slot_advance('moved', pg_current_wal_lsn())",
        )
        .await?;
    let running = connector(&postgres, "moved", &[], &store);
    let error = running.ended().await?.err().context("it fails")?;
    ensure!(error.kind() == cdc::ErrorKind::SlotLost, "{error}");
    for strategy in ["trust_slot", "trust_greater_lsn"] {
        let before = store.len();
        let properties = [("offset.mismatch.strategy", strategy)];
        let running = connector(&postgres, "moved", &properties, &store);
        running.streaming().await?;
        postgres
            .execute("postgres", "delete from t; insert into t values (3)")
            .await?;
        until_events(&store, before + 2).await?;
        running.stop().await?;
    }

    // A transaction that stays open keeps a slot from being made.
    let open = postgres.connect("postgres").await?;
    open.batch_execute("begin; insert into t values (9)")
        .await?;
    let told = failure(&postgres, "late", &[("create.slot.command.timeout", "1")]).await?;
    ensure!(told.contains("not done within 1 s"), "{told}");
    open.batch_execute("rollback").await?;

    let busy = Store::default();
    let running = connector(&postgres, "busy", &[], &busy);
    running.streaming().await?;
    let impatient = [("slot.max.retries", "0")];
    let told = failure(&postgres, "busy", &impatient).await?;
    ensure!(told.contains("is active for PID"), "{told}");
    running.stop().await
}
