use debezium::ChangePosition;

/// Order of two records of one table in one partition: commit LSN, then twice the ordinal, plus one for the second half
/// of a change of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordOrder {
    pub(crate) commit_lsn: u64,
    pub(crate) half: u64,
}

impl RecordOrder {
    /// None: it is beyond what fits into Delta's signed versions, which no position of ours is.
    pub(crate) fn of(position: ChangePosition, second_half: bool) -> Option<Self> {
        let half = position
            .ordinal
            .checked_mul(2)?
            .checked_add(u64::from(second_half))?;
        let fits = |number| i64::try_from(number).is_ok();
        (fits(position.commit_lsn) && fits(half)).then_some(Self {
            commit_lsn: position.commit_lsn,
            half,
        })
    }

    pub(crate) fn is_of_earlier_commit(self, other: Self) -> bool {
        self.commit_lsn < other.commit_lsn
    }
}
