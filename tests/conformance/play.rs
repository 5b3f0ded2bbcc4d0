//! Plays a recorded scenario on a real PostgreSQL, through a connector to Kafka, and compares the records.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use connect::{WorkerConfig, run_worker_on};
use serde_json::{Map, Value, json};
use stack::{Kafka, Postgres, request, until};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    compare::{Mismatch, differences},
    corpus::{Corpus, RecordedEnd, Scenario},
    normal::{Record, ranked},
    script::statements,
    versions,
};

const PATIENCE: Duration = Duration::from_secs(90);
/// How long delivery may take after the last statement.
const ARRIVAL: Duration = Duration::from_secs(40);
/// Where the slot says nothing, this long nothing more may come.
const QUIET: Duration = Duration::from_secs(3);
/// Headers of ours that Debezium does not have.
const OUR_HEADERS: &str = "tributary.";

/// The servers, and a worker in this process.
pub struct Servers {
    pub postgres_major: u32,
    kafka: Kafka,
    postgres: Postgres,
    rest: String,
    stop: CancellationToken,
    worker: JoinHandle<Result<(), cdc::Error>>,
}

/// How our connector ended.
enum OurEnd {
    Running(Vec<Record>),
    /// The task's trace.
    Failed(String, Vec<Record>),
    Refused(u16, String),
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
            postgres_major: versions::major(&postgres).await?,
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

    /// Plays a scenario as it was recorded and compares.
    pub async fn play(&self, corpus: &Corpus, scenario: &Scenario) -> Result<Vec<Mismatch>> {
        let database = scenario
            .setting("database.dbname")
            .context("database.dbname")?;
        self.postgres.create_database(database).await?;
        let played = self.run_scenario(corpus, scenario, database).await;
        let (status, _) = self
            .call("DELETE", &format!("/connectors/{}", scenario.name), None)
            .await?;
        ensure!(
            matches!(status, 204 | 404),
            "the connector is not deleted: {status}"
        );
        // The recorded names are used once; the server has room for twenty slots.
        self.forget(
            database,
            scenario.setting("slot.name").unwrap_or("debezium"),
        )
        .await?;
        let ours = match (played?, &scenario.end) {
            (OurEnd::Running(ours), RecordedEnd::Running) => ours,
            (OurEnd::Running(ours), RecordedEnd::Failed(theirs)) => {
                let ours = ours.len().to_string();
                return Ok(vec![of_task(theirs, &format!("running, {ours} records"))]);
            }
            (OurEnd::Running(_), RecordedEnd::Refused(_, theirs)) => {
                return Ok(vec![of_task(theirs, "running")]);
            }
            (OurEnd::Failed(trace, ours), RecordedEnd::Failed(theirs)) => {
                if !trace.contains(theirs.as_str()) {
                    return Ok(vec![of_task(theirs, &trace)]);
                }
                ours
            }
            (OurEnd::Failed(trace, _), _) => bail!("the connector failed: {trace}"),
            (OurEnd::Refused(status, message), RecordedEnd::Refused(recorded, theirs)) => {
                let (theirs, ours) = (
                    format!("{recorded} {theirs}"),
                    format!("{status} {message}"),
                );
                return Ok(if theirs == ours {
                    Vec::new()
                } else {
                    vec![of_task(&theirs, &ours)]
                });
            }
            (OurEnd::Refused(status, message), _) => {
                bail!("the connector is refused: {status} {message}")
            }
        };
        let timed = |topic: &str| scenario.is_timed(topic);
        let theirs = ranked(scenario.theirs.clone(), timed).context("theirs")?;
        let ours = ranked(ours, timed).context("ours")?;
        let mut found = differences(&theirs, &ours, timed);
        found.retain(|it| !versions::is_known(&it.difference, self.postgres_major));
        Ok(found)
    }

    async fn run_scenario(
        &self,
        corpus: &Corpus,
        scenario: &Scenario,
        database: &str,
    ) -> Result<OurEnd> {
        for (topic, partitions) in &scenario.topics {
            self.kafka.create_topic(topic, *partitions).await?;
        }
        self.run(database, &scenario.setup).await?;
        let config = Value::Object(self.config(corpus, scenario));
        let body = json!({"name": scenario.name, "config": config});
        let (status, answer) = self.call("POST", "/connectors", Some(&body)).await?;
        if status != 201 {
            let message = answer["message"].as_str().unwrap_or_default();
            return Ok(OurEnd::Refused(status, message.to_owned()));
        }
        if let Some(trace) = self.started(scenario).await? {
            return Ok(OurEnd::Failed(trace, self.records(scenario).await?));
        }
        let background = scenario.background.as_deref().unwrap_or_default();
        let (stream, background) = tokio::join!(
            self.run(database, &scenario.stream),
            self.run(database, background)
        );
        stream?;
        background?;
        let failed = self.delivered(scenario, database).await?;
        let records = self.records(scenario).await?;
        Ok(match failed {
            Some(trace) => OurEnd::Failed(trace, records),
            None => OurEnd::Running(records),
        })
    }

    /// The recorded settings with our servers' places.
    fn config(&self, corpus: &Corpus, scenario: &Scenario) -> Map<String, Value> {
        const RECORDED_KAFKA: &str = "localhost:9092";
        let mut config = scenario.config.clone();
        for value in config.values_mut() {
            if let Some(text) = value.as_str() {
                let text = text.replace("${kafka}", RECORDED_KAFKA);
                *value = text.replace(RECORDED_KAFKA, &self.kafka.bootstrap()).into();
            }
        }
        let port = self.postgres.port().to_string();
        for (name, value) in [
            ("database.hostname", "127.0.0.1"),
            ("database.port", port.as_str()),
            ("database.password", self.postgres.password()),
        ]
        .iter()
        .chain(corpus.settings())
        {
            config.insert((*name).to_owned(), (*value).into());
        }
        config
    }

    async fn forget(&self, database: &str, slot: &str) -> Result<()> {
        let sql = format!(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '{slot}'"
        );
        until("the slot to be free", PATIENCE, async || {
            self.postgres.execute("postgres", &sql).await.map(Some)
        })
        .await?;
        let sql = format!("drop database \"{database}\" with (force)");
        self.postgres.execute("postgres", &sql).await
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

    /// Waits until the connector streams, or runs if it never streams. The trace if its task fails.
    async fn started(&self, scenario: &Scenario) -> Result<Option<String>> {
        let slot = scenario.setting("slot.name").unwrap_or("debezium");
        let sql = format!(
            "select 1 from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid
             where s.slot_name = '{slot}' and r.state = 'streaming'"
        );
        until("the connector to run", PATIENCE, async || {
            if let Some(trace) = self.trace(scenario).await? {
                return Ok(Some(Some(trace)));
            }
            let runs = if scenario.streams {
                !self.postgres.query("postgres", &sql).await?.is_empty()
            } else {
                true
            };
            Ok(runs.then_some(None))
        })
        .await
    }

    async fn trace(&self, scenario: &Scenario) -> Result<Option<String>> {
        let path = format!("/connectors/{}/status", scenario.name);
        let (_, status) = self.call("GET", &path, None).await?;
        let task = &status["tasks"][0];
        let failed = task["state"] == "FAILED";
        Ok(failed.then(|| task["trace"].as_str().unwrap_or_default().to_owned()))
    }

    /// Waits until all that was written before now is delivered: the slot is confirmed beyond it. Then for what time
    /// alone brings. The trace if the task fails.
    async fn delivered(&self, scenario: &Scenario, database: &str) -> Result<Option<String>> {
        let written = self
            .postgres
            .query(database, "select pg_current_wal_insert_lsn()::text")
            .await?;
        let written = written.first().and_then(|row| row.first()?.clone());
        let written = written.context("the WAL's end")?;
        let slot = scenario.setting("slot.name").unwrap_or("debezium");
        let sql = format!(
            "select 1 from pg_replication_slots
             where slot_name = '{slot}' and confirmed_flush_lsn >= '{written}'"
        );
        let wanted = scenario.theirs.len();
        let confirmed = until("the slot to be confirmed", ARRIVAL, async || {
            if let Some(trace) = self.trace(scenario).await? {
                return Ok(Some(Some(trace)));
            }
            let confirmed = !self.postgres.query(database, &sql).await?.is_empty();
            Ok(confirmed.then_some(None))
        });
        if scenario.streams {
            match confirmed.await {
                Ok(Some(trace)) => return Ok(Some(trace)),
                Ok(None) => {}
                // The comparison says what is missing, or that nothing is.
                Err(_) => tokio::time::sleep(QUIET).await,
            }
        }
        self.committed(scenario).await?;
        let timed = |records: &[Record]| records.iter().any(|it| scenario.is_timed(&it.topic));
        if !scenario.streams || timed(&scenario.theirs) {
            let found = until("the recorded number of records", ARRIVAL, async || {
                Ok((self.records(scenario).await?.len() >= wanted).then_some(()))
            });
            // As above.
            let _ = found.await;
        }
        self.trace(scenario).await
    }

    /// A transaction's end is written to its partitions a moment after the producer is told that it is committed.
    async fn committed(&self, scenario: &Scenario) -> Result<()> {
        until("the transactions to end", ARRIVAL, async || {
            for topic in self.topics(scenario).await? {
                let all = self.kafka.read_all(&topic, false).await?.len();
                if self.kafka.read_all(&topic, true).await?.len() < all {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
        .await
    }

    async fn topics(&self, scenario: &Scenario) -> Result<Vec<String>> {
        let path = format!("/connectors/{}/topics", scenario.name);
        let (_, topics) = self.call("GET", &path, None).await?;
        let topics = topics[&scenario.name]["topics"].as_array();
        let topics = topics.context("topics")?.iter().filter_map(Value::as_str);
        let mut topics: Vec<String> = topics
            .map(str::to_owned)
            .chain(scenario.topics.keys().cloned())
            .collect();
        topics.sort_unstable();
        topics.dedup();
        Ok(topics)
    }

    /// The records of all topics of the connector.
    async fn records(&self, scenario: &Scenario) -> Result<Vec<Record>> {
        let mut records: Vec<Record> = Vec::new();
        for topic in self.topics(scenario).await? {
            // A topic that was just made may have no leader yet.
            let read = until("the topic to be readable", ARRIVAL, async || {
                self.kafka.read_all(&topic, true).await.map(Some)
            });
            for record in read.await? {
                let number = records
                    .iter()
                    .rev()
                    .take_while(|it| it.topic == topic && it.partition == record.partition)
                    .count();
                records.push(record_of(&topic, number, record)?);
            }
        }
        Ok(records)
    }
}

fn of_task(theirs: &str, ours: &str) -> Mismatch {
    Mismatch {
        topic: String::new(),
        record: None,
        difference: recorded::Difference::new("task", theirs, ours),
    }
}

fn record_of(topic: &str, number: usize, record: stack::Record) -> Result<Record> {
    let utf8 = |bytes: Option<Vec<u8>>| bytes.map(String::from_utf8).transpose();
    let headers = record.headers.into_iter();
    Ok(Record {
        topic: topic.to_owned(),
        partition: record.partition,
        number,
        key: utf8(record.key)?,
        value: utf8(record.value)?,
        headers: headers
            .filter(|(name, _)| !name.starts_with(OUR_HEADERS))
            .map(|(name, value)| Ok((name, utf8(value)?)))
            .collect::<Result<_>>()?,
    })
}
