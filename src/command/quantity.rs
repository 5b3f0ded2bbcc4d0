//! Quantities with units, as people write them in settings.
//!
//! By hand: humantime reads `1M` as a month, where a minute was meant, and refuses `.5s`; bytesize reads `64m` as megabytes
//! and refuses `1.5`. A slip of the hand in a unit is an error here.

use std::{str::FromStr, time::Duration};

/// `500ms`, `2s`, `1.5s`, `5min`: longer than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Duration);

/// `64MB`, `8MiB`, `1000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub usize);

fn split(text: &str) -> Option<(f64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: f64 = number.parse().ok()?;
    Some((number, unit.trim()))
}

impl FromStr for Time {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "want a time as 500ms, 2s or 5min";
        let (number, unit) = split(text.trim()).ok_or(RULE)?;
        let seconds = match unit {
            "ms" => number / 1000.0,
            "s" => number,
            "m" | "min" => number * 60.0,
            "h" => number * 3600.0,
            _ => return Err(RULE),
        };
        match Duration::try_from_secs_f64(seconds) {
            Ok(Duration::ZERO) => Err("want a time above 0, as 500ms, 2s or 5min"),
            Ok(time) => Ok(Self(time)),
            Err(_) => Err(RULE),
        }
    }
}

impl FromStr for Bytes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "want a size as 64MB, 8MiB or a number of bytes";
        let (number, unit) = split(text.trim()).ok_or(RULE)?;
        let factor = match unit {
            "" | "B" => 1.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "KiB" => 1024.0,
            "MiB" => 1_048_576.0,
            "GiB" => 1_073_741_824.0,
            _ => return Err(RULE),
        };
        let bytes = number * factor;
        if (1.0..1e15).contains(&bytes) {
            Ok(Self(bytes as usize))
        } else {
            Err(RULE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_count() {
        assert_eq!("500ms".parse(), Ok(Time(Duration::from_millis(500))));
        assert_eq!("1.5 s".parse(), Ok(Time(Duration::from_millis(1500))));
        assert_eq!("2min".parse(), Ok(Time(Duration::from_secs(120))));
        assert_eq!("64MB".parse(), Ok(Bytes(64_000_000)));
        assert_eq!("8MiB".parse(), Ok(Bytes(8 << 20)));
        for wrong in ["", "fast", "5 parsecs", "-1s", "0s", "0", "1XB", "1e400s"] {
            assert!(wrong.parse::<Time>().is_err(), "{wrong}");
            assert!(wrong.parse::<Bytes>().is_err(), "{wrong}");
        }
    }
}
