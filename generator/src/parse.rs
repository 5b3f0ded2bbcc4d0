use std::time::Duration;

/// A word of the command line that does not follow its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read `{value}` as {what}: {rule}, for example `{example}`")]
pub struct ParseError {
    what: &'static str,
    value: String,
    rule: &'static str,
    example: &'static str,
}

impl ParseError {
    pub(crate) fn new(
        what: &'static str,
        value: &str,
        rule: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            what,
            value: value.to_owned(),
            rule,
            example,
        }
    }
}

/// Reads a length of time: a number and `ms`, `s`, `m` or `h`. By hand, because humantime knows weeks and months too, and
/// `1M` would be a month of traffic.
///
/// # Errors
/// Anything else, or nothing but zero.
pub fn parse_duration(value: &str) -> Result<Duration, ParseError> {
    let error = || {
        ParseError::new(
            "a length of time",
            value,
            "a number above 0 followed by ms, s, m or h",
            "5s",
        )
    };
    let digits = value
        .trim()
        .trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = value.trim().get(digits.len()..).unwrap_or_default();
    let number: f64 = digits.parse().map_err(|_| error())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(error()),
    };
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(error)
}

/// Reads a rate as changes a second: `50/s`, `3000/m`, `100000/h`, or a bare number of changes a second.
pub(crate) fn parse_rate(value: &str) -> Result<f64, ParseError> {
    let error = || {
        ParseError::new(
            "a rate",
            value,
            "a number above 0 and at most 10000000 per /s, /m or /h",
            "50/s",
        )
    };
    let (number, unit) = value.trim().split_once('/').unwrap_or((value.trim(), "s"));
    let number: f64 = number.trim().parse().map_err(|_| error())?;
    let rate = match unit.trim() {
        "s" => number,
        "m" => number / 60.0,
        "h" => number / 3600.0,
        _ => return Err(error()),
    };
    // NaN fails both comparisons.
    if rate > 0.0 && rate <= 10_000_000.0 {
        Ok(rate)
    } else {
        Err(error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (value, want) in [
            ("5s", 5_000),
            ("250ms", 250),
            ("1.5m", 90_000),
            ("2h", 7_200_000),
        ] {
            assert_eq!(
                parse_duration(value).map(|d| d.as_millis()),
                Ok(want),
                "{value}"
            );
        }
        for value in [
            "", "5", "s", "0s", "-1s", "5 weeks", "NaNs", "infs", "1e400s",
        ] {
            assert!(parse_duration(value).is_err(), "{value}");
        }
        assert_eq!(
            parse_duration("5").map_err(|e| e.to_string()),
            Err("read `5` as a length of time: a number above 0 followed by ms, s, m or h, for example `5s`".into())
        );
    }

    #[test]
    fn rates() {
        for (value, want) in [
            ("50/s", 50.0),
            ("120/m", 2.0),
            ("7200/h", 2.0),
            ("8", 8.0),
            ("0.5/s", 0.5),
        ] {
            assert_eq!(parse_rate(value), Ok(want), "{value}");
        }
        for value in ["", "0/s", "-1/s", "5/d", "NaN/s", "inf/s", "fast"] {
            assert!(parse_rate(value).is_err(), "{value}");
        }
    }
}
