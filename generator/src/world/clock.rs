use std::time::{SystemTime, UNIX_EPOCH};

use super::{dice::Dice, rhythm::activity_percent};

/// Microseconds since 1970-01-01 00:00 UTC.
pub type UnixMicros = i64;

/// 2025-01-01 00:00 UTC: a seed starts within the year that follows.
const SEEDED_YEAR: UnixMicros = 1_735_689_600_000_000;
const HOUR: UnixMicros = 3_600_000_000;
/// Mean time between two changes of a seeded run, about the 50 changes a second of a small account of the firehose.
const SEEDED_GAP: u32 = 20_000;

/// The time that rows carry.
#[derive(Debug, Clone)]
pub enum Clock {
    /// What the machine's clock says.
    Real,
    /// Time that only the seed decides: it goes on by a random gap with each change, longer at night.
    Seeded { now: UnixMicros },
}

impl Clock {
    /// A seeded clock: its first instant follows from the seed, but is never before `not_before` (what a table holds
    /// already).
    pub fn seeded(seed: u64, not_before: UnixMicros) -> Self {
        let hour = Dice::new(seed).below(365 * 24);
        Self::Seeded {
            now: (SEEDED_YEAR + i64::from(hour) * HOUR).max(not_before),
        }
    }

    /// The instant of the next change.
    pub fn tick(&mut self, dice: &mut Dice) -> UnixMicros {
        match self {
            Self::Real => real_micros(),
            Self::Seeded { now } => {
                let hour = (*now / HOUR).rem_euclid(24) as usize;
                let gap =
                    i64::from(dice.below(2 * SEEDED_GAP)) * 100 / i64::from(activity_percent(hour));
                *now += gap.max(1);
                *now
            }
        }
    }
}

fn real_micros() -> UnixMicros {
    // A machine whose clock stands before 1970 writes 1970.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_time() {
        let run = |seed| {
            let (mut clock, mut dice) = (Clock::seeded(seed, 0), Dice::new(seed));
            std::iter::repeat_with(|| clock.tick(&mut dice))
                .take(100)
                .collect::<Vec<_>>()
        };
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
        assert!(run(5).is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_seeded_clock_goes_on_after_what_is_there() {
        let later = SEEDED_YEAR * 2;
        let mut clock = Clock::seeded(5, later);
        assert!(clock.tick(&mut Dice::new(5)) > later);
    }
}
