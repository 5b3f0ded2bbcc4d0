//! The order of the records of one table in one partition, and how the lake keeps the last one.

use std::fmt;

use debezium::ChangePosition;

use super::TxnAdvance;

/// Order of two records of one table in one partition: the incarnation of their WAL, the commit LSN, then twice the
/// ordinal, plus one for the second half of a change of the key. Numbers as Delta stores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordOrder {
    incarnation: i64,
    commit_lsn: i64,
    half: i64,
}

impl RecordOrder {
    /// None: it is beyond what fits into Delta's signed versions, which no position of ours is.
    pub(crate) fn of(position: ChangePosition, second_half: bool) -> Option<Self> {
        let half = position
            .ordinal
            .checked_mul(2)?
            .checked_add(u64::from(second_half))?;
        Some(Self {
            incarnation: i64::try_from(position.incarnation).ok()?,
            commit_lsn: i64::try_from(position.commit_lsn).ok()?,
            half: i64::try_from(half).ok()?,
        })
    }

    /// Incarnation and LSN.
    pub(crate) const fn moment(self) -> (i64, i64) {
        (self.incarnation, self.commit_lsn)
    }

    /// Of the last row that the table has of a partition, whose `txn` is `stored` under each name. None: it has none, or
    /// none with a position of ours.
    pub(crate) fn read(app_id: &str, mut stored: impl FnMut(&str) -> Option<i64>) -> Option<Self> {
        let [incarnation, commit_lsn, half] = Self::app_ids(app_id);
        Some(Self {
            // Without one it is the first.
            incarnation: stored(&incarnation).unwrap_or(0),
            commit_lsn: stored(&commit_lsn)?,
            half: stored(&half)?,
        })
    }

    /// It is stored under these names, beside the next offset of the partition.
    pub(crate) fn app_ids(app_id: &str) -> [String; 3] {
        ["incarnation", "lsn", "ordinal"].map(|part| format!("{app_id}/{part}"))
    }

    /// What a commit stores so that this is the last row.
    pub(crate) fn advances(self, before: Option<Self>, app_id: &str) -> Vec<TxnAdvance> {
        let [incarnation, commit_lsn, half] = Self::app_ids(app_id);
        let stored = before.map_or(0, |before| before.incarnation);
        let mut advances = vec![
            TxnAdvance {
                app_id: commit_lsn,
                from: before.map(|before| before.commit_lsn),
                to: self.commit_lsn,
            },
            TxnAdvance {
                app_id: half,
                from: before.map(|before| before.half),
                to: self.half,
            },
        ];
        if self.incarnation != stored {
            advances.push(TxnAdvance {
                app_id: incarnation,
                from: (stored != 0).then_some(stored),
                to: self.incarnation,
            });
        }
        advances
    }
}

impl fmt::Display for RecordOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.incarnation, self.commit_lsn, self.half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(incarnation: u64, lsn: u64, ordinal: u64) -> RecordOrder {
        let position = ChangePosition::new(lsn, ordinal).in_incarnation(incarnation);
        RecordOrder::of(position, false).expect("a position of ours")
    }

    #[test]
    fn a_later_incarnation_is_above_every_lsn_of_an_earlier_one() {
        assert!(order(0, 900, 5) < order(7, 100, 0));
        assert!(order(7, 100, 1) < order(7, 100, 2));
        let first = order(7, 100, 1);
        let position = ChangePosition::new(100, 1).in_incarnation(7);
        assert!(RecordOrder::of(position, true).is_some_and(|second| first < second));
        assert!(RecordOrder::of(ChangePosition::new(u64::MAX, 0), false).is_none());
        assert!(RecordOrder::of(ChangePosition::new(1, u64::MAX / 2), false).is_none());
    }

    #[test]
    fn an_incarnation_is_stored_where_it_changes() {
        let stored = |before, after: RecordOrder| {
            let advances = after.advances(before, "a").into_iter();
            advances
                .map(|txn| (txn.app_id, txn.from, txn.to))
                .collect::<Vec<_>>()
        };
        let (zero, one) = (order(0, 8, 1), order(1, 4, 0));
        assert_eq!(
            stored(None, zero),
            [
                ("a/lsn".to_owned(), None, 8),
                ("a/ordinal".to_owned(), None, 2)
            ]
        );
        assert_eq!(
            stored(Some(zero), one).last(),
            Some(&("a/incarnation".to_owned(), None, 1))
        );
        assert_eq!(
            stored(Some(one), order(3, 1, 0)).last(),
            Some(&("a/incarnation".to_owned(), Some(1), 3))
        );
        assert_eq!(stored(Some(one), order(1, 5, 0)).len(), 2);
    }
}
