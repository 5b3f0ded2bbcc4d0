//! When the rows of a new snapshot may be shown: when all of them are there.
//!
//! Invariant: rows of a snapshot that is told to be unfinished never take the place of older rows. It is told by the log
//! itself: the connector counts the rows of each table, the table's configuration says how many there are, and so many
//! are in the log, through whichever partitions they came. What passes between two looks at the log tells nothing of
//! it, but for rows of connectors that do not count them.

use std::time::Duration;

use console::Wholeness;

/// What is known of a snapshot that is not shown yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    pub(crate) wholeness: Wholeness,
    /// A later change of the table has come.
    pub(crate) goes_on: bool,
    /// Nothing has come for so long.
    pub(crate) quiet: Duration,
    /// There is a table whose rows would be replaced.
    pub(crate) replaces: bool,
}

/// Patience with rows that do not come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// With those of connectors that do not count them.
    pub(crate) uncounted: Duration,
    /// With the others, where nothing is shown yet.
    pub(crate) counted: Duration,
}

impl Patience {
    pub(crate) const fn with(self, wholeness: Wholeness) -> Duration {
        match wholeness {
            Wholeness::Untold => self.uncounted,
            Wholeness::Whole | Wholeness::More | Wholeness::Lacking { .. } => self.counted,
        }
    }
}

/// Whether to show the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Show,
    Wait,
    /// Rows do not come that have to: they were set aside, or Kafka has removed them.
    Missing {
        of: u64,
        there: u64,
    },
}

pub(crate) fn verdict(begun: Begun, patience: Patience) -> Verdict {
    match begun.wholeness {
        Wholeness::Whole => Verdict::Show,
        Wholeness::Untold if begun.goes_on || begun.quiet >= patience.uncounted => Verdict::Show,
        Wholeness::Untold => Verdict::Wait,
        // Rows that cannot come must not keep the others away for ever, where no older ones stand in their place.
        Wholeness::More | Wholeness::Lacking { .. }
            if !begun.replaces && begun.quiet >= patience.counted =>
        {
            Verdict::Show
        }
        Wholeness::Lacking { of, there } if begun.quiet >= patience.counted => {
            Verdict::Missing { of, there }
        }
        Wholeness::More | Wholeness::Lacking { .. } => Verdict::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_rows_are_waited_for_however_long_it_takes() {
        let patience = Patience {
            uncounted: Duration::from_secs(5),
            counted: Duration::from_secs(600),
        };
        let lacking = Wholeness::Lacking { of: 9, there: 8 };
        let missing = Verdict::Missing { of: 9, there: 8 };
        for (wholeness, goes_on, quiet, replaces, want) in [
            (Wholeness::Whole, false, 0, true, Verdict::Show),
            (Wholeness::More, true, 1_000_000, true, Verdict::Wait),
            (lacking, true, 599, true, Verdict::Wait),
            (lacking, true, 600, true, missing),
            // Nothing is shown yet: some rows are better than none.
            (lacking, true, 599, false, Verdict::Wait),
            (lacking, false, 600, false, Verdict::Show),
            (Wholeness::More, false, 600, false, Verdict::Show),
            // Nobody counts.
            (Wholeness::Untold, false, 4, true, Verdict::Wait),
            (Wholeness::Untold, false, 5, true, Verdict::Show),
            (Wholeness::Untold, true, 0, true, Verdict::Show),
        ] {
            let begun = Begun {
                wholeness,
                goes_on,
                quiet: Duration::from_secs(quiet),
                replaces,
            };
            assert_eq!(verdict(begun, patience), want, "{begun:?}");
        }
    }
}
