use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use cdc::connect::{WorkerConfig, run_worker_on};
use serde_json::Value;
use stack::{Kafka, Postgres, request, until};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    compare::Played,
    normal::{Record, ranked},
    script::statements,
};

const PATIENCE: Duration = Duration::from_secs(90);
/// How long the recorded number of records may take; less come only where something is wrong.
const ARRIVAL: Duration = Duration::from_secs(40);
/// After the last record that is wanted, this long nothing more may come.
const QUIET: Duration = Duration::from_millis(700);
/// Headers of ours that Debezium does not have.
const OUR_HEADERS: &str = "tributary.";

/// The servers, and a worker in this process.
pub struct Servers {
    kafka: Kafka,
    postgres: Postgres,
    rest: String,
    stop: CancellationToken,
    worker: JoinHandle<Result<(), cdc::Error>>,
}

impl Servers {
    pub async fn start() -> Result<Self> {
        let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let rest = format!("http://{}", listener.local_addr()?);
        let config = WorkerConfig::new(kafka.bootstrap(), SocketAddr::from(([127, 0, 0, 1], 0)));
        let stop = CancellationToken::new();
        let worker = tokio::spawn(run_worker_on(listener, config, stop.clone()));
        let servers = Self {
            kafka,
            postgres,
            rest,
            stop,
            worker,
        };
        until("the worker", PATIENCE, async || {
            let answer = request("GET", &format!("{}/readyz", servers.rest), None).await?;
            Ok((answer.status == 200).then_some(()))
        })
        .await?;
        Ok(servers)
    }

    pub async fn end(self) -> Result<()> {
        self.stop.cancel();
        self.worker.await??;
        Ok(())
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let body = body.map(Value::to_string);
        let url = format!("{}{path}", self.rest);
        let answer = request(method, &url, body.as_deref()).await?;
        let json = match answer.body.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).with_context(|| text.to_owned())?,
        };
        Ok((answer.status, json))
    }

    /// Play a scenario as it was recorded.
    pub async fn play(&self, golden: &Path, name: &str) -> Result<Played> {
        let scenario = golden.join("scenarios").join(name);
        let recorded = golden.join("debezium-2.7.3").join(name);
        let read = |path: std::path::PathBuf| {
            std::fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let mut config: Value = serde_json::from_str(&read(recorded.join("connector.json"))?)?;
        let database = text(&config["database.dbname"])?;
        let slot = text(&config["slot.name"])?;
        config["database.hostname"] = "127.0.0.1".into();
        config["database.port"] = self.postgres.port().to_string().into();
        config["database.password"] = self.postgres.password().into();
        self.postgres.create_database(&database).await?;
        self.run(&database, &read(scenario.join("setup.sql"))?)
            .await?;
        let (status, answer) = self
            .call("PUT", &format!("/connectors/{name}/config"), Some(&config))
            .await?;
        ensure!(status == 201, "the connector is refused: {answer}");
        let played = async {
            self.streaming(name, &slot).await?;
            self.run(&database, &read(scenario.join("stream.sql"))?)
                .await?;
            let theirs = recorded_events(&read(recorded.join("events.jsonl"))?)?;
            let ours = self.records(&theirs, name).await?;
            anyhow::Ok((theirs, ours))
        }
        .await;
        let (status, _) = self
            .call("DELETE", &format!("/connectors/{name}"), None)
            .await?;
        ensure!(status == 204, "the connector is not deleted: {status}");
        // The recorded names are used once; the server has room for twenty slots.
        self.forget(&database, &slot).await?;
        let (theirs, ours) = played?;
        Ok(Played {
            scenario: name.to_owned(),
            theirs: ranked(theirs)?,
            ours: ranked(ours)?,
        })
    }

    async fn forget(&self, database: &str, slot: &str) -> Result<()> {
        let sql = format!(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '{slot}'"
        );
        until("the slot to be free", PATIENCE, async || {
            self.postgres.execute("postgres", &sql).await.map(Some)
        })
        .await?;
        self.postgres
            .execute(
                "postgres",
                &format!("drop database \"{database}\" with (force)"),
            )
            .await
    }

    /// One connection, one statement after the other.
    async fn run(&self, database: &str, script: &str) -> Result<()> {
        let client = self.postgres.connect(database).await?;
        for statement in statements(script) {
            client
                .batch_execute(&statement)
                .await
                .with_context(|| format!("run in `{database}`: {statement}"))?;
        }
        Ok(())
    }

    async fn streaming(&self, name: &str, slot: &str) -> Result<()> {
        let sql = format!(
            "select 1 from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid
             where s.slot_name = '{slot}' and r.state = 'streaming'"
        );
        let streaming = until("the connector to stream", PATIENCE, async || {
            let (_, status) = self
                .call("GET", &format!("/connectors/{name}/status"), None)
                .await?;
            if status["tasks"][0]["state"] == "FAILED" {
                return Ok(Some(Err(status)));
            }
            let rows = self.postgres.query("postgres", &sql).await?;
            Ok((!rows.is_empty()).then_some(Ok(())))
        });
        match streaming.await? {
            Ok(()) => Ok(()),
            Err(status) => bail!("the connector failed: {status:#}"),
        }
    }

    /// The records of all topics of the connector, as soon as there are as many as recorded and no more come.
    async fn records(&self, theirs: &[Record], name: &str) -> Result<Vec<Record>> {
        let wanted = theirs.len();
        let read = async || {
            let (_, topics) = self
                .call("GET", &format!("/connectors/{name}/topics"), None)
                .await?;
            let topics = topics[name]["topics"].as_array().context("topics")?.clone();
            let mut records = Vec::new();
            for topic in &topics {
                let topic = text(topic)?;
                for record in self.kafka.read_all(&topic, true).await? {
                    records.push(record_of(&topic, record)?);
                }
            }
            anyhow::Ok(records)
        };
        let found = until("the recorded number of records", ARRIVAL, async || {
            let records = read().await?;
            Ok((records.len() >= wanted).then_some(records))
        })
        .await;
        if found.is_err() {
            // The comparison says what is missing.
            return read().await;
        }
        tokio::time::sleep(QUIET).await;
        read().await
    }
}

fn text(value: &Value) -> Result<String> {
    Ok(value
        .as_str()
        .with_context(|| format!("not text: {value}"))?
        .to_owned())
}

fn recorded_events(lines: &str) -> Result<Vec<Record>> {
    let optional = |value: &Value| value.as_str().map(str::to_owned);
    lines
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line)?;
            let headers = line["headers"].as_array().context("headers")?;
            Ok(Record {
                topic: text(&line["topic"])?,
                key: optional(&line["key"]),
                value: optional(&line["value"]),
                snapshot: false,
                headers: headers
                    .iter()
                    .map(|header| Ok((text(&header[0])?, optional(&header[1]))))
                    .collect::<Result<_>>()?,
            })
        })
        .collect()
}

fn record_of(topic: &str, record: stack::Record) -> Result<Record> {
    let utf8 = |bytes: Option<Vec<u8>>| bytes.map(String::from_utf8).transpose();
    let headers = record.headers.into_iter();
    Ok(Record {
        topic: topic.to_owned(),
        key: utf8(record.key)?,
        value: utf8(record.value)?,
        snapshot: false,
        headers: headers
            .filter(|(name, _)| !name.starts_with(OUR_HEADERS))
            .map(|(name, value)| Ok((name, utf8(value)?)))
            .collect::<Result<_>>()?,
    })
}
