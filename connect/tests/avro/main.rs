//! The recorded Avro scenarios, live: PostgreSQL, Kafka and Apicurio Registry are real, the connector is posted with the
//! recorded settings. Schemas are compared as text, values as another decoder reads them; LSNs, transaction ids and times
//! cannot be equal and are left out.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

mod refusals;
#[path = "../../../tests/conformance/script.rs"]
mod script;
mod value;
mod worker;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cdc::{ErrorKind, registry::Registry};
use connector::{Registration, RegistryConfig, SubjectNameStrategy};
use serde_json::{Value, json};
use stack::{Apicurio, Kafka, Postgres, get, request, until};
use value::{Datum, decoded};
use worker::Worker;

const PATIENCE: Duration = Duration::from_secs(90);

/// What 2.7.3 gets wrong: names beyond ASCII, quoted defaults, values of type `name`, infinite and old dates of a
/// snapshot. The replay without servers compares the rest of these.
const WRONG_IN_2_7_3: [&str; 4] = [
    "odd-names-avro-adjusted",
    "defaults-generated",
    "scalars",
    "time-adaptive",
];

/// Transaction ids differ in every run, so that these records are only compared as JSON, where they are mapped.
const COMPARED_AS_JSON: &str = "transactions";

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../data/golden")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_scenarios_in_avro() -> Result<()> {
    let (kafka, postgres, registry) =
        tokio::try_join!(Kafka::start(), Postgres::start(), Apicurio::start())?;
    let worker = Worker::start(&kafka).await?;
    let servers = Servers {
        kafka,
        postgres,
        registry,
        rest: worker.url.clone(),
    };
    let mut names: Vec<String> = std::fs::read_dir(golden().join("debezium-2.7.3-avro"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.retain(|name| golden().join("scenarios").join(name).is_dir());
    names.retain(|name| name != COMPARED_AS_JSON && !WRONG_IN_2_7_3.contains(&name.as_str()));
    names.sort();
    ensure!(names.len() >= 7, "a scenario is missing: {names:?}");
    let mut failures = Vec::new();
    for name in &names {
        let found = servers.play(name).await.with_context(|| name.clone())?;
        println!("{name}: {} differences", found.len());
        failures.extend(found);
    }
    worker.end().await?;
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

type KeyAndValue = (Option<Datum>, Option<Datum>);

struct Servers {
    kafka: Kafka,
    postgres: Postgres,
    registry: Apicurio,
    rest: String,
}

impl Servers {
    async fn play(&self, name: &str) -> Result<Vec<String>> {
        let recorded = golden().join("debezium-2.7.3-avro").join(name);
        let scripts = golden().join("scenarios").join(name);
        let mut config: Value = read_json(&recorded.join("connector.json"))?;
        let database = config["database.dbname"]
            .as_str()
            .context("a database")?
            .to_owned();
        self.postgres.create_database(&database).await?;
        self.run(&database, &scripts.join("setup.sql")).await?;
        for (property, value) in [
            ("database.hostname", "127.0.0.1".to_owned()),
            ("database.port", self.postgres.port().to_string()),
            ("database.password", self.postgres.password().to_owned()),
            (
                "key.converter.apicurio.registry.url",
                self.registry.own_url(),
            ),
            (
                "value.converter.apicurio.registry.url",
                self.registry.own_url(),
            ),
        ] {
            config[property] = value.into();
        }
        let theirs = recorded_records(&recorded)?;
        let body = json!({"name": name, "config": config}).to_string();
        let answer = request("POST", &format!("{}/connectors", self.rest), Some(&body)).await?;
        ensure!(answer.status == 201, "{}: {}", answer.status, answer.body);
        let slot = config["slot.name"].as_str().context("a slot")?;
        let sql = format!(
            "select 1 / count(*) from pg_replication_slots where slot_name = '{slot}' and active and confirmed_flush_lsn is not null"
        );
        until("the connector to stream", PATIENCE, async || {
            self.task_runs(name).await?;
            Ok(self.postgres.execute(&database, &sql).await.ok())
        })
        .await?;
        self.run(&database, &scripts.join("stream.sql")).await?;
        let mut found = Vec::new();
        for (topic, theirs) in &theirs {
            let ours = until("the records", PATIENCE, async || {
                self.task_runs(name).await?;
                let records = self.kafka.read_all(topic, true).await.unwrap_or_default();
                Ok((records.len() >= theirs.len()).then_some(records))
            })
            .await
            .with_context(|| format!("{topic}: {} are expected", theirs.len()))?;
            if ours.len() != theirs.len() {
                found.push(format!(
                    "{topic}: theirs {}, ours {}",
                    theirs.len(),
                    ours.len()
                ));
                continue;
            }
            for (at, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
                let key = self.datum(ours.key.as_deref()).await?;
                let value = self.datum(ours.value.as_deref()).await?;
                for (part, theirs, ours) in [("key", &theirs.0, &key), ("value", &theirs.1, &value)]
                {
                    if theirs != ours {
                        found.push(format!(
                            "{topic} {at} {part}:\n  theirs {theirs:?}\n  ours   {ours:?}"
                        ));
                    }
                }
            }
        }
        let answer = request("DELETE", &format!("{}/connectors/{name}", self.rest), None).await?;
        ensure!(answer.status == 204, "delete: {}", answer.status);
        Ok(found)
    }

    async fn task_runs(&self, name: &str) -> Result<()> {
        let status = get(&format!("{}/connectors/{name}/status", self.rest)).await?;
        ensure!(!status.body.contains("FAILED"), "{}", status.body);
        Ok(())
    }

    async fn run(&self, database: &str, script: &Path) -> Result<()> {
        let client = self.postgres.connect(database).await?;
        for statement in script::statements(&std::fs::read_to_string(script)?) {
            client
                .batch_execute(&statement)
                .await
                .with_context(|| statement.clone())?;
        }
        Ok(())
    }

    /// A key or value of ours with the schema that the registry has under its id.
    async fn datum(&self, record: Option<&[u8]>) -> Result<Option<Datum>> {
        let Some(record) = record else {
            return Ok(None);
        };
        let id = u32::from_be_bytes(record[1..5].try_into()?);
        let answer = get(&format!("{}/schemas/ids/{id}", self.registry.url())).await?;
        ensure!(answer.status == 200, "schema {id}: {}", answer.body);
        let answer: Value = serde_json::from_str(&answer.body)?;
        let schema = answer["schema"].as_str().context("a schema")?;
        decoded(schema, &record[5..]).map(Some)
    }
}

fn read_json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}

/// Keys and values as recorded, by topic.
fn recorded_records(folder: &Path) -> Result<BTreeMap<String, Vec<KeyAndValue>>> {
    let schemas = read_json(&folder.join("schemas.json"))?;
    let schema = |id: u32| {
        let found = schemas.as_array()?.iter().find(|it| it["id"] == id)?;
        found["schema"].as_str()
    };
    let datum = |value: &Value| -> Result<Option<Datum>> {
        let Some(hex) = value.as_str() else {
            return Ok(None);
        };
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16))
            .collect::<Result<_, _>>()?;
        let id = u32::from_be_bytes(bytes[1..5].try_into()?);
        decoded(schema(id).context("a recorded schema")?, &bytes[5..]).map(Some)
    };
    let mut topics: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for line in std::fs::read_to_string(folder.join("events.jsonl"))?.lines() {
        let record: Value = serde_json::from_str(line)?;
        let topic = record["topic"].as_str().context("a topic")?;
        topics
            .entry(topic.to_owned())
            .or_default()
            .push((datum(&record["key"])?, datum(&record["value"])?));
    }
    Ok(topics)
}

#[tokio::test]
async fn a_registry_registers_looks_up_and_refuses() -> Result<()> {
    let server = Apicurio::start().await?;
    let config = |registration| RegistryConfig {
        // The first does not answer: the second is asked.
        urls: vec!["http://127.0.0.1:1".to_owned(), server.url()],
        login: None,
        truststore: None,
        keystore: None,
        registration,
        normalize: false,
        strategy: SubjectNameStrategy::Topic,
        connect_meta_data: true,
    };
    let one =
        r#"{"type":"record","name":"V","namespace":"a","fields":[{"name":"x","type":"int"}]}"#;
    let two = r#"{"type":"record","name":"V","namespace":"a","fields":[{"name":"x","type":"int"},{"name":"y","type":"string"}]}"#;
    let lookup = Registry::new(config(Registration::Lookup))?;
    let error = lookup
        .schema_id("t-value", one)
        .await
        .expect_err("nothing is registered");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(
        error.hint().contains("auto.register.schemas"),
        "{}",
        error.hint()
    );
    let registry = Registry::new(config(Registration::Register))?;
    let id = registry.schema_id("t-value", one).await?;
    assert_eq!(registry.schema_id("t-value", one).await?, id);
    assert_eq!(lookup.schema_id("t-value", one).await?, id);
    let latest = Registry::new(config(Registration::Latest))?;
    assert_eq!(latest.schema_id("t-value", one).await?, id);
    assert!(latest.schema_id("t-value", two).await.is_err());
    let level = request(
        "PUT",
        &format!("{}/config/t-value", server.url()),
        Some(r#"{"compatibility":"BACKWARD"}"#),
    )
    .await?;
    ensure!(level.status == 200, "{}", level.body);
    let error = registry
        .schema_id("t-value", two)
        .await
        .expect_err("a new column without default is not backward compatible");
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(error.to_string().contains("t-value"), "{error}");
    assert!(
        error.hint().contains("compatibility level"),
        "{}",
        error.hint()
    );
    Ok(())
}
