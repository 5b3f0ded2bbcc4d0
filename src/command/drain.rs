use std::{path::PathBuf, sync::Arc, time::Duration};

use cdc::{
    PipelineStatus, checkpoint::StartPosition, pipeline, pipeline::Snapshots, sink::null::NullSink,
};
use connector::{ConnectorConfig, load_connector_file};
use pgoutput::Lsn;
use tokio_util::sync::CancellationToken;

use super::start;
use crate::failure::Failure;
use crate::settings::Settings;

/// How often the position is looked at: far below what a drain takes, far above what a look costs.
const LOOK: Duration = Duration::from_millis(2);

/// Read a slot up to an LSN, encode every event and throw it away: what reading costs without a destination. The slot
/// is advanced.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Connector file, as posted to /connectors
    #[arg(long, value_name = "FILE")]
    connector: PathBuf,
    /// Stop here, as pg_current_wal_lsn() prints it
    #[arg(long, value_name = "LSN")]
    until: Lsn,
}

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    let file = load_connector_file(&arguments.connector)?;
    let config = ConnectorConfig::parse(&file.properties)
        .map_err(anyhow::Error::from)?
        .config;
    start(settings, "warn")?.block_on(async {
        let stop = service::stop_on_signal().map_err(anyhow::Error::from)?;
        let status = Arc::new(PipelineStatus::default());
        let watch = tokio::spawn(stop_at(arguments.until, Arc::clone(&status), stop.clone()));
        let mut sink = NullSink::new(&config);
        let ended = pipeline::run(
            &config,
            StartPosition { resume: None },
            &mut sink,
            &status,
            stop,
            &mut Snapshots::default(),
        )
        .await;
        watch.abort();
        ended?;
        let (events, bytes) = (sink.events(), sink.encoded_bytes());
        say!("{{\"events\":{events},\"bytes\":{bytes}}}");
        Ok(())
    })
}

async fn stop_at(until: Lsn, status: Arc<PipelineStatus>, stop: CancellationToken) {
    let mut timer = tokio::time::interval(LOOK);
    while status.received() < until {
        timer.tick().await;
    }
    stop.cancel();
}
