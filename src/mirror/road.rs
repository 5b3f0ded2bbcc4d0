//! Reader of the WAL and writer of the lake, joined without Kafka.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use cdc::{Error, ErrorKind, PipelineStatus, checkpoint::StartPosition, pipeline};
use connector::ConnectorConfig;
use lakewriter::{DirectWriter, LakeConfig, LakeCounters, maintain::Maintenance};
use tokio_util::sync::CancellationToken;

use super::{
    cluster::Cluster,
    sink::{DirectSink, lake_error, resume},
};

/// Name of the demo's connector, topic prefix, slot, publication and pipeline.
const NAME: &str = "twitter";

/// The demo's connector, in Debezium's own words.
pub fn connector(cluster: &Cluster, folder: &Path) -> anyhow::Result<ConnectorConfig> {
    let properties: BTreeMap<String, String> = [
        ("name", NAME),
        (
            "connector.class",
            "io.debezium.connector.postgresql.PostgresConnector",
        ),
        (
            "database.hostname",
            &cluster.socket_folder().display().to_string(),
        ),
        ("database.port", &cluster.port().to_string()),
        ("database.user", "postgres"),
        ("database.dbname", "postgres"),
        ("topic.prefix", NAME),
        ("slot.name", NAME),
        ("publication.name", NAME),
        ("publication.autocreate.mode", "filtered"),
        ("table.include.list", "public.users,public.tweets"),
        ("skipped.operations", "none"),
        ("status.update.interval.ms", "1000"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    let mut config = ConnectorConfig::parse(&properties)
        .context("read the demo's own connector")?
        .config;
    config.spill_folder = folder.join("spill");
    Ok(config)
}

/// Run until `stop`, or until going on could lose or repeat a change.
pub async fn run(
    config: ConnectorConfig,
    lake: PathBuf,
    freshness: Duration,
    status: Arc<PipelineStatus>,
    progress: Arc<LakeCounters>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let lake = lake.to_str().map(LakeConfig::new).ok_or_else(|| {
        Error::new(
            ErrorKind::Configuration,
            format!("use `{}` as a lake: not UTF-8", lake.display()),
        )
    })?;
    // After a failure the lake is read again: it alone knows what is durable.
    let open = || {
        let (lake, progress, status) = (lake.clone(), Arc::clone(&progress), Arc::clone(&status));
        async move {
            let mut namespaced = lake;
            namespaced.namespace = Some(NAME.to_owned());
            let (mut writer, position) = DirectWriter::open(namespaced, NAME, progress)
                .await
                .map_err(lake_error)?;
            writer.keep_small(Maintenance::default());
            let start = StartPosition {
                resume: position.as_ref().map(resume),
            };
            let sink = DirectSink::new(writer, position.as_ref(), status, freshness);
            Ok((sink, start))
        }
    };
    pipeline::supervise(&config, &status, &stop, open).await
}
