//! What is remembered between two lives of a connector, and the slot it belongs to.

use std::collections::BTreeSet;

use debezium::{ChangePosition, SnapshotMarker, Source};
use serde::{Deserialize, Serialize};

use crate::followed::Followed;

/// Where to go on from: what the sink's side knows from its own durable store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartPosition {
    /// None: nothing was ever delivered.
    pub resume: Option<Resume>,
}

/// What the last durable step of delivery left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// The last delivered transaction; None before the first, and where it was not stored.
    pub witness: Option<Witness>,
    /// `Provenance::read_micros`.
    pub read_micros: Option<i64>,
    /// What the server was asked for, as far as ordinals depend on it; None where it was not stored.
    pub selection: Option<String>,
    /// None where it was not stored.
    pub followed: Option<Followed>,
    /// Debezium stored it: it is of no incarnation.
    pub of_debezium: bool,
}

/// A transaction, by what no other history of the WAL has at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Start of its COMMIT record.
    pub commit_lsn: u64,
    pub tx_id: u64,
    /// When it was committed, microseconds since the Unix epoch.
    pub commit_micros: i64,
}

impl Witness {
    /// The transaction of a record; None for rows of a snapshot and for what belongs to no transaction.
    pub fn of(position: ChangePosition, source: &Source) -> Option<Self> {
        let streamed = source.snapshot == SnapshotMarker::False;
        let tx_id = source
            .tx_id
            .filter(|_| streamed && position.is_in_transaction())?;
        Some(Self {
            commit_lsn: position.commit_lsn,
            tx_id,
            commit_micros: source.commit_micros,
        })
    }
}

/// What is stored with a position so that the WAL that it is of is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Provenance {
    #[serde(flatten)]
    pub slot: Option<SlotIdentity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
    /// The server's clock when it had sent everything that was read, microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_micros: Option<i64>,
    /// `Resume::selection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
    /// The tables of which everything up to the position is delivered, where later ones are copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed: Option<Followed>,
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
    /// The timeline that the server was on when the position was read from it.
    pub timeline: u32,
    pub name: String,
    /// Its consistent point when it was made, or its confirmed position when it was adopted.
    pub created_lsn: u64,
}
