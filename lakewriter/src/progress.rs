//! What a running writer tells about itself: counters that any thread may read while it works.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Counters of one writer. All of them only grow, except the time of the last commit.
#[derive(Debug, Default)]
pub struct LakeProgress {
    reading: AtomicBool,
    rows_visible: AtomicU64,
    commits: AtomicU64,
    dead_letters: AtomicU64,
    duplicates_dropped: AtomicU64,
    /// Microseconds since the Unix epoch; 0 before the first commit.
    last_commit_micros: AtomicI64,
    freshness: FreshnessHistogram,
}

impl LakeProgress {
    /// Lake and Kafka were reached, and nothing has gone wrong since: records are read as they come.
    pub fn is_reading(&self) -> bool {
        self.reading.load(Ordering::Relaxed)
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
    /// the rows stayed under, within 7 %. None before the first streamed row.
    pub fn freshness(&self, quantile: f64) -> Option<Duration> {
        self.freshness.quantile(quantile)
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
            let micros = u64::try_from(now_micros.saturating_sub(commit_micros)).unwrap_or(0);
            self.freshness.record(micros, rows);
        }
    }
}

/// Microseconds since the Unix epoch.
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

/// Eight buckets for each power of two of microseconds, so a bucket is at most 13 % wide.
const BUCKETS_PER_OCTAVE: u64 = 8;
const BUCKETS: usize = 64 * BUCKETS_PER_OCTAVE as usize;

#[derive(Debug)]
struct FreshnessHistogram {
    rows: Box<[AtomicU64]>,
}

impl Default for FreshnessHistogram {
    fn default() -> Self {
        Self {
            rows: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl FreshnessHistogram {
    fn record(&self, micros: u64, rows: u64) {
        if let Some(bucket) = self.rows.get(bucket_of(micros)) {
            bucket.fetch_add(rows, Ordering::Relaxed);
        }
    }

    fn quantile(&self, quantile: f64) -> Option<Duration> {
        let counts: Vec<u64> = self
            .rows
            .iter()
            .map(|rows| rows.load(Ordering::Relaxed))
            .collect();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return None;
        }
        let wanted = (quantile.clamp(0.0, 1.0) * total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, rows) in counts.iter().enumerate() {
            seen += rows;
            if seen >= wanted {
                return Some(Duration::from_micros(middle_of(bucket)));
            }
        }
        None
    }
}

fn bucket_of(micros: u64) -> usize {
    let micros = micros.max(1);
    let octave = u64::from(micros.ilog2());
    // The three bits below the leading one choose the bucket within the octave.
    let within = if octave >= 3 {
        (micros >> (octave - 3)) & (BUCKETS_PER_OCTAVE - 1)
    } else {
        (micros << (3 - octave)) & (BUCKETS_PER_OCTAVE - 1)
    };
    (octave * BUCKETS_PER_OCTAVE + within) as usize
}

fn middle_of(bucket: usize) -> u64 {
    let octave = bucket as u64 / BUCKETS_PER_OCTAVE;
    let within = bucket as u64 % BUCKETS_PER_OCTAVE;
    let low = (1_u128 << octave) * u128::from(BUCKETS_PER_OCTAVE + within)
        / u128::from(BUCKETS_PER_OCTAVE);
    let width = (1_u128 << octave) / u128::from(BUCKETS_PER_OCTAVE);
    u64::try_from(low + width / 2).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_near_what_was_recorded() {
        for micros in [1, 5, 90, 1_000, 33_333, 1_000_000, 87_654_321] {
            let middle = middle_of(bucket_of(micros));
            let error = middle.abs_diff(micros) as f64 / micros as f64;
            assert!(error <= 0.07, "{micros} became {middle}");
        }
    }

    #[test]
    fn quantiles_count_rows() {
        let progress = LakeProgress::default();
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
