use service::Secret;

use crate::{
    mix::Mix,
    pace::{Burst, Pace},
    parse::ParseError,
};

/// The most changes in one transaction.
pub const MOST_ROWS_PER_TRANSACTION: u32 = 10_000;

/// What to write, how fast, and where to. Not printable: the connection string may hold a password.
#[derive(Clone)]
pub struct Settings {
    /// Keywords (`host=/run/postgresql user=generator`) or a URL; TCP, with or without TLS (`sslmode` and what goes with
    /// it), or a Unix socket.
    pub dsn: String,
    /// Wins over one in the connection string.
    pub password: Option<Secret>,
    pub pace: Pace,
    pub mix: Mix,
    /// Rows follow from the seed and from what the tables hold at the start: ids, times and all. Into empty tables, the
    /// same seed writes the same rows at any pace, with times of its own that start within 2025. A second run with the
    /// same seed goes on after the greatest id that it finds, in a way that follows from both.
    ///
    /// Without a seed, ids and times are the real ones.
    pub seed: Option<u64>,
    /// Stop after so many changes (inserted, updated or deleted rows; new users come on top).
    pub count: Option<u64>,
    /// Only with [`Pace::Rate`].
    pub burst: Option<Burst>,
    /// Rates and bursts follow the hours of the day (UTC), from half the rate at night to a third more in the evening.
    pub day_rhythm: bool,
    /// Changes in one transaction, 1 to 10,000. By default what comes together in 5 ms at the given rate, at most 1,000:
    /// so a small rate commits each change alone, and an unlimited one 1,000 at once.
    pub rows_per_transaction: Option<u32>,
}

impl Settings {
    /// 50 changes a second of the default mix, until stopped.
    pub fn new(dsn: impl Into<String>) -> Self {
        Self {
            dsn: dsn.into(),
            password: None,
            pace: Pace::Rate(50.0),
            mix: Mix::default(),
            seed: None,
            count: None,
            burst: None,
            day_rhythm: false,
            rows_per_transaction: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ParseError> {
        let rate = matches!(self.pace, Pace::Rate(_));
        if self.burst.is_some() && !rate {
            let pace = self.pace.to_string();
            return Err(ParseError::new(
                "a pace with bursts",
                &pace,
                "bursts go with a rate",
                "50/s",
            ));
        }
        if let Pace::Rate(rate) = self.pace
            && !(rate > 0.0 && rate.is_finite())
        {
            return Err(ParseError::new(
                "a rate",
                &rate.to_string(),
                "it must be above 0",
                "50/s",
            ));
        }
        if let Pace::Every { batch: 0, .. } | Pace::Schedule { batch: 0, .. } = self.pace {
            return Err(ParseError::new("a batch", "0", "it must be above 0", "20"));
        }
        if let Pace::Every { period, .. } = self.pace
            && period.is_zero()
        {
            return Err(ParseError::new(
                "a period",
                "0s",
                "it must be above 0",
                "5s",
            ));
        }
        if let Some(rows) = self.rows_per_transaction
            && !(1..=MOST_ROWS_PER_TRANSACTION).contains(&rows)
        {
            return Err(ParseError::new(
                "rows per transaction",
                &rows.to_string(),
                "1 to 10000",
                "1000",
            ));
        }
        Ok(())
    }
}
