//! Takes the snapshot: where in the WAL, with which slot, and from which earlier life it goes on.
//!
//! Positions only grow: rows that an earlier life delivered, then the changes of these tables up to this snapshot,
//! then its rows, then all changes. Whatever can refuse to stream has refused before the first row is written.

use std::sync::Arc;

use pgoutput::Lsn;

use super::{
    Snapshots,
    held_slot::{HeldSlot, status_interval},
    side_queries::Side,
    slot_creation::create,
    start_streaming::{start_streaming, wait_for_slot},
    stream::Streaming,
    stream_start::{Prepared, StreamStart},
};
use crate::{
    Error, ErrorKind, EventSink, Incarnation,
    assemble::History,
    checkpoint::{Resume, SlotIdentity},
    incarnation::Delivered,
    source::{
        Control,
        catalog::CatalogMemory,
        connection::ReplicationConnection,
        require_all_rows,
        server::wal_sender_timeout,
        slot::{SlotState, SystemIdentity, drop_temporary_slot, identity},
        snapshot::{
            Begun, SnapshotOf, SnapshotStart, begin_snapshot, read_snapshot, snapshot_tables,
        },
    },
};
use crate::{Phase, PipelineStatus};
use connector::ConnectorConfig;

/// How often a snapshot looks for a moment as of which all tables can be read.
const MAX_ATTEMPTS: u32 = 10;

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
    /// An earlier life that did not finish, and has recorded what it delivered; or one that has delivered everything of
    /// the tables that are not to be read.
    pub(super) go_on: Option<&'a Resume>,
    /// Where the changes of the other tables go on until then, if that is known.
    pub(super) streams_before: Option<StreamStart>,
    /// What the sink has of the tables that are read is replaced.
    pub(super) replaces: bool,
    pub(super) status: &'a Arc<PipelineStatus>,
}

impl Snapshot<'_> {
    pub(super) async fn run<S: EventSink>(
        mut self,
        mut replication: ReplicationConnection,
        (control, memory): (&mut Control, &mut CatalogMemory),
        sink: &mut S,
        snapshots: &mut Snapshots,
    ) -> Result<Prepared, Error> {
        let (config, status) = (self.config, self.status);
        let name = &config.slot_name;
        let client = control.client().await?;
        require_all_rows(client, config, &snapshot_tables(client, config).await?).await?;
        let adopted = matches!(self.point, SnapshotPoint::BesideSlot { .. });
        if adopted && config.snapshot_mode.streams() {
            wait_for_slot(config, control, status).await?;
        }
        let (point, confirmed, snapshot) = self.begin(&mut replication, control).await?;
        // Its history was found to be the one that the server's timeline continues.
        let known = self.go_on.and_then(|resume| resume.slot.clone());
        let known = known.map(|stored| SlotIdentity {
            timeline: self.system.timeline,
            ..stored
        });
        status.set_slot(known.unwrap_or_else(|| identity(name, self.system, confirmed)));
        let mut start = StreamStart {
            incarnation: self.incarnation,
            delivered: Some(self.incarnation.up_to(point)),
            tables: None,
            last_commit_lsn: None,
            from: point,
            confirmed: confirmed.min(point),
            history: History::default(),
            after_snapshot: true,
            last_commit_micros: Some(snapshot.started_micros()),
        };
        let read = self.go_on.and_then(|resume| resume.tables_read.as_ref());
        sink.begin_snapshot(read, point);
        let streams_before = |resume: &&Resume| {
            let read = resume.tables_read.as_ref();
            read.is_none_or(|read| !read.touched().is_empty())
        };
        if let Some(resume) = self.go_on.filter(streams_before) {
            let catalog = (&mut *control, memory);
            let place = (replication, confirmed, point);
            start.confirmed = self.catch_up(resume, place, catalog, sink).await?;
            replication = ReplicationConnection::connect(&config.database).await?;
        }
        // Whatever can refuse to stream does so before the first row is written.
        let held = if config.snapshot_mode.streams() {
            let timeout = wal_sender_timeout(control.client().await?).await?;
            let streaming = start_streaming(config, replication, control, &start, status).await?;
            let interval = status_interval(config, timeout);
            Some(HeldSlot::hold(streaming, start.confirmed, interval))
        } else {
            // It would only idle, and a temporary slot would hold back WAL for as long.
            replication.terminate().await;
            None
        };
        status.enter(Phase::Snapshotting);
        tracing::info!(
            slot = %name,
            consistent_point = %point,
            adopted,
            connections = snapshot.connections(),
            "snapshot started"
        );
        if let Some(before) = status.followed() {
            // The sink is idle, and makes nothing durable before the end of the snapshot: from there on it is so.
            let followed = snapshot.followed(&before);
            start.tables = Some(followed.tables());
            status.set_followed(followed);
        }
        read_snapshot(snapshot, config, sink, &status.snapshot).await?;
        tracing::info!(slot = %name, rows = status.rows_snapshotted(), "snapshot complete");
        // No failure of streaming costs the snapshot: it is durable that all of it was delivered.
        while !sink.is_idle() {
            sink.dispatch()?;
            sink.progress().await?;
        }
        *snapshots = Snapshots::Delivered;
        let Some(held) = held else {
            return Ok(Prepared::Idle);
        };
        tokio::time::sleep(config.snapshot.streaming_delay).await;
        Ok(Prepared::Stream(start, held.release().await.map(Box::new)))
    }

    /// Of tables that an earlier life has read, or begun to read, stream what committed since, up to the moment of this
    /// life's rows. So positions only ever grow: the earlier rows, then these changes, then the rows that were missing,
    /// then the changes of all tables. Of a table that was only begun the rows come again after its changes, among them
    /// the deletes of rows that the earlier life had delivered.
    async fn catch_up<S: EventSink>(
        &self,
        resume: &Resume,
        (replication, confirmed, point): (ReplicationConnection, Lsn, Lsn),
        (control, memory): (&mut Control, &mut CatalogMemory),
        sink: &mut S,
    ) -> Result<Lsn, Error> {
        let config = self.config;
        let read = resume.tables_read.clone().unwrap_or_default();
        tracing::info!(
            position = %resume.position,
            finished = read.finished.len(),
            begun = read.begun.len(),
            until = %point,
            "the snapshot goes on: first with the changes of the tables that were read"
        );
        let found = StreamStart {
            incarnation: self.incarnation,
            delivered: Some(Delivered::of(resume.position, resume.end_lsn.map(Lsn)).position),
            tables: Some(read.touched()),
            last_commit_lsn: resume.last_commit_lsn,
            from: Lsn(resume.position.commit_lsn),
            confirmed,
            history: History::default(),
            after_snapshot: false,
            last_commit_micros: resume.last_commit_micros,
        };
        let start = self.streams_before.clone().unwrap_or(found);
        let connection = start_streaming(config, replication, control, &start, self.status).await?;
        self.status.enter(Phase::Snapshotting);
        let side = Side { control, memory };
        Streaming::new(config, side, connection, &start, sink, self.status)
            .await?
            .catch_up(point)
            .await
    }

    /// Begin at a moment as of which all tables can be read: the moment, what the slot has confirmed, the snapshot. Each
    /// attempt has another moment.
    async fn begin(
        &mut self,
        replication: &mut ReplicationConnection,
        control: &mut Control,
    ) -> Result<(Lsn, Lsn, SnapshotStart), Error> {
        let config = self.config;
        let mut delay = config.snapshot.delay;
        let read = self.go_on.and_then(|resume| resume.tables_read.clone());
        let finished = read.unwrap_or_default().finished;
        for attempt in 1..=MAX_ATTEMPTS {
            let exported = self.export(replication, control).await?;
            let of = match &exported {
                Some((lsn, exported)) => SnapshotOf::ConsistentPoint {
                    lsn: *lsn,
                    exported,
                },
                None => SnapshotOf::Now {
                    // Asked before it was found that there is no slot: a slot that is made meanwhile begins beyond it.
                    wal_end: self.system.wal_end,
                },
            };
            let point = of.lsn();
            tokio::time::sleep(std::mem::take(&mut delay)).await;
            let begun = begin_snapshot(
                config,
                control,
                of,
                (self.incarnation, self.replaces),
                &finished,
            )
            .await?;
            let confirmed = match self.point {
                SnapshotPoint::BesideSlot { confirmed } => {
                    // It would hold back WAL for as long as is streamed.
                    drop_temporary_slot(replication, &temporary_name(&config.slot_name)).await?;
                    confirmed.unwrap_or(point)
                }
                SnapshotPoint::NewSlot { .. } => {
                    self.point = SnapshotPoint::BesideSlot {
                        confirmed: Some(point),
                    };
                    point
                }
                SnapshotPoint::Now => point,
            };
            match begun {
                Begun::Ready(start) => return Ok((point, confirmed, start)),
                Begun::Changed(table) => tracing::warn!(
                    %table,
                    consistent_point = %point,
                    attempt,
                    "a table was altered after the snapshot's moment and cannot be read as of then: the snapshot starts over at another moment"
                ),
            }
        }
        Err(Error::new(
            ErrorKind::Database,
            format!("begin the snapshot: {MAX_ATTEMPTS} times a table was altered before it was locked"),
        )
        .with_hint("truncate, rewrite and drop tables less often while the snapshot begins, or exclude them"))
    }

    /// The consistent point, and the name of the snapshot that this connection exports as long as it is asked nothing
    /// else.
    async fn export(
        &self,
        replication: &mut ReplicationConnection,
        control: &mut Control,
    ) -> Result<Option<(Lsn, String)>, Error> {
        let config = self.config;
        let name = &config.slot_name;
        let connections = (replication, control);
        let slot = match self.point {
            SnapshotPoint::NewSlot { failover } => {
                create(config, connections, name, false, true, failover).await?
            }
            SnapshotPoint::BesideSlot { .. } => {
                let temporary = temporary_name(name);
                create(config, connections, &temporary, true, true, false).await?
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

fn temporary_name(slot: &str) -> String {
    const SUFFIX: &str = "_snapshot";
    let longest = slot.floor_char_boundary(MAX_SLOT_NAME_BYTES - SUFFIX.len());
    let (kept, _) = slot.split_at(longest);
    format!("{kept}{SUFFIX}")
}
