//! What a running writer tells about itself: counters that any thread may read while it works.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use service::metrics::{Histogram, list::FRESHNESS_BOUNDS};

use crate::freshness::FreshnessWindow;

/// How long Kafka may be silent: an idle consumer is answered ten times a second, and its group every three seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// Counters of one writer. All of them only grow, except the time of the last commit.
#[derive(Debug)]
pub struct LakeCounters {
    reading: AtomicBool,
    /// When a broker last answered, microseconds since the Unix epoch.
    heard_micros: AtomicI64,
    rows_visible: AtomicU64,
    commits: AtomicU64,
    dead_letters: AtomicU64,
    duplicates_dropped: AtomicU64,
    /// Microseconds since the Unix epoch; 0 before the first commit.
    last_commit_micros: AtomicI64,
    freshness: FreshnessWindow,
    /// Of all rows since the start, while the window knows the last minutes alone.
    pub(crate) freshness_histogram: Histogram,
}

impl Default for LakeCounters {
    fn default() -> Self {
        Self {
            reading: AtomicBool::default(),
            heard_micros: AtomicI64::default(),
            rows_visible: AtomicU64::default(),
            commits: AtomicU64::default(),
            dead_letters: AtomicU64::default(),
            duplicates_dropped: AtomicU64::default(),
            last_commit_micros: AtomicI64::default(),
            freshness: FreshnessWindow::default(),
            freshness_histogram: Histogram::new(&FRESHNESS_BOUNDS),
        }
    }
}

impl LakeCounters {
    /// Lake and Kafka were reached, nothing has gone wrong since, and a broker has answered within the last half
    /// minute: records are read as they come.
    pub fn is_reading(&self) -> bool {
        let silence = now_micros().saturating_sub(self.heard_micros.load(Ordering::Relaxed));
        self.reading.load(Ordering::Relaxed)
            && u128::from(silence.unsigned_abs()) < SILENCE.as_micros()
    }

    /// Rows that readers of the lake can see and that this process put there.
    pub fn rows_visible(&self) -> u64 {
        self.rows_visible.load(Ordering::Relaxed)
    }

    /// Table commits made by this process.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Records that were set aside because they could not become rows.
    pub fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Ordering::Relaxed)
    }

    /// Records dropped because their position was not above the last one of their partition.
    pub fn duplicates_dropped(&self) -> u64 {
        self.duplicates_dropped.load(Ordering::Relaxed)
    }

    /// When rows last became visible, microseconds since the Unix epoch; None before the first commit.
    pub fn last_commit_micros(&self) -> Option<i64> {
        match self.last_commit_micros.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(micros),
        }
    }

    /// From a row's commit in PostgreSQL to its being visible in the lake: the time that `quantile` (0.0 to 1.0) of
    /// the rows stayed under that became visible in the last five minutes, within 7 %. None where there were none.
    pub fn freshness(&self, quantile: f64) -> Option<Duration> {
        self.freshness.quantile(quantile, Instant::now())
    }

    /// A broker answered this long ago.
    pub(crate) fn heard(&self, ago_micros: i64) {
        self.heard_micros
            .fetch_max(now_micros().saturating_sub(ago_micros), Ordering::Relaxed);
    }

    pub(crate) fn set_reading(&self, reading: bool) {
        self.reading.store(reading, Ordering::Relaxed);
    }

    pub(crate) fn committed(&self, rows: u64) {
        self.rows_visible.fetch_add(rows, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.last_commit_micros
            .store(now_micros(), Ordering::Relaxed);
    }

    pub(crate) fn dead_lettered(&self, records: u64) {
        self.dead_letters.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn dropped_duplicates(&self, records: u64) {
        self.duplicates_dropped
            .fetch_add(records, Ordering::Relaxed);
    }

    /// The rows of these PostgreSQL commits are visible since `now_micros`.
    pub(crate) fn visible(&self, commits: &CommitTimes, now_micros: i64) {
        for &(commit_micros, rows) in &commits.runs {
            // A commit in the future comes from two clocks that differ: as fresh as can be.
            let micros = u64::try_from(now_micros.saturating_sub(commit_micros)).unwrap_or(0);
            self.freshness.record(micros, rows, Instant::now());
            self.freshness_histogram
                .record(Duration::from_micros(micros), rows);
        }
    }
}

/// Microseconds since the Unix epoch. A clock before it says 0, one beyond the year 294,000 the last moment: it only
/// tells when rows came in, never their order.
pub(crate) fn now_micros() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
        })
}

/// How many rows were committed in PostgreSQL at which time, run-length encoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommitTimes {
    runs: Vec<(i64, u64)>,
}

/// More commits than this in one batch share the time of an earlier neighbour: the histogram stays honest (it can
/// only report rows as older than they are) and the list small.
const MAX_RUNS: usize = 10_000;

impl CommitTimes {
    pub(crate) fn add(&mut self, commit_micros: i64) {
        let full = self.runs.len() >= MAX_RUNS;
        match self.runs.last_mut() {
            Some((last, rows)) if full || *last == commit_micros => *rows += 1,
            _ => self.runs.push((commit_micros, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_whose_brokers_are_silent_is_not_ready() {
        let progress = LakeCounters::default();
        progress.set_reading(true);
        assert!(!progress.is_reading());
        progress.heard(SILENCE.as_micros() as i64 + 1);
        assert!(!progress.is_reading());
        progress.heard(1_000_000);
        assert!(progress.is_reading());
        // An older answer, of another broker, takes nothing back.
        progress.heard(i64::MAX);
        assert!(progress.is_reading());
        progress.set_reading(false);
        assert!(!progress.is_reading());
    }

    #[test]
    fn quantiles_count_rows() {
        let progress = LakeCounters::default();
        assert_eq!(progress.freshness(0.5), None);
        let mut commits = CommitTimes::default();
        for _ in 0..99 {
            commits.add(9_000_000);
        }
        commits.add(0);
        progress.visible(&commits, 10_000_000);
        let p50 = progress.freshness(0.5).map(|d| d.as_secs_f64());
        let p100 = progress.freshness(1.0).map(|d| d.as_secs_f64());
        assert!(p50.is_some_and(|s| (0.93..1.07).contains(&s)), "{p50:?}");
        assert!(p100.is_some_and(|s| (9.3..10.7).contains(&s)), "{p100:?}");
    }
}
