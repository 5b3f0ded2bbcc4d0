//! The worker's own topics where somebody else made them, or altered them: with what would lose settings and positions a
//! worker does not start, and whatever number of partitions the offsets have, a connector goes on from its position.

use anyhow::{Context, Result, ensure};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewPartitions},
    client::DefaultClientContext,
};
use serde_json::{Value, json};
use stack::{Kafka, Postgres, until};

use crate::rest::{PATIENCE, Rest, connector, servers};

/// Why a worker does not start whose topic of this property is `topic`; its other topics are made anew.
async fn refused(kafka: &Kafka, property: &str, topic: &str) -> Result<String> {
    let ours = |of: &str| match property == of {
        true => topic.to_owned(),
        false => format!("{topic}_{of}"),
    };
    let worker = Rest::launch(
        |config| {
            config.config_topic = ours("config.storage.topic");
            config.offset_topic = ours("offset.storage.topic");
            config.status_topic = ours("status.storage.topic");
        },
        kafka,
    )
    .await?;
    let error = worker.ended().await.err();
    Ok(error.context("the worker has started")?.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_another_cleanup_policy_the_worker_does_not_start() -> Result<()> {
    let kafka = Kafka::start().await?;
    for (property, policy) in [
        ("offset.storage.topic", "delete"),
        ("offset.storage.topic", "compact,delete"),
        ("config.storage.topic", "delete"),
        ("status.storage.topic", "delete"),
    ] {
        let topic = format!("{}_{}", &property[..6], policy.replace(',', "_"));
        let settings = [("cleanup.policy", policy)];
        kafka.create_topic_with(&topic, 1, &settings).await?;
        let told = refused(&kafka, property, &topic).await?;
        for part in [
            format!("topic `{topic}` of `{property}`"),
            format!("its cleanup.policy is `{policy}`"),
            format!("--entity-name {topic} --add-config cleanup.policy=compact"),
        ] {
            ensure!(told.contains(&part), "{part}: {told}");
        }
    }
    let settings = [("cleanup.policy", "compact")];
    kafka.create_topic_with("config_3", 3, &settings).await?;
    let told = refused(&kafka, "config.storage.topic", "config_3").await?;
    ensure!(told.contains("it has 3 partitions"), "{told}");
    ensure!(told.contains("name a topic with one"), "{told}");
    Ok(())
}

async fn rows(kafka: &Kafka) -> Result<Vec<u64>> {
    let records = kafka.read_all("kept.inventory.tweets", true).await?;
    let ids = records.iter().map(|record| {
        let value: Value = serde_json::from_slice(record.value.as_deref().context("a value")?)?;
        value["payload"]["after"]["id"].as_u64().context("an id")
    });
    ids.collect()
}

async fn give_partitions(kafka: &Kafka, partitions: usize) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .create()?;
    let more = NewPartitions::new("connect_offsets", partitions);
    let altered = admin
        .create_partitions([&more], &AdminOptions::new())
        .await?;
    ensure!(altered.iter().all(Result::is_ok), "{altered:?}");
    until("the partitions", PATIENCE, async || {
        let count = kafka.end_offsets("connect_offsets").await?.len();
        Ok((count == partitions).then_some(()))
    })
    .await
}

/// A row is written, and all rows have arrived once.
async fn streams(kafka: &Kafka, postgres: &Postgres, id: u64) -> Result<()> {
    let sql = format!("insert into inventory.tweets values ({id}, 'row')");
    postgres.execute("rest", &sql).await?;
    let rows = until(&format!("row {id}"), PATIENCE, async || {
        let rows = rows(kafka).await?;
        Ok(rows.contains(&id).then_some(rows))
    })
    .await?;
    ensure!(rows.iter().copied().eq(1..=id), "{rows:?}");
    Ok(())
}

/// The newest offset among those of all partitions, which is known before the topic is altered a second time.
async fn newest_offset(kafka: &Kafka) -> Result<Value> {
    let records = kafka.read_all("connect_offsets", true).await?;
    let values = records.iter().filter_map(|record| record.value.as_deref());
    let values: Vec<Value> = values
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()?;
    let newest = values.into_iter().max_by_key(|value| value["lsn"].as_u64());
    newest.context("an offset")
}

/// Kafka Connect, too, takes the offsets topic with any number of partitions. Where it is given more, the position's key
/// belongs to another partition from then on, and the record in the older one says nothing any more. Given more again,
/// there are two of them, and nothing tells which is the last: the connector fails before it delivers anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_goes_on_whatever_partitions_its_offsets_have() -> Result<()> {
    let (kafka, postgres) = servers().await?;
    let settings = [("cleanup.policy", "compact")];
    kafka
        .create_topic_with("connect_offsets", 3, &settings)
        .await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    let body = json!({"name": "kept", "config": connector(&postgres, "kept")});
    let created = rest.call("POST", "/connectors", Some(&body)).await?;
    ensure!(created.status == 201, "{}", created.text);
    streams(&kafka, &postgres, 2).await?;
    rest.end().await?;

    give_partitions(&kafka, 4).await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    streams(&kafka, &postgres, 3).await?;
    rest.end().await?;

    give_partitions(&kafka, 17).await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    let status = rest.task_state("kept", "FAILED").await?;
    let trace = status["tasks"][0]["trace"].as_str().context("a trace")?;
    ensure!(trace.contains("which was given more partitions"), "{trace}");
    ensure!(
        trace.contains("PATCH /connectors/{name}/offsets"),
        "{trace}"
    );
    ensure!(
        rows(&kafka).await? == [1, 2, 3],
        "nothing more is delivered"
    );
    // The remedy that it names.
    let stopped = rest.call("PUT", "/connectors/kept/stop", None).await?;
    ensure!(stopped.status == 204, "{}", stopped.text);
    let offset = newest_offset(&kafka).await?;
    let body = json!({"offsets": [{"partition": {"server": "kept"}, "offset": offset}]});
    let path = "/connectors/kept/offsets";
    until("the offset to be written", PATIENCE, async || {
        let written = rest.call("PATCH", path, Some(&body)).await?;
        ensure!(written.status == 200, "{}", written.text);
        Ok(Some(()))
    })
    .await?;
    rest.call("PUT", "/connectors/kept/resume", None).await?;
    rest.task_state("kept", "RUNNING").await?;
    streams(&kafka, &postgres, 4).await?;
    rest.end().await
}
