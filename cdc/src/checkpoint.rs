//! What is remembered between two lives of a connector, and the slot it belongs to.

use debezium::ChangePosition;
use serde::{Deserialize, Serialize};

/// Where to go on from: what the sink's side knows from its own durable store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartPosition {
    /// None: nothing was ever delivered.
    pub resume: Option<Resume>,
}

/// What the last durable step of delivery left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The last delivered change; it and everything before it is not delivered again.
    pub position: ChangePosition,
    /// `Source::last_commit_lsn` of that change.
    pub last_commit_lsn: Option<u64>,
    /// `Source::commit_micros` of that change; None where it was not stored.
    pub last_commit_micros: Option<i64>,
    /// `end_lsn` of the last `TransactionEnd` that became durable: nothing beyond it was ever confirmed to PostgreSQL, so
    /// a slot that is further has been recreated or moved. None where it was not stored: then that is not checked.
    pub end_lsn: Option<u64>,
    /// The position is a streamed one, or the snapshot's last.
    pub snapshot_completed: bool,
    /// The slot that the position came from; None where it was not stored.
    pub slot: Option<SlotIdentity>,
}

/// A slot by more than its name, so that another one of the same name is not taken for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotIdentity {
    /// `IDENTIFY_SYSTEM`'s systemid: the cluster, whatever its address.
    pub system_id: String,
    /// The timeline it was first seen on.
    pub timeline: u32,
    pub name: String,
    /// Its consistent point when it was made, or its confirmed position when it was adopted.
    pub created_lsn: u64,
}
