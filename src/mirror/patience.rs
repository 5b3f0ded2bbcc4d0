//! When a mirror that ends by itself gives up.

use std::time::{Duration, Instant};

/// So many failures in a row, whatever their time: a copy may take long before it fails.
const FAILURES: u64 = 5;

/// And not before so much time, in which a server has started again.
const LASTING: Duration = Duration::from_secs(60);

/// Failures between which nothing came into the lake.
#[derive(Debug, Default)]
pub struct Patience<P> {
    /// What was in the lake at the last look.
    reached: P,
    /// Starts after a failure, as of the last look, and as of the beginning of the row.
    restarts: u64,
    before: u64,
    began: Option<Instant>,
}

impl<P: PartialEq> Patience<P> {
    /// Whether it is at an end. `reached` is another one whenever something came into the lake.
    pub fn ends(&mut self, now: Instant, reached: P, restarts: u64) -> bool {
        if self.reached != reached {
            self.reached = reached;
            self.before = restarts;
            self.began = None;
        } else if restarts > self.restarts {
            self.began.get_or_insert(now);
        }
        self.restarts = restarts;
        let lasting = self
            .began
            .is_some_and(|began| now.duration_since(began) >= LASTING);
        lasting && restarts - self.before >= FAILURES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_after_failures_that_brought_nothing() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut patience = Patience::default();
        for (seconds, reached, restarts, ends) in [
            (0, 0, 0, false),
            (600, 0, 0, false),
            (601, 0, 1, false),
            (610, 0, 8, false),
            // Something came: the row is at an end.
            (650, 1, 9, false),
            (670, 1, 10, false),
            // Long, but only a few times.
            (900, 1, 13, false),
            (901, 1, 14, true),
        ] {
            assert_eq!(
                patience.ends(after(seconds), reached, restarts),
                ends,
                "{seconds}"
            );
        }
    }
}
