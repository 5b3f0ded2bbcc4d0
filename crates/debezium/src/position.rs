use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a change stands in the total order of all committed changes of one database cluster.
///
/// An LSN alone is not unique (COPY writes many rows at one LSN), so a change is known by the LSN of its
/// transaction's COMMIT record and its ordinal among the change messages of that transaction. The ordinal counts
/// every change message, emitted or not, so a replay gives every change the same position.
///
/// Snapshot rows take `consistent_point - 1` as commit LSN: below every transaction that is streamed after them
/// (WAL records start at multiples of 8, so no real commit can stand there).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct ChangePosition {
    /// Start of the COMMIT record (`final_lsn` of pgoutput's Begin message).
    pub commit_lsn: u64,
    /// Zero-based number of the change message within its transaction.
    pub ordinal: u64,
}

impl ChangePosition {
    pub const fn new(commit_lsn: u64, ordinal: u64) -> Self {
        Self {
            commit_lsn,
            ordinal,
        }
    }
}

/// `commit_lsn:ordinal` in decimal: the text of the `tributary.position` header.
impl fmt::Display for ChangePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.commit_lsn, self.ordinal)
    }
}

/// The text is not `commit_lsn:ordinal`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parse change position `{0}`: want `commit_lsn:ordinal`, two decimal numbers")]
pub struct ParsePositionError(String);

impl FromStr for ChangePosition {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once(':')
            .and_then(|(lsn, ordinal)| Some(Self::new(lsn.parse().ok()?, ordinal.parse().ok()?)))
            .ok_or_else(|| ParsePositionError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let position = ChangePosition::new(272_899_152, 7);
        assert_eq!(position.to_string(), "272899152:7");
        assert_eq!("272899152:7".parse(), Ok(position));
        assert!("272899152".parse::<ChangePosition>().is_err());
    }

    #[test]
    fn order_is_commit_then_ordinal() {
        assert!(ChangePosition::new(8, 100) < ChangePosition::new(16, 0));
        assert!(ChangePosition::new(16, 0) < ChangePosition::new(16, 1));
    }
}
