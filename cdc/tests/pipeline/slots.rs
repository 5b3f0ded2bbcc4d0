//! Slots that are missing, were made anew, were invalidated, belong to another cluster or are of another kind.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, ensure};
use cdc::{Error, ErrorKind, PipelineStatus, kafka::StoredOffset, pipeline};
use connector::SnapshotMode;
use stack::{Postgres, PostgresOptions};
use tokio_util::sync::CancellationToken;

use crate::{
    connector::{config, start, until_events, value},
    recording::{RecordingSink, Store},
};

/// A connector that delivered something and was stopped.
async fn delivered(postgres: &Postgres, store: &Store) -> Result<()> {
    postgres
        .execute("postgres", "create table t(id int primary key)")
        .await?;
    let running = start(&config(postgres), store, 100);
    running.streaming().await?;
    postgres
        .execute("postgres", "insert into t values (1)")
        .await?;
    until_events(store, 1).await?;
    running.stop().await
}

async fn halts(postgres: &Postgres, store: &Store) -> Result<Error> {
    let running = start(&config(postgres), store, 100);
    let error = running.ended().await?.err().context("it halts")?;
    ensure!(error.kind() == ErrorKind::SlotLost, "{error:?}");
    ensure!(error.to_string().contains("may be lost"), "{error}");
    ensure!(error.hint().contains("start again"), "{}", error.hint());
    Ok(error)
}

#[tokio::test]
async fn a_missing_slot_halts() -> Result<()> {
    let postgres = Postgres::start().await?;
    let store = Store::default();
    delivered(&postgres, &store).await?;
    let position = store
        .lock()
        .resume
        .as_ref()
        .and_then(|resume| resume.end_lsn)
        .context("end")?;
    postgres
        .execute(
            "postgres",
            "select pg_drop_replication_slot('debezium'); insert into t values (2)",
        )
        .await?;
    let error = halts(&postgres, &store).await?;
    ensure!(
        error
            .to_string()
            .contains(&format!("between {}", pgoutput::Lsn(position))),
        "{error}"
    );
    ensure!(store.len() == 1);
    Ok(())
}

/// Another connector of the same name stores a position and confirms it after ours has read the stored one and before it
/// looks at the slot: nothing is lost.
#[tokio::test]
async fn a_position_that_moves_on_while_the_slot_is_looked_at_is_no_loss() -> Result<()> {
    let postgres = Postgres::start().await?;
    let store = Store::default();
    delivered(&postgres, &store).await?;
    let read_before = store.start();
    let running = start(&config(&postgres), &store, 100);
    running.streaming().await?;
    postgres
        .execute("postgres", "insert into t values (2)")
        .await?;
    until_events(&store, 2).await?;
    running.stop().await?;

    let config = config(&postgres);
    let status = Arc::new(PipelineStatus::default());
    let stop = CancellationToken::new();
    let opened = AtomicUsize::new(0);
    let connector = pipeline::supervise(&config, &status, &stop, || async {
        let sink = RecordingSink::new(&store, &status, 100);
        let first = opened.fetch_add(1, Ordering::Relaxed) == 0;
        Ok((
            sink,
            if first {
                read_before.clone()
            } else {
                store.start()
            },
        ))
    });
    let seen = async {
        postgres
            .execute("postgres", "insert into t values (3)")
            .await?;
        let seen = until_events(&store, 3).await;
        stop.cancel();
        seen
    };
    let (ended, seen) = tokio::join!(connector, seen);
    ended?;
    seen?;
    ensure!(store.len() == 3 && opened.load(Ordering::Relaxed) > 1);
    Ok(())
}

#[tokio::test]
async fn a_recreated_slot_halts() -> Result<()> {
    let postgres = Postgres::start().await?;
    let store = Store::default();
    delivered(&postgres, &store).await?;
    postgres
        .execute("postgres", "select pg_drop_replication_slot('debezium'); insert into t values (2); select pg_switch_wal()")
        .await?;
    postgres
        .execute(
            "postgres",
            "select pg_create_logical_replication_slot('debezium', 'pgoutput')",
        )
        .await?;
    let error = halts(&postgres, &store).await?;
    ensure!(
        error
            .hint()
            .contains("pg_drop_replication_slot('debezium')"),
        "{}",
        error.hint()
    );
    Ok(())
}

#[tokio::test]
async fn an_invalidated_slot_halts() -> Result<()> {
    let postgres = Postgres::start_with(PostgresOptions {
        max_slot_wal_keep_size: Some("1MB".to_owned()),
        settings: vec![
            ("max_wal_size".to_owned(), "32MB".to_owned()),
            ("min_wal_size".to_owned(), "32MB".to_owned()),
        ],
        ..PostgresOptions::default()
    })
    .await?;
    let store = Store::default();
    delivered(&postgres, &store).await?;
    for round in 0..4 {
        postgres
            .execute(
                "postgres",
                &format!(
                    "insert into t select {round} * 50000 + i from generate_series(10, 50000) i"
                ),
            )
            .await?;
        postgres
            .execute("postgres", "select pg_switch_wal()")
            .await?;
        postgres.execute("postgres", "checkpoint").await?;
    }
    let status = value(&postgres, "select wal_status from pg_replication_slots").await?;
    ensure!(status == "lost", "{status}");
    halts(&postgres, &store).await?;
    Ok(())
}

#[tokio::test]
async fn another_cluster_halts() -> Result<()> {
    let postgres = Postgres::start().await?;
    let store = Store::default();
    delivered(&postgres, &store).await?;
    let other = Postgres::start().await?;
    other
        .execute("postgres", "create table t(id int primary key)")
        .await?;
    let error = halts(&other, &store).await?;
    ensure!(error.to_string().contains("cluster"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_slot_of_another_kind_is_refused() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "select pg_create_logical_replication_slot('debezium', 'test_decoding')",
        )
        .await?;
    let error = start(&config(&postgres), &Store::default(), 100)
        .ended()
        .await?
        .err()
        .context("refused")?;
    ensure!(error.kind() == ErrorKind::Configuration, "{error:?}");
    Ok(())
}

/// `no_data` starts at the slot; a slot that somebody made before is streamed from where it stands.
#[tokio::test]
async fn no_data_streams_without_a_snapshot() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute("postgres", "create table t(id int primary key); create publication dbz_publication for all tables; insert into t values (1)")
        .await?;
    postgres
        .execute(
            "postgres",
            "select pg_create_logical_replication_slot('debezium', 'pgoutput')",
        )
        .await?;
    postgres
        .execute("postgres", "insert into t values (2)")
        .await?;
    let mut config = config(&postgres);
    config.snapshot_mode = SnapshotMode::NoData;
    config.slot_drop_on_stop = true;
    let store = Store::default();
    let running = start(&config, &store, 100);
    running.streaming().await?;
    postgres
        .execute("postgres", "insert into t values (3)")
        .await?;
    until_events(&store, 2).await?;
    running.stop().await?;
    let ids: Vec<_> = store
        .events()
        .iter()
        .map(|event| event.value("id").map(str::to_owned))
        .collect();
    ensure!(
        ids == [Some("2".to_owned()), Some("3".to_owned())],
        "{ids:?}"
    );
    let slots = postgres
        .query("postgres", "select 1 from pg_replication_slots")
        .await?;
    ensure!(slots.is_empty(), "slot.drop.on.stop");
    Ok(())
}

/// An offset of Debezium does not say what was confirmed to the slot, but never more than the highest LSN in it was.
#[tokio::test]
async fn a_slot_that_was_recreated_behind_debeziums_back_halts() -> Result<()> {
    let postgres = Postgres::start().await?;
    let make = "select pg_create_logical_replication_slot('debezium', 'pgoutput')";
    postgres
        .execute(
            "postgres",
            "create table t(id int primary key); create publication dbz_publication for all tables",
        )
        .await?;
    postgres.execute("postgres", make).await?;
    postgres
        .execute("postgres", "insert into t values (1)")
        .await?;
    let lsn: pgoutput::Lsn = value(&postgres, "select pg_current_wal_lsn()::text")
        .await?
        .parse()?;
    let offset = serde_json::json!({
        "transaction_id": null, "lsn_proc": lsn.0, "messageType": "INSERT", "lsn_commit": lsn.0,
        "lsn": lsn.0, "txId": 748, "ts_usec": 1_714_567_050_500_600_i64,
    });
    let of_debezium = || -> Result<Store> {
        let store = Store::default();
        let offset = StoredOffset::decode(offset.to_string().as_bytes())?;
        store.lock().resume = offset.resume();
        Ok(store)
    };
    postgres
        .execute("postgres", "insert into t values (2)")
        .await?;
    // The slot is the one that it was: what came after the offset is delivered, in an incarnation of its own.
    let store = of_debezium()?;
    let running = start(&config(&postgres), &store, 100);
    until_events(&store, 1).await?;
    running.stop().await?;
    let events = store.events();
    ensure!(
        events.len() == 1 && events[0].value("id") == Some("2"),
        "{events:?}"
    );
    ensure!(events[0].position.incarnation > 0);
    postgres
        .execute(
            "postgres",
            "select pg_drop_replication_slot('debezium'); insert into t values (3)",
        )
        .await?;
    postgres.execute("postgres", make).await?;
    let error = halts(&postgres, &of_debezium()?).await?;
    ensure!(
        error.to_string().contains("everything Debezium confirmed"),
        "{error}"
    );
    Ok(())
}
