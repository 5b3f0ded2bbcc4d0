//! `topic.creation.*`: what topics are made with, as a real broker tells it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::{Kafka, KafkaOptions, Postgres, until};

use crate::rest::{PATIENCE, Rest, connector, with};

const TABLES: &str = "create schema inventory;
    create table inventory.tweets(id int primary key); insert into inventory.tweets values (1);
    create table inventory.log_a(id int primary key); insert into inventory.log_a values (1);
    create table inventory.log_b(id int primary key); insert into inventory.log_b values (1)";

fn set(config: Value, settings: &[(&str, &str)]) -> Value {
    settings.iter().fold(config, |config, (name, value)| {
        with(config, &format!("topic.creation.{name}"), json!(value))
    })
}

async fn broker(auto_create: bool) -> Result<Kafka> {
    let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Kafka::start_with(KafkaOptions {
        properties: vec![
            property("num.partitions", "2"),
            property("auto.create.topics.enable", &auto_create.to_string()),
        ],
        ..KafkaOptions::default()
    })
    .await
}

async fn create(rest: &Rest, name: &str, config: &Value) -> Result<()> {
    let body = json!({"name": name, "config": config});
    let answer = rest.call("POST", "/connectors", Some(&body)).await?;
    ensure!(answer.status == 201, "{name}: {}", answer.text);
    Ok(())
}

async fn filled(kafka: &Kafka, topics: &[String]) -> Result<()> {
    for topic in topics {
        until(&format!("a record in {topic}"), PATIENCE, async || {
            if !kafka.topics().await?.contains(topic) {
                return Ok(None);
            }
            let records = kafka.read_all(topic, true).await?;
            Ok((!records.is_empty()).then_some(()))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_made_as_their_group_says() -> Result<()> {
    let (kafka, automatic, postgres) =
        tokio::try_join!(broker(false), broker(true), Postgres::start())?;
    postgres.create_database("rest").await?;
    postgres.execute("rest", TABLES).await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    let groups = [
        ("default.partitions", "3"),
        ("default.replication.factor", "1"),
        ("default.retention.ms", "7200000"),
        ("groups", "logs, all_logs"),
        ("logs.include", r"groups\.inventory\.log_.*, groups\.other"),
        ("logs.exclude", r".*\.log_b"),
        ("logs.partitions", "1"),
        ("logs.cleanup.policy", "compact"),
        ("logs.compression.type", "lz4"),
        ("all_logs.include", r".*\.log_.*"),
        ("all_logs.partitions", "-1"),
        ("all_logs.replication.factor", "-1"),
    ];
    create(
        &rest,
        "groups",
        &set(connector(&postgres, "groups"), &groups),
    )
    .await?;
    create(&rest, "silent", &connector(&postgres, "silent")).await?;
    let of = |prefix: &str, table: &str| format!("{prefix}.inventory.{table}");
    let topics: Vec<String> = ["groups", "silent"]
        .iter()
        .flat_map(|prefix| ["tweets", "log_a", "log_b"].map(|table| of(prefix, table)))
        .collect();
    filled(&kafka, &topics).await?;
    for (topic, partitions, settings) in [
        ("groups.inventory.tweets", 3, &["retention.ms=7200000"][..]),
        (
            "groups.inventory.log_a",
            1,
            &["cleanup.policy=compact", "compression.type=lz4"],
        ),
        ("groups.inventory.log_b", 2, &[]),
        // Where nothing is said the broker decides.
        ("silent.inventory.tweets", 2, &[]),
    ] {
        let made = kafka.describe_topic(topic).await?;
        assert_eq!(made.replicas, vec![1; partitions], "{topic}");
        let own = made.settings.iter();
        let own: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(own, settings, "{topic}");
    }
    refused(&rest, &postgres).await?;
    rest.end().await?;
    elsewhere(&kafka, &automatic, &postgres).await
}

/// What makes a connector of Kafka Connect fail is told before it starts.
async fn refused(rest: &Rest, postgres: &Postgres) -> Result<()> {
    let config = set(
        connector(postgres, "refused"),
        &[
            ("groups", "a,b,a"),
            ("a.include", "x("),
            ("b.partitions", "0"),
            ("default.partitions", "1"),
        ],
    );
    let body = json!({"name": "refused", "config": config});
    let answer = rest.call("POST", "/connectors", Some(&body)).await?;
    ensure!(answer.status == 400, "{}", answer.text);
    let message = answer.json()?["message"]
        .as_str()
        .context("a message")?
        .to_owned();
    for line in [
        "the following 4 error(s)",
        "Invalid value [a, b, a] for configuration topic.creation.groups: Duplicate alias provided.",
        "The 'topic.creation.a.include' value is invalid",
        "The 'topic.creation.b.partitions' value is invalid: Number of partitions must be positive, or -1",
        "The 'topic.creation.default.replication.factor' value is invalid: A value is required",
    ] {
        ensure!(message.contains(line), "no `{line}` in: {message}");
    }
    // More replicas than brokers: the broker says it, and the task stops.
    let config = set(
        connector(postgres, "replicas"),
        &[
            ("default.partitions", "1"),
            ("default.replication.factor", "3"),
        ],
    );
    create(rest, "replicas", &config).await?;
    let status = rest.task_state("replicas", "FAILED").await?;
    let trace = status["tasks"][0]["trace"].as_str().context("a trace")?;
    ensure!(trace.contains("create the topic"), "{trace}");
    Ok(())
}

/// `topic.creation.enable=false`: brokers make topics, or somebody does.
async fn elsewhere(kafka: &Kafka, automatic: &Kafka, postgres: &Postgres) -> Result<()> {
    let settings = [
        ("default.partitions", "5"),
        ("default.replication.factor", "1"),
    ];
    let config = set(connector(postgres, "elsewhere"), &settings);
    let rest = Rest::start(|config| config.creates_topics = false, automatic).await?;
    create(&rest, "elsewhere", &config).await?;
    let topic = "elsewhere.inventory.tweets".to_owned();
    filled(automatic, std::slice::from_ref(&topic)).await?;
    let made = automatic.describe_topic(&topic).await?;
    assert_eq!(made.replicas.len(), 2, "the broker's own number");
    rest.end().await?;

    let rest = Rest::start(
        |config| {
            config.creates_topics = false;
            config.config_topic = "elsewhere_configs".to_owned();
        },
        kafka,
    )
    .await?;
    let config = set(connector(postgres, "nobody"), &settings);
    let config = with(config, "errors.max.retries", json!("0"));
    let config = with(config, "table.include.list", json!("inventory.tweets"));
    create(&rest, "nobody", &config).await?;
    let status = rest.task_state("nobody", "FAILED").await?;
    let trace = status["tasks"][0]["trace"].as_str().context("a trace")?;
    for word in [
        "`nobody.inventory.tweets`",
        "topic.creation.enable",
        "auto.create.topics.enable",
    ] {
        ensure!(trace.contains(word), "no `{word}` in: {trace}");
    }
    let topic = "nobody.inventory.tweets".to_owned();
    kafka.create_topic(&topic, 4).await?;
    let restart = rest
        .call("POST", "/connectors/nobody/tasks/0/restart", None)
        .await?;
    ensure!(restart.status == 204, "{}", restart.text);
    filled(kafka, std::slice::from_ref(&topic)).await?;
    rest.end().await
}
