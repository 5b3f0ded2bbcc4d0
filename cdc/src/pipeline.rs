//! One connector's road from the WAL to its sink: the wiring.
//!
//! ```text
//! prepare:  publication -> slot, taken -> snapshot (COPY)   -> sink
//! stream:   socket -> frames -> pgoutput -> Assembler       -> sink
//!           sink.progress() -> Feedback -> StandbyStatusUpdate
//! ```

mod heartbeat;
mod held_slot;
mod preflight;
mod prepare;
mod rest;
mod side_queries;
mod slot_creation;
mod snapshot;
mod start_streaming;
mod stream;
mod stream_start;
mod unreadable;

use std::{convert::Infallible, sync::Arc, time::Duration};

use service::Backoff;
use tokio_util::sync::CancellationToken;

pub use preflight::{Unfit, preflight};
use side_queries::Side;
use stream_start::{Prepared, Stopped};

use crate::{
    Disposition, Error, ErrorKind, EventSink, Phase, PipelineStatus,
    checkpoint::StartPosition,
    source::{
        Control,
        catalog::{CatalogMemory, EnumLabels},
        connection::ReplicationConnection,
        drop_slot, is_sql_ascii,
    },
};
use connector::ConnectorConfig;

/// Delay before the first retry; later ones double up to `retriable.restart.connector.wait.ms`.
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// How long the server may take to drop the slot of a connector that stops.
const DROP_PATIENCE: Duration = Duration::from_secs(10);

/// One life of the connector: from connecting until asked to stop, until tables are to be copied, or until something fails.
///
/// # Errors
/// Whatever ended it; its disposition says whether another life may go on from what is durable.
pub async fn run<S: EventSink>(
    config: &ConnectorConfig,
    start: StartPosition,
    sink: &mut S,
    status: &Arc<PipelineStatus>,
    stop: CancellationToken,
    snapshots: &mut Snapshots,
) -> Result<Ended, Error> {
    status.enter(Phase::Connecting);
    let mut control = Control::new(&config.database);
    let to = (sink, status);
    match live(config, start, &mut control, to, &stop, snapshots).await? {
        Stopped::AfterStreaming if config.slot_drop_on_stop => {
            drop_own_slot(config, &mut control).await?;
            Ok(Ended::Asked)
        }
        Stopped::AfterStreaming | Stopped::BeforeStreaming => Ok(Ended::Asked),
        Stopped::ForLaterTables => Ok(Ended::ForLaterTables),
    }
}

/// Why a life ended in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Asked,
    /// Tables came later: the next life copies them, and goes on from what is durable with all others.
    ForLaterTables,
}

/// Until asked to stop, or until tables are to be copied. `live` alone listens to the stop until something streams, and
/// drops whatever was under way: before that nothing needs an orderly end.
async fn live<S: EventSink>(
    config: &ConnectorConfig,
    start: StartPosition,
    control: &mut Control,
    (sink, status): (&mut S, &Arc<PipelineStatus>),
    stop: &CancellationToken,
    snapshots: &mut Snapshots,
) -> Result<Stopped, Error> {
    let mut memory = CatalogMemory::default();
    let mut given_up = false;
    loop {
        let connected = async {
            memory.labels = EnumLabels::read(control.client().await?).await?;
            status.set_sql_ascii(is_sql_ascii(control.client().await?).await?);
            let stored = (start.resume.as_ref(), given_up);
            let catalog = (&mut *control, &mut memory);
            let to = (&mut *sink, status);
            let prepared = prepare::prepare(config, stored, catalog, to, snapshots).await?;
            let (start, taken) = match prepared {
                Prepared::Stream(start, taken) => (start, taken),
                Prepared::Idle => match idle(sink, status).await? {},
            };
            let connection = match taken {
                Some(connection) => *connection,
                None => {
                    let connection = ReplicationConnection::connect(&config.database).await?;
                    start_streaming::start_streaming(config, connection, control, &start, status)
                        .await?
                }
            };
            let side = Side {
                control: &mut *control,
                memory: &mut memory,
            };
            stream::Streaming::new(config, side, connection, &start, &mut *sink, status).await
        };
        let streaming = tokio::select! {
            biased;
            // Nothing before streaming needs an orderly end: a snapshot that did not finish goes on with the next life.
            () = stop.cancelled() => return Ok(Stopped::BeforeStreaming),
            streaming = connected => streaming?,
        };
        match streaming.run(stop).await {
            // Only the stream shows it, before anything of the other history was delivered.
            Err(error)
                if error.kind() == ErrorKind::LsnsReused
                    && config.snapshot_mode.takes_snapshot_when_lost() =>
            {
                tracing::warn!(error = %error, "a snapshot is taken: snapshot.mode");
                given_up = true;
                status.enter(Phase::Connecting);
            }
            ended => return ended,
        }
    }
}

/// The control connection may hang: a stop does not wait for it for ever.
async fn drop_own_slot(config: &ConnectorConfig, control: &mut Control) -> Result<(), Error> {
    let name = &config.slot_name;
    let dropped = async { drop_slot(control.client().await?, name).await };
    match tokio::time::timeout(DROP_PATIENCE, dropped).await {
        Ok(dropped) => dropped?,
        Err(_) => {
            return Err(Error::new(
                ErrorKind::Connection,
                format!("drop slot `{name}`: the server did not answer"),
            )
            .with_hint(format!(
                "drop it by hand, or it keeps WAL: select pg_drop_replication_slot('{name}')"
            )));
        }
    }
    tracing::info!(slot = %name, "slot dropped");
    Ok(())
}

/// What one start of a connector knows of the snapshots of its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Snapshots {
    /// None was delivered since the start.
    #[default]
    None,
    /// One was delivered: no later failure repeats it, whatever `snapshot.mode` says of a start.
    Delivered,
}

/// The connector that streams nothing: it delivers its snapshot and stays.
async fn idle<S: EventSink>(
    sink: &mut S,
    status: &Arc<PipelineStatus>,
) -> Result<Infallible, Error> {
    sink.begin_drain();
    while !sink.is_idle() {
        sink.dispatch()?;
        sink.progress().await?;
    }
    status.enter(Phase::Idle);
    std::future::pending().await
}

/// Life after life until asked to stop, or until one ends with an error that a retry cannot cure. `open_sink` gives each
/// life a fresh sink and the position that is durable there.
///
/// # Errors
/// The error that halted it, or the last one when `errors.max.retries` is used up.
pub async fn supervise<S, F, Fut>(
    config: &ConnectorConfig,
    status: &Arc<PipelineStatus>,
    stop: &CancellationToken,
    mut open_sink: F,
) -> Result<(), Error>
where
    S: EventSink,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(S, StartPosition), Error>>,
{
    let mut backoff = Backoff::new(FIRST_RETRY, config.retry_wait.max(FIRST_RETRY));
    let mut snapshots = Snapshots::default();
    let mut stored = None;
    status.set_trouble(None);
    loop {
        let before = status.confirmed();
        let found = &mut stored;
        let life = async {
            let opened = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Ended::Asked),
                opened = open_sink() => opened,
            };
            let (mut sink, start) = opened?;
            *found = Some(start.clone());
            run(
                config,
                start,
                &mut sink,
                status,
                stop.clone(),
                &mut snapshots,
            )
            .await
        };
        let error = match life.await {
            Ok(Ended::Asked) => return Ok(()),
            Ok(Ended::ForLaterTables) => {
                backoff.reset();
                continue;
            }
            // The position was read before the slot was looked at, and another one of us may have stored a later one and
            // confirmed it in between: no loss is told before the position was found unchanged.
            Err(error) if prepare::is_loss(&error) && !stop.is_cancelled() => {
                match open_sink().await {
                    Ok((_, now)) if stored.as_ref() != Some(&now) => {}
                    Ok(_) | Err(_) => return Err(error),
                }
                tracing::info!(
                    "the stored position moved on while the slot was looked at: once more from there"
                );
                continue;
            }
            Err(error) => error,
        };
        status.enter(Phase::Connecting);
        if status.confirmed() > before {
            backoff.reset();
        }
        let exhausted = config
            .max_retries
            .is_some_and(|max| backoff.attempt() >= max);
        if error.disposition() == Disposition::Halt || exhausted {
            return Err(error);
        }
        status.set_trouble(Some(service::render_error(&error, Some(error.hint()))));
        let delay = backoff.next_delay();
        tracing::warn!(
            error = %service::render_error(&error, None).replace('\n', "; "),
            connector = %config.name,
            host = %config.database.hostname,
            port = config.database.port,
            attempt = backoff.attempt(),
            delay_ms = delay.as_millis() as u64,
            "connector failed and starts again"
        );
        status.count_restart();
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(delay) => {}
        }
    }
}
