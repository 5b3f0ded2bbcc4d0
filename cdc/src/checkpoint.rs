//! What is remembered between two lives of a connector, and the slot it belongs to.

use std::collections::BTreeSet;

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
    /// Of a snapshot that is not completed, where it can go on from here.
    pub tables_read: Option<TablesRead>,
    /// The slot that the position came from; None where it was not stored.
    pub slot: Option<SlotIdentity>,
}

/// What an unfinished snapshot has delivered, by the tables' OIDs: a table that was dropped and made again is another one.
///
/// Invariant: `Resume::position` is the last position of all. Whatever committed up to it was delivered of these tables,
/// as a row or as a change; of all others nothing was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TablesRead {
    /// All rows.
    pub finished: BTreeSet<u32>,
    /// Some rows.
    pub begun: BTreeSet<u32>,
}

impl TablesRead {
    pub fn begin(&mut self, table: u32) {
        self.begun.insert(table);
    }

    pub fn finish(&mut self, table: u32) {
        self.begun.remove(&table);
        self.finished.insert(table);
    }

    /// Those of which something was delivered.
    pub fn touched(&self) -> BTreeSet<u32> {
        self.finished.union(&self.begun).copied().collect()
    }
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
