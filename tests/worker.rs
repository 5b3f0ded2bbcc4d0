//! Proves: a worker that is configured by the environment of Debezium's image keeps every connector, its state, its tasks,
//! topics and offsets over kills without warning, and streams on without a gap or a repetition.
//! Steps: connectors in three states by REST; rows are written all the time; the process is killed after each kind of
//! change and started again on the same topics.
//! Requires: PostgreSQL, Kafka.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::{Kafka, Postgres, Process, Record, until};

const PATIENCE: Duration = Duration::from_secs(90);
const CLASS: &str = "io.debezium.connector.postgresql.PostgresConnector";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const PASSWORD: &str = "hunter2";

struct Worker {
    process: Process,
    url: String,
}

impl Worker {
    /// `tributary cdc` as a container of Debezium's image would be started.
    async fn start(kafka: &Kafka, port: u16, folder: &std::path::Path) -> Result<Self> {
        let mut command = stack::tributary()?;
        command.arg("cdc").current_dir(folder);
        for (name, value) in [
            ("BOOTSTRAP_SERVERS", kafka.bootstrap().as_str()),
            ("GROUP_ID", "1"),
            ("CONFIG_STORAGE_TOPIC", "my_connect_configs"),
            ("OFFSET_STORAGE_TOPIC", "my_connect_offsets"),
            ("STATUS_STORAGE_TOPIC", "my_connect_statuses"),
            ("CONNECT_OFFSET_STORAGE_REPLICATION_FACTOR", "1"),
            ("REST_HOST_NAME", "127.0.0.1"),
            ("REST_PORT", &port.to_string()),
            ("KEY_CONVERTER", JSON),
            ("VALUE_CONVERTER", JSON),
            ("CONNECT_KEY_CONVERTER_SCHEMAS_ENABLE", "false"),
            ("CONNECT_VALUE_CONVERTER_SCHEMAS_ENABLE", "false"),
            // Without an effect here, and no reason not to start.
            ("OFFSET_FLUSH_INTERVAL_MS", "60000"),
            ("SHUTDOWN_TIMEOUT", "10000"),
            ("HEAP_OPTS", "-Xms1g -Xmx1g"),
            ("KAFKA_OPTS", "-Dx=y"),
            ("LOG_LEVEL", "INFO"),
            ("ENABLE_DEBEZIUM_SCRIPTING", "true"),
            ("CONNECT_PLUGIN_PATH", "/kafka/connect"),
            ("CONNECT_LOG4J_LOGGERS", "INFO, stdout"),
            ("CONNECT_TOPIC_CREATION_ENABLE", "true"),
            ("CONNECT_NOBODY_KNOWS_THIS", "1"),
            ("TRIBUTARY_LOG", "cdc=debug,info"),
        ] {
            command.env(name, value);
        }
        let mut process = Process::spawn("tributary cdc", command)?;
        let url = format!("http://127.0.0.1:{port}");
        process
            .wait_for_http(&format!("{url}/readyz"), PATIENCE)
            .await?;
        Ok(Self { process, url })
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let body = body.map(Value::to_string);
        let url = format!("{}{path}", self.url);
        let answer = stack::request(method, &url, body.as_deref()).await?;
        let json = match answer.body.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).with_context(|| text.to_owned())?,
        };
        Ok((answer.status, json))
    }

    async fn done(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, answer) = self.call(method, path, body).await?;
        ensure!((200..300).contains(&status), "{method} {path}: {answer}");
        Ok(answer)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        self.done("GET", path, None).await
    }

    async fn states(&self, connector: &str, want: &str) -> Result<()> {
        until(&format!("{connector} to be {want}"), PATIENCE, async || {
            let status = self.get(&format!("/connectors/{connector}/status")).await?;
            let tasks = status["tasks"].as_array().into_iter().flatten();
            let parts = std::iter::once(&status["connector"]).chain(tasks);
            let all = parts
                .map(|part| part["state"].as_str())
                .all(|state| state == Some(want));
            Ok(all.then_some(()))
        })
        .await
    }

    /// What must be the same before and after a kill.
    async fn shown(&self, still: &[&str]) -> Result<Value> {
        let mut all = BTreeMap::new();
        all.insert(
            "connectors".to_owned(),
            self.get("/connectors?expand=info&expand=status").await?,
        );
        let names = self.get("/connectors").await?;
        for name in names
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            for part in ["config", "tasks", "tasks-config", "topics"] {
                let path = format!("/connectors/{name}/{part}");
                all.insert(path.clone(), self.get(&path).await?);
            }
        }
        for name in still {
            let path = format!("/connectors/{name}/offsets");
            all.insert(path.clone(), self.get(&path).await?);
        }
        Ok(json!(all))
    }
}

fn connector(postgres: &Postgres, name: &str) -> Value {
    json!({"name": name, "config": {
        "connector.class": CLASS,
        "database.hostname": "127.0.0.1",
        "database.port": postgres.port().to_string(),
        "database.user": "debezium",
        "database.password": PASSWORD,
        "database.dbname": "shop",
        "topic.prefix": name,
        "slot.name": name,
        "publication.name": name,
        "publication.autocreate.mode": "filtered",
        "table.include.list": "public.orders",
    }})
}

/// Inserts one order after the other until told to stop; answers how many there are.
fn writing(postgres: &Arc<Postgres>) -> (Arc<AtomicBool>, tokio::task::JoinHandle<Result<i64>>) {
    let (stop, next) = (Arc::new(AtomicBool::new(false)), AtomicI64::new(1));
    let (ended, postgres) = (Arc::clone(&stop), Arc::clone(postgres));
    let writer = tokio::spawn(async move {
        let client = postgres.connect("shop").await?;
        while !ended.load(Ordering::Relaxed) {
            let id = next.fetch_add(1, Ordering::Relaxed);
            let sql = format!("insert into orders values ({id}, 'order {id}')");
            client.batch_execute(&sql).await?;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(next.load(Ordering::Relaxed) - 1)
    });
    (stop, writer)
}

/// How often each id came, in records that are not of a snapshot.
fn streamed(records: &[Record]) -> Result<BTreeMap<i64, usize>> {
    let mut counts = BTreeMap::new();
    for record in records {
        let value: Value = serde_json::from_slice(record.value.as_deref().unwrap_or_default())?;
        let value = value.get("payload").unwrap_or(&value);
        if value["op"] == "c" {
            let id = value["after"]["id"].as_i64().context("an id")?;
            *counts.entry(id).or_default() += 1;
        }
    }
    Ok(counts)
}

async fn all_came(kafka: &Kafka, topic: &str, last: i64) -> Result<()> {
    let counts = until(&format!("order {last} in {topic}"), PATIENCE, async || {
        let counts = streamed(&kafka.read_all(topic, true).await?)?;
        Ok(counts.contains_key(&last).then_some(counts))
    })
    .await?;
    let wrong: Vec<(i64, usize)> = (1..=last)
        .map(|id| (id, counts.get(&id).copied().unwrap_or(0)))
        .filter(|(_, count)| *count != 1)
        .collect();
    ensure!(wrong.is_empty(), "{topic}: not once: {wrong:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_comes_back_as_it_was() -> Result<()> {
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start())?;
    let postgres = Arc::new(postgres);
    let folder = tempfile::tempdir()?;
    postgres.create_database("shop").await?;
    let sql = format!(
        "create role debezium login superuser password '{PASSWORD}';
         create table orders(id bigint primary key, text text);
         insert into orders values (0, 'before')"
    );
    postgres.execute("shop", &sql).await?;
    let port = stack::free_port()?;
    let mut worker = Worker::start(&kafka, port, folder.path()).await?;
    for name in ["runs", "pauses", "stops"] {
        let mut body = connector(&postgres, name);
        if name == "pauses" {
            // A converter of its own: nothing of the worker's holds for it.
            body["config"]["value.converter"] = json!(JSON);
        }
        worker.done("POST", "/connectors/", Some(&body)).await?;
    }
    for name in ["runs", "pauses", "stops"] {
        let topic = format!("{name}.public.orders");
        until(&format!("the snapshot of {name}"), PATIENCE, async || {
            let offsets = worker.get(&format!("/connectors/{name}/offsets")).await?;
            Ok((offsets["offsets"][0]["offset"]["last_snapshot_record"] == true).then_some(()))
        })
        .await?;
        record_forms(&kafka, &topic, name == "pauses").await?;
    }
    let (stop, writer) = writing(&postgres);
    for name in ["pauses", "stops"] {
        let topic = format!("{name}.public.orders");
        until(&format!("orders in {topic}"), PATIENCE, async || {
            let counts = streamed(&kafka.read_all(&topic, true).await?)?;
            Ok((counts.len() > 50).then_some(()))
        })
        .await?;
    }
    worker.done("PUT", "/connectors/pauses/pause", None).await?;
    worker.done("PUT", "/connectors/stops/stop", None).await?;
    worker.states("pauses", "PAUSED").await?;
    worker.states("stops", "STOPPED").await?;
    ended(&worker, &["pauses", "stops"]).await?;

    // As it was, three kills in a row.
    let before = worker.shown(&["pauses", "stops"]).await?;
    for _ in 0..3 {
        worker.process.kill9()?;
        quiet(&worker)?;
        worker = Worker::start(&kafka, port, folder.path()).await?;
        worker.states("runs", "RUNNING").await?;
        assert_eq!(worker.shown(&["pauses", "stops"]).await?, before);
    }

    // Each kind of change holds as soon as it is answered.
    let stored = worker.get("/connectors/stops/offsets").await?;
    let mut changed = stored.clone();
    changed["offsets"][0]["offset"]["ts_usec"] = json!(1);
    worker
        .done("PATCH", "/connectors/stops/offsets", Some(&changed))
        .await?;
    worker = killed(worker, &kafka, port, folder.path()).await?;
    assert_eq!(worker.get("/connectors/stops/offsets").await?, changed);
    worker
        .done("PATCH", "/connectors/stops/offsets", Some(&stored))
        .await?;
    worker.done("PUT", "/connectors/stops/resume", None).await?;
    worker = killed(worker, &kafka, port, folder.path()).await?;
    worker.states("stops", "RUNNING").await?;
    worker
        .done("PUT", "/connectors/pauses/resume", None)
        .await?;
    let patch = json!({"status.update.interval.ms": 5000});
    worker
        .done("PATCH", "/connectors/runs/config", Some(&patch))
        .await?;
    worker = killed(worker, &kafka, port, folder.path()).await?;
    let config = worker.get("/connectors/runs/config").await?;
    assert_eq!(config["status.update.interval.ms"], "5000");
    worker.states("pauses", "RUNNING").await?;

    stop.store(true, Ordering::Relaxed);
    let last = writer.await??;
    for name in ["runs", "pauses", "stops"] {
        all_came(&kafka, &format!("{name}.public.orders"), last).await?;
    }

    // Without offsets a connector begins anew.
    worker.done("PUT", "/connectors/stops/stop", None).await?;
    ended(&worker, &["stops"]).await?;
    worker
        .done("DELETE", "/connectors/stops/offsets", None)
        .await?;
    worker = killed(worker, &kafka, port, folder.path()).await?;
    assert_eq!(
        worker.get("/connectors/stops/offsets").await?,
        json!({"offsets": []})
    );
    worker.done("DELETE", "/connectors/pauses", None).await?;
    worker = killed(worker, &kafka, port, folder.path()).await?;
    assert_eq!(worker.get("/connectors").await?, json!(["runs", "stops"]));
    worker.process.kill9()?;
    quiet(&worker)
}

async fn killed(
    mut worker: Worker,
    kafka: &Kafka,
    port: u16,
    folder: &std::path::Path,
) -> Result<Worker> {
    worker.process.kill9()?;
    quiet(&worker)?;
    Worker::start(kafka, port, folder).await
}

/// The tasks have ended, and with them the changes of their offsets.
async fn ended(worker: &Worker, names: &[&str]) -> Result<()> {
    for name in names {
        until(
            &format!("the offsets of {name} to stand"),
            PATIENCE,
            async || {
                let path = format!("/connectors/{name}/offsets");
                let one = worker.get(&path).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok((worker.get(&path).await? == one).then_some(()))
            },
        )
        .await?;
    }
    Ok(())
}

/// Keys without schemas, as the environment says; values with them only where a converter of its own was named.
async fn record_forms(kafka: &Kafka, topic: &str, own: bool) -> Result<()> {
    let records = kafka.read_all(topic, true).await?;
    let record = records.first().context("a record")?;
    assert_eq!(record.key.as_deref(), Some(&b"{\"id\":0}"[..]));
    let value = record.value.as_deref().context("a value")?;
    let beginning: &[u8] = if own {
        b"{\"schema\":{\"type\":\"struct\""
    } else {
        b"{\"before\":null,\"after\":{\"id\":0,"
    };
    ensure!(
        value.starts_with(beginning),
        "{topic}: {}",
        String::from_utf8_lossy(value)
    );
    Ok(())
}

/// No secret in the log, and one line for what has no effect.
fn quiet(worker: &Worker) -> Result<()> {
    let log = worker.process.output()?;
    ensure!(!log.contains(PASSWORD), "a password is in the log:\n{log}");
    let variables = log
        .lines()
        .filter(|line| line.contains("variables of Kafka Connect's images"))
        .collect::<Vec<_>>();
    ensure!(
        variables.len() == 1 && variables[0].contains("HEAP_OPTS"),
        "{variables:?}"
    );
    for property in [
        "offset.flush.interval.ms",
        "plugin.path",
        "nobody.knows.this",
    ] {
        let lines = log.lines().filter(|line| line.contains(property)).count();
        ensure!(lines == 1, "{property}: {lines} lines");
    }
    Ok(())
}
