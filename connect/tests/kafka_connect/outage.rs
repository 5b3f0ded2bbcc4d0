use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::{Kafka, Postgres, until};

use crate::rest::{Rest, connector};

/// Elections, back-off and a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often each id of `inventory.tweets` was committed as a row of a snapshot or an insert.
async fn committed(kafka: &Kafka) -> Result<BTreeMap<u64, usize>> {
    let mut seen = BTreeMap::new();
    for record in kafka.read_all("outage.inventory.tweets", true).await? {
        let value: Value = serde_json::from_slice(record.value.as_deref().context("a value")?)?;
        let id = value["payload"]["after"]["id"].as_u64().context("an id")?;
        *seen.entry(id).or_default() += 1;
    }
    Ok(seen)
}

async fn insert(postgres: &Postgres, ids: std::ops::Range<u64>) -> Result<()> {
    for id in ids {
        let sql = format!("insert into inventory.tweets values ({id}, 'row {id}')");
        postgres.execute("rest", &sql).await?;
    }
    Ok(())
}

async fn all_arrive_once(kafka: &Kafka, count: u64) -> Result<()> {
    let seen = until(&format!("{count} rows"), PATIENCE, async || {
        let seen = committed(kafka).await?;
        Ok((seen.len() as u64 >= count).then_some(seen))
    })
    .await?;
    let repeated: Vec<_> = seen.iter().filter(|(_, times)| **times != 1).collect();
    ensure!(
        repeated.is_empty(),
        "delivered more than once: {repeated:?}"
    );
    ensure!(
        seen.keys().copied().eq(0..count),
        "other rows than were written"
    );
    Ok(())
}

/// Kafka is killed under load, then PostgreSQL: the connector comes back by itself, and a read_committed consumer sees
/// every row once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_of_kafka_and_postgres_lose_and_repeat_nothing() -> Result<()> {
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start())?;
    postgres.create_database("rest").await?;
    postgres
        .execute("rest", "create schema inventory; create table inventory.tweets(id bigint primary key, text text)")
        .await?;
    insert(&postgres, 0..10).await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    let mut config = connector(&postgres, "outage");
    config["retriable.restart.connector.wait.ms"] = json!("1000");
    let created = rest
        .call(
            "POST",
            "/connectors",
            Some(&json!({"name": "outage", "config": config})),
        )
        .await?;
    ensure!(created.status == 201, "{}", created.text);
    all_arrive_once(&kafka, 10).await?;

    insert(&postgres, 10..60).await?;
    kafka.kill9()?;
    insert(&postgres, 60..110).await?;
    kafka.restart().await?;
    insert(&postgres, 110..120).await?;
    all_arrive_once(&kafka, 120).await?;

    postgres.kill9()?;
    postgres.restart().await?;
    until("the inserts", PATIENCE, async || {
        insert(&postgres, 120..121).await.map(Some)
    })
    .await?;
    insert(&postgres, 121..150).await?;
    all_arrive_once(&kafka, 150).await?;
    rest.task_state("outage", "RUNNING").await?;
    rest.end().await
}
