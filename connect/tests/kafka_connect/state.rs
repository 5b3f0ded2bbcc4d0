use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use connect::{BasicAuth, WorkerConfig, run_worker_on};
use connector::Providers;
use serde_json::{Value, json};
use stack::{Kafka, until};
use tokio_util::sync::CancellationToken;

use crate::{
    http::request,
    rest::{PATIENCE, Rest, connector, servers, with},
    secrets::providers,
};

/// A worker in a runtime of its own, which ends without any order.
fn killable(kafka: &Kafka, providers: Providers) -> Result<(tokio::runtime::Runtime, String)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?.to_string();
    let mut config = WorkerConfig::new(kafka.bootstrap(), SocketAddr::from(([127, 0, 0, 1], 0)));
    config.providers = providers;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).ok()?;
        run_worker_on(listener, config, CancellationToken::new())
            .await
            .ok()
    });
    Ok((runtime, address))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connectors_their_states_and_topics_survive_a_worker_that_breaks_off() -> Result<()> {
    let (kafka, postgres) = servers().await?;
    let folder = tempfile::tempdir()?;
    let secrets = folder.path().join("db.properties");
    std::fs::write(&secrets, format!("password={}\n", postgres.password()))?;
    let reference = format!("${{file:{}:password}}", secrets.display());
    let (runtime, address) = killable(&kafka, providers(folder.path())?)?;
    until("the worker", PATIENCE, async || {
        let ready = request(&address, "GET", "/readyz", None).await;
        Ok(ready.is_ok_and(|ready| ready.status == 200).then_some(()))
    })
    .await?;
    for name in ["runs", "pauses", "goes"] {
        let config = with(
            connector(&postgres, name),
            "database.password",
            json!(reference),
        );
        let body = json!({"name": name, "config": config});
        let answer = request(&address, "POST", "/connectors", Some(&body)).await?;
        assert_eq!(answer.status, 201, "{}", answer.text);
        // A reference is no secret.
        assert_eq!(
            answer.json()?["config"]["database.password"],
            json!(reference)
        );
    }
    request(&address, "PUT", "/connectors/pauses/pause", None).await?;
    request(&address, "DELETE", "/connectors/goes", None).await?;
    until("the topic in the status topic", PATIENCE, async || {
        let records = kafka.read_all("connect_statuses", true).await?;
        let key = b"status-topic-runs.inventory.tweets:connector-runs";
        Ok(records
            .iter()
            .any(|record| record.key.as_deref() == Some(key))
            .then_some(()))
    })
    .await?;
    // What other programs write there, and what nobody should.
    for (key, value) in [
        ("session-key", "{\"key\":\"x\"}"),
        ("connector-broken", "{\"properties\":"),
        ("target-state-runs", "[1,2"),
        ("\u{0}", "\u{1}"),
    ] {
        kafka
            .produce(
                "connect_configs",
                None,
                Some(key.as_bytes()),
                Some(value.as_bytes()),
                &[],
            )
            .await?;
    }
    runtime.shutdown_background();
    let records = kafka.read_all("connect_configs", true).await?;
    let value = |key: &str| {
        let last = records
            .iter()
            .rfind(|record| record.key.as_deref() == Some(key.as_bytes()));
        last.and_then(|record| record.value.clone())
            .and_then(|value| serde_json::from_slice::<Value>(&value).ok())
    };
    assert_eq!(value("commit-runs"), Some(json!({"tasks": 1})));
    let task = value("task-runs-0").context("a task")?;
    assert_eq!(task["properties"]["database.password"], json!(reference));
    assert_eq!(value("connector-goes"), None);

    let rest = Rest::start(
        |config| config.rest_auth = Some(BasicAuth::of("u", "p")),
        &kafka,
    )
    .await?;
    assert_eq!(rest.get("/connectors").await?.status, 401);
    rest.end().await?;
    let admitted = providers(folder.path())?;
    let rest = Rest::start(|config| config.providers = admitted, &kafka).await?;
    rest.expect("GET", "/connectors", None, 200, json!(["pauses", "runs"]))
        .await?;
    rest.task_state("runs", "RUNNING").await?;
    rest.task_state("pauses", "PAUSED").await?;
    let topics = json!({"runs": {"topics": ["runs.inventory.tweets"]}});
    rest.expect("GET", "/connectors/runs/topics", None, 200, topics)
        .await?;
    postgres
        .execute("rest", "insert into inventory.tweets values (2, 'two')")
        .await?;
    until("the row after the break", PATIENCE, async || {
        let records = kafka.read_all("runs.inventory.tweets", true).await?;
        ensure!(records.len() <= 2, "a row came twice");
        Ok((records.len() == 2).then_some(()))
    })
    .await?;

    // Debezium's tutorial, its host, port and database put in the place of its own.
    let tutorial = json!({"name": "inventory-connector", "config": {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "tasks.max": "1",
        "database.hostname": "127.0.0.1", "database.port": postgres.port().to_string(),
        "database.user": postgres.user(), "database.password": postgres.password(), "database.dbname": "rest",
        "topic.prefix": "dbserver1", "schema.include.list": "inventory"}});
    let answer = rest.call("POST", "/connectors/", Some(&tutorial)).await?;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json()?["config"]["database.password"], "********");
    rest.task_state("inventory-connector", "RUNNING").await?;
    rest.end().await
}
