//! One change of a row with the values as PostgreSQL printed them, and where and when it was made.
//!
//! Values are borrowed text; nothing is converted before it is known how it is to be written.

use std::sync::Arc;

use crate::{ChangePosition, SkippedOperations, TableSchema, TransactionOrder};

/// A column's value as PostgreSQL printed it (`DateStyle=ISO`, `IntervalStyle=postgres`, `TimeZone=UTC`,
/// `extra_float_digits=3`, `bytea_output=hex`), whether it came by COPY or by pgoutput.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnValue<'a> {
    /// SQL NULL.
    Null,
    /// A TOASTed value that the UPDATE did not touch: PostgreSQL did not send it.
    Unchanged,
    /// Its text.
    Text(&'a [u8]),
}

/// What a change does to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A row of a snapshot.
    Read,
    /// An INSERT.
    Create,
    /// An UPDATE.
    Update,
    /// A DELETE.
    Delete,
    /// A TRUNCATE: it has no row.
    Truncate,
}

impl Operation {
    /// The letter in the envelope's `op` field.
    pub const fn code(self) -> char {
        match self {
            Self::Read => 'r',
            Self::Create => 'c',
            Self::Update => 'u',
            Self::Delete => 'd',
            Self::Truncate => 't',
        }
    }

    /// The operation of an envelope's `op` field.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            b'r' => Self::Read,
            b'c' => Self::Create,
            b'u' => Self::Update,
            b'd' => Self::Delete,
            b't' => Self::Truncate,
            _ => return None,
        })
    }
}

impl SkippedOperations {
    /// Whether the emitted operation `op` is left out. Snapshot rows never are.
    pub const fn skips(self, op: Operation) -> bool {
        match op {
            Operation::Read => false,
            Operation::Create => self.create,
            Operation::Update => self.update,
            Operation::Delete => self.delete,
            Operation::Truncate => self.truncate,
        }
    }
}

/// The row before the change, as far as PostgreSQL told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldRow<'a> {
    /// PostgreSQL told nothing of it.
    None,
    /// Only the columns of the replica identity; all others are `Null`, which says nothing about them.
    Key(&'a [ColumnValue<'a>]),
    /// The whole row (`REPLICA IDENTITY FULL`).
    Full(&'a [ColumnValue<'a>]),
}

impl<'a> OldRow<'a> {
    /// The columns, however many of them are real.
    pub const fn columns(self) -> Option<&'a [ColumnValue<'a>]> {
        match self {
            Self::None => None,
            Self::Key(row) | Self::Full(row) => Some(row),
        }
    }
}

/// An UPDATE that changed the key becomes a delete of the old and a create of the new row; each half names the
/// other's key in a header (`__debezium.newkey`, `__debezium.oldkey`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChange<'a> {
    /// The key is what it was.
    None,
    /// This is the delete; the row with the new key.
    NewKey(&'a [ColumnValue<'a>]),
    /// This is the create; the row with the old key.
    OldKey(&'a [ColumnValue<'a>]),
}

/// `source.snapshot` of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SnapshotMarker {
    /// The first row of the snapshot.
    First,
    /// The first row of its table.
    FirstInDataCollection,
    /// A row in between.
    True,
    /// The last row of its table.
    LastInDataCollection,
    /// The last row of the snapshot.
    Last,
    /// A row of an incremental snapshot.
    Incremental,
    /// Streaming.
    #[default]
    False,
}

impl SnapshotMarker {
    /// The word that stands in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::FirstInDataCollection => "first_in_data_collection",
            Self::True => "true",
            Self::LastInDataCollection => "last_in_data_collection",
            Self::Last => "last",
            Self::Incremental => "incremental",
            Self::False => "false",
        }
    }
}

/// Where and when a change was made: what the envelope's `source` block is filled from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// WAL position of the change itself (`wal_start` of its XLogData); not unique. Snapshot: the consistent point.
    pub lsn: u64,
    /// Transaction id: of the top-level transaction while streaming, `txid_current()` of a snapshot.
    pub tx_id: Option<u64>,
    /// Commit time, microseconds since the Unix epoch. Snapshot: the snapshot transaction's start.
    pub commit_micros: i64,
    /// End LSN of the COMMIT that was processed before this transaction; none before the first.
    pub last_commit_lsn: Option<u64>,
    /// Which row of a snapshot it is, if it is one.
    pub snapshot: SnapshotMarker,
    /// `catalog_xmin` of the slot, where it is asked for (`xmin.fetch.interval.ms`).
    pub xmin: Option<u64>,
}

/// Where a transaction was committed first, if a subscription brought it: its replication origin. Of 3.x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// As `pg_replication_origin` has it.
    pub name: &'a str,
    /// Its commit there; None where PostgreSQL did not say.
    pub lsn: Option<u64>,
}

/// One change with Debezium's meaning. All rows have as many values as the table has columns.
#[derive(Debug, Clone, Copy)]
pub struct ChangeEvent<'a> {
    /// The version of the table that was in force.
    pub table: &'a Arc<TableSchema>,
    /// What was done.
    pub op: Operation,
    /// The row before.
    pub before: OldRow<'a>,
    /// None for deletes and truncates.
    pub after: Option<&'a [ColumnValue<'a>]>,
    /// Whether it is half of a change of the key.
    pub key_change: KeyChange<'a>,
    /// Where and when it was done.
    pub source: Source,
    /// Where it was done first, if a subscription brought it.
    pub origin: Option<Origin<'a>>,
    /// Its place in everything that the connector ever emits.
    pub position: ChangePosition,
    /// With `provide.transaction.metadata`, of streamed events.
    pub transaction: Option<TransactionOrder>,
}

impl<'a> ChangeEvent<'a> {
    /// The row that carries the event's key: `after`, or what is known of the deleted row.
    pub fn key_row(&self) -> Option<&'a [ColumnValue<'a>]> {
        self.after.or_else(|| self.before.columns())
    }
}
