//! A worker in this process, spoken to by REST, and a connector's whole life by it.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use connect::{WorkerConfig, run_worker_on};
use serde_json::{Value, json};
use stack::{Kafka, Postgres, until};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    http::{Answer, request},
    lifecycle::lifecycle,
    refusals::refusals,
};

pub const CLASS: &str = "io.debezium.connector.postgresql.PostgresConnector";
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A worker in this process.
pub struct Rest {
    pub address: String,
    stop: CancellationToken,
    worker: JoinHandle<Result<(), cdc::Error>>,
}

impl Rest {
    /// Started, and perhaps not ready yet.
    pub async fn launch(change: impl FnOnce(&mut WorkerConfig), kafka: &Kafka) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut config =
            WorkerConfig::new(kafka.bootstrap(), SocketAddr::from(([127, 0, 0, 1], 0)));
        change(&mut config);
        let stop = CancellationToken::new();
        let worker = tokio::spawn(run_worker_on(listener, config, stop.clone()));
        Ok(Self {
            address: address.to_string(),
            stop,
            worker,
        })
    }

    pub async fn start(change: impl FnOnce(&mut WorkerConfig), kafka: &Kafka) -> Result<Self> {
        let rest = Self::launch(change, kafka).await?;
        until("the worker", PATIENCE, async || {
            Ok((rest.get("/readyz").await?.status == 200).then_some(()))
        })
        .await?;
        Ok(rest)
    }

    pub async fn get(&self, path: &str) -> Result<Answer> {
        request(&self.address, "GET", path, None).await
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        request(&self.address, method, path, body).await
    }

    /// Status and body, as the recordings have them.
    pub async fn expect(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        status: u16,
        want: Value,
    ) -> Result<()> {
        let answer = self.call(method, path, body.as_ref()).await?;
        assert_eq!(
            (answer.status, answer.json()?),
            (status, want),
            "{method} {path}"
        );
        Ok(())
    }

    pub async fn task_state(&self, name: &str, state: &str) -> Result<Value> {
        until(
            &format!("connector {name} to be {state}"),
            PATIENCE,
            async || {
                let status = self
                    .get(&format!("/connectors/{name}/status"))
                    .await?
                    .json()?;
                Ok((status["tasks"][0]["state"] == state).then_some(status))
            },
        )
        .await
    }

    pub async fn end(self) -> Result<()> {
        self.stop.cancel();
        self.ended().await
    }

    /// It ends by itself.
    pub async fn ended(self) -> Result<()> {
        let outcome = tokio::time::timeout(PATIENCE, self.worker).await;
        let outcome = outcome.map_err(|_| anyhow::Error::msg("the worker goes on"))??;
        outcome
            .map_err(|error| anyhow::Error::msg(service::render_error(&error, Some(error.hint()))))
    }
}

/// Kafka, and PostgreSQL whose database `rest` has the table `inventory.tweets` with one row.
pub async fn servers() -> Result<(Kafka, Postgres)> {
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start())?;
    postgres.create_database("rest").await?;
    postgres
        .execute(
            "rest",
            "create schema inventory; create table inventory.tweets(id bigint primary key, text text);
             insert into inventory.tweets values (1, 'one')",
        )
        .await?;
    Ok((kafka, postgres))
}

pub fn connector(postgres: &Postgres, prefix: &str) -> Value {
    json!({
        "connector.class": CLASS,
        "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1",
        "database.port": postgres.port().to_string(),
        "database.user": postgres.user(),
        "database.password": postgres.password(),
        "database.dbname": "rest",
        "topic.prefix": prefix,
        "slot.name": prefix,
        "publication.name": prefix,
        "schema.include.list": "inventory",
    })
}

pub fn with(mut config: Value, name: &str, value: Value) -> Value {
    config[name] = value;
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connectors_are_run_by_rest_as_kafka_connect_runs_them() -> Result<()> {
    let (kafka, postgres) = servers().await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    let id = rest.address.clone();
    let error = |code: u16, message: &str| json!({"error_code": code, "message": message});

    let root = rest.get("/").await?.json()?;
    ensure!(
        root["version"] == "3.9.1" && root["kafka_cluster_id"].is_string(),
        "{root}"
    );
    rest.expect("GET", "/connectors", None, 200, json!([]))
        .await?;
    rest.expect(
        "GET",
        "/connector-plugins",
        None,
        200,
        json!([{"class": CLASS, "type": "source", "version": "2.7.3.Final"}]),
    )
    .await?;

    let config = connector(&postgres, "dbserver1");
    let created = rest
        .call(
            "POST",
            "/connectors/",
            Some(&json!({"name": "inventory-connector", "config": config})),
        )
        .await?;
    assert_eq!(created.status, 201, "{}", created.text);
    let location = format!("http://{id}/connectors/inventory-connector");
    ensure!(
        created
            .headers
            .to_lowercase()
            .contains(&format!("location: {location}")),
        "{}",
        created.headers
    );
    let shown = with(
        with(config.clone(), "name", json!("inventory-connector")),
        "database.password",
        json!("********"),
    );
    assert_eq!(
        created.json()?,
        json!({"name": "inventory-connector", "config": shown, "tasks": [], "type": "source"})
    );
    rest.task_state("inventory-connector", "RUNNING").await?;
    let status = json!({
        "name": "inventory-connector",
        "connector": {"state": "RUNNING", "worker_id": id},
        "tasks": [{"id": 0, "state": "RUNNING", "worker_id": id}],
        "type": "source"
    });
    let info = json!({
        "name": "inventory-connector",
        "config": shown,
        "tasks": [{"connector": "inventory-connector", "task": 0}],
        "type": "source"
    });
    let c = "/connectors/inventory-connector";
    rest.expect(
        "GET",
        "/connectors",
        None,
        200,
        json!(["inventory-connector"]),
    )
    .await?;
    rest.expect("GET", c, None, 200, info.clone()).await?;
    rest.expect("GET", &format!("{c}/config"), None, 200, shown.clone())
        .await?;
    rest.expect("GET", &format!("{c}/status"), None, 200, status.clone())
        .await?;
    rest.expect(
        "GET",
        "/connectors?expand=status&expand=info",
        None,
        200,
        json!({"inventory-connector": {"status": status, "info": info}}),
    )
    .await?;
    rest.expect(
        "GET",
        &format!("{c}/tasks/0/status"),
        None,
        200,
        json!({"id": 0, "state": "RUNNING", "worker_id": id}),
    )
    .await?;
    rest.expect(
        "GET",
        &format!("{c}/tasks/7/status"),
        None,
        404,
        error(404, "No status found for task inventory-connector-7"),
    )
    .await?;
    let task = with(
        shown.clone(),
        "task.class",
        json!("io.debezium.connector.postgresql.PostgresConnectorTask"),
    );
    rest.expect(
        "GET",
        &format!("{c}/tasks"),
        None,
        200,
        json!([{"id": {"connector": "inventory-connector", "task": 0}, "config": task}]),
    )
    .await?;

    until("the snapshot in Kafka", PATIENCE, async || {
        let records = kafka.read_all("dbserver1.inventory.tweets", true).await?;
        Ok((records.len() == 1).then_some(()))
    })
    .await?;
    rest.expect(
        "GET",
        &format!("{c}/topics"),
        None,
        200,
        json!({"inventory-connector": {"topics": ["dbserver1.inventory.tweets"]}}),
    )
    .await?;
    let offsets = until("the offset", PATIENCE, async || {
        let offsets = rest.get(&format!("{c}/offsets")).await?.json()?;
        Ok((offsets["offsets"][0]["offset"]["last_snapshot_record"] == true).then_some(offsets))
    })
    .await?;
    assert_eq!(
        offsets["offsets"][0]["partition"],
        json!({"server": "dbserver1"})
    );
    rest.expect("PUT", &format!("{c}/topics/reset"), None, 202, Value::Null)
        .await?;
    rest.expect(
        "GET",
        &format!("{c}/topics"),
        None,
        200,
        json!({"inventory-connector": {"topics": []}}),
    )
    .await?;

    refusals(&rest, &postgres).await?;
    lifecycle(&rest, &kafka, &postgres).await?;

    let metrics = rest.get("/metrics").await?.text;
    ensure!(
        metrics.contains("tributary_cdc_events_total{connector=\"inventory-connector\",op=\"r\"}"),
        "{metrics}"
    );
    assert_eq!(rest.get("/healthz").await?.status, 200);

    // A restart of the process brings the connectors back from the config topic.
    rest.end().await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    rest.expect(
        "GET",
        "/connectors",
        None,
        200,
        json!(["inventory-connector"]),
    )
    .await?;
    rest.task_state("inventory-connector", "RUNNING").await?;
    postgres
        .execute(
            "rest",
            "insert into inventory.tweets values (100, 'after the restart')",
        )
        .await?;
    until("the row after the restart", PATIENCE, async || {
        let records = kafka.read_all("dbserver1.inventory.tweets", true).await?;
        let found = records.iter().any(|record| {
            record
                .key
                .as_deref()
                .is_some_and(|key| key.ends_with(b"{\"id\":100}}"))
        });
        Ok(found.then_some(()))
    })
    .await?;
    rest.expect(
        "DELETE",
        "/connectors/inventory-connector",
        None,
        204,
        Value::Null,
    )
    .await?;
    rest.expect(
        "DELETE",
        "/connectors/inventory-connector",
        None,
        404,
        json!({"error_code": 404, "message": "Connector inventory-connector not found"}),
    )
    .await?;
    rest.end().await?;

    connector_files(&kafka, &postgres).await
}

/// `*.json` of a folder are registered at start, once; a change of the file is taken over.
async fn connector_files(kafka: &Kafka, postgres: &Postgres) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("register-postgres.json");
    let config = connector(postgres, "files");
    std::fs::write(
        &file,
        json!({"name": "from-file", "config": config}).to_string(),
    )?;
    let topics = |config: &mut WorkerConfig| {
        config.config_topic = "files_configs".to_owned();
        config.connectors_folder = Some(folder.path().to_owned());
    };
    let rest = Rest::start(topics, kafka).await?;
    rest.task_state("from-file", "RUNNING").await?;
    rest.end().await?;
    let changed = with(config, "status.update.interval.ms", json!("5000"));
    std::fs::write(
        &file,
        json!({"name": "from-file", "config": changed}).to_string(),
    )?;
    let rest = Rest::start(topics, kafka).await?;
    let shown = rest.get("/connectors/from-file/config").await?.json()?;
    assert_eq!(shown["status.update.interval.ms"], "5000");
    rest.end().await?;
    let records = kafka.read_all("files_configs", true).await?;
    let settings = records
        .iter()
        .filter(|record| record.key.as_deref() == Some(b"connector-from-file"));
    assert_eq!(settings.count(), 2, "one for each content of the file");
    Ok(())
}
