//! Mirrors one table of PostgreSQL into a lake in a folder, without Kafka, until Ctrl-C; the connection in Debezium's words:
//! `cargo run --example mirror -- data/lake public.tweets database.hostname=/var/run/postgresql database.user=postgres
//! database.dbname=postgres`
//!
//! The server needs `wal_level=logical`, and the user the right to replicate. Started again, it goes on where the lake
//! stands: the position is in the lake's own commits. `cargo run -p console --example query` asks the lake meanwhile.

#[path = "../src/mirror/sink.rs"]
mod sink;

use std::{collections::BTreeMap, env, sync::Arc, time::Duration};

use anyhow::Context as _;
use cdc::{PipelineStatus, checkpoint::StartPosition, pipeline};
use connector::ConnectorConfig;
use lakewriter::{DirectWriter, LakeConfig};
use sink::{DirectSink, lake_error, resume};
use tokio_util::sync::CancellationToken;

/// Until `stop`, or until going on could lose or repeat a change.
pub async fn run(
    (lake, table): (&str, &str),
    connection: &[String],
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut properties: BTreeMap<String, String> = [
        ("name", "mirror"),
        ("topic.prefix", "mirror"),
        ("slot.name", "mirror"),
        ("publication.name", "mirror"),
        ("publication.autocreate.mode", "filtered"),
        ("table.include.list", table),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let given = connection.iter().filter_map(|it| it.split_once('='));
    properties.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let config = ConnectorConfig::parse(&properties)?.config;
    let status = Arc::new(PipelineStatus::default());
    let open = || async {
        let opened = DirectWriter::open(LakeConfig::new(lake), "mirror", Arc::default()).await;
        let (writer, position) = opened.map_err(lake_error)?;
        let start = StartPosition {
            resume: position.as_ref().map(resume),
        };
        let sink = DirectSink::new(
            writer,
            position.as_ref(),
            Arc::clone(&status),
            Duration::from_secs(1),
        );
        Ok((sink, start))
    };
    Ok(pipeline::supervise(&config, &status, &stop, open).await?)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [lake, table, connection @ ..] = arguments.as_slice() else {
        anyhow::bail!("want: the lake's folder, the table, and database.* of the connection");
    };
    let stop = service::stop_on_signal().context("listen to signals")?;
    run((lake, table), connection, stop).await
}
