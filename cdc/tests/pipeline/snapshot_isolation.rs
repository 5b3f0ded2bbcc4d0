//! `snapshot.isolation.mode`: what the transactions of a snapshot are, and what they wait for.

use anyhow::{Context, Result, ensure};
use cdc::Phase;
use stack::{Postgres, until};

use crate::{
    connector::{PATIENCE, Running, config_with, start, until_events, value},
    recording::Store,
};

/// Every row says how it was read.
const HOW: &str = "select id, current_setting('transaction_isolation') || ', '
    || case current_setting('transaction_read_only') when 'on' then 'read only' else 'writing' end || ', '
    || pg_current_snapshot()::text || ', ' || current_setting('statement_timeout') as v from public.";

fn connector(
    postgres: &Postgres,
    name: &str,
    properties: &[(&str, &str)],
    store: &Store,
) -> Running {
    let (a, b) = (format!("{HOW}a"), format!("{HOW}b"));
    let own = [
        ("slot.name", name),
        ("publication.name", name),
        ("errors.max.retries", "0"),
        ("snapshot.max.threads", "2"),
        ("snapshot.select.statement.overrides", "public.a,public.b"),
        ("snapshot.select.statement.overrides.public.a", &a),
        ("snapshot.select.statement.overrides.public.b", &b),
    ];
    let all = [&own[..], properties].concat();
    start(&config_with(postgres, &all), store, 500)
}

/// How the rows were read, which is the same way for all.
fn how(store: &Store) -> Result<String> {
    let events = store.events();
    let first = events.first().context("a row")?;
    let first = first.value("v").context("a value")?;
    ensure!(events.len() == 5, "{} rows", events.len());
    ensure!(
        events.iter().all(|event| event.value("v") == Some(first)),
        "{events:?}"
    );
    ensure!(first.ends_with(", 0"), "{first}");
    let mut parts = first.split(", ");
    Ok([parts.next().unwrap_or(""), parts.next().unwrap_or("")].join(", "))
}

async fn idle(running: Running) -> Result<()> {
    let status = running.status.clone();
    until("the connector to be idle", PATIENCE, async || {
        Ok((status.phase() == Phase::Idle).then_some(()))
    })
    .await?;
    running.stop().await
}

async fn server() -> Result<Postgres> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table a(id int primary key, v text); create table b(id int primary key, v text);
             insert into a values (1, ''), (2, ''); insert into b values (1, ''), (2, ''), (3, '')",
        )
        .await?;
    Ok(postgres)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_streamed_after_decides() -> Result<()> {
    let postgres = server().await?;
    let modes = [
        "",
        "serializable",
        "repeatable_read",
        "read_committed",
        "read_uncommitted",
    ];
    for (index, mode) in modes.into_iter().enumerate() {
        // The slot's own snapshot; with a slot that exists already, that of one beside it.
        for adopted in [false, true] {
            let store = Store::default();
            let name = format!("streams_{index}_{adopted}");
            if adopted {
                let sql =
                    format!("select pg_create_logical_replication_slot('{name}', 'pgoutput')");
                postgres.execute("postgres", &sql).await?;
            }
            let properties = [("snapshot.isolation.mode", mode)];
            let running = connector(&postgres, &name, &properties, &store);
            running.streaming().await?;
            until_events(&store, 5).await?;
            running.stop().await?;
            let how = how(&store)?;
            ensure!(how == "repeatable read, read only", "{name} {mode}: {how}");
            let sql = format!("select pg_drop_replication_slot('{name}')");
            postgres.execute("postgres", &sql).await?;
        }
        let store = Store::default();
        let name = format!("alone_{index}");
        let properties = [
            ("snapshot.isolation.mode", mode),
            ("snapshot.mode", "initial_only"),
        ];
        idle(connector(&postgres, &name, &properties, &store)).await?;
        // The second connection imports a snapshot that is safe already.
        let events = store.events();
        let serializable = events.iter().filter(|event| {
            let how = event.value("v").unwrap_or_default();
            how.starts_with("serializable, read only")
        });
        let wanted = matches!(mode, "" | "serializable");
        ensure!((serializable.count() > 0) == wanted, "{mode}: {events:?}");
        ensure!(events.len() == 5, "{mode}: {events:?}");
        if !wanted {
            let how = how(&store)?;
            ensure!(how == "repeatable read, read only", "{mode}: {how}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serializable_snapshot_waits_and_needs_no_slot() -> Result<()> {
    let postgres = server().await?;
    let open = postgres.connect("postgres").await?;
    open.batch_execute(
        "begin isolation level serializable; select * from a; insert into a values (3, 'open')",
    )
    .await?;
    // It waits for nobody.
    let store = Store::default();
    let properties = [
        ("snapshot.mode", "initial_only"),
        ("snapshot.isolation.mode", "repeatable_read"),
    ];
    idle(connector(&postgres, "repeatable", &properties, &store)).await?;
    ensure!(store.len() == 5);

    let store = Store::default();
    let properties = [("snapshot.mode", "initial_only")];
    let running = connector(&postgres, "serializable", &properties, &store);
    let waits = "select 1 from pg_stat_activity where wait_event = 'SafeSnapshot'";
    until("the snapshot to wait", PATIENCE, async || {
        Ok(postgres.query("postgres", waits).await?.first().map(drop))
    })
    .await?;
    let slots = value(&postgres, "select count(*)::text from pg_replication_slots").await?;
    ensure!(slots == "0" && store.len() == 0, "{slots} slots");
    open.batch_execute("commit").await?;
    idle(running).await?;
    // What it waited for may be in it, or not: either order is one of the serializable transactions.
    ensure!([5, 6].contains(&store.len()), "{}", store.len());

    // Asked to stop while it waits.
    open.batch_execute(
        "begin isolation level serializable; select * from a; insert into a values (4, 'open')",
    )
    .await?;
    let store = Store::default();
    let running = connector(&postgres, "stopped", &properties, &store);
    until("the snapshot to wait", PATIENCE, async || {
        Ok(postgres.query("postgres", waits).await?.first().map(drop))
    })
    .await?;
    running.stop().await?;
    open.batch_execute("rollback").await?;
    until("its connection to be closed", PATIENCE, async || {
        let sql = "select 1 from pg_stat_activity where application_name = 'tributary'";
        Ok(postgres
            .query("postgres", sql)
            .await?
            .is_empty()
            .then_some(()))
    })
    .await
}

/// A slot that somebody keeps beside a connector that only snapshots: streaming from it goes on where the snapshot ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_slot_goes_on_after_a_snapshot_alone() -> Result<()> {
    let postgres = server().await?;
    for sql in [
        "create publication kept for all tables",
        "select pg_create_logical_replication_slot('kept', 'pgoutput')",
        "insert into b values (4, 'before')",
    ] {
        postgres.execute("postgres", sql).await?;
    }
    let store = Store::default();
    let properties = [("slot.name", "kept"), ("publication.name", "kept")];
    let only = [&properties[..], &[("snapshot.mode", "initial_only")]].concat();
    idle(start(&config_with(&postgres, &only), &store, 500)).await?;
    ensure!(store.len() == 6, "{:?}", store.events());
    postgres
        .execute("postgres", "insert into b values (5, 'after')")
        .await?;
    let running = start(&config_with(&postgres, &properties), &store, 500);
    running.streaming().await?;
    until_events(&store, 7).await?;
    running.stop().await?;
    let events = store.events();
    ensure!(events.len() == 7, "{events:?}");
    ensure!(events[6].value("v") == Some("after"), "{:?}", events[6]);
    Ok(())
}
