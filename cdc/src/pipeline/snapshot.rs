use std::{sync::Arc, time::Duration};

use pgoutput::Lsn;
use tokio_util::sync::CancellationToken;

use super::{
    prepare::{Prepared, StreamStart, create},
    status::{Phase, PipelineStatus},
};
use crate::{
    Error, ErrorKind, Incarnation,
    config::ConnectorConfig,
    sink::EventSink,
    source::{
        Control,
        connection::ReplicationConnection,
        slot::{SlotState, SystemIdentity, identity},
        snapshot::{SnapshotEnd, SnapshotOf, begin_snapshot, read_snapshot},
    },
};

/// The longest name of a slot, in bytes (`NAMEDATALEN - 1`).
const MAX_SLOT_NAME_BYTES: usize = 63;

/// Where in the WAL a snapshot is taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum SnapshotPoint {
    /// At the consistent point of the slot that is made for streaming.
    NewSlot { failover: bool },
    /// A slot that exists already (of a snapshot that did not finish, or made by somebody else) cannot export a snapshot
    /// any more: a temporary slot beside it does, and streaming skips what committed before that point.
    BesideSlot { confirmed: Option<Lsn> },
    /// Nothing can be streamed after it, so it needs no place in the WAL, and no slot.
    Now,
}

impl SnapshotPoint {
    pub(super) fn beside(slot: &SlotState) -> Self {
        Self::BesideSlot {
            confirmed: slot.confirmed_flush_lsn,
        }
    }
}

/// A snapshot to take.
pub(super) struct Snapshot<'a> {
    pub(super) config: &'a ConnectorConfig,
    pub(super) system: &'a SystemIdentity,
    pub(super) point: SnapshotPoint,
    pub(super) incarnation: Incarnation,
    pub(super) status: &'a Arc<PipelineStatus>,
    pub(super) stop: &'a CancellationToken,
}

impl Snapshot<'_> {
    pub(super) async fn run<S: EventSink>(
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
        let snapshot = begin_snapshot(config, control.take().await?, of, self.incarnation).await?;
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
            incarnation: self.incarnation,
            delivered: Some(self.incarnation.snapshot_row(point, u64::MAX)),
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

fn temporary_name(slot: &str) -> String {
    const SUFFIX: &str = "_snapshot";
    // Slot names are ASCII.
    let kept = slot.len().min(MAX_SLOT_NAME_BYTES - SUFFIX.len());
    format!("{}{SUFFIX}", slot.get(..kept).unwrap_or_default())
}
