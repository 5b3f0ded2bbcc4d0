//! Says when the next transaction is due, and how many changes are in it.
//!
//! A rate is kept on the average, but what was missed for long is not made up for.

use std::time::Duration;

use service::Schedule;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use crate::{
    pace::{Burst, Pace},
    postgres::Error,
    settings::Settings,
    world::activity_percent,
};

/// Changes that come together within this time share a transaction: their latency differs by no more.
const TOGETHER: Duration = Duration::from_millis(5);
/// The most that share one by default: beyond, a COPY does not get faster.
pub const ROWS_PER_TRANSACTION: u32 = 1_000;
/// A writer that falls behind its rate catches up on no more than this.
const MOST_DEBT: Duration = Duration::from_secs(1);

/// Says when the next transaction is due and how many changes are in it.
pub struct Pacer {
    kind: Kind,
    rows_per_transaction: Option<u32>,
    /// Changes of the current turn that did not fit into its last transaction.
    rest_of_turn: u64,
}

enum Kind {
    Rate(Rate),
    Every { interval: Interval, batch: u64 },
    Schedule { schedule: Schedule, batch: u64 },
}

impl Pacer {
    /// None for an unlimited pace: there is nothing to wait for.
    pub async fn start(settings: &Settings) -> Result<Option<Self>, Error> {
        let kind = match &settings.pace {
            Pace::Rate(rate) => Kind::Rate(Rate {
                rate: *rate,
                burst: settings.burst,
                day_rhythm: settings.day_rhythm,
                started: Instant::now(),
                due: Instant::now(),
            }),
            Pace::Every { period, batch } => {
                let mut interval = interval(*period);
                interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
                Kind::Every {
                    interval,
                    batch: *batch,
                }
            }
            Pace::Schedule { expression, batch } => {
                let schedule =
                    Schedule::start(expression)
                        .await
                        .map_err(|source| Error::Schedule {
                            expression: expression.clone(),
                            source,
                        })?;
                Kind::Schedule {
                    schedule,
                    batch: *batch,
                }
            }
            Pace::Unlimited => return Ok(None),
        };
        Ok(Some(Self {
            kind,
            rows_per_transaction: settings.rows_per_transaction,
            rest_of_turn: 0,
        }))
    }

    /// Waits until the next transaction is due and says how many changes it has, at least one. None where no turn will
    /// come any more. Dropping the future loses no turn.
    pub async fn next(&mut self) -> Option<u64> {
        if self.rest_of_turn == 0 {
            self.rest_of_turn = match &mut self.kind {
                Kind::Rate(rate) => {
                    sleep_until(rate.due).await;
                    return Some(rate.take(Instant::now(), self.rows_per_transaction).into());
                }
                Kind::Every { interval, batch } => {
                    interval.tick().await;
                    *batch
                }
                Kind::Schedule { schedule, batch } => {
                    if !schedule.tick().await {
                        return None;
                    }
                    *batch
                }
            };
        }
        let most = self.rows_per_transaction.unwrap_or(ROWS_PER_TRANSACTION);
        let rows = self.rest_of_turn.min(most.into());
        self.rest_of_turn -= rows;
        Some(rows)
    }

    pub async fn stop(mut self) {
        if let Kind::Schedule { schedule, .. } = &mut self.kind {
            schedule.stop().await;
        }
    }
}

struct Rate {
    rate: f64,
    burst: Option<Burst>,
    day_rhythm: bool,
    started: Instant,
    due: Instant,
}

impl Rate {
    /// Takes the turn that is due, a little late as timers are: how many changes it has. The next one is due later by
    /// as much time as they are worth.
    fn take(&mut self, now: Instant, rows_per_transaction: Option<u32>) -> u32 {
        let rate = self.now(now);
        let rows = rows_per_transaction.unwrap_or_else(|| together(rate));
        if now.saturating_duration_since(self.due) > MOST_DEBT {
            self.due = now.checked_sub(MOST_DEBT).unwrap_or(now);
        }
        self.due += Duration::from_secs_f64(f64::from(rows) / rate);
        rows
    }

    /// Changes a second, now.
    fn now(&self, now: Instant) -> f64 {
        let since_start = now.saturating_duration_since(self.started);
        let rate = match self.burst {
            Some(burst) if burst.is_on(since_start) => burst.rate,
            _ => self.rate,
        };
        if self.day_rhythm {
            let hour = chrono::Timelike::hour(&chrono::Utc::now()) as usize;
            rate * f64::from(activity_percent(hour)) / 100.0
        } else {
            rate
        }
    }
}

fn together(rate: f64) -> u32 {
    // Float to integer conversion saturates.
    ((rate * TOGETHER.as_secs_f64()) as u32).clamp(1, ROWS_PER_TRANSACTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_rates_commit_each_change_alone() {
        for (rate, rows) in [
            (0.1, 1),
            (50.0, 1),
            (200.0, 1),
            (1_000.0, 5),
            (100_000.0, 500),
            (1e9, 1_000),
        ] {
            assert_eq!(together(rate), rows, "{rate}");
        }
    }

    #[test]
    fn a_rate_is_kept_and_a_long_pause_is_not_made_up_for() {
        let start = Instant::now();
        let mut rate = Rate {
            rate: 100.0,
            burst: None,
            day_rhythm: false,
            started: start,
            due: start,
        };
        for _ in 0..100 {
            assert_eq!(rate.take(rate.due, None), 1);
        }
        assert_eq!((rate.due - start).as_millis(), 1_000);
        let resumed = rate.due + Duration::from_secs(60);
        let mut at_once = 0;
        while rate.due <= resumed {
            rate.take(resumed, None);
            at_once += 1;
        }
        assert!((100..=102).contains(&at_once), "{at_once}");
    }

    #[test]
    fn a_burst_has_its_own_rate() {
        let start = Instant::now();
        let burst = "500/s:1s:10s".parse().ok();
        let mut rate = Rate {
            rate: 50.0,
            burst,
            day_rhythm: false,
            started: start,
            due: start,
        };
        let mut changes = 0;
        while rate.due < start + Duration::from_secs(20) {
            changes += rate.take(rate.due, None);
        }
        assert!((1_880..=1_920).contains(&changes), "{changes}");
    }

    #[tokio::test]
    async fn a_large_turn_is_split_into_transactions() {
        let pace = Pace::Every {
            period: Duration::from_millis(50),
            batch: 25,
        };
        let settings = Settings {
            pace,
            rows_per_transaction: Some(10),
            ..Settings::new("")
        };
        let mut pacer = Pacer::start(&settings).await.unwrap().unwrap();
        let start = Instant::now();
        for turn in 0..3 {
            for rows in [10, 10, 5] {
                assert_eq!(pacer.next().await, Some(rows));
            }
            assert!(start.elapsed() >= turn * Duration::from_millis(50));
        }
    }
}
