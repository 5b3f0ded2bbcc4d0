//! How fast changes are made: a rate, a period, a cron schedule, or as fast as can be.

use std::{fmt, str::FromStr, time::Duration};

use crate::parse::{ParseError, parse_duration, parse_rate};

/// When changes are made.
#[derive(Debug, Clone, PartialEq)]
pub enum Pace {
    /// So many changes a second, evenly. Below 200 a second each is a transaction of its own.
    Rate(f64),
    /// So many changes at once, in one transaction where they fit, at the start and after each period.
    Every { period: Duration, batch: u64 },
    /// So many changes at once, whenever the cron expression says so (UTC).
    Schedule { expression: String, batch: u64 },
    /// As fast as PostgreSQL takes them.
    Unlimited,
}

impl Pace {
    /// What `--schedule` and `--batch` say. The expression has the five fields of cron, or six with seconds first.
    ///
    /// # Errors
    /// The expression is not one.
    pub fn schedule(expression: &str, batch: u64) -> Result<Self, ParseError> {
        let expression = service::normalize_schedule(expression).ok_or_else(|| {
            ParseError::new(
                "a schedule",
                expression,
                "minute, hour, day of month, month and day of week, with seconds before them if wanted",
                "0 */5 * * * *",
            )
        })?;
        Ok(Self::Schedule { expression, batch })
    }

    /// What `--every` and `--batch` say.
    ///
    /// # Errors
    /// The period is not a length of time.
    pub fn every(period: &str, batch: u64) -> Result<Self, ParseError> {
        Ok(Self::Every {
            period: parse_duration(period)?,
            batch,
        })
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{rate}/s"),
            Self::Every { period, batch } => write!(f, "{batch} every {period:?}"),
            Self::Schedule { expression, batch } => write!(f, "{batch} at `{expression}`"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// Reads what `--rate` says: `50/s`, `3000/m`, `100000/h` or `unlimited`.
impl FromStr for Pace {
    type Err = ParseError;

    fn from_str(value: &str) -> Result<Self, ParseError> {
        if value.trim() == "unlimited" {
            return Ok(Self::Unlimited);
        }
        parse_rate(value).map(Self::Rate)
    }
}

/// A higher rate that comes again and again, on top of [`Pace::Rate`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// Changes a second while it lasts.
    pub rate: f64,
    pub lasts: Duration,
    /// From the start of one burst to the start of the next; the first begins after a calm time.
    pub every: Duration,
}

impl Burst {
    /// Whether a burst is on, so long after the start.
    pub(crate) fn is_on(&self, since_start: Duration) -> bool {
        let calm = self.every.saturating_sub(self.lasts).as_secs_f64();
        since_start.as_secs_f64() % self.every.as_secs_f64() >= calm
    }
}

/// Reads `500/s:5s:60s`: 500 changes a second during 5 s of every 60 s.
impl FromStr for Burst {
    type Err = ParseError;

    fn from_str(value: &str) -> Result<Self, ParseError> {
        let error = |rule| ParseError::new("a burst", value, rule, "500/s:5s:60s");
        let rule = "a rate, how long it lasts and how often it comes, with colons between";
        let mut parts = value.split(':');
        let (Some(rate), Some(lasts), Some(every), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(error(rule));
        };
        let burst = Self {
            rate: parse_rate(rate).map_err(|_| error(rule))?,
            lasts: parse_duration(lasts).map_err(|_| error(rule))?,
            every: parse_duration(every).map_err(|_| error(rule))?,
        };
        if burst.lasts >= burst.every {
            return Err(error(
                "it must last shorter than the time after which it comes again",
            ));
        }
        Ok(burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paces() {
        assert_eq!("50/s".parse(), Ok(Pace::Rate(50.0)));
        assert_eq!("unlimited".parse(), Ok(Pace::Unlimited));
        assert!("sometimes".parse::<Pace>().is_err());
        assert_eq!(
            Pace::every("5s", 20),
            Ok(Pace::Every {
                period: Duration::from_secs(5),
                batch: 20
            })
        );
        assert!(Pace::schedule("*/5 * * * *", 1).is_ok());
        assert!(Pace::schedule("now and then", 1).is_err());
    }

    #[test]
    fn bursts_come_at_the_end_of_each_period() {
        let burst: Burst = "500/s:5s:60s".parse().unwrap();
        for (second, on) in [
            (0, false),
            (54, false),
            (55, true),
            (59, true),
            (60, false),
            (116, true),
        ] {
            assert_eq!(burst.is_on(Duration::from_secs(second)), on, "{second}");
        }
        for value in [
            "500/s",
            "500/s:5s",
            "500/s:60s:60s",
            "x:5s:60s",
            "500/s:5s:60s:1s",
        ] {
            assert!(value.parse::<Burst>().is_err(), "{value}");
        }
    }
}
