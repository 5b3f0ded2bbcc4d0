use std::{sync::Arc, time::Duration};

use debezium::ChangePosition;
use pgoutput::Lsn;
use tokio_util::sync::CancellationToken;

use super::status::{Phase, PipelineStatus};
use crate::{
    Error, ErrorKind,
    checkpoint::StartPosition,
    config::{ConnectorConfig, SnapshotMode},
    sink::EventSink,
    source::{
        Control,
        connection::ReplicationConnection,
        prepare_publication,
        server::{require_logical_wal, server_version},
        server_error::{OBJECT_IN_USE, sqlstate},
        slot::{
            SystemIdentity, create_slot, find_slot, identify_system, identity, verify_resume,
            verify_usable,
        },
        snapshot::{SnapshotEnd, begin_snapshot, read_snapshot},
    },
};

/// The first version whose pgoutput streams open transactions and sends logical messages.
const STREAMING_SERVER_VERSION: u32 = 140_000;

/// The longest name of a slot, in bytes (`NAMEDATALEN - 1`).
const MAX_SLOT_NAME_BYTES: usize = 63;

/// Delay before the second attempt to take over a slot; a killed predecessor's walsender notices within milliseconds.
const FIRST_SLOT_RETRY: Duration = Duration::from_millis(100);

/// From where streaming goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamStart {
    /// Everything up to here was delivered.
    pub(super) delivered: Option<ChangePosition>,
    pub(super) last_commit_lsn: Option<u64>,
    /// Argument of START_REPLICATION: transactions that committed before it are not sent.
    pub(super) from: Lsn,
    /// What may be confirmed already.
    pub(super) confirmed: Lsn,
    /// A snapshot has just been delivered.
    pub(super) after_snapshot: bool,
    /// Commit time of what was delivered last, microseconds since the Unix epoch.
    pub(super) last_commit_micros: Option<i64>,
}

/// Publication, slot and, where asked for, the snapshot. None when asked to stop meanwhile.
pub(super) async fn prepare<S: EventSink>(
    config: &ConnectorConfig,
    start: &StartPosition,
    control: &mut Control,
    sink: &mut S,
    status: &Arc<PipelineStatus>,
    stop: &CancellationToken,
) -> Result<Option<StreamStart>, Error> {
    let mut replication = ReplicationConnection::connect(&config.database).await?;
    let system = identify_system(&mut replication).await?;
    let client = control.client().await?;
    require_logical_wal(client).await?;
    prepare_publication(client, config).await?;
    let name = &config.slot_name;
    let slot = find_slot(client, name).await?;
    let resume = start.resume.as_ref();
    if let Some(resume) = resume.filter(|resume| resume.snapshot_completed) {
        verify_resume(name, slot.as_ref(), resume, &system)?;
    }
    if let Some(slot) = &slot {
        verify_usable(name, slot, &config.database.dbname, resume, &system)?;
    }
    if let Some(resume) = resume.filter(|resume| resume.snapshot_completed) {
        let confirmed = slot
            .and_then(|slot| slot.confirmed_flush_lsn)
            .unwrap_or_default();
        let stored = resume.slot.clone();
        status.set_slot(stored.unwrap_or_else(|| identity(name, &system, confirmed)));
        tracing::info!(
            slot = %name,
            position = %resume.position,
            confirmed = %confirmed,
            "going on from the stored position"
        );
        return Ok(Some(StreamStart {
            delivered: Some(resume.position),
            last_commit_lsn: resume.last_commit_lsn,
            from: Lsn(resume.position.commit_lsn),
            confirmed,
            after_snapshot: false,
            last_commit_micros: resume.last_commit_micros,
        }));
    }
    let adopted = slot.and_then(|slot| slot.confirmed_flush_lsn);
    if config.snapshot_mode == SnapshotMode::NoData {
        let from = match adopted {
            Some(confirmed) => confirmed,
            None => {
                create_slot(&mut replication, name, false, false)
                    .await?
                    .consistent_point
            }
        };
        status.set_slot(identity(name, &system, from));
        tracing::info!(slot = %name, from = %from, adopted = adopted.is_some(), "streaming without a snapshot");
        return Ok(Some(StreamStart {
            delivered: None,
            last_commit_lsn: None,
            from,
            confirmed: from,
            after_snapshot: false,
            last_commit_micros: None,
        }));
    }
    take_snapshot(
        config,
        replication,
        &system,
        adopted,
        control,
        sink,
        status,
        stop,
    )
    .await
}

/// The snapshot of a slot that was just made is that of its consistent point. A slot that exists already (of a snapshot
/// that did not finish, or made by somebody else) cannot export one any more: a temporary slot beside it does, and
/// streaming skips what committed before that point.
#[expect(
    clippy::too_many_arguments,
    reason = "one step of prepare, called once"
)]
async fn take_snapshot<S: EventSink>(
    config: &ConnectorConfig,
    mut replication: ReplicationConnection,
    system: &SystemIdentity,
    adopted: Option<Lsn>,
    control: &mut Control,
    sink: &mut S,
    status: &Arc<PipelineStatus>,
    stop: &CancellationToken,
) -> Result<Option<StreamStart>, Error> {
    let name = &config.slot_name;
    let slot = match adopted {
        None => create_slot(&mut replication, name, false, true).await?,
        Some(_) => create_slot(&mut replication, &temporary_name(name), true, true).await?,
    };
    let point = slot.consistent_point;
    status.set_slot(identity(name, system, adopted.unwrap_or(point)));
    let Some(snapshot_name) = &slot.snapshot_name else {
        return Err(Error::new(
            ErrorKind::Protocol,
            format!("read the snapshot of slot `{name}`: the server exported none"),
        ));
    };
    status.enter(Phase::Snapshotting);
    tracing::info!(slot = %name, consistent_point = %point, adopted = adopted.is_some(), "snapshot started");
    let snapshot = begin_snapshot(control.client().await?, snapshot_name, point).await?;
    let started_micros = snapshot.started_micros();
    // It would only idle, and a temporary slot would hold back WAL for as long.
    replication.close(Duration::from_secs(1)).await;
    if read_snapshot(snapshot, config, sink, &status.snapshot, stop).await? == SnapshotEnd::Stopped
    {
        return Ok(None);
    }
    tracing::info!(slot = %name, rows = status.rows_snapshotted(), "snapshot complete");
    Ok(Some(StreamStart {
        delivered: Some(ChangePosition::new(point.0.saturating_sub(1), u64::MAX)),
        last_commit_lsn: None,
        from: point,
        confirmed: adopted.unwrap_or(point).min(point),
        after_snapshot: true,
        last_commit_micros: Some(started_micros),
    }))
}

/// START_REPLICATION on a new connection. A slot that is still in use is tried again `slot.max.retries` times
/// `slot.retry.delay.ms`.
pub(super) async fn start_streaming(
    config: &ConnectorConfig,
    control: &mut Control,
    start: &StreamStart,
) -> Result<ReplicationConnection, Error> {
    let version = server_version(control.client().await?).await?;
    let mut options = vec![format!(
        "proto_version '{}'",
        if version >= STREAMING_SERVER_VERSION {
            2
        } else {
            1
        }
    )];
    options.push(format!(
        "publication_names '{}'",
        crate::source::quote_identifier(&config.publication_name).replace('\'', "''")
    ));
    if version >= STREAMING_SERVER_VERSION {
        options.push("streaming 'on'".to_owned());
        options.push("messages 'true'".to_owned());
    }
    for (name, value) in &config.slot_stream_params {
        options.push(format!(
            "{} {}",
            crate::source::quote_identifier(name),
            crate::source::quote_literal(value)
        ));
    }
    let command = format!(
        "START_REPLICATION SLOT {} LOGICAL {} ({})",
        crate::source::quote_identifier(&config.slot_name),
        start.from,
        options.join(", ")
    );
    let deadline = tokio::time::Instant::now()
        + config
            .slot_retry_delay
            .saturating_mul(config.slot_max_retries);
    let mut delay = FIRST_SLOT_RETRY;
    let mut connection = ReplicationConnection::connect(&config.database).await?;
    loop {
        match connection
            .start_replication(&command, &config.slot_name)
            .await
        {
            Ok(()) => return Ok(connection),
            Err(error)
                if sqlstate(&error) == Some(OBJECT_IN_USE)
                    && tokio::time::Instant::now() < deadline =>
            {
                tracing::debug!(slot = %config.slot_name, ?delay, "the slot is still in use");
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(config.slot_retry_delay.max(FIRST_SLOT_RETRY));
            }
            Err(error) => return Err(error),
        }
    }
}

fn temporary_name(slot: &str) -> String {
    const SUFFIX: &str = "_snapshot";
    // Slot names are ASCII.
    let kept = slot.len().min(MAX_SLOT_NAME_BYTES - SUFFIX.len());
    format!("{}{SUFFIX}", slot.get(..kept).unwrap_or_default())
}
