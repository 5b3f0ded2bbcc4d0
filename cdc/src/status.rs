//! What the pipeline tells about itself while it runs, for REST, metrics and the panel of the demo.
//!
//! The pipeline's task alone writes it. Every field can be read at any time and is right by itself; two fields need
//! not be of the same moment.

use std::{
    collections::BTreeSet,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering},
    },
};

use pgoutput::Lsn;
use tokio::sync::watch;

use crate::{
    checkpoint::{Provenance, SlotIdentity},
    followed::Followed,
    snapshot_progress::SnapshotProgress,
};

/// Changes written to the sink since the start, by operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub creates: u64,
    pub updates: u64,
    pub deletes: u64,
    pub truncates: u64,
    /// Could not be encoded and were left out, as `event.processing.failure.handling.mode` says.
    pub left_out: u64,
}

/// What the connector is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Phase {
    /// Not streaming yet, or not again.
    #[default]
    Connecting = 0,
    Snapshotting = 1,
    Streaming = 2,
    /// Asked to stop: what was read is being delivered.
    Draining = 3,
    /// Nothing is streamed, as `snapshot.mode` says.
    Idle = 4,
}

impl Phase {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Snapshotting => "snapshotting",
            Self::Streaming => "streaming",
            Self::Draining => "draining",
            Self::Idle => "idle",
        }
    }
}

/// What the pipeline tells about itself while it runs. Written by the pipeline's task only; every field may be read at
/// any time, each is right by itself.
#[derive(Debug, Default)]
pub struct PipelineStatus {
    phase: AtomicU8,
    creates: AtomicU64,
    updates: AtomicU64,
    deletes: AtomicU64,
    truncates: AtomicU64,
    left_out: AtomicU64,
    received: AtomicU64,
    server_wal_end: AtomicU64,
    confirmed: AtomicU64,
    last_commit_micros: AtomicI64,
    restarts: AtomicU64,
    sql_ascii: AtomicBool,
    /// Rows of the snapshot, which are the events of operation `r`.
    pub snapshot: SnapshotProgress,
    slot: RwLock<Option<SlotIdentity>>,
    trouble: watch::Sender<Option<String>>,
    /// What of the slot's stream is asked for.
    selection: RwLock<Option<String>>,
    /// The server's clock, as far as the stream has told it.
    read_micros: AtomicI64,
    /// Of which tables everything is delivered; None where nobody copies later ones.
    followed: RwLock<Option<Followed>>,
    /// Captured tables that could not be published.
    unpublishable: RwLock<BTreeSet<u32>>,
    /// Captured tables that may not be read.
    unreadable: RwLock<BTreeSet<u32>>,
}

impl PipelineStatus {
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            1 => Phase::Snapshotting,
            2 => Phase::Streaming,
            3 => Phase::Draining,
            4 => Phase::Idle,
            _ => Phase::Connecting,
        }
    }

    /// Streamed events given to the sink since the process started.
    pub fn counts(&self) -> Counts {
        Counts {
            creates: self.creates.load(Ordering::Relaxed),
            updates: self.updates.load(Ordering::Relaxed),
            deletes: self.deletes.load(Ordering::Relaxed),
            truncates: self.truncates.load(Ordering::Relaxed),
            left_out: self.left_out.load(Ordering::Relaxed),
        }
    }

    /// Rows read by the snapshot of this life.
    pub fn rows_snapshotted(&self) -> u64 {
        self.snapshot.rows.load(Ordering::Relaxed)
    }

    /// The highest WAL position seen in the stream.
    pub fn received(&self) -> Lsn {
        Lsn(self.received.load(Ordering::Relaxed))
    }

    /// The end of the server's WAL when last asked, about once a second.
    pub fn server_wal_end(&self) -> Lsn {
        Lsn(self.server_wal_end.load(Ordering::Relaxed))
    }

    /// Everything before it is durable downstream and was, or is about to be, confirmed to the slot.
    pub fn confirmed(&self) -> Lsn {
        Lsn(self.confirmed.load(Ordering::Relaxed))
    }

    /// WAL the server has written that is not durable downstream, in bytes.
    pub fn lag_bytes(&self) -> u64 {
        self.server_wal_end().0.saturating_sub(self.confirmed().0)
    }

    /// Commit time of the last transaction seen, microseconds since the Unix epoch; 0 before the first.
    pub fn last_commit_micros(&self) -> i64 {
        self.last_commit_micros.load(Ordering::Relaxed)
    }

    /// How often the pipeline started again after an error.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// The slot that the events come from: to be stored with their positions. Known before the first event.
    pub fn slot(&self) -> Option<SlotIdentity> {
        self.slot
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What ended the last life, as long as the next one has not got so far as to read rows or changes.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// Follow what `trouble` tells.
    pub fn watch_trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    pub(crate) fn set_trouble(&self, trace: Option<String>) {
        self.trouble.send_if_modified(|trouble| {
            let changed = *trouble != trace;
            *trouble = trace;
            changed
        });
    }

    /// What belongs to the positions of everything that was given to the sink so far; a sink adds the witness.
    pub fn read(&self) -> Provenance {
        let selection = self.selection.read();
        Provenance {
            slot: self.slot(),
            witness: None,
            read_micros: Some(self.read_micros.load(Ordering::Relaxed)).filter(|at| *at != 0),
            selection: selection.unwrap_or_else(PoisonError::into_inner).clone(),
            followed: self.followed(),
        }
    }

    pub(crate) fn followed(&self) -> Option<Followed> {
        let followed = self.followed.read();
        followed.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_followed(&self, followed: Followed) {
        *self
            .followed
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(followed);
    }

    pub(crate) fn unpublishable(&self) -> BTreeSet<u32> {
        let tables = self.unpublishable.read();
        tables.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_unpublishable(&self, tables: BTreeSet<u32>) {
        *self
            .unpublishable
            .write()
            .unwrap_or_else(PoisonError::into_inner) = tables;
    }

    /// Gives those of before.
    pub(crate) fn replace_unreadable(&self, tables: BTreeSet<u32>) -> BTreeSet<u32> {
        let mut unreadable = self
            .unreadable
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *unreadable, tables)
    }

    /// The server's clock stood there when it sent what is about to be read, or its commit says so.
    pub(crate) fn saw_clock(&self, micros: i64) {
        // The pipeline's task is the only writer.
        if micros > self.read_micros.load(Ordering::Relaxed) {
            self.read_micros.store(micros, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_selection(&self, selection: String) {
        *self
            .selection
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(selection);
    }

    pub(crate) fn enter(&self, phase: Phase) {
        match phase {
            Phase::Snapshotting | Phase::Streaming | Phase::Idle => self.set_trouble(None),
            Phase::Connecting | Phase::Draining => {}
        }
        self.phase.store(phase as u8, Ordering::Relaxed);
        tracing::debug!(phase = phase.as_str(), "phase");
    }

    pub(crate) fn set_slot(&self, slot: SlotIdentity) {
        *self.slot.write().unwrap_or_else(PoisonError::into_inner) = Some(slot);
    }

    /// The database holds text of any encoding, or of none. Known before the first event.
    pub(crate) fn is_sql_ascii(&self) -> bool {
        self.sql_ascii.load(Ordering::Relaxed)
    }

    pub(crate) fn set_sql_ascii(&self, sql_ascii: bool) {
        self.sql_ascii.store(sql_ascii, Ordering::Relaxed);
    }

    pub(crate) fn add_counts(&self, before: Counts, now: Counts) {
        let add = |total: &AtomicU64, before: u64, now: u64| {
            if now != before {
                total.fetch_add(now - before, Ordering::Relaxed);
            }
        };
        add(&self.creates, before.creates, now.creates);
        add(&self.updates, before.updates, now.updates);
        add(&self.deletes, before.deletes, now.deletes);
        add(&self.truncates, before.truncates, now.truncates);
        add(&self.left_out, before.left_out, now.left_out);
    }

    pub(crate) fn set_positions(&self, received: Lsn, confirmed: Lsn) {
        self.received.store(received.0, Ordering::Relaxed);
        self.confirmed.store(confirmed.0, Ordering::Relaxed);
        self.server_wal_end.fetch_max(received.0, Ordering::Relaxed);
    }

    pub(crate) fn set_server_wal_end(&self, lsn: Lsn) {
        self.server_wal_end.fetch_max(lsn.0, Ordering::Relaxed);
    }

    pub(crate) fn set_last_commit_micros(&self, micros: i64) {
        self.last_commit_micros.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn count_restart(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }
}
