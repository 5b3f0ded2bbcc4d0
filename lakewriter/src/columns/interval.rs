//! Intervals, reduced to the microseconds that Debezium's events tell.

use pgtext::{Bounded, Interval};

use super::error::ValueError;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_HOUR: i64 = 3600 * MICROS_PER_SECOND;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;
/// 30.4375 days.
const MICROS_PER_MONTH: i64 = 2_629_800 * MICROS_PER_SECOND;

const EXPECTED: ValueError = ValueError::Expected("an interval");

fn total(parts: &[(i64, i64)]) -> Result<i64, ValueError> {
    parts
        .iter()
        .try_fold(0i64, |sum, &(count, unit)| {
            sum.checked_add(count.checked_mul(unit)?)
        })
        .ok_or(ValueError::OutOfRange)
}

/// `seconds[.fraction]`, without sign.
fn seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let micros = match fraction.len() {
        0 => 0,
        digits @ 1..=6 => unsigned(fraction)? * 10i64.pow(6 - u32::try_from(digits).ok()?),
        _ => unsigned(fraction.get(..6)?)?,
    };
    unsigned(whole)?
        .checked_mul(MICROS_PER_SECOND)?
        .checked_add(micros)
}

fn unsigned(text: &str) -> Option<i64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

fn sign(text: &str) -> (i64, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Microseconds of a text as PostgreSQL prints it.
pub(super) fn parse_postgres(text: &str) -> Result<i64, ValueError> {
    let interval = match Interval::parse(text.as_bytes())? {
        Bounded::Finite(interval) => interval,
        Bounded::Infinity | Bounded::NegativeInfinity => return Err(EXPECTED),
    };
    let Interval {
        years,
        months,
        days,
        micros,
    } = interval;
    total(&[
        (i64::from(years), 12 * MICROS_PER_MONTH),
        (i64::from(months), MICROS_PER_MONTH),
        (i64::from(days), MICROS_PER_DAY),
        (micros, 1),
    ])
}

/// Microseconds of an ISO 8601 duration, each part with its own sign: `P1Y2M3DT4H5M6.78S`.
pub(super) fn parse_iso(text: &str) -> Result<i64, ValueError> {
    let (date, time) = text
        .strip_prefix('P')
        .map(|parts| parts.split_once('T').unwrap_or((parts, "")))
        .ok_or(EXPECTED)?;
    let mut parts = Vec::with_capacity(6);
    for (mut rest, units) in [
        (
            date,
            &[
                ('Y', 12 * MICROS_PER_MONTH),
                ('M', MICROS_PER_MONTH),
                ('W', 7 * MICROS_PER_DAY),
                ('D', MICROS_PER_DAY),
            ][..],
        ),
        (
            time,
            &[
                ('H', MICROS_PER_HOUR),
                ('M', 60 * MICROS_PER_SECOND),
                ('S', 1),
            ][..],
        ),
    ] {
        while !rest.is_empty() {
            let end = rest
                .find(|c: char| c.is_ascii_alphabetic())
                .ok_or(EXPECTED)?;
            let (number, letter) = rest.split_at(end);
            let (sign, digits) = sign(number);
            let unit = units
                .iter()
                .find(|(unit, _)| letter.starts_with(*unit))
                .ok_or(EXPECTED)?;
            let count = if unit.0 == 'S' {
                seconds(digits)
            } else {
                unsigned(digits)
            };
            parts.push((
                sign * count.filter(|_| !digits.is_empty()).ok_or(EXPECTED)?,
                unit.1,
            ));
            rest = letter.get(1..).unwrap_or_default();
        }
    }
    if parts.is_empty() {
        return Err(EXPECTED);
    }
    total(&parts)
}

/// The lake's text: days, hours, minutes and seconds, those that are not zero, all with the sign of the whole.
pub(super) fn iso(micros: i64) -> String {
    use std::fmt::Write;
    if micros == 0 {
        return "PT0S".to_owned();
    }
    let sign = if micros < 0 { "-" } else { "" };
    let seconds = micros.unsigned_abs() / 1_000_000;
    let fraction = micros.unsigned_abs() % 1_000_000;
    let mut text = String::with_capacity(24);
    text.push('P');
    for (count, before, letter) in [
        (seconds / 86_400, "", 'D'),
        (seconds / 3600 % 24, "T", 'H'),
        (seconds / 60 % 60, "T", 'M'),
        (seconds % 60, "T", 'S'),
    ] {
        let with_fraction = letter == 'S' && fraction > 0;
        if count == 0 && !with_fraction {
            continue;
        }
        if !text.contains('T') {
            text.push_str(before);
        }
        // Writing to a String never fails.
        let _ = write!(text, "{sign}{count}");
        if with_fraction {
            let digits = format!("{fraction:06}");
            let _ = write!(text, ".{}", digits.trim_end_matches('0'));
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn debezium_s_numbers() {
        for (text, micros, shown) in [
            (
                "1 year 2 mons 3 days 04:05:06.789",
                37_091_106_789_000,
                "P429DT7H5M6.789S",
            ),
            (
                "-1 mons -2 days -03:04:05.000006",
                -2_813_645_000_006,
                "P-32DT-13H-34M-5.000006S",
            ),
            ("00:00:00", 0, "PT0S"),
            ("100 years", 3_155_760_000_000_000, "P36525D"),
            ("1 day -00:00:01", 86_399_000_000, "PT23H59M59S"),
        ] {
            assert_eq!(parse_postgres(text), Ok(micros), "{text}");
            assert_eq!(iso(micros), shown);
        }
        for (text, micros) in [
            ("P1Y2M3DT4H5M6.789S", 37_091_106_789_000),
            ("P0Y-1M-2DT-3H-4M-5.000006S", -2_813_645_000_006),
            ("P0Y0M0DT0H0M0S", 0),
        ] {
            assert_eq!(parse_iso(text), Ok(micros), "{text}");
        }
        for text in ["", "P", "1 fortnight", "days", "1", "P1X", "PT1", "P-D"] {
            assert!(parse_postgres(text).is_err(), "{text}");
            assert!(parse_iso(text).is_err(), "{text}");
        }
        assert_eq!(
            parse_postgres("178000000 years"),
            Err(ValueError::OutOfRange)
        );
    }

    proptest! {
        #[test]
        fn text_round_trips(micros in -i64::MAX..=i64::MAX) {
            prop_assert_eq!(parse_iso(&iso(micros)), Ok(micros));
        }
    }
}
