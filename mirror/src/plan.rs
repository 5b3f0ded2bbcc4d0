//! What is to be done with new changes of a table. Pure: it decides, and says why.
//!
//! A fold is plain where what the changes make of `current` is what a replay of the whole log would show. A replay takes
//! the changes in the order of their positions; they come in that order without Kafka, and within a partition. Changes of
//! several partitions come as they come: one that stands before what was folded already counts only if nothing later was
//! folded for its key. Whatever else there may be is rare, and then `current` is made anew from the whole log.

use std::{collections::HashSet, fmt};

use console::{LoggedChange, RowKey};
use debezium::Operation;
use lakewriter::lake::Since;

use crate::folded::{Progress, Recent};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Apply the changes but those of these numbers, which later ones have overtaken.
    Fold { stale: HashSet<usize> },
    /// Ask again when the folded changes from this LSN on are known.
    LookBack { from: Since },
    /// Make `current` anew.
    Rebuild(Reason),
}

/// Why a fold is not plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There is none yet.
    NoCurrent,
    /// A program that is not this one changed it.
    ForeignCommit,
    /// Columns, types, names or the key are others.
    NewShape,
    /// Another snapshot begins.
    NewSnapshot,
    Truncated,
    /// A change from a time in which other columns told rows apart.
    OlderEra,
    /// What became of older rows only the whole log tells.
    NarrowerRows,
    /// A change came after a later one that took its values from the row before.
    Overtaken,
    /// A transaction that moves keys over each other came in parts.
    SplitTransaction,
    /// The old half of a moved key came apart from its new one, with values that were not sent.
    SplitMove,
    /// Commits of `changes` that were not folded are no longer in its log.
    LogGone,
    /// Two rows have one key.
    TwoRows,
}

impl Reason {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::NoCurrent => "there is none yet",
            Self::ForeignCommit => "another program committed to it",
            Self::NewShape => "the table has other columns, types or another key",
            Self::NewSnapshot => "there is a new snapshot",
            Self::Truncated => "the table was truncated",
            Self::OlderEra => "a change is from before the table had its key",
            Self::NarrowerRows => "rows are from before all columns of the key were there",
            Self::Overtaken => "a change came after a later one that had not all values",
            Self::SplitTransaction => "a transaction that moves keys over each other came in parts",
            Self::SplitMove => "a row that moved to another key came in parts",
            Self::LogGone => "commits of `changes` are no longer in its log",
            Self::TwoRows => "two of its rows have one key",
        }
    }
}

impl Reason {
    /// Whether such changes may come one after the other. Then `current` is made anew at most a tenth of the time.
    pub(crate) const fn may_come_often(self) -> bool {
        matches!(
            self,
            Self::NarrowerRows
                | Self::OlderEra
                | Self::Overtaken
                | Self::SplitTransaction
                | Self::SplitMove
                | Self::TwoRows
                | Self::ForeignCommit
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// `changes` in the order of their positions.
pub(crate) fn plan<'a>(
    changes: impl Iterator<Item = LoggedChange<'a>> + Clone,
    progress: &Progress,
    recent: &Recent,
) -> Plan {
    let mut stale = HashSet::new();
    let mut back: Option<Since> = None;
    for (at, change) in changes.enumerate() {
        let position = change.position;
        let moment = (position.0, position.1);
        match change.operation {
            Operation::Truncate => return Plan::Rebuild(Reason::Truncated),
            Operation::Read if position.0 > 0 && Some(moment) > progress.snapshot => {
                return Plan::Rebuild(Reason::NewSnapshot);
            }
            Operation::Read | Operation::Create | Operation::Update | Operation::Delete => {}
        }
        if let Some(snapshot) = progress.snapshot
            && snapshot.0 > 0
            && moment < snapshot
        {
            // Rows of an earlier history, and what an earlier snapshot of this one read, are gone with the snapshot.
            if position.0 < snapshot.0 || change.operation == Operation::Read {
                stale.insert(at);
                continue;
            }
            return Plan::Rebuild(Reason::NewSnapshot);
        }
        if change.operation == Operation::Delete && progress.open_halves.contains(&moment) {
            return Plan::Rebuild(Reason::SplitMove);
        }
        if !recent.reaches(position) {
            back = Some(back.map_or(position, |back| back.min(position)));
            continue;
        }
        if recent
            .truncated()
            .is_some_and(|truncated| position <= truncated)
        {
            stale.insert(at);
            continue;
        }
        let Some(last) = recent.last(change.key) else {
            continue;
        };
        let is_other_half = position == last.position
            && change.operation == Operation::Create
            && last.operation == Operation::Delete;
        if position <= last.position && !is_other_half {
            if position < last.position && last.is_partial {
                return Plan::Rebuild(Reason::Overtaken);
            }
            stale.insert(at);
        } else if last.is_doubled
            && moment == (last.position.0, last.position.1)
            && matches!(change.operation, Operation::Delete | Operation::Update)
        {
            return Plan::Rebuild(Reason::SplitTransaction);
        }
    }
    match back {
        Some(from) => Plan::LookBack { from },
        None => Plan::Fold { stale },
    }
}

/// Tells `recent` what was folded. `is_there`: whether a key had a row before all of them.
pub(crate) fn remember<'a>(
    changes: impl Iterator<Item = LoggedChange<'a>>,
    recent: &mut Recent,
    is_there: impl Fn(&RowKey) -> bool,
) {
    let mut met: std::collections::HashMap<&RowKey, bool> = std::collections::HashMap::new();
    for change in changes {
        let was_there = met.get(change.key).copied();
        let was_there = was_there.unwrap_or_else(|| is_there(change.key));
        recent.tell(
            change.key,
            change.position,
            change.operation,
            change.is_partial,
            Some(was_there),
        );
        met.insert(change.key, change.operation != Operation::Delete);
    }
}

/// Positions of rows that came to a new key without all of their values, because the old half of the move is not among
/// these changes: where a later commit brings it, it brings the values.
pub(crate) fn open_moves<'a>(
    changes: impl Iterator<Item = LoggedChange<'a>> + Clone,
    lacking: impl Iterator<Item = Since>,
) -> Vec<(i64, i64)> {
    let lacking: HashSet<Since> = lacking.collect();
    if lacking.is_empty() {
        return Vec::new();
    }
    let halves: HashSet<Since> = changes
        .clone()
        .filter(|change| change.operation == Operation::Delete)
        .map(|change| change.position)
        .collect();
    let moves = changes.filter(|change| {
        change.operation == Operation::Create
            && change.is_partial
            && lacking.contains(&change.position)
            && !halves.contains(&change.position)
    });
    moves
        .map(|change| (change.position.0, change.position.1))
        .collect()
}
