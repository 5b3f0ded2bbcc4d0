//! Who may commit, and what commits now: a rebalance ends the one and waits for the other.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How long a running commit may hold up a rebalance.
const LAST_COMMIT: Duration = Duration::from_secs(10);

/// The right to commit for an assignment. Ends when its partitions are taken away.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    ended: AtomicBool,
}

impl Lease {
    pub(crate) fn is_held(&self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

/// Commits that run now, so that a rebalance can wait for them.
#[derive(Debug, Default)]
pub(crate) struct Running {
    count: AtomicUsize,
    gate: Mutex<()>,
    idle: Condvar,
}

/// Counts as running until it is dropped.
#[derive(Debug)]
pub(crate) struct RunningCommit(Arc<Running>);

impl Running {
    pub(crate) fn begin(self: &Arc<Self>) -> RunningCommit {
        self.count.fetch_add(1, Ordering::AcqRel);
        RunningCommit(Arc::clone(self))
    }

    /// Until none runs, or [`LAST_COMMIT`] is over.
    pub(super) fn wait_idle(&self) {
        let guard = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.idle.wait_timeout_while(guard, LAST_COMMIT, |()| {
            self.count.load(Ordering::Acquire) > 0
        });
    }
}

impl Drop for RunningCommit {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        let _guard = self.0.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.idle.notify_all();
    }
}
