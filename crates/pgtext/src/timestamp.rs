//! `timestamp` and `timestamptz` text.

use crate::{Bounded, Day, ParseError, Time, cursor::Cursor, time::read_offset};

/// A day and a time on it (manual, 8.5.2 Date/Time Output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// The day.
    pub day: Day,
    /// The time on it.
    pub time: Time,
    /// Seconds east of Greenwich. `timestamp` text has none; `timestamptz` text always has one.
    pub offset: Option<i32>,
}

impl Timestamp {
    /// Reads text of `timestamp` (`2024-05-01 13:51:30.123789`) or `timestamptz` (`0044-03-15 12:00:00+00 BC`), or
    /// `infinity`. ISO 8601's own spelling is read too, which Debezium writes and PostgreSQL reads: `T` between day and
    /// time, `Z`, signed years.
    #[inline]
    pub fn parse(text: &[u8]) -> Result<Bounded<Self>, ParseError> {
        if let Some(infinity) = Bounded::infinity(text) {
            return Ok(infinity);
        }
        let mut cursor = Cursor::new(text);
        let day = Day::read(&mut cursor)?;
        if !cursor.accept(b"T") {
            cursor.expect(b' ', "a space between day and time")?;
        }
        let time = Time::read(&mut cursor)?;
        let offset = match cursor.peek() {
            Some(b'+' | b'-' | b'Z') => Some(read_offset(&mut cursor)?),
            _ => None,
        };
        let day = day.in_era(&mut cursor)?;
        cursor.end()?;
        Ok(Bounded::Finite(Self { day, time, offset }))
    }
}

/// What nearly every `timestamptz` is where `TimeZone=UTC`: a year of four digits, and `+00` at the end. Its digits can be
/// copied as they stand.
///
/// Only the shape is looked at, so that it costs next to nothing: `9999-99-99 99:99:99+00` passes. PostgreSQL does not print
/// that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UtcTimestamp<'a> {
    /// `2024-05-01 13:51:30`.
    pub seconds: &'a [u8; 19],
    /// The digits behind the point: none, or as many as are printed.
    pub fraction: &'a [u8],
}

impl<'a> UtcTimestamp<'a> {
    /// None: the text has another shape, and [`Timestamp::parse`] has to read it.
    #[inline]
    pub fn of(text: &'a [u8]) -> Option<Self> {
        const SHAPE: &[u8; 19] = b"0000-00-00 00:00:00";
        let (seconds, tail) = text.split_first_chunk::<19>()?;
        let fraction = tail.strip_suffix(b"+00")?;
        let fits = seconds.iter().zip(SHAPE).fold(true, |fits, (byte, shape)| {
            fits & if *shape == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == shape
            }
        });
        let fraction = match fraction.split_first() {
            None => fraction,
            Some((b'.', digits)) => digits,
            Some(_) => return None,
        };
        (fits && fraction.iter().all(u8::is_ascii_digit)).then_some(Self { seconds, fraction })
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
    use proptest::prelude::*;

    use super::*;

    /// Microseconds since 1970, of the text's own clock.
    fn micros(text: &str) -> Result<(i64, Option<i32>), ParseError> {
        match Timestamp::parse(text.as_bytes())? {
            Bounded::Finite(Timestamp { day, time, offset }) => Ok((
                day.since_epoch() * 86_400_000_000 + time.since_midnight(),
                offset,
            )),
            other @ (Bounded::NegativeInfinity | Bounded::Infinity) => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn timestamps_are_read() {
        for (text, expected) in [
            ("2024-05-01 13:51:30.123789", (1_714_571_490_123_789, None)),
            (
                "2024-05-01 13:51:30.123789+00",
                (1_714_571_490_123_789, Some(0)),
            ),
            (
                "2024-05-01T13:51:30.123789Z",
                (1_714_571_490_123_789, Some(0)),
            ),
            (
                "2024-05-01 13:51:30+05:30",
                (1_714_571_490_000_000, Some(19_800)),
            ),
            (
                "0044-03-15 12:00:00+00 BC",
                (-63_517_780_800_000_000, Some(0)),
            ),
            ("0044-03-15 12:00:00 BC", (-63_517_780_800_000_000, None)),
            (
                "-0043-03-15T12:00:00.000000Z",
                (-63_517_780_800_000_000, Some(0)),
            ),
            ("1969-12-31 23:59:59.999999", (-1, None)),
        ] {
            assert_eq!(micros(text), Ok(expected), "{text}");
        }
        assert_eq!(Timestamp::parse(b"infinity"), Ok(Bounded::Infinity));
        assert_eq!(
            Timestamp::parse(b"-infinity"),
            Ok(Bounded::NegativeInfinity)
        );
    }

    #[test]
    fn what_is_no_timestamp_is_refused_where_it_is_none() {
        for (text, at) in [
            ("", 0),
            ("2024-05-01", 10),
            ("2024-05-01x00:00:00", 10),
            ("2024-02-30 00:00:00", 8),
            ("2024-05-01 00:00:00 ", 19),
            ("2024-05-01 00:00:00+00 AD", 22),
            ("0000-05-01 00:00:00 BC", 19),
            ("nope", 0),
        ] {
            let refused = micros(text).expect_err(text);
            assert_eq!(refused.at, at, "{text}: {refused}");
        }
    }

    #[test]
    fn the_common_shape_is_known() {
        let found = UtcTimestamp::of(b"2024-05-01 13:51:30.5+00").expect("the shape");
        assert_eq!(found.seconds, b"2024-05-01 13:51:30");
        assert_eq!(found.fraction, b"5");
        for other in [
            "2024-05-01 13:51:30",
            "2024-05-01 13:51:30+01",
            "12024-05-01 13:51:30+00",
            "0044-03-15 12:00:00+00 BC",
            "2024-05-01 13:51:30x+00",
            "2024-05-01 13:51:30.5x+00",
        ] {
            assert_eq!(UtcTimestamp::of(other.as_bytes()), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn timestamps_equal_chronos(micros_since in -60_000_000_000_000_000i64..250_000_000_000_000_000) {
            let at: NaiveDateTime =
                DateTime::<Utc>::from_timestamp_micros(micros_since).expect("in range").naive_utc();
            let text = at.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
            prop_assert_eq!(micros(&text), Ok((micros_since, None)));
            let shifted = (at + TimeDelta::minutes(330)).format("%Y-%m-%d %H:%M:%S%.6f+05:30").to_string();
            prop_assert_eq!(micros(&shifted), Ok((micros_since + 330 * 60_000_000, Some(19_800))));
        }

        #[test]
        fn any_text_is_read_or_refused_within_it(text in "[0-9:.+TZBC -]{0,32}") {
            if let Err(refused) = Timestamp::parse(text.as_bytes()) {
                prop_assert!(refused.at <= text.len());
            }
        }
    }
}
