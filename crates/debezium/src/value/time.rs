//! Dates and times of PostgreSQL as Debezium's numbers and texts.

use pgtext::{Bounded, Day, Time, TimeTz, Timestamp, UtcTimestamp};

use super::Unconvertible;

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(crate) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// What Debezium's stream makes of `date` infinities (an overflow, kept for compatibility).
const DATE_INFINITY: i32 = -2_147_472_692;
const DATE_MINUS_INFINITY: i32 = -2_147_472_691;
/// pgjdbc's idea of `timestamp` infinities, in microseconds since the Unix epoch.
const TIMESTAMP_INFINITY: i64 = 9_223_372_036_825_200_000;
const TIMESTAMP_MINUS_INFINITY: i64 = -9_223_372_036_832_400_000;

/// Days since 1970-01-01 of `date` text.
pub(crate) fn date(text: &[u8]) -> Result<i32, Unconvertible> {
    match Day::parse(text)? {
        Bounded::Infinity => Ok(DATE_INFINITY),
        Bounded::NegativeInfinity => Ok(DATE_MINUS_INFINITY),
        Bounded::Finite(day) => i32::try_from(day.since_epoch()).map_err(|_| Unconvertible),
    }
}

/// Microseconds since midnight of `time` text.
pub(crate) fn time(text: &[u8]) -> Result<i64, Unconvertible> {
    Ok(Time::parse(text)?.since_midnight())
}

/// Microseconds since the Unix epoch of `timestamp` text, read as UTC.
pub(crate) fn timestamp(text: &[u8]) -> Result<i64, Unconvertible> {
    let (days, time) = match Timestamp::parse(text)? {
        Bounded::Infinity => return Ok(TIMESTAMP_INFINITY),
        Bounded::NegativeInfinity => return Ok(TIMESTAMP_MINUS_INFINITY),
        Bounded::Finite(timestamp) => instant_of(timestamp)?,
    };
    let micros = days.checked_mul(MICROS_PER_DAY);
    let micros = micros.and_then(|micros| micros.checked_add(time));
    micros.ok_or(Unconvertible)
}

/// Days since the Unix epoch and microseconds of the day, of `timestamp` text. PostgreSQL's timestamps go to the year
/// 294276; microseconds since 1970 fit into 64 bits up to 294247 only, and what is counted otherwise goes on to the end.
pub(crate) fn instant(text: &[u8]) -> Result<(i64, i64), Unconvertible> {
    match Timestamp::parse(text)? {
        Bounded::Finite(timestamp) => instant_of(timestamp),
        Bounded::Infinity | Bounded::NegativeInfinity => Err(Unconvertible),
    }
}

fn instant_of(timestamp: Timestamp) -> Result<(i64, i64), Unconvertible> {
    if timestamp.offset.is_some() {
        return Err(Unconvertible);
    }
    let days = timestamp.day.since_epoch();
    let time = timestamp.time.since_midnight();
    Ok((days + time / MICROS_PER_DAY, time % MICROS_PER_DAY))
}

/// The same in a coarser unit of so many microseconds. The infinities are not instants: they are cut, not floored.
pub(crate) fn divided(text: &[u8], divisor: i64) -> Result<i64, Unconvertible> {
    let (days, time) = match Timestamp::parse(text)? {
        Bounded::Infinity => return Ok(TIMESTAMP_INFINITY / divisor),
        Bounded::NegativeInfinity => return Ok(TIMESTAMP_MINUS_INFINITY / divisor),
        Bounded::Finite(timestamp) => instant_of(timestamp)?,
    };
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
    if let Some(timestamp) = UtcTimestamp::of(text)
        && copy_zoned_timestamp(timestamp, precision, out)
    {
        return Ok(());
    }
    let timestamp = match Timestamp::parse(text)? {
        Bounded::Finite(timestamp) => timestamp,
        Bounded::Infinity | Bounded::NegativeInfinity => {
            out.extend_from_slice(text);
            return Ok(());
        }
    };
    let zone = i64::from(timestamp.offset.ok_or(Unconvertible)?);
    let (day, time) = (timestamp.day, timestamp.time.since_midnight());
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

/// What nearly every value is can be copied. Nothing is appended where it has more digits than the column.
#[inline]
fn copy_zoned_timestamp(timestamp: UtcTimestamp<'_>, precision: u8, out: &mut Vec<u8>) -> bool {
    let UtcTimestamp { seconds, fraction } = timestamp;
    let Some(missing) = usize::from(precision).checked_sub(fraction.len()) else {
        return false;
    };
    out.extend_from_slice(seconds);
    if let Some(space) = out.iter_mut().rev().nth(8) {
        *space = b'T';
    }
    if precision > 0 {
        out.push(b'.');
        out.extend_from_slice(fraction);
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
    let TimeTz { time, offset } = TimeTz::parse(text)?;
    let (time, zone) = (time.since_midnight(), i64::from(offset));
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
