use super::clock::UnixMicros;

/// 2010-11-04 01:42:54.657 UTC, in Unix milliseconds: where snowflake time starts.
const EPOCH_MILLIS: i64 = 1_288_834_974_657;
const TIME_SHIFT: u32 = 22;
const WORKER_SHIFT: u32 = 12;
const SEQUENCES: i64 = 1 << WORKER_SHIFT;
pub const WORKERS: u64 = 1 << 10;

/// Hands out tweet ids as X forms them: 41 bits of milliseconds, ten bits of worker, twelve bits of sequence. Strictly
/// rising, also where the clock stands still or goes back.
#[derive(Debug, Clone)]
pub struct Snowflake {
    worker: i64,
    last_millis: i64,
    sequence: i64,
}

impl Snowflake {
    /// Ids of this worker (0 to 1023), all above `above`, the greatest id that is in the table (0 for none).
    pub fn new(worker: u16, above: i64) -> Self {
        Self {
            worker: i64::from(worker) % (WORKERS as i64),
            last_millis: above >> TIME_SHIFT,
            // The rest of that millisecond is given up: its sequences may belong to another worker.
            sequence: SEQUENCES - 1,
        }
    }

    /// The id of something that happened then.
    pub const fn next(&mut self, at: UnixMicros) -> i64 {
        let millis = at.div_euclid(1000) - EPOCH_MILLIS;
        if millis > self.last_millis {
            self.last_millis = millis;
            self.sequence = 0;
        } else if self.sequence + 1 < SEQUENCES {
            self.sequence += 1;
        } else {
            self.last_millis += 1;
            self.sequence = 0;
        }
        self.last_millis << TIME_SHIFT | self.worker << WORKER_SHIFT | self.sequence
    }

    /// When the thing with this id happened, to the millisecond.
    pub const fn unix_micros(id: i64) -> UnixMicros {
        ((id >> TIME_SHIFT) + EPOCH_MILLIS) * 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_an_id_of_x() {
        // A tweet of 2020-09-18T18:36:15.195Z.
        assert_eq!(
            Snowflake::unix_micros(1_307_025_659_294_674_945),
            1_600_454_175_195_000
        );
    }

    #[test]
    fn ids_rise_while_the_clock_stands_or_goes_back() {
        let mut snowflake = Snowflake::new(1023, 0);
        let mut last = 0;
        for at in [
            1_700_000_000_000_000,
            1_700_000_000_000_000,
            1_600_000_000_000_000,
        ] {
            for _ in 0..10_000 {
                let id = snowflake.next(at);
                assert!(id > last);
                assert_eq!(id >> WORKER_SHIFT & 1023, 1023);
                last = id;
            }
        }
    }

    #[test]
    fn goes_on_above_what_is_there() {
        let there = Snowflake::new(1023, 0).next(1_800_000_000_000_000);
        assert!(Snowflake::new(0, there).next(1_700_000_000_000_000) > there);
    }
}
