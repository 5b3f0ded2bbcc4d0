use std::time::Duration;

use lakewriter::maintain::DEFAULT_HISTORY;

use crate::plan::Reason;

/// How tables are kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes that the index of a table's keys may take. Above it keys are looked up in the files.
    pub index_bytes: usize,
    /// Bytes that a part of the replay may take.
    pub part_bytes: usize,
    /// A snapshot of a connector that does not count its rows is taken to be whole when a later change of the table has
    /// come, or nothing for this long.
    pub snapshot_pause: Duration,
    /// Counted rows that do not come for this long are told to be missing; where nothing is shown yet, the others are.
    pub missing_after: Duration,
    /// How long older versions can be read: what the table tells the tools of others.
    pub history: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            index_bytes: 512 << 20,
            part_bytes: 128 << 20,
            snapshot_pause: Duration::from_secs(5),
            missing_after: Duration::from_secs(600),
            history: DEFAULT_HISTORY,
        }
    }
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing came.
    Idle,
    /// Changes were folded.
    Folded {
        version: u64,
        gone: usize,
        come: usize,
    },
    /// All rows were replaced.
    Rebuilt { version: u64, reason: Reason },
    /// The rows of a snapshot are not shown before all of them are there.
    Held,
    /// So many of them do not come, and older rows stay in their place.
    Missing { of: u64, there: u64 },
    /// It has to be made anew, and was a moment ago.
    Resting,
    /// Somebody else committed: the next step reads the table again.
    Overtaken,
    /// No key tells the rows apart: there is no `current`.
    NoKey,
}
