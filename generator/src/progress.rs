use std::{
    sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::batch::Tally;

/// What a run has committed so far. Written by the run after each commit, read by anybody at any time.
#[derive(Debug, Default)]
pub struct Progress {
    inserted: AtomicU64,
    updated: AtomicU64,
    deleted: AtomicU64,
    users_written: AtomicU64,
    transactions: AtomicU64,
    last_commit_unix_micros: AtomicI64,
    state: AtomicU8,
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Connecting for the first time and reading what the tables hold.
    Starting = 0,
    /// Writing, or waiting for its next turn.
    Running = 1,
    /// The connection is lost; it is tried again and again.
    Retrying = 2,
    /// Over.
    Stopped = 3,
}

impl Progress {
    /// Committed new tweets.
    pub fn inserted(&self) -> u64 {
        self.inserted.load(Ordering::Relaxed)
    }

    /// Committed changes of tweets and users.
    pub fn updated(&self) -> u64 {
        self.updated.load(Ordering::Relaxed)
    }

    /// Committed deletes of tweets.
    pub fn deleted(&self) -> u64 {
        self.deleted.load(Ordering::Relaxed)
    }

    /// Committed new users.
    pub fn users_written(&self) -> u64 {
        self.users_written.load(Ordering::Relaxed)
    }

    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// When the last commit was back, in microseconds since 1970; 0 before the first.
    pub fn last_commit_unix_micros(&self) -> i64 {
        self.last_commit_unix_micros.load(Ordering::Relaxed)
    }

    pub fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            0 => State::Starting,
            1 => State::Running,
            2 => State::Retrying,
            _ => State::Stopped,
        }
    }

    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(crate) fn committed(&self, tally: Tally) {
        self.inserted.fetch_add(tally.inserted, Ordering::Relaxed);
        self.updated.fetch_add(tally.updated, Ordering::Relaxed);
        self.deleted.fetch_add(tally.deleted, Ordering::Relaxed);
        self.users_written.fetch_add(tally.users, Ordering::Relaxed);
        self.transactions.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.last_commit_unix_micros.store(
            i64::try_from(now.as_micros()).unwrap_or(i64::MAX),
            Ordering::Relaxed,
        );
    }
}

/// What a whole run committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
    pub users_written: u64,
    pub transactions: u64,
    /// From the first transaction's start to the end.
    pub elapsed: Duration,
    /// The run was stopped while the connection was lost: whether its last transaction was committed is not known (it
    /// is not counted).
    pub last_outcome_unknown: bool,
}

impl Summary {
    pub const fn changes(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        write!(
            f,
            "{} tweets inserted, {} rows updated, {} tweets deleted, {} users added in {} transactions, {seconds:.1} s \
             ({:.0} changes/s)",
            self.inserted,
            self.updated,
            self.deleted,
            self.users_written,
            self.transactions,
            self.changes() as f64 / seconds.max(0.001)
        )?;
        if self.last_outcome_unknown {
            f.write_str("; the outcome of the last transaction is not known")?;
        }
        Ok(())
    }
}
