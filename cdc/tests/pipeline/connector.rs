//! A connector on a test server, and ways to wait for it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use cdc::{Error, Phase, PipelineStatus, pipeline};
use connector::ConnectorConfig;
use regex::Regex;
use stack::{Postgres, until};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::recording::{RecordingSink, Store};

pub const PATIENCE: Duration = Duration::from_secs(60);

/// The settings of a connector on database `postgres` of the server, over its Unix socket.
pub fn config(postgres: &Postgres) -> ConnectorConfig {
    config_with(postgres, &[])
}

/// The same with more of Debezium's properties.
pub fn config_with(postgres: &Postgres, properties: &[(&str, &str)]) -> ConnectorConfig {
    let socket = postgres.socket_dir();
    let (hostname, port) = (socket.display().to_string(), postgres.port().to_string());
    let spill = socket.join("spill").display().to_string();
    let defaults = [
        ("name", "test"),
        ("topic.prefix", "test"),
        ("database.hostname", &hostname),
        ("database.port", &port),
        ("database.user", postgres.user()),
        ("database.password", postgres.password()),
        ("database.dbname", "postgres"),
        ("slot.retry.delay.ms", "2000"),
        ("status.update.interval.ms", "200"),
        ("retriable.restart.connector.wait.ms", "1000"),
        ("errors.max.retries", "20"),
        ("tributary.spill.memory.bytes", "1048576"),
        ("tributary.spill.folder", &spill),
        ("tributary.batch.bytes", "1048576"),
    ];
    let all = defaults.iter().chain(properties);
    let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ConnectorConfig::parse(&all.collect::<BTreeMap<_, _>>())
        .expect("usable settings")
        .config
}

pub fn matching(patterns: &[&str]) -> Vec<Regex> {
    patterns
        .iter()
        .map(|pattern| Regex::new(&format!("(?i)^(?:{pattern})$")).expect("valid regex"))
        .collect()
}

/// A connector that runs in the background until stopped or dropped.
pub struct Running {
    pub status: Arc<PipelineStatus>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

/// Start a connector whose sink takes `room` events at a time into `store`.
pub fn start(config: &ConnectorConfig, store: &Store, room: usize) -> Running {
    let status = Arc::new(PipelineStatus::default());
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (config, store) = (config.clone(), store.clone());
        let (status, stop) = (Arc::clone(&status), stop.clone());
        async move {
            pipeline::supervise(&config, &status, &stop, || async {
                let sink = RecordingSink::new(&store, &status, room);
                Ok((sink, store.start()))
            })
            .await
        }
    });
    Running { status, stop, task }
}

impl Running {
    pub async fn streaming(&self) -> Result<()> {
        until("the connector to stream", PATIENCE, async || {
            anyhow::ensure!(!self.task.is_finished(), "the connector ended");
            Ok((self.status.phase() == Phase::Streaming).then_some(()))
        })
        .await
    }

    /// The orderly end.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.ended().await?.context("the connector failed")
    }

    /// The disorderly end: between two awaits, with nothing said to anybody.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// How it ends by itself.
    pub async fn ended(self) -> Result<Result<(), Error>> {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .context("the connector does not end")?
            .context("the connector panicked")
    }
}

/// Wait until `count` events are durable.
pub async fn until_events(store: &Store, count: usize) -> Result<()> {
    until(&format!("{count} events"), PATIENCE, async || {
        let len = store.len();
        anyhow::ensure!(len >= count, "there are {len}");
        Ok(Some(()))
    })
    .await
}

/// A single value that a query answers.
pub async fn value(postgres: &Postgres, sql: &str) -> Result<String> {
    let rows = postgres.query("postgres", sql).await?;
    rows.into_iter()
        .flatten()
        .flatten()
        .next()
        .with_context(|| format!("no value from `{sql}`"))
}
