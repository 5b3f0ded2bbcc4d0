//! `time` and `timetz` text.

use crate::{ParseError, cursor::Cursor};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A time of day (manual, 8.5.2 Date/Time Output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Up to 24, the end of the day.
    pub hour: u8,
    /// Up to 59.
    pub minute: u8,
    /// Up to 60: PostgreSQL rounds what is nearly a minute up to `23:59:60`.
    pub second: u8,
    /// Below a second.
    pub micros: u32,
}

impl Time {
    /// Reads `time` text: `13:51:30.123789`, `24:00:00`. Digits below a microsecond, which PostgreSQL does not print, are cut
    /// off.
    #[inline]
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text);
        let time = Self::read(&mut cursor)?;
        cursor.end()?;
        Ok(time)
    }

    /// `HH:MM[:SS[.ffffff]]`.
    #[inline]
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let hour = cursor.two_digits(0..=24, "an hour from 00 to 24")?;
        cursor.expect(b':', "`:` behind the hour")?;
        Self::read_below_hour(hour, cursor)
    }

    /// `MM[:SS[.ffffff]]`.
    #[inline]
    pub(crate) fn read_below_hour(hour: u8, cursor: &mut Cursor<'_>) -> Result<Self, ParseError> {
        let minute = cursor.two_digits(0..=59, "a minute from 00 to 59")?;
        let mut time = Self {
            hour,
            minute,
            second: 0,
            micros: 0,
        };
        if cursor.accept(b":") {
            time.second = cursor.two_digits(0..=60, "a second from 00 to 60")?;
            if cursor.accept(b".") {
                let (fraction, digits) = cursor.number(1, 9, "digits of a second's fraction")?;
                time.micros = match 6usize.checked_sub(digits) {
                    Some(missing) => fraction * power_of_ten(missing),
                    None => fraction / power_of_ten(digits - 6),
                };
            }
        }
        Ok(time)
    }

    /// Microseconds since midnight.
    #[inline]
    pub fn since_midnight(self) -> i64 {
        let seconds = (i64::from(self.hour) * 60 + i64::from(self.minute)) * 60;
        (seconds + i64::from(self.second)) * MICROS_PER_SECOND + i64::from(self.micros)
    }
}

/// Of at most six.
#[inline]
fn power_of_ten(exponent: usize) -> u32 {
    const POWERS: [u32; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
    POWERS.get(exponent).copied().unwrap_or(1_000_000)
}

/// `[+-]HH[:MM[:SS]]`, or the `Z` of ISO 8601, in seconds east of Greenwich.
#[inline]
pub(crate) fn read_offset(cursor: &mut Cursor<'_>) -> Result<i32, ParseError> {
    if cursor.accept(b"Z") {
        return Ok(0);
    }
    let negative = cursor.accept(b"-");
    if !negative {
        cursor.expect(b'+', "an offset from UTC")?;
    }
    let mut seconds = i32::from(cursor.two_digits(0..=24, "hours of an offset")?) * 3_600;
    if cursor.accept(b":") {
        seconds += i32::from(cursor.two_digits(0..=59, "minutes of an offset")?) * 60;
        if cursor.accept(b":") {
            seconds += i32::from(cursor.two_digits(0..=59, "seconds of an offset")?);
        }
    }
    Ok(if negative { -seconds } else { seconds })
}

/// A time of day with its offset (manual, 8.5.2 Date/Time Output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeTz {
    /// The time where the offset holds.
    pub time: Time,
    /// Seconds east of Greenwich.
    pub offset: i32,
}

impl TimeTz {
    /// Reads `timetz` text: `13:51:30.123789+02`, `00:00:00-03:30`.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text);
        let time = Time::read(&mut cursor)?;
        let offset = read_offset(&mut cursor)?;
        cursor.end()?;
        Ok(Self { time, offset })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read() {
        for (text, micros) in [
            ("13:51:30.123789", 49_890_123_789),
            ("24:00:00", 86_400_000_000),
            ("23:59:60", 86_400_000_000),
            ("00:00:00", 0),
            ("10:15", 36_900_000_000),
            ("10:15:00.5", 36_900_500_000),
            ("10:15:00.000001", 36_900_000_001),
            ("10:15:00.123456789", 36_900_123_456),
        ] {
            let time = Time::parse(text.as_bytes()).expect(text);
            assert_eq!(time.since_midnight(), micros, "{text}");
        }
        for (text, micros, offset) in [
            ("13:51:30.123789+02", 49_890_123_789, 7_200),
            ("00:00:00-12", 0, -43_200),
            ("10:15:00-03:30", 36_900_000_000, -12_600),
            ("10:15:00+15:59:59", 36_900_000_000, 57_599),
            ("10:15:00.5Z", 36_900_500_000, 0),
        ] {
            let found = TimeTz::parse(text.as_bytes()).expect(text);
            assert_eq!(
                (found.time.since_midnight(), found.offset),
                (micros, offset)
            );
        }
    }

    #[test]
    fn what_is_no_time_is_refused_where_it_is_none() {
        for (text, at) in [
            ("", 0),
            ("1:00:00", 0),
            ("25:00:00", 0),
            ("10", 2),
            ("10:60:00", 3),
            ("10:00:61", 6),
            ("10:00:00.", 9),
            ("10:00.5", 5),
            ("10:00:00+02", 8),
            ("10:00:00.1234567891", 18),
        ] {
            let refused = Time::parse(text.as_bytes()).expect_err(text);
            assert_eq!(refused.at, at, "{text}: {refused}");
        }
        for (text, at) in [("10:00:00", 8), ("10:00:00+2", 9), ("10:00:00+02:", 12)] {
            let refused = TimeTz::parse(text.as_bytes()).expect_err(text);
            assert_eq!(refused.at, at, "{text}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_time_is_read_back(micros in 0i64..86_400_000_000, offset in -57_599i32..57_600) {
            let seconds = micros / 1_000_000;
            let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
            let fraction = format!(".{:06}", micros % 1_000_000);
            let text = format!("{clock}{}", fraction.trim_end_matches('0').trim_end_matches('.'));
            let time = Time::parse(text.as_bytes());
            prop_assert_eq!(time.map(Time::since_midnight), Ok(micros));

            let east = offset.unsigned_abs();
            let sign = if offset < 0 { '-' } else { '+' };
            let text = format!("{text}{sign}{:02}:{:02}:{:02}", east / 3_600, east / 60 % 60, east % 60);
            let found = TimeTz::parse(text.as_bytes());
            prop_assert_eq!(found.map(|found| found.offset), Ok(offset));
            prop_assert_eq!(found.map(|found| found.time.since_midnight()), Ok(micros));
        }

        #[test]
        fn any_text_is_read_or_refused_within_it(text in "[0-9:.+Z -]{0,20}") {
            if let Err(refused) = TimeTz::parse(text.as_bytes()) {
                prop_assert!(refused.at <= text.len());
            }
        }
    }
}
