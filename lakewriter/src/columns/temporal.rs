//! Dates and times as PostgreSQL prints them (`2024-05-01 11:51:30.5+00`, `0044-03-15 BC`) and as ISO 8601 does
//! (`2024-05-01T11:51:30.5Z`, `-0043-03-15`), as the numbers of Arrow's columns.

use pgtext::{Bounded, Day, Time, TimeTz, Timestamp};

use super::error::ValueError;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// A moment, or what the lake's numbers cannot tell and goes into the `_raw` column as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moment {
    Finite(i64),
    Beyond(String),
}

impl Moment {
    pub fn infinity(negative: bool) -> Self {
        Self::Beyond(if negative { "-infinity" } else { "infinity" }.to_owned())
    }
}

/// Days since the epoch.
pub(super) fn parse_date(text: &str) -> Result<Moment, ValueError> {
    Ok(match Day::parse(text.as_bytes())? {
        Bounded::Finite(day) => Moment::Finite(day.since_epoch()),
        Bounded::Infinity => Moment::infinity(false),
        Bounded::NegativeInfinity => Moment::infinity(true),
    })
}

/// Microseconds since midnight.
pub(super) fn parse_time(text: &str) -> Result<i64, ValueError> {
    Ok(Time::parse(text.as_bytes())?.since_midnight())
}

/// Microseconds since the epoch, of a text with or without an offset.
#[inline]
pub(super) fn parse_timestamp(text: &str) -> Result<Moment, ValueError> {
    let Timestamp { day, time, offset } = match Timestamp::parse(text.as_bytes())? {
        Bounded::Finite(timestamp) => timestamp,
        Bounded::Infinity => return Ok(Moment::infinity(false)),
        Bounded::NegativeInfinity => return Ok(Moment::infinity(true)),
    };
    let days = day.since_epoch();
    let micros = time.since_midnight() - offset_micros(offset.unwrap_or(0));
    let moment = days
        .checked_mul(MICROS_PER_DAY)
        .and_then(|day| day.checked_add(micros));
    Ok(match moment {
        Some(moment) => Moment::Finite(moment),
        None => Moment::Beyond(iso_timestamp(days, micros, offset.is_some())),
    })
}

fn offset_micros(seconds: i32) -> i64 {
    i64::from(seconds) * MICROS_PER_SECOND
}

/// One spelling for both roads: `+294270-01-01T00:00:00Z`.
fn iso_timestamp(days: i64, micros: i64, zoned: bool) -> String {
    let days = days + micros.div_euclid(MICROS_PER_DAY);
    let mut text = iso_date(days);
    text.push('T');
    write_time(micros.rem_euclid(MICROS_PER_DAY), &mut text);
    if zoned {
        text.push('Z');
    }
    text
}

/// ISO 8601, with a sign where the year needs more than four digits.
pub(super) fn iso_date(days: i64) -> String {
    let Day { year, month, day } = Day::from_epoch(days);
    match year {
        0..=9999 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:+05}-{month:02}-{day:02}"),
    }
}

/// ISO 8601 with as many digits after the second as needed, and `Z` where it is an instant.
pub(super) fn iso_timestamp_of(micros: i64, zoned: bool) -> String {
    iso_timestamp(
        micros.div_euclid(MICROS_PER_DAY),
        micros.rem_euclid(MICROS_PER_DAY),
        zoned,
    )
}

fn write_time(micros: i64, out: &mut String) {
    use std::fmt::Write;
    let seconds = micros / MICROS_PER_SECOND;
    let fraction = micros % MICROS_PER_SECOND;
    // Writing to a String never fails.
    let _ = write!(
        out,
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    if fraction > 0 {
        let _ = write!(out, ".{fraction:06}");
        out.truncate(out.trim_end_matches('0').len());
    }
}

/// `12:00:00.5+02` as UTC text `10:00:00.5Z`, with as many digits after the second as needed.
pub(super) fn utc_time(text: &str) -> Result<String, ValueError> {
    let TimeTz { time, offset } = TimeTz::parse(text.as_bytes())?;
    let micros = (time.since_midnight() - offset_micros(offset)).rem_euclid(MICROS_PER_DAY);
    let mut utc = String::with_capacity(16);
    write_time(micros, &mut utc);
    utc.push('Z');
    Ok(utc)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_and_timestamps_are_read() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("2024-05-01", 19_844),
            ("1969-12-31", -1),
            ("0044-03-15 BC", -735_160),
            ("-0043-03-15", -735_160),
            ("9999-12-31", 2_932_896),
            ("0001-01-01", -719_162),
            ("4714-11-24 BC", -2_440_588),
            ("5874897-12-31", 2_145_042_905),
        ] {
            assert_eq!(parse_date(text), Ok(Moment::Finite(days)), "{text}");
        }
        for (text, micros) in [
            ("2024-05-01 13:51:30.123789", 1_714_571_490_123_789),
            ("2024-05-01 13:51:30.123789+00", 1_714_571_490_123_789),
            ("2024-05-01T13:51:30.123789Z", 1_714_571_490_123_789),
            ("2024-05-01 15:21:30.123789+01:30", 1_714_571_490_123_789),
            ("0044-03-15 12:00:00+00 BC", -63_517_780_800_000_000),
            ("-0043-03-15T12:00:00.000000Z", -63_517_780_800_000_000),
            ("1969-12-31T23:59:59.999999Z", -1),
        ] {
            assert_eq!(parse_timestamp(text), Ok(Moment::Finite(micros)), "{text}");
        }
        let beyond = Moment::Beyond("+294270-01-01T00:00:00.5Z".to_owned());
        assert_eq!(
            parse_timestamp("294270-01-01 00:00:00.5+00"),
            Ok(beyond.clone())
        );
        assert_eq!(
            parse_timestamp("+294270-01-01T00:00:00.500000Z"),
            Ok(beyond)
        );
        assert_eq!(parse_timestamp("-infinity"), Ok(Moment::infinity(true)));
        for text in [
            "",
            "2024-02-30",
            "2024-5-1",
            "2024-05-01x",
            "0000-01-01 BC",
            "nope",
        ] {
            assert!(parse_date(text).is_err(), "{text}");
            assert!(parse_timestamp(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_read() {
        assert_eq!(parse_time("24:00:00"), Ok(86_400_000_000));
        assert_eq!(parse_time("13:51:30.5"), Ok(49_890_500_000));
        assert!(parse_time("13:51:30.").is_err());
        for (text, utc) in [
            ("13:51:30.123789+02", "11:51:30.123789Z"),
            ("00:00:00-12", "12:00:00Z"),
            ("10:15:00.5Z", "10:15:00.5Z"),
        ] {
            assert_eq!(utc_time(text).as_deref(), Ok(utc));
        }
    }

    proptest! {
        #[test]
        fn timestamps_round_trip(micros in any::<i64>()) {
            prop_assert_eq!(parse_timestamp(&iso_timestamp_of(micros, true)), Ok(Moment::Finite(micros)));
        }

        #[test]
        fn dates_round_trip(days in -2_440_588i64..2_145_031_948) {
            prop_assert_eq!(parse_date(&iso_date(days)), Ok(Moment::Finite(days)));
        }
    }
}
