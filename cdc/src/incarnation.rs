//! Every position that a connector gives out: which history of the WAL it is of, and its place there.
//!
//! A transaction stands at the start of its COMMIT record, which is a multiple of 8 as every WAL record's start is. What
//! belongs to no transaction stands between two such places, so no two things ever have the same position, and the order
//! of positions is the order in which PostgreSQL sends things. Around a multiple `L` of 8, in order:
//!
//! ```text
//! (L - 1, n)        row n of the snapshot whose consistent point is L
//! (L - 1, UP_TO)    everything whose record ends at L: a lone message, an idle mark, the end of that snapshot
//! (L - 1, BEGIN)    BEGIN of the transaction whose COMMIT record starts at L
//! (L, n)            its change messages n, and after the last one its END
//! (L, LAST)         all of it
//! ```
//!
//! A lone message's LSN is the *end* of its record, and the next record may start right there: it comes before the
//! transaction that commits at its LSN. Records do not overlap, so whatever ends at `L` was read before what starts at
//! `L`. At most one record ends at `L`, so a lone message shares its place with nothing that has to be told from it:
//! a sink that has it has everything up to there, which is what a mark says.

use std::time::{SystemTime, UNIX_EPOCH};

use debezium::ChangePosition;
use pgoutput::Lsn;

/// WAL records start at multiples of it.
const RECORD_ALIGNMENT: u64 = 8;

/// Beyond every ordinal of a change or of a snapshot's row. All of them fit Java's `long`, as Kafka Connect reads offsets.
const LAST: u64 = i64::MAX as u64;
const BEGIN: u64 = LAST;
const UP_TO: u64 = LAST - 1;

/// What an earlier life has delivered: everything up to here, and nothing beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) position: ChangePosition,
    /// A part of a transaction was delivered: where its COMMIT record starts.
    pub(crate) within: Option<Lsn>,
}

impl Delivered {
    /// The place of a lone message that a version without incarnations gave the LSN of its end as if it were the first
    /// change of a transaction: the transaction that commits there comes after it.
    pub(crate) fn old_lone_message(stored: ChangePosition) -> ChangePosition {
        Incarnation::of(stored).up_to(Lsn(stored.commit_lsn))
    }

    /// Whether that version may have meant a lone message.
    pub(crate) const fn may_be_old_lone_message(stored: ChangePosition) -> bool {
        stored.incarnation == 0
            && stored.ordinal == 0
            && stored.commit_lsn.is_multiple_of(RECORD_ALIGNMENT)
    }

    /// From a stored position, also one that a version without marks has stored: `confirmed_end` is the end of the last
    /// transaction of which everything is stored.
    ///
    /// Those versions stored the end of a snapshot at `L` as its last row, an idle mark as `(L - 1, 0)`, and the end of a
    /// transaction as its last change.
    pub(crate) fn of(stored: ChangePosition, confirmed_end: Option<Lsn>) -> Self {
        let incarnation = Incarnation::of(stored);
        let lsn = Lsn(stored.commit_lsn);
        if stored.commit_lsn % RECORD_ALIGNMENT == RECORD_ALIGNMENT - 1 {
            let position = stored.max(incarnation.up_to(Lsn(lsn.0.saturating_add(1))));
            return Self {
                position,
                within: None,
            };
        }
        let whole = incarnation.whole(lsn);
        if stored >= whole || confirmed_end > Some(lsn) {
            return Self {
                position: whole,
                within: None,
            };
        }
        Self {
            position: stored,
            within: Some(lsn),
        }
    }
}

/// One history of the WAL, as far as this connector reads it; the only maker of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Incarnation(u64);

impl Incarnation {
    /// The one that a stored position is of: who goes on from it stays in it.
    pub const fn of(position: ChangePosition) -> Self {
        Self(position.incarnation)
    }

    /// For a connector that does not go on from a stored position: nothing was stored, or its LSNs say nothing any more. It comes
    /// after the incarnation that is `given_up`; and by the clock also after those whose position was deleted.
    pub fn begin(given_up: Option<ChangePosition>) -> Self {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        Self::begin_at(given_up, seconds)
    }

    /// The same place in this incarnation.
    pub(crate) const fn adopt(self, position: ChangePosition) -> ChangePosition {
        position.in_incarnation(self.0)
    }

    fn begin_at(given_up: Option<ChangePosition>, unix_seconds: u64) -> Self {
        let next = given_up.map_or(0, |position| position.incarnation.saturating_add(1));
        Self(next.max(unix_seconds))
    }

    /// A change message of the transaction whose COMMIT record starts at `commit_lsn`, or its END.
    pub(crate) const fn change(self, commit_lsn: Lsn, ordinal: u64) -> ChangePosition {
        self.place(commit_lsn.0, ordinal)
    }

    /// The BEGIN of that transaction: before its first change, after everything that ended before its COMMIT record.
    pub(crate) const fn begin_record(self, commit_lsn: Lsn) -> ChangePosition {
        self.place(below(commit_lsn), BEGIN)
    }

    /// All of that transaction, whatever its number of changes.
    pub(crate) const fn whole(self, commit_lsn: Lsn) -> ChangePosition {
        self.place(commit_lsn.0, LAST)
    }

    /// A row of the snapshot at a consistent point, below every transaction that is streamed after it.
    pub(crate) const fn snapshot_row(self, consistent_point: Lsn, number: u64) -> ChangePosition {
        self.place(below(consistent_point), number)
    }

    /// Everything whose WAL record ends at `lsn` or before: the snapshot at that point, what the server has read when it
    /// says that it came to there, and the message that belongs to no transaction, whose LSN is the end of its record.
    pub(crate) const fn up_to(self, lsn: Lsn) -> ChangePosition {
        self.place(below(lsn), UP_TO)
    }

    const fn place(self, commit_lsn: u64, ordinal: u64) -> ChangePosition {
        ChangePosition::new(commit_lsn, ordinal).in_incarnation(self.0)
    }
}

/// The last LSN before the record that starts at `lsn`, or at the multiple of 8 before it: no record starts there.
const fn below(lsn: Lsn) -> u64 {
    (lsn.0 - lsn.0 % RECORD_ALIGNMENT).saturating_sub(1)
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

    /// Everything that may stand around three places in the WAL that touch: a message ends where a COMMIT record starts.
    #[test]
    fn no_two_things_share_a_place_and_their_order_is_that_of_the_wal() {
        let one = Incarnation(3);
        let mut last = None;
        for lsn in [8, 16, 24, 1 << 40].map(Lsn) {
            let mut in_order = vec![one.snapshot_row(lsn, 0), one.snapshot_row(lsn, 1 << 40)];
            in_order.extend([one.up_to(lsn), one.begin_record(lsn)]);
            in_order.extend([one.change(lsn, 0), one.change(lsn, 1 << 40), one.whole(lsn)]);
            for position in in_order {
                assert!(last < Some(position), "{last:?} {position}");
                last = Some(position);
            }
        }
        assert!(last < Some(Incarnation(4).snapshot_row(Lsn(8), 0)));
        // Somebody moved the slot to a place that is the start of no record.
        assert_eq!(one.up_to(Lsn(23)), one.up_to(Lsn(16)));
    }

    #[test]
    fn what_was_stored_without_marks_is_read_as_what_was_delivered() {
        let one = Incarnation(0);
        let stored = ChangePosition::new;
        let of = |position, end: Option<u64>| {
            let delivered = Delivered::of(position, end.map(Lsn));
            (delivered.position, delivered.within)
        };
        // A snapshot's last row; an idle mark; the end of a transaction, and a part of one.
        assert_eq!(of(stored(799, 41), Some(800)), (one.up_to(Lsn(800)), None));
        assert_eq!(of(stored(799, 0), Some(800)), (one.up_to(Lsn(800)), None));
        assert_eq!(of(stored(800, 4), Some(848)), (one.whole(Lsn(800)), None));
        for end in [None, Some(640), Some(800)] {
            assert_eq!(of(stored(800, 4), end), (stored(800, 4), Some(Lsn(800))));
        }
        // What is stored now is read as it is.
        for position in [
            one.up_to(Lsn(800)),
            one.begin_record(Lsn(800)),
            one.whole(Lsn(800)),
        ] {
            assert_eq!(of(position, Some(8)), (position, None));
        }
    }
}
