//! `interval` text under `IntervalStyle=postgres`.

use crate::{Bounded, ParseError, Time, cursor::Cursor};

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// A span of time, in the parts in which it is printed (manual, 8.5.5 Interval Output). Each has a sign of its own, as a
/// month has no fixed number of days, nor a day of hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interval {
    /// Years.
    pub years: i32,
    /// Months beside the years, less than twelve.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds: hours, minutes and seconds.
    pub micros: i64,
}

impl Interval {
    /// Reads `1 year 2 mons -3 days +04:05:06.789`. Parts that are zero may be missing, but not all of them.
    /// PostgreSQL 17 and later has infinite intervals too.
    pub fn parse(text: &[u8]) -> Result<Bounded<Self>, ParseError> {
        if let Some(infinity) = Bounded::infinity(text) {
            return Ok(infinity);
        }
        let mut cursor = Cursor::new(text);
        let mut interval = Self::default();
        let mut later_units = &UNITS[..];
        loop {
            let start = cursor.clone();
            let negative = cursor.accept(b"-");
            if !negative {
                cursor.accept(b"+");
            }
            let magnitude = cursor.long_number("a number of years, months, days or hours")?;
            if cursor.accept(b":") {
                interval.micros = clock(negative, magnitude, &mut cursor)?;
                cursor.end()?;
                return Ok(Bounded::Finite(interval));
            }
            let number = if negative { -magnitude } else { magnitude };
            let Ok(number) = i32::try_from(number) else {
                return start.expected("a number of 32 bits");
            };
            cursor.expect(b' ', "a space and a unit")?;
            let unit = |(_, (plural, singular)): &(usize, &(&[u8], &[u8]))| {
                cursor.accept(plural) || cursor.accept(singular)
            };
            let Some((at, (name, _))) = later_units.iter().enumerate().find(unit) else {
                return cursor.expected("`years`, `mons` or `days`, in this order");
            };
            match *name {
                b"years" => interval.years = number,
                b"mons" => interval.months = number,
                _ => interval.days = number,
            }
            later_units = later_units.get(at + 1..).unwrap_or_default();
            if !cursor.accept(b" ") {
                cursor.end()?;
                return Ok(Bounded::Finite(interval));
            }
        }
    }
}

const UNITS: [(&[u8], &[u8]); 3] = [(b"years", b"year"), (b"mons", b"mon"), (b"days", b"day")];

/// `MM[:SS[.ffffff]]` behind the hours, of which there may be any number.
fn clock(negative: bool, hours: i64, cursor: &mut Cursor<'_>) -> Result<i64, ParseError> {
    let start = cursor.clone();
    let below = Time::read_below_hour(0, cursor)?.since_midnight();
    // Both parts have the sign, so that the lowest number is reached.
    let sign = if negative { -1 } else { 1 };
    let micros = (sign * hours)
        .checked_mul(MICROS_PER_HOUR)
        .and_then(|micros| micros.checked_add(sign * below));
    match micros {
        Some(micros) => Ok(micros),
        None => start.expected("fewer hours, as microseconds have 64 bits"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> Result<(i32, i32, i32, i64), ParseError> {
        match Interval::parse(text.as_bytes())? {
            Bounded::Finite(found) => Ok((found.years, found.months, found.days, found.micros)),
            other @ (Bounded::NegativeInfinity | Bounded::Infinity) => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn intervals_are_read() {
        for (text, expected) in [
            (
                "1 year 2 mons 3 days 04:05:06.789",
                (1, 2, 3, 14_706_789_000),
            ),
            (
                "-1 mons -2 days -03:04:05.000006",
                (0, -1, -2, -11_045_000_006),
            ),
            ("1 mon -1 days +100:00:00", (0, 1, -1, 360_000_000_000)),
            ("00:00:00", (0, 0, 0, 0)),
            ("-00:00:00.5", (0, 0, 0, -500_000)),
            ("1 day", (0, 0, 1, 0)),
            ("-178000000 years", (-178_000_000, 0, 0, 0)),
            ("2147483647 days", (0, 0, i32::MAX, 0)),
            ("-2147483648 days", (0, 0, i32::MIN, 0)),
            ("2562047788:00:54.775807", (0, 0, 0, i64::MAX)),
            ("-2562047788:00:54.775808", (0, 0, 0, i64::MIN)),
        ] {
            assert_eq!(parts(text), Ok(expected), "{text}");
        }
        assert_eq!(Interval::parse(b"infinity"), Ok(Bounded::Infinity));
        assert_eq!(Interval::parse(b"-infinity"), Ok(Bounded::NegativeInfinity));
    }

    #[test]
    fn what_is_no_interval_is_refused_where_it_is_none() {
        for (text, at) in [
            ("", 0),
            ("1", 1),
            ("1 week", 2),
            ("x days", 0),
            ("days", 0),
            ("1:2", 2),
            ("-:00:00", 1),
            ("1 day ", 6),
            ("1 day 1 day", 8),
            ("1 day 1 mon", 8),
            ("1 days 00:00:00 ", 15),
            ("00:00:00 1 day", 8),
            ("2147483648 days", 0),
            ("2562047788:00:54.775808", 11),
            ("P1D", 0),
        ] {
            let refused = parts(text).expect_err(text);
            assert_eq!(refused.at, at, "{text}: {refused}");
        }
    }

    /// As PostgreSQL's EncodeInterval does.
    fn printed(interval: Interval) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut before_negative = false;
        for (number, unit) in [
            (interval.years, "year"),
            (interval.months, "mon"),
            (interval.days, "day"),
        ] {
            if number != 0 {
                let sign = if before_negative && number > 0 {
                    "+"
                } else {
                    ""
                };
                let plural = if number == 1 { "" } else { "s" };
                words.push(format!("{sign}{number} {unit}{plural}"));
                before_negative = number < 0;
            }
        }
        let micros = interval.micros.unsigned_abs();
        if micros > 0 || words.is_empty() {
            let sign = match interval.micros {
                ..0 => "-",
                _ if before_negative => "+",
                _ => "",
            };
            let seconds = micros / 1_000_000;
            let clock = format!(
                "{sign}{:02}:{:02}:{:02}.{:06}",
                seconds / 3_600,
                seconds / 60 % 60,
                seconds % 60,
                micros % 1_000_000
            );
            let clock = clock.trim_end_matches('0');
            let clock = match clock.strip_suffix('.') {
                Some(whole) => whole,
                None => clock,
            };
            words.push(clock.to_owned());
        }
        words.join(" ")
    }

    proptest! {
        #[test]
        fn a_printed_interval_is_read_back(
            years in any::<i32>(), months in -11i32..12, days in any::<i32>(), micros in any::<i64>(), absent in 0u8..16
        ) {
            let kept = |bit: u8| absent & bit == 0;
            let interval = Interval {
                years: if kept(1) { years } else { 0 },
                months: if kept(2) { months } else { 0 },
                days: if kept(4) { days } else { 0 },
                micros: if kept(8) { micros } else { 0 },
            };
            let text = printed(interval);
            prop_assert_eq!(Interval::parse(text.as_bytes()), Ok(Bounded::Finite(interval)), "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused_within_it(text in "([0-9:.+-]{0,4} ?(day|mon|year)?s? ?){0,5}") {
            if let Err(refused) = Interval::parse(text.as_bytes()) {
                prop_assert!(refused.at <= text.len());
            }
        }
    }
}
