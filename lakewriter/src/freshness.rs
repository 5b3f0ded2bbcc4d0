//! How old rows are when they become visible: a histogram over the last minutes.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What the quantiles are taken over. Longer would show a catch-up that is long over, shorter would be empty between
/// the commits of a quiet table.
pub const FRESHNESS_WINDOW: Duration = Duration::from_secs(300);

/// Parts of the window: as a whole one becomes too old it is forgotten.
const SLOT: Duration = Duration::from_secs(30);

/// Eight buckets for each power of two of microseconds, so a bucket is at most 13 % wide.
const BUCKETS_PER_OCTAVE: u64 = 8;
const BUCKETS: usize = 64 * BUCKETS_PER_OCTAVE as usize;

/// The rows that became visible in one part of the window.
#[derive(Debug)]
struct Slot {
    since: Instant,
    rows: Box<[u64]>,
}

/// Rows by their age.
#[derive(Debug, Default)]
pub(crate) struct FreshnessWindow {
    /// The newest is the last.
    slots: Mutex<VecDeque<Slot>>,
}

impl FreshnessWindow {
    pub(crate) fn record(&self, micros: u64, rows: u64, now: Instant) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        forget_old(&mut slots, now);
        if slots
            .back()
            .is_none_or(|slot| now.saturating_duration_since(slot.since) >= SLOT)
        {
            slots.push_back(Slot {
                since: now,
                rows: vec![0; BUCKETS].into(),
            });
        }
        // `bucket_of` has fewer results than there are buckets, and there is a slot now.
        if let Some(count) = slots
            .back_mut()
            .and_then(|slot| slot.rows.get_mut(bucket_of(micros)))
        {
            *count += rows;
        }
    }

    /// None: no row became visible within the window.
    pub(crate) fn quantile(&self, quantile: f64, now: Instant) -> Option<Duration> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        forget_old(&mut slots, now);
        let counts: Vec<u64> = (0..BUCKETS)
            .map(|bucket| slots.iter().filter_map(|slot| slot.rows.get(bucket)).sum())
            .collect();
        drop(slots);
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

fn forget_old(slots: &mut VecDeque<Slot>, now: Instant) {
    while slots
        .front()
        .is_some_and(|slot| now.saturating_duration_since(slot.since) >= FRESHNESS_WINDOW)
    {
        slots.pop_front();
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
    fn a_catch_up_is_forgotten_once_it_is_older_than_the_window() {
        let window = FreshnessWindow::default();
        let start = Instant::now();
        window.record(973_000_000, 1_000_000, start);
        let p50 = |now| window.quantile(0.5, now).map(|age| age.as_secs());
        assert!(p50(start).is_some_and(|secs| secs > 900));
        let mut now = start;
        while now < start + FRESHNESS_WINDOW {
            window.record(1_000_000, 10, now);
            assert!(p50(now).is_some_and(|secs| secs > 900));
            now += SLOT;
        }
        window.record(1_000_000, 10, now);
        assert!(p50(now).is_some_and(|secs| secs < 2), "{:?}", p50(now));
        assert_eq!(p50(now + FRESHNESS_WINDOW), None);
    }
}
