//! Dates and times as PostgreSQL prints them (`2024-05-01 11:51:30.5+00`, `0044-03-15 BC`) and as ISO 8601 does
//! (`2024-05-01T11:51:30.5Z`, `-0043-03-15`), both of the proleptic Gregorian calendar.

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

    fn parse_infinity(text: &str) -> Option<Self> {
        match text {
            "infinity" => Some(Self::infinity(false)),
            "-infinity" => Some(Self::infinity(true)),
            _ => None,
        }
    }
}

/// Reads digits and marks from the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((&first, rest)) if first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// A number of one to nine digits, and how many there were.
    fn number(&mut self) -> Option<(i64, u32)> {
        let mut number = 0;
        let mut digits = 0;
        while let Some((&byte, rest)) = self.0.split_first()
            && byte.is_ascii_digit()
        {
            if digits == 9 {
                return None;
            }
            number = number * 10 + i64::from(byte - b'0');
            digits += 1;
            self.0 = rest;
        }
        (digits > 0).then_some((number, digits))
    }

    fn two_digits(&mut self, max: i64) -> Option<i64> {
        let (number, digits) = self.number()?;
        (digits == 2 && number <= max).then_some(number)
    }

    /// `[-+]yyyy-mm-dd`, the year as it stands.
    fn date(&mut self) -> Option<(i64, i64, i64)> {
        let negative = self.take(b'-');
        if !negative {
            self.take(b'+');
        }
        let (year, _) = self.number()?;
        let month = self.take(b'-').then(|| self.two_digits(12)).flatten()?;
        let day = self.take(b'-').then(|| self.two_digits(31)).flatten()?;
        Some((if negative { -year } else { year }, month, day))
    }

    /// `hh:mm[:ss[.ffffff]]` in microseconds; up to `24:00:00`. Digits below a microsecond are cut off.
    fn time(&mut self) -> Option<i64> {
        let hours = self.two_digits(24)?;
        let minutes = self.take(b':').then(|| self.two_digits(59)).flatten()?;
        let mut micros = (hours * 60 + minutes) * 60 * MICROS_PER_SECOND;
        if self.take(b':') {
            // A second of 60 is PostgreSQL's `23:59:60`.
            micros += self.two_digits(60)? * MICROS_PER_SECOND;
            if self.take(b'.') {
                let (fraction, digits) = self.number()?;
                micros += match digits {
                    ..=6 => fraction * 10i64.pow(6 - digits),
                    _ => fraction / 10i64.pow(digits - 6),
                };
            }
        }
        Some(micros)
    }

    /// `Z` or `[-+]hh[:mm[:ss]]`, in microseconds east of Greenwich.
    fn offset(&mut self) -> Option<i64> {
        if self.take(b'Z') {
            return Some(0);
        }
        let negative = self.take(b'-');
        if !negative && !self.take(b'+') {
            return None;
        }
        let mut seconds = self.two_digits(99)? * 3600;
        if self.take(b':') {
            seconds += self.two_digits(59)? * 60;
            if self.take(b':') {
                seconds += self.two_digits(59)?;
            }
        }
        Some(if negative { -seconds } else { seconds } * MICROS_PER_SECOND)
    }

    fn before_christ(&mut self) -> bool {
        match self.0.strip_prefix(b" BC") {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Days since the epoch. The year 0 is 1 BC.
fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Year (0 is 1 BC), month and day.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

fn astronomical(year: i64, before_christ: bool) -> Option<i64> {
    if !before_christ {
        return Some(year);
    }
    (year > 0).then_some(1 - year)
}

/// Days since the epoch.
pub(super) fn parse_date(text: &str) -> Result<Moment, ValueError> {
    if let Some(infinity) = Moment::parse_infinity(text) {
        return Ok(infinity);
    }
    let parse = || {
        let mut reader = Reader(text.as_bytes());
        let (year, month, day) = reader.date()?;
        let year = astronomical(year, reader.before_christ())?;
        reader.end()?;
        days_of(year, month, day)
    };
    parse()
        .map(Moment::Finite)
        .ok_or(ValueError::Expected("a date"))
}

/// Microseconds since midnight.
pub(super) fn parse_time(text: &str) -> Result<i64, ValueError> {
    let mut reader = Reader(text.as_bytes());
    reader
        .time()
        .filter(|_| reader.0.is_empty())
        .ok_or(ValueError::Expected("a time of day"))
}

/// Microseconds since the epoch, of a text with or without an offset.
#[inline]
pub(super) fn parse_timestamp(text: &str) -> Result<Moment, ValueError> {
    if let Some(infinity) = Moment::parse_infinity(text) {
        return Ok(infinity);
    }
    let parse = || {
        let mut reader = Reader(text.as_bytes());
        let (year, month, day) = reader.date()?;
        if !reader.take(b' ') && !reader.take(b'T') {
            return None;
        }
        let mut micros = reader.time()?;
        let zoned = matches!(reader.peek(), Some(b'Z' | b'+' | b'-'));
        if zoned {
            micros -= reader.offset()?;
        }
        let year = astronomical(year, reader.before_christ())?;
        reader.end()?;
        let days = days_of(year, month, day)?;
        let moment = days
            .checked_mul(MICROS_PER_DAY)
            .and_then(|day| day.checked_add(micros));
        Some(match moment {
            Some(moment) => Moment::Finite(moment),
            None => Moment::Beyond(iso_timestamp(days, micros, zoned)),
        })
    };
    parse().ok_or(ValueError::Expected("a timestamp"))
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
    let (year, month, day) = date_of(days);
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
    let parse = || {
        let mut reader = Reader(text.as_bytes());
        let time = reader.time()?;
        let offset = reader.offset()?;
        reader.end()?;
        Some((time - offset).rem_euclid(MICROS_PER_DAY))
    };
    let micros = parse().ok_or(ValueError::Expected("a time of day with offset"))?;
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
