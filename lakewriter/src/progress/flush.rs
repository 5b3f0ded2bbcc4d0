//! What one flush writes, in the order that lets a crash between any two of its commits be made good by reading again.
//!
//! 1. Dead letters, in their own table with their own positions: before any offset moves past them.
//! 2. Anchors: where several tables have rows of a partition, those that store nothing of it yet store where these rows
//!    begin. Now the seek rule knows all of them.
//! 3. The tables. A partition is read again from the lowest position of its tables, so until the last of them has
//!    committed nothing is passed over, and those that have committed skip what they have.
//! 4. The floors of the partitions, once everything below them is in: what tables without rows were shown.

use super::TxnAdvance;

/// Topic, partition, and the next offset that is not in the lake.
pub(crate) type NextOffsets = Vec<(String, i32, i64)>;

/// Which table a commit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    DeadLetters,
    /// Only positions, of the table with this number.
    Anchor(usize),
    /// By its number among [`super::Positions`]' tables.
    Table(usize),
    Floors,
}

/// One of the four stages; the next begins after all commits of this one were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FlushStage {
    DeadLetters,
    Anchors,
    Tables,
    Floors,
}

/// One atomic commit of a flush, and the positions that move with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedCommit {
    pub(crate) stage: FlushStage,
    pub(crate) place: Place,
    pub(crate) txns: Vec<TxnAdvance>,
    /// `p<partition>-<from>-<to>` of the first partition, for the names of files.
    pub(crate) range: String,
}

/// Everything of one flush: an interval `(from, to]` a partition, and what every table makes of it.
#[derive(Debug, Default)]
pub(crate) struct Flush {
    commits: Vec<PlannedCommit>,
    /// For the group, once everything is in.
    pub(super) offsets: NextOffsets,
}

impl Flush {
    pub(super) fn add(&mut self, commit: PlannedCommit) {
        let behind = |other: &PlannedCommit| other.stage <= commit.stage;
        let place = self.commits.partition_point(behind);
        self.commits.insert(place, commit);
    }

    /// In the order of their stages.
    pub(crate) fn commits(&self) -> &[PlannedCommit] {
        &self.commits
    }

    /// The commits of one stage after the other.
    pub(crate) fn stages(&self) -> impl Iterator<Item = (FlushStage, &[PlannedCommit])> {
        self.commits
            .chunk_by(|left, right| left.stage == right.stage)
            .filter_map(|commits| Some((commits.first()?.stage, commits)))
    }

    /// The commit for this place.
    pub(crate) fn of(&self, place: Place) -> Option<&PlannedCommit> {
        self.commits.iter().find(|commit| commit.place == place)
    }

    pub(crate) fn into_offsets(self) -> NextOffsets {
        self.offsets
    }
}
