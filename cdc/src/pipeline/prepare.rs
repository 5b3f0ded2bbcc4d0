use std::sync::Arc;

use debezium::ChangePosition;
use pgoutput::Lsn;
use tokio_util::sync::CancellationToken;

use super::{
    snapshot::{Snapshot, SnapshotPoint},
    status::PipelineStatus,
};
use crate::{
    Error, ErrorKind, Incarnation,
    checkpoint::StartPosition,
    config::{ConnectorConfig, SnapshotMode},
    sink::EventSink,
    source::{
        Control,
        connection::ReplicationConnection,
        keep_guardrail, prepare_publication,
        server::{require_logical_wal, server_version},
        set_replica_identities,
        slot::{
            Slot, create_slot, drop_slot, find_slot, identify_system, identity, verify_resume,
            verify_usable,
        },
    },
};

/// The first version that has failover slots.
const FAILOVER_SERVER_VERSION: u32 = 170_000;

/// From where streaming goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamStart {
    /// Of everything that is streamed.
    pub(super) incarnation: Incarnation,
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
    // Only who goes on from a stored position stays in its incarnation.
    let incarnation = Incarnation::begin(resume.map(|resume| resume.position));
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
                incarnation,
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
            incarnation: Incarnation::of(resume.position),
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
            incarnation,
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
        incarnation,
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
pub(super) async fn create(
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
