//! Several workers on one Kafka: those of the same topics, of other topics, and one of a former version.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cdc::kafka::{KafkaClient, TopicSpec, Topics};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::{Value, json};
use stack::{Kafka, Postgres, until};

use crate::{
    delivery::committed,
    events::{config, deliver, ids, insert, open, table},
    rest::{PATIENCE, Rest, connector, servers},
};

async fn rows(kafka: &Kafka, prefix: &str) -> Result<Vec<u64>> {
    let mut rows = Vec::new();
    for record in kafka
        .read_all(&format!("{prefix}.inventory.tweets"), true)
        .await?
    {
        let value: Value = serde_json::from_slice(record.value.as_deref().context("a value")?)?;
        rows.push(value["payload"]["after"]["id"].as_u64().context("an id")?);
    }
    Ok(rows)
}

/// All ids from 1 on, each once.
async fn arrive_once(kafka: &Kafka, prefix: &str, last: u64) -> Result<()> {
    let rows = until(&format!("row {last} of {prefix}"), PATIENCE, async || {
        let rows = rows(kafka, prefix).await?;
        Ok(rows.contains(&last).then_some(rows))
    })
    .await?;
    let set: BTreeSet<u64> = rows.iter().copied().collect();
    ensure!(
        set.len() == rows.len() && set.iter().copied().eq(1..=last),
        "{rows:?}"
    );
    Ok(())
}

async fn insert_row(postgres: &Postgres, id: u64) -> Result<()> {
    let sql = format!("insert into inventory.tweets values ({id}, 'row')");
    postgres.execute("rest", &sql).await.map(drop)
}

async fn create(rest: &Rest, postgres: &Postgres, name: &str, prefix: &str) -> Result<()> {
    let body = json!({"name": name, "config": connector(postgres, prefix)});
    let created = rest.call("POST", "/connectors", Some(&body)).await?;
    ensure!(created.status == 201, "{prefix}: {}", created.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_worker_on_the_same_topics_stands_by() -> Result<()> {
    let (kafka, postgres) = servers().await?;
    let first = Rest::start(|_| {}, &kafka).await?;
    create(&first, &postgres, "shared", "shared").await?;
    arrive_once(&kafka, "shared", 1).await?;

    // Another group's name does not make it another worker of other topics.
    let second = Rest::launch(|config| config.group_id = "other".to_owned(), &kafka).await?;
    let told = until("the second worker to stand by", PATIENCE, async || {
        let answer = second.get("/connectors").await?;
        let tells = answer.status == 503 && answer.text.contains("stands by");
        Ok(tells.then_some(answer.text))
    })
    .await?;
    ensure!(
        told.contains(&first.address) && told.contains("connect_configs"),
        "{told}"
    );
    let ready = second.get("/readyz").await?;
    ensure!(
        ready.status == 503 && ready.text.contains(&first.address),
        "{}",
        ready.text
    );
    ensure!(second.get("/healthz").await?.status == 200);

    for id in 2..=20 {
        insert_row(&postgres, id).await?;
    }
    arrive_once(&kafka, "shared", 20).await?;
    let status = first.get("/connectors/shared/status").await?.json()?;
    ensure!(status["tasks"][0]["state"] == "RUNNING", "{status}");

    // The first one ends; the second one takes over what it ran.
    first.end().await?;
    insert_row(&postgres, 21).await?;
    until("the second worker to take over", PATIENCE, async || {
        Ok((second.get("/readyz").await?.status == 200).then_some(()))
    })
    .await?;
    second.task_state("shared", "RUNNING").await?;
    arrive_once(&kafka, "shared", 21).await?;
    second.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_of_other_topics_leave_each_other_alone() -> Result<()> {
    let (kafka, postgres) = servers().await?;
    let first = Rest::start(|_| {}, &kafka).await?;
    let second = Rest::start(
        |config| {
            config.config_topic = "second_configs".to_owned();
            config.offset_topic = "second_offsets".to_owned();
            config.status_topic = "second_statuses".to_owned();
        },
        &kafka,
    )
    .await?;
    create(&first, &postgres, "inventory-connector", "a").await?;
    arrive_once(&kafka, "a", 1).await?;
    create(&second, &postgres, "inventory-connector", "b").await?;
    arrive_once(&kafka, "b", 1).await?;
    for id in 2..=20 {
        insert_row(&postgres, id).await?;
    }
    for (rest, prefix) in [(&first, "a"), (&second, "b")] {
        arrive_once(&kafka, prefix, 20).await?;
        let status = rest
            .get("/connectors/inventory-connector/status")
            .await?
            .json()?;
        ensure!(
            status["tasks"][0]["state"] == "RUNNING",
            "{prefix}: {status}"
        );
    }
    first.end().await?;
    second.end().await
}

/// A worker that lost the lease without knowing it, and comes back: it must neither write nor go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_with_one_address_do_not_both_run() -> Result<()> {
    let (kafka, postgres) = servers().await?;
    let same = |config: &mut connect::WorkerConfig| {
        config.advertised = Some("worker:8083".to_owned());
    };
    let first = Rest::start(same, &kafka).await?;
    create(&first, &postgres, "shared", "shared").await?;
    arrive_once(&kafka, "shared", 1).await?;
    let second = Rest::start(same, &kafka).await?;
    let error = first.ended().await.err().context("the first goes on")?;
    let text = format!("{error:?}");
    ensure!(
        text.contains("another worker with the same address"),
        "{text}"
    );
    second.task_state("shared", "RUNNING").await?;
    insert_row(&postgres, 2).await?;
    arrive_once(&kafka, "shared", 2).await?;
    second.end().await
}

/// What a former version has open when its successor starts is aborted, and it cannot write any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_of_a_former_version_is_fenced() -> Result<()> {
    let kafka = Kafka::start().await?;
    let bootstrap = kafka.bootstrap();
    let client = KafkaClient::new(bootstrap.as_str(), &BTreeMap::new())?;
    let former = tokio::task::spawn_blocking(move || {
        Topics::new(&client)?.ensure(&[TopicSpec::compacted("former.public.t", 1, 1)])?;
        let former: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("transactional.id", "tributary-former")
            .create()?;
        former.init_transactions(Duration::from_secs(30))?;
        former.begin_transaction()?;
        let record = BaseRecord::to("former.public.t")
            .key("k")
            .payload("of the former version");
        former.send(record).map_err(|(error, _)| error)?;
        former.flush(Duration::from_secs(30))?;
        anyhow::Ok(former)
    })
    .await??;
    let config = config("former", &[])?;
    let (mut sink, _) = open(&kafka, &config).await?;
    let late = tokio::task::spawn_blocking(move || {
        let committed = former.commit_transaction(Duration::from_secs(30));
        (former, committed)
    });
    let (_former, late) = late.await?;
    ensure!(late.is_err(), "the former version has committed");
    insert(&mut sink, &table("t"), 1000, 0..3)?;
    deliver(&mut sink).await?;
    let records = committed(&kafka, "former.public.t", 3).await?;
    assert_eq!(ids(&records)?, [0, 1, 2]);
    Ok(())
}
