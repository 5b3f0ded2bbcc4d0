//! Proves: generated columns come as the publication says, in the stream as in the snapshot.
//! Requires: PostgreSQL 18, which publishes them where asked to, and has virtual ones.

use anyhow::{Result, ensure};
use debezium::Operation;
use stack::{Postgres, PostgresVersion};

use super::server;
use crate::{
    connector::{config_with, start, until_events},
    recording::{Recorded, Store},
};

const TABLE: &str = "create table g(id int primary key, n int,
        stored int generated always as (n * 2) stored, computed int generated always as (n * 3) virtual);
    insert into g(id, n) values (1, 10)";

async fn published(publication: &str) -> Result<Postgres> {
    let postgres = server(PostgresVersion::V18, &[]).await?;
    postgres.execute("postgres", TABLE).await?;
    postgres.execute("postgres", publication).await?;
    Ok(postgres)
}

/// The events of a snapshot row, an insert, an update and a delete.
async fn events(postgres: &Postgres) -> Result<Vec<Recorded>> {
    let store = Store::default();
    let properties = [("publication.autocreate.mode", "disabled")];
    let running = start(&config_with(postgres, &properties), &store, 50);
    running.streaming().await?;
    for sql in [
        "insert into g(id, n) values (2, 20)",
        "update g set n = 21 where id = 2",
        "delete from g where id = 2",
    ] {
        postgres.execute("postgres", sql).await?;
    }
    until_events(&store, 4).await?;
    running.stop().await?;
    Ok(store.events())
}

fn columns(event: &Recorded) -> Vec<&str> {
    let columns = event.table.columns.iter();
    columns.map(|column| column.name.as_str()).collect()
}

#[tokio::test]
async fn stored_ones_are_streamed_where_they_are_published() -> Result<()> {
    let postgres = published(
        "create publication dbz_publication for table g with (publish_generated_columns = stored)",
    )
    .await?;
    let events = events(&postgres).await?;
    let [read, create, update, delete] = events.as_slice() else {
        anyhow::bail!("{events:?}");
    };
    ensure!(
        columns(read) == ["id", "n", "stored", "computed"],
        "{read:?}"
    );
    ensure!(
        read.value("stored") == Some("20") && read.value("computed") == Some("30"),
        "{read:?}"
    );
    for (event, op, stored) in [
        (create, Operation::Create, Some("40")),
        (update, Operation::Update, Some("42")),
        (delete, Operation::Delete, None),
    ] {
        ensure!(event.op == op, "{event:?}");
        ensure!(columns(event) == ["id", "n", "stored"], "{event:?}");
        ensure!(event.value("stored") == stored, "{event:?}");
        ensure!(event.table.key == [0], "{event:?}");
    }
    Ok(())
}

#[tokio::test]
async fn without_that_the_stream_has_none_of_them() -> Result<()> {
    let postgres = published("create publication dbz_publication for table g").await?;
    let events = events(&postgres).await?;
    ensure!(
        columns(&events[0]) == ["id", "n", "stored", "computed"],
        "{:?}",
        events[0]
    );
    for event in &events[1..] {
        ensure!(columns(event) == ["id", "n"], "{event:?}");
    }
    Ok(())
}
