//! Reader of the WAL and writer of the lake, joined without Kafka.

use std::{sync::Arc, time::Duration};

use cdc::{Error, PipelineStatus, checkpoint::StartPosition, pipeline};
use connector::ConnectorConfig;
use lakewriter::{DirectWriter, LakeConfig, LakeCounters, maintain::Maintenance};
use tokio_util::sync::CancellationToken;

use super::sink::{DirectSink, lake_error, resume};
use crate::current::Keeper;

/// From where to where.
#[derive(Debug)]
pub struct Road {
    pub connector: ConnectorConfig,
    pub lake: LakeConfig,
    /// Name of the position in the lake.
    pub pipeline: String,
    /// Time between two commits.
    pub freshness: Duration,
    /// None: tables are left to grow.
    pub maintenance: Option<Maintenance>,
    /// How long `current` may take after the end to become what was committed; None: as long as is usual.
    pub last: Option<Duration>,
}

/// Run until `stop`, or until going on could lose or repeat a change.
///
/// # Errors
/// The one that halted it.
pub async fn drive(
    road: Road,
    status: Arc<PipelineStatus>,
    progress: Arc<LakeCounters>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let kept = Arc::clone(&progress);
    // After a failure the lake is read again: it alone knows what is durable.
    let open = || {
        let (lake, progress, status) = (
            road.lake.clone(),
            Arc::clone(&progress),
            Arc::clone(&status),
        );
        let (pipeline, maintenance) = (road.pipeline.as_str(), road.maintenance.clone());
        let freshness = road.freshness;
        async move {
            let (mut writer, position) = DirectWriter::open(lake, pipeline, progress)
                .await
                .map_err(lake_error)?;
            if let Some(maintenance) = maintenance {
                writer.keep_small(maintenance);
            }
            let start = StartPosition {
                resume: position.as_ref().map(resume),
            };
            let sink = DirectSink::new(writer, position.as_ref(), status, freshness);
            Ok((sink, start))
        }
    };
    let keeper = Keeper::start(
        road.lake.clone(),
        kept,
        road.maintenance.as_ref(),
        road.last,
    );
    let ended = pipeline::supervise(&road.connector, &status, &stop, open).await;
    keeper.stop().await;
    ended
}
