//! How often an entry is put again after an answer that says that it is not in.

use std::time::Duration;

use deltalake_core::{DeltaTableError, kernel::transaction::TransactionError};
use service::Backoff;

/// Attempts while the store answers errors and the table says that the entry is not in.
pub(super) const MAX_ATTEMPTS: u32 = 5;

/// Races in a row that may be lost against other writers of the table.
pub(super) const MAX_RACES: u32 = 100;

/// The delays of an entry that is put by reading the table and putting what follows from it, again and again.
pub(super) struct Retries {
    attempts: Backoff,
    races: Backoff,
}

impl Retries {
    pub(super) fn new() -> Self {
        Self {
            attempts: Backoff::new(Duration::from_millis(100), Duration::from_secs(5)),
            races: Backoff::new(Duration::from_millis(5), Duration::from_millis(100)),
        }
    }

    /// How long to wait after this answer before the table is read again; None: no more.
    pub(super) fn after(&mut self, error: &DeltaTableError) -> Option<Duration> {
        let (backoff, most) = if is_race(error) {
            (&mut self.races, MAX_RACES)
        } else {
            (&mut self.attempts, MAX_ATTEMPTS)
        };
        (backoff.attempt() + 1 < most).then(|| backoff.next_delay())
    }
}

/// Whether an error says that another writer put the entry of this version.
pub(super) fn is_race(error: &DeltaTableError) -> bool {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other errors of the Delta library are alike here"
    )]
    match error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => matches!(
            source,
            TransactionError::VersionAlreadyExists(_) | TransactionError::MaxCommitAttempts(_)
        ),
        _ => false,
    }
}
