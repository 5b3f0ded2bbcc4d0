//! Proves: docker-compose.yml is right as it is, and what it says runs.
//! Steps: docker-compose reads it without `.env`; every service that needs no container starts natively from its own
//! lines; tweets come out of Kafka and of the lake.
//! Requires: docker-compose without an engine, PostgreSQL, Kafka, MinIO.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use stack::{ComposeFile, Composition, Lifetime, Ports, get, until};

const PATIENCE: Duration = Duration::from_secs(90);

/// What a user of the Debezium original finds in the compose file.
const SERVICES: [&str; 9] = [
    "postgres",
    "kafka",
    "minio",
    "init",
    "generator",
    "cdc",
    "lakewriter",
    "pgadmin",
    "kafka-ui",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of what `docker-compose config` looks at, so that nobody's `.env` is.
#[tokio::test]
async fn docker_compose_accepts_the_file_as_it_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::copy(
        root().join("docker-compose.yml"),
        folder.path().join("docker-compose.yml"),
    )?;
    let program = stack::docker_compose().await?;
    let output = Command::new(program)
        .args(["-f", "docker-compose.yml", "config", "--services"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("run `{}`", program.display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "docker-compose config: {errors}");
    ensure!(
        !errors.to_lowercase().contains("variable is not set"),
        "a variable has no default: {errors}"
    );
    let services = String::from_utf8_lossy(&output.stdout);
    for service in SERVICES {
        ensure!(
            services.lines().any(|line| line == service),
            "no service `{service}` in:\n{services}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn every_service_of_ours_runs_from_its_own_lines() -> Result<()> {
    let file = ComposeFile::read(&root().join("docker-compose.yml"))?;
    let folder = tempfile::tempdir()?;
    let say = |line: &str| eprintln!("{line}");
    let mut stack =
        Composition::start(&file, Ports::Free, folder.path(), Lifetime::Owned, say).await?;
    let seen = tweets_come_out(&mut stack).await;
    stack.stop().await;
    seen
}

async fn tweets_come_out(stack: &mut Composition) -> Result<()> {
    for service in ["generator", "cdc", "lakewriter"] {
        stack.expect_running(service)?;
    }
    ensure!(
        stack.services().any(|service| service == "init"),
        "`init` did not run"
    );
    let mut left_out = stack.left_out().to_vec();
    left_out.sort();
    ensure!(
        left_out == ["kafka-ui", "pgadmin", "schema-registry"],
        "left out: {left_out:?}"
    );

    let connect = format!("http://127.0.0.1:{}", stack.port("cdc", 8083)?);
    until("the connector to run", PATIENCE, async || {
        let status = get(&format!("{connect}/connectors/twitter/status")).await?;
        let status: Value = serde_json::from_str(&status.body)?;
        Ok((status["tasks"][0]["state"] == "RUNNING").then_some(()))
    })
    .await?;

    let bootstrap = format!("127.0.0.1:{}", stack.port("kafka", 9092)?);
    for topic in ["twitter.tweets", "twitter.users"] {
        let bootstrap = bootstrap.clone();
        let event = tokio::task::spawn_blocking(move || first_event(&bootstrap, topic)).await??;
        let event: Value = serde_json::from_slice(&event)?;
        ensure!(
            event["source"]["table"] == topic.trim_start_matches("twitter."),
            "topic `{topic}` has {event}"
        );
    }

    let lake = format!("http://127.0.0.1:{}", stack.port("minio", 9000)?);
    for table in ["tweets", "users"] {
        until(&format!("{table} in the lake"), PATIENCE, async || {
            let query = format!("select count(*) as n from public.{table}");
            let output = tokio::process::Command::from(stack::tributary()?)
                .args(["sql", "--format", "csv", &query])
                .env("TRIBUTARY_LAKE__URL", "s3://lake")
                .env("TRIBUTARY_LAKE__ENDPOINT", &lake)
                .env("TRIBUTARY_LAKE__ACCESS_KEY_ID", "tributary")
                .env("TRIBUTARY_LAKE__SECRET_ACCESS_KEY", "tributary-secret")
                .output()
                .await?;
            let answer = String::from_utf8_lossy(&output.stdout).into_owned();
            let count = answer
                .lines()
                .nth(1)
                .and_then(|line| line.parse::<u64>().ok());
            let count = count
                .with_context(|| format!("{answer}{}", String::from_utf8_lossy(&output.stderr)))?;
            Ok((count > 0).then_some(()))
        })
        .await?;
    }
    for service in ["generator", "cdc", "lakewriter"] {
        stack.expect_running(service)?;
    }
    Ok(())
}

/// The first event of a topic's first partitions for a read_committed consumer.
fn first_event(bootstrap: &str, topic: &str) -> Result<Vec<u8>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "compose-test")
        .set("isolation.level", "read_committed")
        .create()?;
    let deadline = std::time::Instant::now() + PATIENCE;
    let mut partitions = TopicPartitionList::new();
    // cdc makes a topic when it has the first event for it
    while partitions.count() == 0 && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        for partition in metadata
            .topics()
            .iter()
            .flat_map(|topic| topic.partitions())
        {
            partitions.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
        }
    }
    ensure!(partitions.count() > 0, "there is no topic `{topic}`");
    consumer.assign(&partitions)?;
    while std::time::Instant::now() < deadline {
        if let Some(message) = consumer.poll(Duration::from_millis(100))
            && let Some(event) = message?.payload()
        {
            return Ok(event.to_vec());
        }
    }
    anyhow::bail!(
        "topic `{topic}` has no event after {} s",
        PATIENCE.as_secs()
    )
}
