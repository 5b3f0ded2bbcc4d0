//! Dates and times in the forms that 3.x added, and with its infinities.

use super::{Unconvertible, time};

/// What stands for `infinity` of a `date` in the stream of 3.x.
const DATE_INFINITY: i32 = 2_146_033_979;
const NANOS_PER_MICRO: i64 = 1_000;

/// A moment as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Days since the Unix epoch.
    Date,
    /// Nanoseconds since midnight.
    NanoTime,
    /// Milliseconds since the Unix epoch; infinities are the driver's.
    MilliTimestamp,
    /// Microseconds since the Unix epoch; infinities are the ends of the range.
    MicroTimestamp,
    /// Nanoseconds since the Unix epoch; infinities as above.
    NanoTimestamp,
}

impl Moment {
    /// What a `java.util.Date` counts: Connect's own types are one in memory.
    pub(crate) fn millis(self, text: &[u8]) -> Result<i64, Unconvertible> {
        let number = self.of(text)?;
        Ok(match self {
            Self::Date => number.saturating_mul(86_400_000),
            Self::NanoTime | Self::MilliTimestamp | Self::MicroTimestamp | Self::NanoTimestamp => {
                number
            }
        })
    }

    pub(crate) fn of(self, text: &[u8]) -> Result<i64, Unconvertible> {
        let nanos = |micros: i64| micros.checked_mul(NANOS_PER_MICRO).ok_or(Unconvertible);
        match (self, text) {
            (Self::Date, b"infinity") => Ok(i64::from(DATE_INFINITY)),
            (Self::Date, _) => Ok(i64::from(time::date(text)?)),
            (Self::NanoTime, _) => nanos(time::time(text)?),
            (Self::MicroTimestamp | Self::NanoTimestamp, b"infinity") => Ok(i64::MAX),
            (Self::MicroTimestamp | Self::NanoTimestamp, b"-infinity") => Ok(i64::MIN),
            (Self::MilliTimestamp, b"infinity" | b"-infinity") | (Self::MicroTimestamp, _) => {
                time::timestamp(text)
            }
            (Self::MilliTimestamp, _) => time::divided(text, 1_000),
            (Self::NanoTimestamp, _) => nanos(time::timestamp(text)?),
        }
    }
}

/// A moment as ISO 8601 text in UTC (`time.precision.mode=isostring`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IsoText {
    Date,
    Time,
    Timestamp,
}

impl IsoText {
    /// The text; of infinities PostgreSQL's own.
    pub(crate) fn of(self, text: &[u8]) -> Result<Vec<u8>, Unconvertible> {
        if self != Self::Time && matches!(text, b"infinity" | b"-infinity") {
            return Ok(text.to_vec());
        }
        let mut out = Vec::new();
        match self {
            Self::Date => time::write_iso_date(time::date(text)?, &mut out),
            Self::Time => time::write_iso_time(time::time(text)?, &mut out),
            Self::Timestamp => time::write_iso_timestamp(time::instant(text)?, &mut out),
        }
        out.push(b'Z');
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_unit() {
        for (moment, text, number) in [
            (Moment::Date, "2024-05-01", 19_844),
            (Moment::Date, "infinity", 2_146_033_979),
            (Moment::Date, "-infinity", -2_147_472_691),
            (Moment::NanoTime, "13:51:30.123789", 49_890_123_789_000),
            (Moment::NanoTime, "24:00:00", 86_400_000_000_000),
            (
                Moment::MicroTimestamp,
                "2024-05-01 13:51:30.123789",
                1_714_571_490_123_789,
            ),
            (Moment::MicroTimestamp, "infinity", i64::MAX),
            (Moment::MicroTimestamp, "-infinity", i64::MIN),
            (Moment::NanoTimestamp, "1969-12-31 23:59:59.999999", -1_000),
            (Moment::MilliTimestamp, "1969-12-31 23:59:59.999", -1),
            (
                Moment::MilliTimestamp,
                "294247-01-10 04:00:54.775807",
                9_223_372_036_854_775,
            ),
            (
                Moment::MilliTimestamp,
                "294247-01-10 04:00:54.776",
                9_223_372_036_854_776,
            ),
            (
                Moment::MilliTimestamp,
                "294276-12-31 23:59:59.999999",
                9_224_318_015_999_999,
            ),
            (
                Moment::MilliTimestamp,
                "4713-01-01 00:00:00 BC",
                -210_863_520_000_000,
            ),
            (
                Moment::MilliTimestamp,
                "infinity",
                9_223_372_036_825_200_000,
            ),
        ] {
            assert_eq!(moment.of(text.as_bytes()), Ok(number), "{text}");
        }
        let far = Moment::MicroTimestamp.of(b"294276-12-31 23:59:59.999999");
        assert_eq!(far, Err(Unconvertible));
        // Nanoseconds in 64 bits end in 2262.
        let far = Moment::NanoTimestamp.of(b"9999-12-31 00:00:00");
        assert_eq!(far, Err(Unconvertible));
    }

    #[test]
    fn texts_have_as_many_digits_as_they_need() {
        for (kind, text, iso) in [
            (IsoText::Date, "2024-05-01", "2024-05-01Z"),
            (IsoText::Date, "0044-03-15 BC", "-0043-03-15Z"),
            (IsoText::Date, "infinity", "infinity"),
            (IsoText::Time, "13:51:30.123", "13:51:30.123Z"),
            (IsoText::Time, "00:00:00", "00:00:00Z"),
            (IsoText::Time, "24:00:00", "00:00:00Z"),
            (
                IsoText::Timestamp,
                "2024-05-01 13:51:30.123789",
                "2024-05-01T13:51:30.123789Z",
            ),
            (
                IsoText::Timestamp,
                "1969-12-31 23:59:59.5",
                "1969-12-31T23:59:59.5Z",
            ),
            (
                IsoText::Timestamp,
                "294276-12-31 23:59:59.999999",
                "+294276-12-31T23:59:59.999999Z",
            ),
            (
                IsoText::Timestamp,
                "4713-01-01 00:00:00.5 BC",
                "-4712-01-01T00:00:00.5Z",
            ),
            (
                IsoText::Timestamp,
                "12345-01-01 00:00:00",
                "+12345-01-01T00:00:00Z",
            ),
        ] {
            let found = kind.of(text.as_bytes()).expect("a moment");
            assert_eq!(String::from_utf8_lossy(&found), iso);
        }
    }
}
