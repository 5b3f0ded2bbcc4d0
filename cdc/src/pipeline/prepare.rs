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
        keep_guardrail, prepare_publication,
        server::{require_logical_wal, server_version},
        server_error::{OBJECT_IN_USE, sqlstate},
        set_replica_identities,
        slot::{
            Slot, SlotState, SystemIdentity, create_slot, drop_slot, find_slot, identify_system,
            identity, verify_resume, verify_usable,
        },
        snapshot::{SnapshotEnd, SnapshotOf, begin_snapshot, read_snapshot},
    },
};

/// The first version whose pgoutput streams open transactions and sends logical messages.
const STREAMING_SERVER_VERSION: u32 = 140_000;

/// The first version that has failover slots.
const FAILOVER_SERVER_VERSION: u32 = 170_000;

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

/// What follows the preparation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prepared {
    Stream(StreamStart),
    /// Nothing is streamed: `snapshot.mode` says so.
    Idle,
    /// Asked to stop meanwhile.
    Stopped,
}

/// Publication, slot and, where asked for, the snapshot.
pub(super) async fn prepare<S: EventSink>(
    config: &ConnectorConfig,
    start: &StartPosition,
    control: &mut Control,
    sink: &mut S,
    status: &Arc<PipelineStatus>,
    stop: &CancellationToken,
) -> Result<Prepared, Error> {
    let mut replication = ReplicationConnection::connect(&config.database).await?;
    let system = identify_system(&mut replication).await?;
    let client = control.client().await?;
    require_logical_wal(client).await?;
    let mode = config.snapshot_mode;
    let resume = start.resume.as_ref();
    let completed = resume.filter(|resume| resume.snapshot_completed);
    let name = &config.slot_name;
    if !mode.streams() {
        if mode.takes_snapshot(completed.is_some()) {
            let found = find_slot(client, name).await?;
            let point = match found {
                // Who keeps a slot may go on from it, after what was snapshotted.
                Some(slot) => SnapshotPoint::beside(&slot),
                None => SnapshotPoint::Now,
            };
            let take = Snapshot {
                config,
                system: &system,
                point,
                status,
                stop,
            };
            return take.run(replication, control, sink).await;
        }
        tracing::info!("nothing is streamed: snapshot.mode");
        return Ok(Prepared::Idle);
    }
    keep_guardrail(client, config).await?;
    prepare_publication(client, config).await?;
    set_replica_identities(client, config).await?;
    let mut slot = find_slot(client, name).await?;
    let unusable = match &slot {
        Some(slot) => {
            let usable = verify_usable(name, slot, &config.database.dbname, resume, &system);
            mended_by_snapshot(mode, usable)?
        }
        None => None,
    };
    let mut lost = unusable.is_some();
    if let Some(error) = unusable {
        tracing::warn!(slot = %name, error = %error, "the slot is made anew, and a snapshot taken");
        drop_slot(client, name).await?;
        slot = None;
    } else if let Some(resume) = completed.filter(|_| !mode.takes_snapshot(true)) {
        let verified = verify_resume(name, slot.as_ref(), resume, &system, config.trust_slot);
        if let Some(error) = mended_by_snapshot(mode, verified)? {
            tracing::warn!(slot = %name, error = %error, "a snapshot is taken: snapshot.mode");
            lost = true;
        }
    }
    let snapshots = lost || mode.takes_snapshot(completed.is_some());
    if let Some(resume) = completed.filter(|_| !snapshots) {
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
        return Ok(Prepared::Stream(StreamStart {
            delivered: Some(resume.position),
            last_commit_lsn: resume.last_commit_lsn,
            from: Lsn(resume.position.commit_lsn),
            confirmed,
            after_snapshot: false,
            last_commit_micros: resume.last_commit_micros,
        }));
    }
    let failover = failover(config, control).await?;
    if !snapshots {
        let adopted = slot.and_then(|slot| slot.confirmed_flush_lsn);
        let from = match adopted {
            Some(confirmed) => confirmed,
            None => {
                create(config, &mut replication, name, false, false, failover)
                    .await?
                    .consistent_point
            }
        };
        status.set_slot(identity(name, &system, from));
        tracing::info!(slot = %name, from = %from, adopted = adopted.is_some(), "streaming without a snapshot");
        return Ok(Prepared::Stream(StreamStart {
            delivered: None,
            last_commit_lsn: None,
            from,
            confirmed: from,
            after_snapshot: false,
            last_commit_micros: None,
        }));
    }
    let take = Snapshot {
        config,
        system: &system,
        point: match slot {
            Some(slot) => SnapshotPoint::beside(&slot),
            None => SnapshotPoint::NewSlot { failover },
        },
        status,
        stop,
    };
    take.run(replication, control, sink).await
}

/// The loss of changes that `snapshot.mode` mends by a snapshot, if that is what was found.
///
/// # Errors
/// Whatever else was found.
fn mended_by_snapshot(
    mode: SnapshotMode,
    verified: Result<(), Error>,
) -> Result<Option<Error>, Error> {
    match verified {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == ErrorKind::SlotLost && mode.takes_snapshot_when_lost() => {
            Ok(Some(error))
        }
        Err(error) => Err(error),
    }
}

/// Whether a new slot is one for failover: only servers from version 17 on know it.
async fn failover(config: &ConnectorConfig, control: &mut Control) -> Result<bool, Error> {
    if !config.slot_failover {
        return Ok(false);
    }
    let version = server_version(control.client().await?).await?;
    if version < FAILOVER_SERVER_VERSION {
        tracing::warn!(
            version,
            "slot.failover has no effect: only servers from version 17 on have failover slots"
        );
    }
    Ok(version >= FAILOVER_SERVER_VERSION)
}

/// Make a slot within `create.slot.command.timeout`: it waits for the end of every transaction that is open.
async fn create(
    config: &ConnectorConfig,
    replication: &mut ReplicationConnection,
    name: &str,
    temporary: bool,
    export_snapshot: bool,
    failover: bool,
) -> Result<Slot, Error> {
    let created = create_slot(replication, name, temporary, export_snapshot, failover);
    match tokio::time::timeout(config.create_slot_timeout, created).await {
        Ok(created) => created,
        Err(_) => Err(Error::new(
            ErrorKind::Connection,
            format!(
                "create replication slot `{name}`: not done within {} s",
                config.create_slot_timeout.as_secs()
            ),
        )
        .with_hint(
            "a transaction is open since long: end it, or raise `create.slot.command.timeout`",
        )),
    }
}

/// Where in the WAL a snapshot is taken.
#[derive(Debug, Clone, Copy)]
enum SnapshotPoint {
    /// At the consistent point of the slot that is made for streaming.
    NewSlot { failover: bool },
    /// A slot that exists already (of a snapshot that did not finish, or made by somebody else) cannot export a snapshot
    /// any more: a temporary slot beside it does, and streaming skips what committed before that point.
    BesideSlot { confirmed: Option<Lsn> },
    /// Nothing can be streamed after it, so it needs no place in the WAL, and no slot.
    Now,
}

impl SnapshotPoint {
    fn beside(slot: &SlotState) -> Self {
        Self::BesideSlot {
            confirmed: slot.confirmed_flush_lsn,
        }
    }
}

/// A snapshot to take.
struct Snapshot<'a> {
    config: &'a ConnectorConfig,
    system: &'a SystemIdentity,
    point: SnapshotPoint,
    status: &'a Arc<PipelineStatus>,
    stop: &'a CancellationToken,
}

impl Snapshot<'_> {
    async fn run<S: EventSink>(
        self,
        mut replication: ReplicationConnection,
        control: &mut Control,
        sink: &mut S,
    ) -> Result<Prepared, Error> {
        let Self { config, status, .. } = self;
        let name = &config.slot_name;
        let exported = self.export(&mut replication).await?;
        let of = match &exported {
            Some((lsn, exported)) => SnapshotOf::ConsistentPoint {
                lsn: *lsn,
                exported,
            },
            None => SnapshotOf::Now {
                // Asked before it was found that there is no slot: whoever makes one meanwhile makes it beyond.
                wal_end: self.system.wal_end,
            },
        };
        let point = of.lsn();
        let confirmed = match self.point {
            SnapshotPoint::BesideSlot { confirmed } => confirmed.unwrap_or(point),
            SnapshotPoint::NewSlot { .. } | SnapshotPoint::Now => point,
        };
        status.set_slot(identity(name, self.system, confirmed));
        status.enter(Phase::Snapshotting);
        tokio::time::sleep(config.snapshot.delay).await;
        let snapshot = begin_snapshot(config, control.take().await?, of).await?;
        tracing::info!(
            slot = %name,
            consistent_point = %point,
            adopted = matches!(self.point, SnapshotPoint::BesideSlot { .. }),
            connections = snapshot.connections(),
            "snapshot started"
        );
        let started_micros = snapshot.started_micros();
        // It would only idle, and a temporary slot would hold back WAL for as long.
        replication.terminate().await;
        if read_snapshot(snapshot, config, sink, &status.snapshot, self.stop).await?
            == SnapshotEnd::Stopped
        {
            return Ok(Prepared::Stopped);
        }
        tracing::info!(slot = %name, rows = status.rows_snapshotted(), "snapshot complete");
        if !config.snapshot_mode.streams() {
            return Ok(Prepared::Idle);
        }
        deliver_for(sink, config.snapshot.streaming_delay).await?;
        Ok(Prepared::Stream(StreamStart {
            delivered: Some(ChangePosition::new(point.0.saturating_sub(1), u64::MAX)),
            last_commit_lsn: None,
            from: point,
            confirmed: confirmed.min(point),
            after_snapshot: true,
            last_commit_micros: Some(started_micros),
        }))
    }

    /// The consistent point, and the name of the snapshot that this connection exports as long as it is asked nothing
    /// else.
    async fn export(
        &self,
        replication: &mut ReplicationConnection,
    ) -> Result<Option<(Lsn, String)>, Error> {
        let config = self.config;
        let name = &config.slot_name;
        let slot = match self.point {
            SnapshotPoint::NewSlot { failover } => {
                create(config, replication, name, false, true, failover).await?
            }
            SnapshotPoint::BesideSlot { .. } => {
                let temporary = temporary_name(name);
                create(config, replication, &temporary, true, true, false).await?
            }
            SnapshotPoint::Now => return Ok(None),
        };
        match slot.snapshot_name {
            Some(exported) => Ok(Some((slot.consistent_point, exported))),
            None => Err(Error::new(
                ErrorKind::Protocol,
                format!("read the snapshot of slot `{name}`: the server exported none"),
            )),
        }
    }
}

/// `streaming.delay.ms`, so that a failure of streaming does not cost the snapshot: what was read is delivered.
async fn deliver_for<S: EventSink>(sink: &mut S, delay: Duration) -> Result<(), Error> {
    let end = tokio::time::Instant::now() + delay;
    while tokio::time::Instant::now() < end {
        sink.dispatch()?;
        tokio::select! {
            biased;
            progress = sink.progress() => { progress?; }
            () = tokio::time::sleep_until(end) => {}
        }
    }
    Ok(())
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
        options.retain(|option| option.split_once(' ').is_none_or(|(own, _)| own != name));
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
