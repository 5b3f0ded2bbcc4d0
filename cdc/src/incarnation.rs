//! Every position that a connector gives out: which history of the WAL it is of, and its place there.

use std::time::{SystemTime, UNIX_EPOCH};

use debezium::ChangePosition;
use pgoutput::Lsn;

/// One history of the WAL, as far as this connector reads it; the only maker of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Incarnation(u64);

impl Incarnation {
    /// The one that a stored position is of: who goes on from it stays in it.
    pub const fn of(position: ChangePosition) -> Self {
        Self(position.incarnation)
    }

    /// For whoever does not go on from a stored position: nothing was stored, or its LSNs say nothing any more. It comes
    /// after the incarnation that is `given_up`; and by the clock also after those whose position was deleted.
    pub fn begin(given_up: Option<ChangePosition>) -> Self {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        Self::begin_at(given_up, seconds)
    }

    fn begin_at(given_up: Option<ChangePosition>, unix_seconds: u64) -> Self {
        let next = given_up.map_or(0, |position| position.incarnation.saturating_add(1));
        Self(next.max(unix_seconds))
    }

    /// A change message of the transaction whose COMMIT record starts at `commit_lsn`.
    pub(crate) const fn change(self, commit_lsn: Lsn, ordinal: u64) -> ChangePosition {
        ChangePosition::new(commit_lsn.0, ordinal).in_incarnation(self.0)
    }

    /// A row of the snapshot at a consistent point, below every transaction that is streamed after it.
    pub(crate) const fn snapshot_row(self, consistent_point: Lsn, number: u64) -> ChangePosition {
        ChangePosition::new(consistent_point.0.saturating_sub(1), number).in_incarnation(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_history_comes_after_the_one_it_replaces() {
        let of = |incarnation| Some(ChangePosition::new(80, 1).in_incarnation(incarnation));
        assert_eq!(Incarnation::begin_at(None, 1000), Incarnation(1000));
        assert_eq!(Incarnation::begin_at(of(0), 1000), Incarnation(1000));
        // The clock was set back, or stands still.
        assert_eq!(Incarnation::begin_at(of(1000), 1000), Incarnation(1001));
        assert_eq!(Incarnation::begin_at(of(2000), 1000), Incarnation(2001));
        assert_eq!(Incarnation::begin_at(of(0), 0), Incarnation(1));
    }
}
