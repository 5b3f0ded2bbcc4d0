use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result, ensure};
use cdc::{
    config::ConnectorConfig,
    kafka::KafkaClient,
    pipeline::{self, PipelineStatus},
    sink::kafka::{ActiveTopics, KafkaSink},
};
use serde_json::Value;
use stack::{Kafka, Postgres, Record, until};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    events::OFFSETS,
    rest::{PATIENCE, connector, with},
};

/// A life of the connector, which ends between two awaits where it is aborted.
fn life(kafka: &Kafka, config: &ConnectorConfig) -> Result<JoinHandle<Result<(), cdc::Error>>> {
    let client = KafkaClient::new(kafka.bootstrap(), &BTreeMap::new())?;
    let config = config.clone();
    Ok(tokio::spawn(async move {
        let status = Arc::new(PipelineStatus::default());
        let stop = CancellationToken::new();
        pipeline::supervise(&config, &status, &stop, || {
            let topics = ActiveTopics::default();
            KafkaSink::connect(&config, &client, OFFSETS, topics, Arc::clone(&status))
        })
        .await
    }))
}

async fn committed(kafka: &Kafka, table: &str) -> Result<Vec<Record>> {
    kafka
        .read_all(&format!("killed.inventory.{table}"), true)
        .await
}

/// The values of the records, tombstones left out.
fn values(records: &[Record]) -> Result<Vec<Value>> {
    let values = records.iter().filter_map(|record| record.value.as_deref());
    values
        .map(|text| Ok(serde_json::from_slice(text)?))
        .collect()
}

fn operations(values: &[Value], operation: &str) -> usize {
    values
        .iter()
        .filter(|value| value["op"] == operation)
        .count()
}

/// Two tables, killed within the second, and changed before the next life.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_committed_consumer_sees_a_finished_table_once() -> Result<()> {
    const SMALL: usize = 500;
    const LARGE: usize = 10_000;
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start())?;
    postgres.create_database("rest").await?;
    let sql = format!(
        "create schema inventory; create table inventory.a(id bigint primary key, v text); create table inventory.b(like inventory.a including all);
         insert into inventory.a select i, 'a' from generate_series(1, {SMALL}) i;
         insert into inventory.b select i, repeat('b', 200) from generate_series(1, {LARGE}) i"
    );
    postgres.execute("rest", &sql).await?;
    let mut properties = connector(&postgres, "killed");
    for (name, value) in [
        ("name", "killed"),
        ("key.converter.schemas.enable", "false"),
        ("value.converter.schemas.enable", "false"),
        ("tributary.batch.bytes", "16384"),
    ] {
        properties = with(properties, name, value.into());
    }
    let properties: BTreeMap<String, String> = serde_json::from_value(properties)?;
    let config = ConnectorConfig::parse(&properties)?.config;

    let first = life(&kafka, &config)?;
    until("rows of the second table", PATIENCE, async || {
        Ok(committed(&kafka, "b").await?.first().map(drop))
    })
    .await?;
    first.abort();
    ensure!(first.await.is_err_and(|error| error.is_cancelled()));
    let begun = committed(&kafka, "b").await?.len();
    ensure!(begun < LARGE, "{begun} rows: it was killed too late");
    postgres
        .execute(
            "rest",
            "delete from inventory.a where id = 1; update inventory.a set v = 'new' where id = 2; delete from inventory.b where id = 1",
        )
        .await?;
    let second = life(&kafka, &config)?;
    let last = "insert into inventory.b values (1000000, 'last')";
    until("the last row of the snapshot", PATIENCE * 3, async || {
        let values = values(&committed(&kafka, "b").await?)?;
        let mut markers = values.iter().map(|value| &value["source"]["snapshot"]);
        Ok(markers.any(|marker| marker == "last").then_some(()))
    })
    .await?;
    postgres.execute("rest", last).await?;
    let b = until("the last change", PATIENCE, async || {
        let values = values(&committed(&kafka, "b").await?)?;
        Ok((operations(&values, "c") == 1).then_some(values))
    })
    .await?;
    second.abort();
    let a = values(&committed(&kafka, "a").await?)?;
    ensure!(operations(&a, "r") == SMALL, "{}", operations(&a, "r"));
    ensure!(operations(&a, "d") == 1 && operations(&a, "u") == 1);
    ensure!(a.len() == SMALL + 2, "{}", a.len());
    // What was delivered of the second table before, its changes, and all of it.
    ensure!(operations(&b, "d") == 1, "the row that is gone");
    let rows = operations(&b, "r");
    ensure!(rows >= begun + LARGE - 1, "{rows} of {begun} and {LARGE}");
    let gone = b.iter().rposition(|value| value["op"] == "d");
    let gone = gone.context("the delete")?;
    let again = &b[gone..];
    ensure!(operations(again, "r") == LARGE - 1, "as of one moment");
    Ok(())
}
