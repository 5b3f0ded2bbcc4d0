//! What a table says of a commit whose end nobody saw.

use super::TxnAdvance;

/// Where all positions of one atomic commit stand in the table, when it is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reread {
    /// All stand before it: the same commit may be made (again).
    Open,
    /// All stand after it: it is in.
    Committed,
    /// One stands elsewhere: another writer moved it.
    Lost { app_id: String, found: Option<i64> },
}

impl Reread {
    /// From where each of `txns` was found, in their order.
    pub(crate) fn of(txns: &[TxnAdvance], found: &[Option<i64>]) -> Self {
        let (mut before, mut after, mut moving) = (0, 0, 0);
        for (txn, &found) in txns.iter().zip(found) {
            if found == txn.from && found == Some(txn.to) {
                continue;
            }
            moving += 1;
            if found == txn.from {
                before += 1;
            } else if found == Some(txn.to) {
                after += 1;
            } else {
                let app_id = txn.app_id.clone();
                return Self::Lost { app_id, found };
            }
        }
        if before == moving {
            Self::Open
        } else if after == moving {
            Self::Committed
        } else {
            // All positions of a commit move in one atomic put, so another writer is at work on some of them. There is
            // a first one: a commit without positions is refused before it is made.
            let app_id = txns.first().map(|txn| txn.app_id.clone());
            Self::Lost {
                app_id: app_id.unwrap_or_default(),
                found: None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_positions_of_a_commit_stand_on_one_side_of_it() {
        let txn = |app_id: &str, from, to| TxnAdvance {
            app_id: app_id.to_owned(),
            from,
            to,
        };
        let txns = [
            txn("a", None, 4),
            txn("b", Some(2), 6),
            txn("c", Some(3), 3),
        ];
        let lost = |app_id: &str, found| Reread::Lost {
            app_id: app_id.to_owned(),
            found,
        };
        for (found, want) in [
            ([None, Some(2), Some(3)], Reread::Open),
            ([Some(4), Some(6), Some(3)], Reread::Committed),
            ([Some(4), Some(2), Some(3)], lost("a", None)),
            ([None, Some(7), Some(3)], lost("b", Some(7))),
            ([Some(4), Some(6), None], lost("c", None)),
        ] {
            assert_eq!(Reread::of(&txns, &found), want, "{found:?}");
        }
    }
}
