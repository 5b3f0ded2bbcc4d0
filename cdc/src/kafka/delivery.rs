//! Counts the reports of the producer, so that the end of a batch is known when it comes.
//!
//! The first failure of a batch is kept until somebody has asked for it; a batch with a failure is never taken for
//! delivered.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::KafkaError,
    producer::{DeliveryResult, ProducerContext},
};

use super::client::log_line;

/// A record that a broker did not take: its number in the batch, and why.
#[derive(Debug, Clone)]
pub(super) struct Undelivered {
    pub(super) record: usize,
    pub(super) error: KafkaError,
}

/// Counts delivery reports, so that the end of a batch is known the moment it comes: `flush` would look every 100 ms.
#[derive(Debug)]
pub(super) struct Deliveries {
    reported: AtomicU64,
    /// The count that somebody waits for; `NOBODY` otherwise, so that reports wake no one and cost no system call.
    awaited: AtomicU64,
    first_failure: Mutex<Option<Undelivered>>,
    changed: Condvar,
}

const NOBODY: u64 = u64::MAX;

impl Default for Deliveries {
    fn default() -> Self {
        Self {
            reported: AtomicU64::new(0),
            awaited: AtomicU64::new(NOBODY),
            first_failure: Mutex::default(),
            changed: Condvar::default(),
        }
    }
}

impl Deliveries {
    fn lock(&self) -> MutexGuard<'_, Option<Undelivered>> {
        self.first_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, record: usize, result: Result<(), KafkaError>) {
        let failed = result.is_err();
        if let Err(error) = result {
            self.lock().get_or_insert(Undelivered { record, error });
        }
        // In one order with the waiter's store and load: either it sees this report, or this sees that it waits.
        let reported = self.reported.fetch_add(1, Ordering::SeqCst) + 1;
        if failed || reported >= self.awaited.load(Ordering::SeqCst) {
            // Taken so that the waiter is either before its check or in the wait.
            drop(self.lock());
            self.changed.notify_all();
        }
    }

    pub(super) fn reported(&self) -> u64 {
        self.reported.load(Ordering::SeqCst)
    }

    /// The first failure since the last `forget_failure`.
    pub(super) fn failure(&self) -> Option<Undelivered> {
        self.lock().clone()
    }

    pub(super) fn forget_failure(&self) {
        *self.lock() = None;
    }

    /// Wait until `count` records were reported or one failed, at most `timeout`. Answers whether all were reported.
    pub(super) fn wait(&self, count: u64, timeout: Duration) -> bool {
        self.awaited.store(count, Ordering::SeqCst);
        let guard = self.lock();
        let (guard, _) = self
            .changed
            .wait_timeout_while(guard, timeout, |failure| {
                failure.is_none() && self.reported() < count
            })
            .unwrap_or_else(PoisonError::into_inner);
        drop(guard);
        self.awaited.store(NOBODY, Ordering::SeqCst);
        self.reported() >= count
    }
}

/// The producer's callbacks.
#[derive(Debug, Clone, Default)]
pub(super) struct DeliveryContext {
    pub(super) deliveries: Arc<Deliveries>,
}

impl ClientContext for DeliveryContext {
    fn log(&self, _level: RDKafkaLogLevel, fac: &str, line: &str) {
        log_line(fac, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_line("ERROR", &format!("{error}: {reason}"));
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, record: usize) {
        let result = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.clone()),
        };
        self.deliveries.report(record, result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_the_last_report() {
        let deliveries = Arc::new(Deliveries::default());
        let reporter = {
            let deliveries = Arc::clone(&deliveries);
            std::thread::spawn(move || {
                for i in 0..1000 {
                    deliveries.report(i, Ok(()));
                }
            })
        };
        assert!(deliveries.wait(1000, Duration::from_secs(10)));
        reporter.join().unwrap();
        assert!(!deliveries.wait(1001, Duration::from_millis(1)));
    }

    #[test]
    fn a_failure_ends_the_wait() {
        let deliveries = Deliveries::default();
        deliveries.report(7, Err(KafkaError::Canceled));
        deliveries.report(8, Err(KafkaError::NoMessageReceived));
        assert!(!deliveries.wait(10, Duration::from_secs(10)));
        assert_eq!(deliveries.failure().map(|failure| failure.record), Some(7));
        deliveries.forget_failure();
        assert!(deliveries.failure().is_none());
    }
}
