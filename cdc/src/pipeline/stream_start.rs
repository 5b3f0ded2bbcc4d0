use std::collections::BTreeSet;

use debezium::ChangePosition;
use pgoutput::Lsn;

use crate::{Incarnation, assemble::History, source::connection::ReplicationConnection};

/// From where streaming goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamStart {
    /// Of everything that is streamed.
    pub(super) incarnation: Incarnation,
    /// Everything up to here was delivered.
    pub(super) delivered: Option<ChangePosition>,
    /// Only changes of these tables, by OID, are to be streamed; None: of all that are captured.
    pub(super) tables: Option<BTreeSet<u32>>,
    pub(super) last_commit_lsn: Option<u64>,
    /// Argument of START_REPLICATION: transactions that committed before it are not sent.
    pub(super) from: Lsn,
    /// What may be confirmed already.
    pub(super) confirmed: Lsn,
    /// A snapshot has just been delivered.
    pub(super) after_snapshot: bool,
    /// By what the server's WAL is recognised as the one that was delivered.
    pub(super) history: History,
    /// Commit time of what was delivered last, microseconds since the Unix epoch.
    pub(super) last_commit_micros: Option<i64>,
}

/// What follows the preparation.
pub(super) enum Prepared {
    /// From there; on that connection where the slot was taken already.
    Stream(StreamStart, Option<Box<ReplicationConnection>>),
    /// Nothing is streamed: `snapshot.mode` says so.
    Idle,
}

/// Where a life was when it ended in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The slot was not read, or a snapshot was not delivered whole: the next life goes on with what is missing.
    BeforeStreaming,
    /// What was read is delivered and confirmed.
    AfterStreaming,
    /// As well, and nobody asked for the end: the next life copies tables that came later.
    ForLaterTables,
}
