/// Microseconds between 1970-01-01 and 2000-01-01, both at midnight UTC.
const UNIX_TO_POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A moment as PostgreSQL sends it: microseconds since 2000-01-01 00:00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PgTimestamp(pub i64);

impl PgTimestamp {
    /// Microseconds since 1970-01-01 00:00:00 UTC. Saturates 30 years below the top of the range: such a moment
    /// (after the year 294217) only comes from a broken sender, and must not stop the reader.
    pub fn unix_micros(self) -> i64 {
        self.0.saturating_add(UNIX_TO_POSTGRES_EPOCH_MICROS)
    }

    /// The moment `micros` microseconds after 1970-01-01 00:00:00 UTC; saturates 30 years above the bottom of the
    /// range.
    pub fn from_unix_micros(micros: i64) -> Self {
        Self(micros.saturating_sub(UNIX_TO_POSTGRES_EPOCH_MICROS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_thirty_years_apart() {
        // 30 years with 7 leap days.
        assert_eq!(
            PgTimestamp(0).unix_micros(),
            (30 * 365 + 7) * 86_400 * 1_000_000
        );
        assert_eq!(
            PgTimestamp::from_unix_micros(0),
            PgTimestamp(-946_684_800_000_000)
        );
        let moment = PgTimestamp(845_917_923_123_456);
        assert_eq!(PgTimestamp::from_unix_micros(moment.unix_micros()), moment);
    }

    #[test]
    fn the_ends_of_the_range_saturate() {
        assert_eq!(PgTimestamp(i64::MAX).unix_micros(), i64::MAX);
        assert_eq!(
            PgTimestamp::from_unix_micros(i64::MIN),
            PgTimestamp(i64::MIN)
        );
    }
}
