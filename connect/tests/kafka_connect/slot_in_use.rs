use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use cdc::source::connection::ReplicationConnection;
use connector::ConnectorConfig;
use serde_json::{Value, json};
use stack::{Kafka, until};

use crate::rest::{Rest, connector, servers, with};

/// Take the slot as another reader would.
async fn take(slot: &str, config: &Value) -> Result<ReplicationConnection> {
    let properties = config.as_object().context("properties")?.iter();
    let mut properties: BTreeMap<String, String> = properties
        .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect::<Option<_>>()
        .context("texts")?;
    properties.insert("name".to_owned(), slot.to_owned());
    let config = ConnectorConfig::parse(&properties)?.config;
    let mut reader = ReplicationConnection::connect(&config.database).await?;
    let sql = format!("select pg_create_logical_replication_slot('{slot}', 'pgoutput')");
    reader.simple_query(&sql).await?;
    let command = format!(
        "START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names '{slot}')"
    );
    reader.start_replication(&command, slot).await?;
    Ok(reader)
}

/// Until the last state of the task in the status topic is this one; its trace.
async fn state_in_topic(kafka: &Kafka, name: &str, state: &str) -> Result<Value> {
    let what = format!("{state} of {name} in the status topic");
    until(&what, crate::rest::PATIENCE, async || {
        let records = kafka.read_all("connect_statuses", true).await?;
        let last = |key: String| {
            let last = records
                .iter()
                .rfind(|record| record.key.as_deref() == Some(key.as_bytes()));
            let value = last.and_then(|record| record.value.as_deref());
            anyhow::Ok(serde_json::from_slice::<Value>(value.context("a state")?)?)
        };
        let connector = last(format!("status-connector-{name}"))?;
        ensure!(connector["state"] == "RUNNING", "{connector}");
        let task = last(format!("status-task-{name}-0"))?;
        ensure!(task["state"] == state, "{task}");
        Ok(Some(task["trace"].clone()))
    })
    .await
}

/// Nothing is copied while somebody else reads the slot, the state says so, and then every row comes once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_in_use_shows_in_the_state_and_copies_nothing() -> Result<()> {
    let (kafka, postgres) = servers().await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    let mut config = connector(&postgres, "taken");
    for (name, value) in [
        ("slot.max.retries", "1"),
        ("slot.retry.delay.ms", "100"),
        ("retriable.restart.connector.wait.ms", "300"),
    ] {
        config = with(config, name, json!(value));
    }
    let reader = take("taken", &config).await?;
    let body = json!({"name": "taken", "config": config});
    let created = rest.call("POST", "/connectors", Some(&body)).await?;
    ensure!(created.status == 201, "{}", created.text);
    let status = rest.task_state("taken", "RESTARTING").await?;
    let trace = status["tasks"][0]["trace"].as_str().context("a trace")?;
    ensure!(trace.contains("is active for PID"), "{trace}");
    ensure!(trace.contains("set another `slot.name`"), "{trace}");
    let noted = state_in_topic(&kafka, "taken", "RESTARTING").await?;
    let noted = noted.as_str().context("a trace in the topic")?;
    ensure!(noted.contains("is active for PID"), "{noted}");
    ensure!(noted.contains("set another `slot.name`"), "{noted}");
    let topics = rest.get("/connectors/taken/topics").await?.json()?;
    ensure!(topics["taken"]["topics"] == json!([]), "{topics}");
    drop(reader);
    rest.task_state("taken", "RUNNING").await?;
    ensure!(state_in_topic(&kafka, "taken", "RUNNING").await?.is_null());
    let records = until("the row", crate::rest::PATIENCE, async || {
        let records = kafka.read_all("taken.inventory.tweets", true).await?;
        Ok((!records.is_empty()).then_some(records))
    })
    .await?;
    ensure!(records.len() == 1, "{} records", records.len());
    // A server that is away while the connector streams is no other case.
    postgres.stop().await?;
    let status = rest.task_state("taken", "RESTARTING").await?;
    let trace = status["tasks"][0]["trace"].as_str().context("a trace")?;
    ensure!(trace.contains("hint:"), "{trace}");
    let noted = state_in_topic(&kafka, "taken", "RESTARTING").await?;
    ensure!(noted.as_str().is_some_and(|it| it.contains("hint:")));
    postgres.restart().await?;
    rest.task_state("taken", "RUNNING").await?;
    ensure!(state_in_topic(&kafka, "taken", "RUNNING").await?.is_null());
    rest.end().await
}
