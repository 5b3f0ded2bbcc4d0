//! A connector on a test server, and ways to wait for it.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use cdc::{
    Error,
    config::{
        CaptureFilter, ConnectorConfig, DatabaseConfig, DeliveryGuarantee, PublicationAutocreate,
        SnapshotMode, TopicCreation,
    },
    pipeline::{self, Phase, PipelineStatus},
};
use debezium::ContractSettings;
use regex::Regex;
use service::Secret;
use stack::{Postgres, until};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::recording::{RecordingSink, Store};

pub const PATIENCE: Duration = Duration::from_secs(60);

/// The settings of a connector on database `postgres` of the server, over its Unix socket.
pub fn config(postgres: &Postgres) -> ConnectorConfig {
    ConnectorConfig {
        name: "test".to_owned(),
        database: DatabaseConfig {
            hostname: postgres.socket_dir().display().to_string(),
            port: postgres.port(),
            user: postgres.user().to_owned(),
            password: Secret::new(postgres.password()),
            dbname: "postgres".to_owned(),
            tcp_keepalive: true,
            initial_statements: Vec::new(),
        },
        slot_name: "debezium".to_owned(),
        slot_drop_on_stop: false,
        slot_max_retries: 6,
        slot_retry_delay: Duration::from_secs(2),
        slot_stream_params: Vec::new(),
        publication_name: "dbz_publication".to_owned(),
        publication_autocreate: PublicationAutocreate::AllTables,
        snapshot_mode: SnapshotMode::Initial,
        filter: CaptureFilter::default(),
        message_key_columns: Vec::new(),
        column_rules: cdc::config::ColumnRules::default(),
        contract: ContractSettings::new("test"),
        topic_delimiter: ".".to_owned(),
        routes: Vec::new(),
        topic_creation: TopicCreation {
            partitions: 1,
            replication_factor: 1,
            config: BTreeMap::new(),
        },
        delivery: DeliveryGuarantee::ExactlyOnce,
        status_update_interval: Duration::from_millis(200),
        retry_wait: Duration::from_secs(1),
        max_retries: Some(20),
        spill_memory_bytes: 1024 * 1024,
        spill_folder: PathBuf::from(postgres.socket_dir()).join("spill"),
        batch_bytes: 1024 * 1024,
        producer_overrides: BTreeMap::new(),
        properties: BTreeMap::new(),
    }
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
