//! Whether the WAL that the server sends is the one that was read before.
//!
//! A restored backup and a standby that was promoted before it had everything continue below a stored position, and what
//! they write there has LSNs that were used before: it would be taken for what was already delivered. Three things tell:
//!
//! 1. The transaction that was delivered last is sent again, as long as the slot does not stand beyond it. In another
//!    history its place holds another transaction, or none.
//! 2. Whatever is sent again was committed before we read beyond it. In another history it was committed afterwards.
//! 3. Where the slot stands beyond that transaction, it was put there after we had it: the server's own state says that
//!    its history is ours up to there.
//!
//! Everything that is sent again stands before everything that is new, so nothing of another history is delivered before
//! it is recognised.

use debezium::ChangePosition;
use pgoutput::Lsn;

use crate::{Error, checkpoint::Witness, error::lsns_reused, incarnation::Incarnation};

/// By what the WAL behind a stored position is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct History {
    /// The transaction that was delivered last; None where the slot stands beyond it.
    pub witness: Option<Witness>,
    /// The witness is sent again for certain: what the server is asked for is what it was asked for then.
    pub witness_comes: bool,
    /// The server's clock when it had sent everything up to the stored position, microseconds since the Unix epoch.
    pub read_micros: Option<i64>,
    /// Up to here the history is ours: where the slot stands.
    pub common: Lsn,
}

/// Looks at every transaction until all that an earlier life delivered has gone by.
#[derive(Debug, Default)]
pub(super) struct Recognition {
    history: History,
    incarnation: Incarnation,
    /// None: everything that comes from now on is new.
    delivered: Option<ChangePosition>,
}

impl Recognition {
    pub(super) const fn new(
        history: History,
        incarnation: Incarnation,
        delivered: Option<ChangePosition>,
    ) -> Self {
        Self {
            history,
            incarnation,
            delivered,
        }
    }

    /// A transaction is sent.
    ///
    /// # Errors
    /// `LsnsReused`: it is of another history.
    pub(super) fn transaction(&mut self, sent: Witness) -> Result<(), Error> {
        if self.delivered.is_none() {
            return Ok(());
        }
        let commit_lsn = Lsn(sent.commit_lsn);
        if self
            .history
            .witness
            .is_some_and(|witness| witness.commit_lsn == sent.commit_lsn)
        {
            return self.meets_witness(sent);
        }
        // Its COMMIT record was read, and so was all before it.
        self.passed(commit_lsn)?;
        if self.delivered < Some(self.incarnation.change(commit_lsn, 0)) {
            self.delivered = None;
            return Ok(());
        }
        match self.history.read_micros {
            Some(read) if sent.commit_micros > read => Err(self.reused(&format!(
                "transaction {} at {commit_lsn} was committed after everything up to there had been read",
                sent.tx_id
            ))),
            Some(_) | None => Ok(()),
        }
    }

    fn meets_witness(&mut self, sent: Witness) -> Result<(), Error> {
        match self.history.witness.take() {
            Some(witness) if witness != sent => Err(self.reused(&format!(
                "transaction {} was delivered at {}, now transaction {} is there",
                witness.tx_id,
                Lsn(witness.commit_lsn),
                sent.tx_id
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// The server has sent everything of ours whose WAL record starts before `lsn`.
    ///
    /// # Errors
    /// `LsnsReused`: the last delivered transaction was not among it.
    pub(super) fn passed(&mut self, lsn: Lsn) -> Result<(), Error> {
        let Some(witness) = self
            .history
            .witness
            .filter(|witness| witness.commit_lsn < lsn.0)
        else {
            return Ok(());
        };
        self.history.witness = None;
        if !self.history.witness_comes {
            return Ok(());
        }
        Err(self.reused(&format!(
            "transaction {} was delivered at {}, now no transaction is there",
            witness.tx_id,
            Lsn(witness.commit_lsn)
        )))
    }

    fn reused(&self, found: &str) -> Error {
        let to = self
            .delivered
            .map_or(self.common(), |position| Lsn(position.commit_lsn));
        lsns_reused("go on from the stored position", found, (self.common(), to))
    }

    const fn common(&self) -> Lsn {
        self.history.common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(commit_lsn: u64, tx_id: u64, commit_micros: i64) -> Witness {
        Witness {
            commit_lsn,
            tx_id,
            commit_micros,
        }
    }

    /// Delivered up to an idle mark at 200; the transaction at 100 was the last; all of it was read at time 50.
    fn recognition() -> Recognition {
        let incarnation = Incarnation::default();
        let history = History {
            witness: Some(witness(104, 7, 40)),
            witness_comes: true,
            read_micros: Some(50),
            common: Lsn(80),
        };
        Recognition::new(history, incarnation, Some(incarnation.up_to(Lsn(200))))
    }

    #[test]
    fn the_same_history_is_recognised() {
        let mut same = recognition();
        for sent in [witness(88, 6, 41), witness(104, 7, 40), witness(120, 8, 50)] {
            same.transaction(sent).unwrap();
        }
        same.passed(Lsn(200)).unwrap();
        // New, whatever its time.
        same.transaction(witness(200, 9, 10)).unwrap();
        same.transaction(witness(240, 10, 1000)).unwrap();
    }

    #[test]
    fn another_history_is_recognised_before_anything_new() {
        let transactions = |sent: &[Witness]| {
            let mut other = recognition();
            sent.iter().try_for_each(|sent| other.transaction(*sent))
        };
        for sent in [
            // Another transaction in its place, the same id at another time, none.
            &[witness(104, 8, 40)][..],
            &[witness(104, 7, 60)],
            &[witness(96, 6, 41), witness(112, 7, 40)],
            &[witness(400, 7, 40)],
            // Committed where we had read already.
            &[witness(104, 7, 40), witness(120, 8, 51)],
            &[witness(96, 6, 51)],
        ] {
            let error = transactions(sent).expect_err("recognised");
            assert_eq!(error.kind(), crate::ErrorKind::LsnsReused);
            assert!(
                error.to_string().contains("between 0/50 and 0/C7"),
                "{error}"
            );
        }
        let mut other = recognition();
        other.passed(Lsn(104)).unwrap();
        other.passed(Lsn(112)).expect_err("it was not sent");
    }

    #[test]
    fn what_need_not_come_again_is_not_missed() {
        let mut narrowed = recognition();
        narrowed.history.witness_comes = false;
        narrowed.passed(Lsn(112)).unwrap();
        narrowed.transaction(witness(200, 9, 60)).unwrap();
    }
}
