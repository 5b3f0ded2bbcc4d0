use anyhow::{Result, ensure};
use cdc::Phase;
use debezium::Operation;
use stack::{Postgres, until};

use crate::{
    connector::{PATIENCE, config_with, start, until_events, value},
    recording::{Recorded, Store},
};

fn shown(events: &[Recorded]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let id = event.value("id").unwrap_or("?");
            format!("{} {} {id}", event.op.code(), event.name())
        })
        .collect()
}

/// Whether the next start takes a snapshot, and what it reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mode_takes_the_snapshots_it_should() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table a(id int primary key, v text); create table b(id int primary key);
             insert into a values (1, 'x'), (2, 'y'); insert into b values (1)",
        )
        .await?;

    // Always: at every start.
    let always = config_with(
        &postgres,
        &[
            ("snapshot.mode", "always"),
            ("slot.name", "always"),
            ("table.include.list", "public.b,public.a"),
            ("snapshot.include.collection.list", "public.a,public.b"),
            ("snapshot.select.statement.overrides", "public.a"),
            (
                "snapshot.select.statement.overrides.public.a",
                "select * from public.a where id > 1;",
            ),
            ("snapshot.locking.mode", "shared"),
            ("replica.identity.autoset.values", "public.a:FULL"),
        ],
    );
    let store = Store::default();
    for round in 1..=2 {
        let running = start(&always, &store, 500);
        running.streaming().await?;
        until_events(&store, round * 2).await?;
        running.stop().await?;
    }
    ensure!(
        shown(&store.events())
            == [
                "r public.b 1",
                "r public.a 2",
                "r public.b 1",
                "r public.a 2"
            ],
        "{:?}",
        shown(&store.events())
    );
    let identity = value(
        &postgres,
        "select relreplident::text from pg_class where relname = 'a'",
    )
    .await?;
    ensure!(identity == "f", "{identity}");

    // Initial only: no slot, no stream, no second snapshot.
    let only = config_with(
        &postgres,
        &[("snapshot.mode", "initial_only"), ("slot.name", "only")],
    );
    let store = Store::default();
    for _ in 0..2 {
        let running = start(&only, &store, 500);
        let status = running.status.clone();
        until("the connector to be idle", PATIENCE, async || {
            Ok((status.phase() == Phase::Idle).then_some(()))
        })
        .await?;
        running.stop().await?;
        ensure!(store.len() == 3, "{:?}", shown(&store.events()));
    }
    let slots = value(
        &postgres,
        "select count(*)::text from pg_replication_slots where slot_name like 'only%'",
    )
    .await?;
    ensure!(slots == "0", "{slots}");

    // When needed: after the slot was dropped.
    let needed = config_with(
        &postgres,
        &[("snapshot.mode", "when_needed"), ("slot.name", "needed")],
    );
    let store = Store::default();
    let running = start(&needed, &store, 500);
    running.streaming().await?;
    postgres
        .execute("postgres", "insert into b values (2)")
        .await?;
    until_events(&store, 4).await?;
    running.stop().await?;
    let running = start(&needed, &store, 500);
    running.streaming().await?;
    running.stop().await?;
    ensure!(store.len() == 4, "{:?}", shown(&store.events()));
    postgres
        .execute(
            "postgres",
            "select pg_drop_replication_slot('needed'); insert into b values (3)",
        )
        .await?;
    let running = start(&needed, &store, 500);
    running.streaming().await?;
    until_events(&store, 9).await?;
    running.stop().await?;
    let events = store.events();
    ensure!(
        events[4..].iter().all(|event| event.op == Operation::Read),
        "{:?}",
        shown(&events)
    );
    Ok(())
}
