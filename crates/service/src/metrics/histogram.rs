//! Durations by their length.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Counts of durations in buckets whose bounds never change, so that those of several processes can be added up.
///
/// It counts any number of equal durations at once: rows come by the thousand from one commit. It holds one number a
/// bucket, however many durations it has seen and whether or not anybody reads it.
#[derive(Debug)]
pub struct Histogram {
    /// Upper bounds in seconds, which belong to their bucket; ascending.
    bounds: &'static [f64],
    /// One more than there are bounds: the last is for what is longer than all of them.
    counts: Box<[AtomicU64]>,
    /// Microseconds. Wraps around after half a million years.
    sum: AtomicU64,
}

impl Histogram {
    /// An empty one with these upper bounds, in seconds and ascending.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// Count `times` durations of this length.
    pub fn record(&self, length: Duration, times: u64) {
        let seconds = length.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(times, Ordering::Relaxed);
        }
        let micros = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        self.sum
            .fetch_add(micros.saturating_mul(times), Ordering::Relaxed);
    }

    /// The sum of all durations, in seconds.
    pub(super) fn sum(&self) -> f64 {
        self.sum.load(Ordering::Relaxed) as f64 / 1e6
    }

    /// Upper bounds and what lies between each and the one before it.
    pub(super) fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|it| it.load(Ordering::Relaxed));
        bounds.zip(counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_longer_than_all_is_counted() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        histogram.record(Duration::ZERO, 1);
        histogram.record(Duration::from_millis(500), 2);
        histogram.record(Duration::from_micros(500_001), 1_000_000);
        histogram.record(Duration::from_secs(4), 3);
        assert_eq!(
            histogram.buckets(),
            [(0.5, 3), (1.0, 1_000_000), (f64::INFINITY, 3)]
        );
        assert_eq!(histogram.sum(), 1.0 + 500_001.0 + 12.0);
    }
}
