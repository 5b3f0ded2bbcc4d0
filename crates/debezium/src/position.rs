//! The place of a change in everything that a connector ever emits: incarnation, commit LSN, ordinal.
//!
//! Positions of one connector only grow. Their text is the header `tributary.position`, and older forms stay readable.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a change stands in the total order of all committed changes that one connector ever delivers.
///
/// An LSN alone is not unique (COPY writes many rows at one LSN), so a change is known by the LSN of its
/// transaction's COMMIT record and its ordinal among the change messages of that transaction. The ordinal counts
/// every change message, emitted or not, so a replay gives every change the same position.
///
/// LSNs come back: a restored backup, a standby that was promoted before it had everything and another cluster all
/// continue with LSNs that were used before. So each history of the WAL that a connector reads has an incarnation, and
/// it comes first in the order. A later incarnation has the greater number; changes of a connector that was started by
/// a version without incarnations have 0.
///
/// Snapshot rows take `consistent_point - 1` as commit LSN: below every transaction that is streamed after them
/// (WAL records start at multiples of 8, so no real commit can stand there).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct ChangePosition {
    /// Which history of the WAL the LSN is of.
    #[serde(default, skip_serializing_if = "is_first")]
    pub incarnation: u64,
    /// Start of the COMMIT record (`final_lsn` of pgoutput's Begin message).
    pub commit_lsn: u64,
    /// Zero-based number of the change message within its transaction.
    pub ordinal: u64,
}

impl ChangePosition {
    /// In incarnation 0.
    pub const fn new(commit_lsn: u64, ordinal: u64) -> Self {
        Self {
            incarnation: 0,
            commit_lsn,
            ordinal,
        }
    }

    /// Whether it is a place within a transaction. What belongs to none, a snapshot's row among it, stands between two
    /// places where a COMMIT record may start.
    pub const fn is_in_transaction(self) -> bool {
        self.commit_lsn % 8 != 7
    }

    /// The same place in another incarnation.
    #[must_use]
    pub const fn in_incarnation(self, incarnation: u64) -> Self {
        Self {
            incarnation,
            ..self
        }
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_first(incarnation: &u64) -> bool {
    *incarnation == 0
}

/// The text of the `tributary.position` header, in decimal: `commit_lsn:ordinal` in incarnation 0, as versions without
/// incarnations wrote it, and `incarnation:commit_lsn:ordinal` in every other.
impl fmt::Display for ChangePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.incarnation != 0 {
            write!(f, "{}:", self.incarnation)?;
        }
        write!(f, "{}:{}", self.commit_lsn, self.ordinal)
    }
}

/// The text is not a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "parse change position `{0}`: want `commit_lsn:ordinal` or `incarnation:commit_lsn:ordinal`, decimal numbers"
)]
pub struct ParsePositionError(String);

impl FromStr for ChangePosition {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let failed = || ParsePositionError(text.to_owned());
        let mut parts = text.split(':');
        let mut number = || {
            let part = parts.next()?;
            // `parse` would take a sign.
            let decimal = part.bytes().all(|byte| byte.is_ascii_digit());
            Some(decimal.then(|| part.parse::<u64>().ok()).flatten())
        };
        let numbers = [number(), number(), number(), number()];
        match numbers {
            [Some(Some(commit_lsn)), Some(Some(ordinal)), None, None] => {
                Ok(Self::new(commit_lsn, ordinal))
            }
            [
                Some(Some(incarnation)),
                Some(Some(commit_lsn)),
                Some(Some(ordinal)),
                None,
            ] => Ok(Self::new(commit_lsn, ordinal).in_incarnation(incarnation)),
            _ => Err(failed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_with_and_without_an_incarnation() {
        let position = ChangePosition::new(272_899_152, 7);
        assert_eq!(position.to_string(), "272899152:7");
        assert_eq!("272899152:7".parse(), Ok(position));
        let second = position.in_incarnation(1_795_000_000);
        assert_eq!(second.to_string(), "1795000000:272899152:7");
        assert_eq!("1795000000:272899152:7".parse(), Ok(second));
        for wrong in [
            "",
            "272899152",
            "1:",
            ":1",
            "1:2:3:4",
            "1:+2",
            "1:2:",
            "a:1",
            "-1:1",
        ] {
            assert!(wrong.parse::<ChangePosition>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn order_is_incarnation_then_commit_then_ordinal() {
        assert!(ChangePosition::new(8, 100) < ChangePosition::new(16, 0));
        assert!(ChangePosition::new(16, 0) < ChangePosition::new(16, 1));
        assert!(ChangePosition::new(1600, 9) < ChangePosition::new(16, 0).in_incarnation(1));
    }

    #[test]
    fn stored_forms_without_an_incarnation_are_of_the_first() {
        let first = ChangePosition::new(16, 2);
        let text = r#"{"commit_lsn":16,"ordinal":2}"#;
        assert_eq!(serde_json::to_string(&first).unwrap(), text);
        assert_eq!(serde_json::from_str::<ChangePosition>(text).unwrap(), first);
        let second = first.in_incarnation(3);
        let text = serde_json::to_string(&second).unwrap();
        assert_eq!(
            serde_json::from_str::<ChangePosition>(&text).unwrap(),
            second
        );
    }
}
