use debezium::ChangePosition;
use serde::{Deserialize, Serialize};

/// How far a lake that is written directly has come: what a restarted reader of the WAL needs to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectPosition {
    /// Everything up to here is in the lake: the end of the last committed transaction, or of the snapshot, or a mark of
    /// what held nothing for it.
    pub position: ChangePosition,
    /// May be confirmed to PostgreSQL: the end of the COMMIT record, or the snapshot's consistent point.
    pub end_lsn: u64,
    /// End LSN of the COMMIT before that, for `source.sequence`.
    pub last_commit_lsn: Option<u64>,
    /// False until all rows of the initial snapshot are in.
    pub snapshot_completed: bool,
    /// The slot's identity as its reader wrote it: opaque here.
    pub slot: String,
}
