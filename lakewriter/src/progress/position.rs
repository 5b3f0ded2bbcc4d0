//! One stored position, and what is on its way to replace it: open -> flushing -> committed, unknown or lost.

use std::fmt::Display;

use crate::{Error, error::defect};

/// How a flush ended, as far as this process has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The commit was acknowledged, or the table was read again and holds it.
    Committed,
    /// Nobody has seen whether the commit is in the table. Only what the table says when it is read again counts.
    Unknown,
    /// The table says that another writer moved the position.
    Lost,
}

/// What is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State<P> {
    /// Nothing. What was committed is open again, at its new position.
    Open,
    Flushing {
        to: P,
    },
    /// A flush ended and nobody saw how. There is no way on from here: the lake is read again, into a new value.
    Unknown,
    /// The position is another writer's. There is no way on from here either.
    Lost,
}

/// A position that stands in the lake: of a table in one partition, of a floor, of the direct road's log.
///
/// [`Self::stored`] is what was read from the lake or seen committed. It is never what a flush will make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position<P> {
    stored: Option<P>,
    state: State<P>,
}

impl<P: Copy + Ord + Display> Position<P> {
    /// As the lake was read to say. None: nothing is stored.
    pub(crate) const fn read(stored: Option<P>) -> Self {
        Self {
            stored,
            state: State::Open,
        }
    }

    /// What the lake was last seen to hold.
    pub(crate) const fn stored(&self) -> Option<P> {
        self.stored
    }

    /// Send it on its way to `to`. `name` says whose position it is, in an error.
    ///
    /// # Errors
    /// `Defect`: it would decrease, or what an earlier flush made of it was not seen.
    pub(crate) fn flush(&mut self, to: P, name: &str) -> Result<(), Error> {
        match self.state {
            State::Open => {}
            State::Flushing { to: before } => {
                return Err(defect(
                    "a flush begins after the one before it was seen to end",
                    format!("{to} of {name}, which is on its way to {before}"),
                ));
            }
            State::Unknown | State::Lost => {
                return Err(defect(
                    "a position is read again after a flush whose commit was not seen",
                    format!("{to} of {name}"),
                ));
            }
        }
        if let Some(stored) = self.stored.filter(|stored| to < *stored) {
            return Err(defect(
                "a stored position never decreases",
                format!("{to} of {name}, where {stored} is stored"),
            ));
        }
        self.state = State::Flushing { to };
        Ok(())
    }

    /// What was seen of the flush. A position that was not on its way does not move.
    pub(crate) fn end(&mut self, ended: Ended) {
        if let State::Flushing { to } = self.state {
            self.state = match ended {
                Ended::Committed => {
                    self.stored = Some(to);
                    State::Open
                }
                Ended::Unknown => State::Unknown,
                Ended::Lost => State::Lost,
            };
        }
    }

    /// Whether the next flush may begin.
    #[cfg(test)]
    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }
}

/// The lowest and the highest position of rows that no commit has taken yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenRows<P> {
    first: P,
    last: P,
}

impl<P: Copy + Ord + Display> OpenRows<P> {
    /// With one row more.
    pub(crate) fn add(rows: &mut Option<Self>, row: P) {
        *rows = Some(match *rows {
            None => Self {
                first: row,
                last: row,
            },
            Some(rows) => Self {
                first: rows.first.min(row),
                last: rows.last.max(row),
            },
        });
    }

    pub(crate) const fn first(&self) -> P {
        self.first
    }

    /// The rows of a flush are above everything that is stored, and at or below what is to be stored. The next start
    /// skips what is at or below the stored position: rows beyond it would come twice, rows below it are there already.
    ///
    /// # Errors
    /// `Defect`: they are not.
    pub(crate) fn stand_between(self, stored: Option<P>, to: P, name: &str) -> Result<(), Error> {
        if self.last > to {
            return Err(defect(
                "the rows of a commit are at or below its position",
                format!("{} of {name}, whose commit is at {to}", self.last),
            ));
        }
        match stored {
            Some(stored) if self.first <= stored => Err(defect(
                "the rows of a commit are above the stored position",
                format!("{} of {name}, where {stored} is stored", self.first),
            )),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn is_defect(result: Result<(), Error>, invariant: &str) {
        let error = result.expect_err("a broken invariant goes unseen");
        assert_eq!(error.kind(), ErrorKind::Defect, "{error}");
        assert!(error.to_string().contains(invariant), "{error}");
    }

    #[test]
    fn nothing_is_stored_before_the_commit_was_seen() {
        for (ended, stored, open) in [
            (Ended::Committed, 9, true),
            (Ended::Unknown, 5, false),
            (Ended::Lost, 5, false),
        ] {
            let mut position = Position::read(Some(5));
            position.flush(9, "a").expect("it is open");
            assert_eq!((position.stored(), position.is_open()), (Some(5), false));
            position.end(ended);
            assert_eq!(position.stored(), Some(stored), "{ended:?}");
            assert_eq!(position.is_open(), open, "{ended:?}");
            let next = position.flush(12, "a");
            match open {
                true => next.expect("the next flush"),
                false => is_defect(next, "a position is read again after a flush"),
            }
            // A second word about the same flush changes nothing.
            let mut told = position.clone();
            told.end(Ended::Committed);
            assert!(open || told == position);
        }
    }

    #[test]
    fn a_position_is_moved_by_one_flush_at_a_time_and_never_back() {
        let mut position = Position::read(Some(5));
        is_defect(position.flush(4, "a"), "a stored position never decreases");
        // The same position again is no step back.
        position.flush(5, "a").expect("it is open");
        is_defect(
            position.flush(6, "a"),
            "a flush begins after the one before",
        );
        let mut fresh = Position::read(None);
        fresh.flush(0, "a").expect("nothing is stored");
        fresh.end(Ended::Committed);
        assert_eq!(fresh.stored(), Some(0));
    }

    #[test]
    fn rows_stand_between_the_stored_position_and_the_new_one() {
        let above = "the rows of a commit are above the stored position";
        let below = "the rows of a commit are at or below its position";
        for (stored, (first, last), to, broken) in [
            (None, (1, 4), 4, None),
            (None, (1, 5), 4, Some(below)),
            (Some(4), (5, 9), 9, None),
            (Some(4), (4, 9), 9, Some(above)),
            (Some(4), (3, 3), 9, Some(above)),
        ] {
            let mut rows = None;
            for row in [last, first] {
                OpenRows::add(&mut rows, row);
            }
            let found = rows.expect("two rows").stand_between(stored, to, "a");
            match broken {
                None => found.expect("they do"),
                Some(invariant) => is_defect(found, invariant),
            }
        }
    }
}
