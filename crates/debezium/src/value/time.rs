//! Dates and times as PostgreSQL prints them under `DateStyle=ISO`.

use super::{Unconvertible, day::Day};

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(crate) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// What Debezium's stream makes of `date` infinities (an overflow, kept for compatibility).
const DATE_INFINITY: i32 = -2_147_472_692;
const DATE_MINUS_INFINITY: i32 = -2_147_472_691;
/// pgjdbc's idea of `timestamp` infinities, in microseconds since the Unix epoch.
const TIMESTAMP_INFINITY: i64 = 9_223_372_036_825_200_000;
const TIMESTAMP_MINUS_INFINITY: i64 = -9_223_372_036_832_400_000;

/// Reads fixed fields off the start of the text.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number(&mut self, min_digits: usize, max_digits: usize) -> Result<i64, Unconvertible> {
        let count = self
            .0
            .iter()
            .take(max_digits)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if count < min_digits {
            return Err(Unconvertible);
        }
        let (digits, rest) = self.0.split_at_checked(count).ok_or(Unconvertible)?;
        self.0 = rest;
        Ok(digits.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')))
    }

    fn small(&mut self, max: u8) -> Result<u8, Unconvertible> {
        let number = self.number(2, 2)?;
        u8::try_from(number)
            .ok()
            .filter(|n| *n <= max)
            .ok_or(Unconvertible)
    }

    fn accept(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((&first, rest)) if first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Unconvertible> {
        self.accept(byte).then_some(()).ok_or(Unconvertible)
    }

    /// `YYYY-MM-DD`, the era not yet applied.
    fn day(&mut self) -> Result<Day, Unconvertible> {
        let year = self.number(4, 9)?;
        self.expect(b'-')?;
        let month = self.small(12)?;
        self.expect(b'-')?;
        let day = self.small(31)?;
        if month == 0 || day == 0 {
            return Err(Unconvertible);
        }
        Ok(Day { year, month, day })
    }

    /// `HH:MM[:SS[.ffffff]]` in microseconds; 24:00:00 is allowed.
    fn time(&mut self) -> Result<i64, Unconvertible> {
        let hours = i64::from(self.small(24)?);
        self.expect(b':')?;
        let minutes = i64::from(self.small(59)?);
        let seconds = if self.accept(b':') {
            i64::from(self.small(60)?)
        } else {
            0
        };
        let fraction = self.fraction()?;
        Ok((hours * 3_600 + minutes * 60 + seconds) * MICROS_PER_SECOND + fraction)
    }

    fn fraction(&mut self) -> Result<i64, Unconvertible> {
        if !self.accept(b'.') {
            return Ok(0);
        }
        let before = self.0.len();
        let digits = self.number(1, 6)?;
        let read = u32::try_from(before - self.0.len()).map_err(|_| Unconvertible)?;
        Ok(digits * 10i64.pow(6u32.saturating_sub(read)))
    }

    /// `+HH[:MM[:SS]]` in seconds east of UTC.
    fn zone(&mut self) -> Result<i64, Unconvertible> {
        let sign = if self.accept(b'-') {
            -1
        } else {
            self.expect(b'+')?;
            1
        };
        let mut seconds = i64::from(self.small(24)?) * 3_600;
        for unit in [60, 1] {
            if self.accept(b':') {
                seconds += i64::from(self.small(59)?) * unit;
            }
        }
        Ok(sign * seconds)
    }

    /// The era and the end of the text.
    fn end_of_era(&mut self, day: Day) -> Result<Day, Unconvertible> {
        match self.0 {
            b"" => Ok(day),
            b" BC" => Ok(Day {
                year: 1 - day.year,
                ..day
            }),
            _ => Err(Unconvertible),
        }
    }

    fn end(&self) -> Result<(), Unconvertible> {
        self.0.is_empty().then_some(()).ok_or(Unconvertible)
    }
}

/// Days since 1970-01-01 of `date` text.
pub(crate) fn date(text: &[u8]) -> Result<i32, Unconvertible> {
    match text {
        b"infinity" => return Ok(DATE_INFINITY),
        b"-infinity" => return Ok(DATE_MINUS_INFINITY),
        _ => {}
    }
    let mut fields = Fields(text);
    let day = fields.day()?;
    i32::try_from(fields.end_of_era(day)?.since_epoch()).map_err(|_| Unconvertible)
}

/// Microseconds since midnight of `time` text.
pub(crate) fn time(text: &[u8]) -> Result<i64, Unconvertible> {
    let mut fields = Fields(text);
    let time = fields.time()?;
    fields.end()?;
    Ok(time)
}

/// Microseconds since the Unix epoch of `timestamp` text, read as UTC.
pub(crate) fn timestamp(text: &[u8]) -> Result<i64, Unconvertible> {
    match text {
        b"infinity" => return Ok(TIMESTAMP_INFINITY),
        b"-infinity" => return Ok(TIMESTAMP_MINUS_INFINITY),
        _ => {}
    }
    let (days, time) = instant(text)?;
    let micros = days.checked_mul(MICROS_PER_DAY);
    let micros = micros.and_then(|micros| micros.checked_add(time));
    micros.ok_or(Unconvertible)
}

/// Days since the Unix epoch and microseconds of the day, of `timestamp` text. PostgreSQL's timestamps go to the year
/// 294276; microseconds since 1970 fit into 64 bits up to 294247 only, and what is counted otherwise goes on to the end.
pub(crate) fn instant(text: &[u8]) -> Result<(i64, i64), Unconvertible> {
    let mut fields = Fields(text);
    let day = fields.day()?;
    fields.expect(b' ')?;
    let time = fields.time()?;
    let days = fields.end_of_era(day)?.since_epoch();
    Ok((days + time / MICROS_PER_DAY, time % MICROS_PER_DAY))
}

/// The same in a coarser unit of so many microseconds. The infinities are not instants: they are cut, not floored.
pub(crate) fn divided(text: &[u8], divisor: i64) -> Result<i64, Unconvertible> {
    if let Some(b'y') = text.last() {
        return Ok(timestamp(text)? / divisor);
    }
    let (days, time) = instant(text)?;
    let micros = i128::from(days) * i128::from(MICROS_PER_DAY) + i128::from(time);
    i64::try_from(micros.div_euclid(i128::from(divisor))).map_err(|_| Unconvertible)
}

fn micros(day: Day, time: i64) -> Result<i64, Unconvertible> {
    day.since_epoch()
        .checked_mul(MICROS_PER_DAY)
        .and_then(|micros| micros.checked_add(time))
        .ok_or(Unconvertible)
}

/// Appends `timestamptz` text as `io.debezium.time.ZonedTimestamp`, without quotes: in UTC, the fraction padded to
/// `precision` digits.
#[inline]
pub(crate) fn write_zoned_timestamp(
    text: &[u8],
    precision: u8,
    out: &mut Vec<u8>,
) -> Result<(), Unconvertible> {
    if matches!(text, b"infinity" | b"-infinity") {
        out.extend_from_slice(text);
        return Ok(());
    }
    if copy_zoned_timestamp(text, precision, out) {
        return Ok(());
    }
    let mut fields = Fields(text);
    let day = fields.day()?;
    fields.expect(b' ')?;
    let time = fields.time()?;
    let zone = fields.zone()?;
    let day = fields.end_of_era(day)?;
    let (day, time) = if zone == 0 && time < MICROS_PER_DAY {
        (day, time)
    } else {
        let micros = micros(day, time)?
            .checked_sub(zone * MICROS_PER_SECOND)
            .ok_or(Unconvertible)?;
        (
            Day::from_epoch(micros.div_euclid(MICROS_PER_DAY)),
            micros.rem_euclid(MICROS_PER_DAY),
        )
    };
    write_day(day, out);
    out.push(b'T');
    write_clock(time, Fraction::Padded(precision), out);
    out.push(b'Z');
    Ok(())
}

/// What nearly every value is: four digits of year and already UTC, so that it can be copied. Nothing is appended
/// where it is anything else.
#[inline]
fn copy_zoned_timestamp(text: &[u8], precision: u8, out: &mut Vec<u8>) -> bool {
    const SHAPE: &[u8; 19] = b"0000-00-00 00:00:00";
    let Some((head, tail)) = text.split_first_chunk::<19>() else {
        return false;
    };
    let Some(fraction) = tail.strip_suffix(b"+00") else {
        return false;
    };
    let fits = head.iter().zip(SHAPE).fold(true, |fits, (byte, shape)| {
        fits & if *shape == b'0' {
            byte.is_ascii_digit()
        } else {
            byte == shape
        }
    });
    let digits = match fraction.split_first() {
        None => fraction,
        Some((b'.', digits)) => digits,
        Some(_) => return false,
    };
    let missing = usize::from(precision).checked_sub(digits.len());
    // Hour 24 and second 60 do not stand in the text of a timestamptz.
    let (true, Some(missing)) = (fits && digits.iter().all(u8::is_ascii_digit), missing) else {
        return false;
    };
    out.extend_from_slice(head);
    if let Some(space) = out.iter_mut().rev().nth(8) {
        *space = b'T';
    }
    if precision > 0 {
        out.push(b'.');
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', missing));
    }
    out.push(b'Z');
    true
}

/// Appends `timetz` text as `io.debezium.time.ZonedTime`, without quotes: shifted to UTC. The end of the day may stay
/// 24:00:00 where it is UTC already.
pub(crate) fn write_zoned_time(
    text: &[u8],
    day_end: bool,
    out: &mut Vec<u8>,
) -> Result<(), Unconvertible> {
    let mut fields = Fields(text);
    let time = fields.time()?;
    let zone = fields.zone()?;
    fields.end()?;
    let utc = if day_end && zone == 0 && time == MICROS_PER_DAY {
        time
    } else {
        (time - zone * MICROS_PER_SECOND).rem_euclid(MICROS_PER_DAY)
    };
    write_clock(utc, Fraction::Shortest, out);
    out.push(b'Z');
    Ok(())
}

#[derive(Clone, Copy)]
enum Fraction {
    /// So many digits, zeros included.
    Padded(u8),
    /// Only as long as needed.
    Shortest,
}

fn write_two(value: i64, out: &mut Vec<u8>) {
    // Callers pass 0 to 99.
    let value = value as u8;
    out.extend_from_slice(&[b'0' + value / 10 % 10, b'0' + value % 10]);
}

fn write_day(day: Day, out: &mut Vec<u8>) {
    if let 0..=9999 = day.year {
        write_two(day.year / 100, out);
        write_two(day.year % 100, out);
    } else {
        let sign = if day.year < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("{sign}{:04}", day.year.unsigned_abs()).as_bytes());
    }
    out.push(b'-');
    write_two(i64::from(day.month), out);
    out.push(b'-');
    write_two(i64::from(day.day), out);
}

/// Appends `HH:MM:SS[.f]` of microseconds since midnight, less than a day.
fn write_clock(micros: i64, fraction: Fraction, out: &mut Vec<u8>) {
    let seconds = micros / MICROS_PER_SECOND;
    write_two(seconds / 3_600, out);
    out.push(b':');
    write_two(seconds / 60 % 60, out);
    out.push(b':');
    write_two(seconds % 60, out);
    let micros = micros % MICROS_PER_SECOND;
    let mut digits = [b'0'; 6];
    let mut rest = micros;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let count = match fraction {
        Fraction::Padded(precision) => usize::from(precision),
        Fraction::Shortest => 6 - digits.iter().rev().take_while(|&&b| b == b'0').count(),
    };
    if count > 0 {
        out.push(b'.');
        out.extend(digits.iter().take(count));
    }
}

/// Appends days since 1970-01-01 as `YYYY-MM-DD`.
pub(crate) fn write_date_text(days: i64, out: &mut Vec<u8>) {
    write_day(Day::from_epoch(days), out);
}

/// Appends days since the epoch as `YYYY-MM-DD`.
pub(crate) fn write_iso_date(days: i32, out: &mut Vec<u8>) {
    write_date_text(i64::from(days), out);
}

/// Appends microseconds since midnight as `HH:MM:SS[.f]`; a whole day is midnight again.
pub(crate) fn write_iso_time(micros: i64, out: &mut Vec<u8>) {
    write_clock(micros.rem_euclid(MICROS_PER_DAY), Fraction::Shortest, out);
}

/// Appends days since the epoch and microseconds of the day as `YYYY-MM-DDTHH:MM:SS[.f]`.
pub(crate) fn write_iso_timestamp((days, micros): (i64, i64), out: &mut Vec<u8>) {
    write_day(Day::from_epoch(days), out);
    out.push(b'T');
    write_iso_time(micros, out);
}

/// Appends milliseconds since midnight as `HH:MM:SS.fffZ`.
pub(crate) fn write_time_text(millis: i64, out: &mut Vec<u8>) {
    write_clock(
        millis.saturating_mul(1_000).rem_euclid(MICROS_PER_DAY),
        Fraction::Padded(3),
        out,
    );
    out.push(b'Z');
}

/// Appends milliseconds since the Unix epoch as `YYYY-MM-DDTHH:MM:SS.fffZ`.
pub(crate) fn write_timestamp_text(millis: i64, out: &mut Vec<u8>) {
    const MILLIS_PER_DAY: i64 = 86_400_000;
    write_day(Day::from_epoch(millis.div_euclid(MILLIS_PER_DAY)), out);
    out.push(b'T');
    write_clock(
        millis.rem_euclid(MILLIS_PER_DAY) * 1_000,
        Fraction::Padded(3),
        out,
    );
    out.push(b'Z');
}

/// Appends milliseconds since the Unix epoch as Java's `Date.toString` in UTC: `Wed May 01 12:34:56 UTC 2024`.
pub(crate) fn write_java_date(millis: i64, out: &mut Vec<u8>) {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    const MILLIS_PER_DAY: i64 = 86_400_000;
    let days = millis.div_euclid(MILLIS_PER_DAY);
    let day = Day::from_epoch(days);
    let weekday = usize::try_from(days.rem_euclid(7)).unwrap_or_default();
    let month = usize::from(day.month).saturating_sub(1);
    let names = [DAYS.get(weekday), MONTHS.get(month)];
    for name in names.into_iter().flatten() {
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
    }
    write_two(i64::from(day.day), out);
    out.push(b' ');
    let seconds = millis.rem_euclid(MILLIS_PER_DAY) / 1_000;
    write_clock(seconds * MICROS_PER_SECOND, Fraction::Shortest, out);
    out.extend_from_slice(b" UTC ");
    out.extend_from_slice(itoa::Buffer::new().format(day.year).as_bytes());
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
