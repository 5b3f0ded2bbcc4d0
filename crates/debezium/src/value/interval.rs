//! Intervals as Debezium's microseconds and as ISO 8601.

use pgtext::{Bounded, Interval};

use super::{Unconvertible, time};

/// Debezium's month.
const DAYS_PER_MONTH: f64 = 365.25 / 12.0;
const MICROS_PER_MINUTE: i64 = 60 * time::MICROS_PER_SECOND;

/// Debezium has no word for an infinite interval.
fn finite(text: &[u8]) -> Result<Interval, Unconvertible> {
    match Interval::parse(text)? {
        Bounded::Finite(interval) => Ok(interval),
        Bounded::Infinity | Bounded::NegativeInfinity => Err(Unconvertible),
    }
}

/// Microseconds, a month taken as 30.4375 days. Counted in floating point and cut, as Debezium counts: `00:00:01.001`
/// is 1000999, and what is out of range stands at its end.
pub(crate) fn micros(text: &[u8]) -> Result<i64, Unconvertible> {
    let interval = finite(text)?;
    let clock = interval.micros;
    let (minutes, below) = (clock / MICROS_PER_MINUTE, clock % MICROS_PER_MINUTE);
    let seconds =
        (below / time::MICROS_PER_SECOND) as f64 + (below % time::MICROS_PER_SECOND) as f64 / 1e6;
    let months = i64::from(interval.years) * 12 + i64::from(interval.months);
    let days = months as f64 * DAYS_PER_MONTH + f64::from(interval.days);
    let hours = days * 24.0 + (minutes / 60) as f64;
    let seconds = (hours * 60.0 + (minutes % 60) as f64) * 60.0 + seconds;
    Ok((seconds * 1e6) as i64)
}

/// Appends ISO 8601 with every part printed, without quotes: `P1Y2M3DT4H5M6.789S`.
pub(crate) fn write_iso(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let Interval {
        years,
        months,
        days,
        micros,
    } = finite(text)?;
    let sign = if micros < 0 { -1 } else { 1 };
    let micros = micros.unsigned_abs();
    let part =
        |unit: u64, modulus: u64| sign * i64::try_from(micros / unit % modulus).unwrap_or(i64::MAX);
    let (hours, minutes) = (part(3_600_000_000, u64::MAX), part(60_000_000, 60));
    let (seconds, fraction) = (micros / 1_000_000 % 60, micros % 1_000_000);
    let minus = if sign < 0 && (seconds, fraction) != (0, 0) {
        "-"
    } else {
        ""
    };
    let fraction = format!(".{fraction:06}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let iso = format!("P{years}Y{months}M{days}DT{hours}H{minutes}M{minus}{seconds}{fraction}S");
    out.extend_from_slice(iso.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_as_micros_and_iso() {
        for (text, expected, iso) in [
            (
                "1 year 2 mons 3 days 04:05:06.789",
                37_091_106_789_000,
                "P1Y2M3DT4H5M6.789S",
            ),
            (
                "-1 mons -2 days -03:04:05.000006",
                -2_813_645_000_006,
                "P0Y-1M-2DT-3H-4M-5.000006S",
            ),
            ("00:00:00", 0, "P0Y0M0DT0H0M0S"),
            ("100 years", 3_155_760_000_000_000, "P100Y0M0DT0H0M0S"),
            ("1 day", 86_400_000_000, "P0Y0M1DT0H0M0S"),
            (
                "1 mon -1 days +100:00:00",
                2_903_400_000_000,
                "P0Y1M-1DT100H0M0S",
            ),
            ("-00:00:00.5", -500_000, "P0Y0M0DT0H0M-0.5S"),
        ] {
            assert_eq!(micros(text.as_bytes()), Ok(expected), "{text}");
            let mut out = Vec::new();
            write_iso(text.as_bytes(), &mut out).expect("an interval");
            assert_eq!(String::from_utf8_lossy(&out), iso);
        }
        for bad in ["", "infinity", "1", "1 week", "x days", "1:2", "-:00:00"] {
            assert!(micros(bad.as_bytes()).is_err(), "{bad}");
        }
        for (text, expected) in [
            ("178000000 years", i64::MAX),
            ("-178000000 years", i64::MIN),
            ("00:00:01.001", 1_000_999),
            ("-00:00:01.001", -1_000_999),
            ("2147483647 days", i64::MAX),
        ] {
            assert_eq!(micros(text.as_bytes()), Ok(expected), "{text}");
        }
    }
}
