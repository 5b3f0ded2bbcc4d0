//! Events made by hand, for tests of the sink that need no PostgreSQL.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use cdc::{
    EventSink, PipelineStatus, Progress,
    checkpoint::StartPosition,
    kafka::KafkaClient,
    sink::kafka::{ActiveTopics, KafkaSink},
};
use connector::ConnectorConfig;
use debezium::TableSchema;
pub use sinks::{event, table};
use stack::{Kafka, Record};

pub const OFFSETS: &str = "connect_offsets";

/// Settings of a connector that never connects to a database.
pub fn config(name: &str, extra: &[(&str, &str)]) -> Result<ConnectorConfig> {
    let mut properties: BTreeMap<String, String> = [
        ("name", name),
        ("database.hostname", "nowhere"),
        ("database.user", "u"),
        ("database.dbname", "d"),
        ("topic.prefix", name),
        ("key.converter.schemas.enable", "false"),
        ("value.converter.schemas.enable", "false"),
    ]
    .iter()
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .collect();
    for (name, value) in extra {
        properties.insert((*name).to_owned(), (*value).to_owned());
    }
    Ok(ConnectorConfig::parse(&properties)?.config)
}

/// A sink as a task opens it, and where it would go on from.
pub async fn open(kafka: &Kafka, config: &ConnectorConfig) -> Result<(KafkaSink, StartPosition)> {
    open_with(
        KafkaClient::new(kafka.bootstrap(), &BTreeMap::new())?,
        config,
    )
    .await
}

/// As [`open`], with the client's own settings.
pub async fn open_with(
    client: KafkaClient,
    config: &ConnectorConfig,
) -> Result<(KafkaSink, StartPosition)> {
    let opened = KafkaSink::connect(
        config,
        &client,
        OFFSETS,
        ActiveTopics::default(),
        Arc::new(PipelineStatus::default()),
    );
    Ok(opened.await?)
}

/// The same table without a key.
pub fn keyless(name: &str) -> Arc<TableSchema> {
    let mut keyless = TableSchema::clone(&table(name));
    keyless.key.clear();
    Arc::new(keyless)
}

/// A transaction of inserts with these ids, committed at `commit_lsn`.
pub fn insert(
    sink: &mut KafkaSink,
    table: &Arc<TableSchema>,
    commit_lsn: u64,
    ids: std::ops::Range<u64>,
) -> Result<()> {
    let end = sinks::inserts(sink, table, commit_lsn, ids)?;
    sink.end_transaction(end)?;
    Ok(())
}

/// Dispatch and wait until everything is durable.
pub async fn deliver(sink: &mut KafkaSink) -> Result<Progress> {
    sink.begin_drain();
    let mut last = Progress::default();
    let all = async {
        while !sink.is_idle() {
            sink.dispatch()?;
            last = sink.progress().await?;
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(Duration::from_secs(60), all).await {
        Ok(done) => done?,
        Err(_) => bail!("nothing was delivered within a minute"),
    }
    Ok(last)
}

/// The `id` of each record's key, sorted.
pub fn ids(records: &[Record]) -> Result<Vec<u64>> {
    let mut ids = records
        .iter()
        .map(|record| {
            let value = record.value.as_deref().context("a tombstone")?;
            let value: serde_json::Value = serde_json::from_slice(value)?;
            value["after"]["id"].as_u64().context("no id")
        })
        .collect::<Result<Vec<u64>>>()?;
    ids.sort_unstable();
    Ok(ids)
}

/// A header's text.
pub fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record
        .headers
        .iter()
        .find(|(header, _)| header == name)
        .and_then(|(_, value)| std::str::from_utf8(value.as_deref()?).ok())
}
