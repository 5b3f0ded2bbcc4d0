//! Work at times that a cron expression tells (UTC).

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

/// The schedule cannot be started.
pub use tokio_cron_scheduler::JobSchedulerError as ScheduleError;

/// The expression with six fields, seconds first, as the scheduler wants it: minute, hour, day of month, month and day of
/// week, with seconds before them if wanted. None: it is not a cron expression.
pub fn normalize_schedule(expression: &str) -> Option<String> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let six = match fields.len() {
        5 => format!("0 {}", fields.join(" ")),
        6 => fields.join(" "),
        _ => return None,
    };
    Job::new(six.as_str(), |_, _| {}).ok()?;
    Some(six)
}

/// A cron schedule that is running; dropped ticks are not made up for.
pub struct Schedule {
    scheduler: JobScheduler,
    ticks: mpsc::Receiver<()>,
}

impl Schedule {
    /// # Errors
    /// The expression is none, or the scheduler does not start.
    pub async fn start(expression: &str) -> Result<Self, ScheduleError> {
        // One tick may wait; if the writer falls behind further, the schedule does not pile up.
        let (sender, ticks) = mpsc::channel(1);
        let mut scheduler = JobScheduler::new().await?;
        scheduler.init().await?;
        let job = Job::new(expression, move |_, _| {
            let _ = sender.try_send(());
        })?;
        scheduler.add(job).await?;
        scheduler.start().await?;
        Ok(Self { scheduler, ticks })
    }

    /// Waits for the next tick. False if there will be none.
    pub async fn tick(&mut self) -> bool {
        self.ticks.recv().await.is_some()
    }

    /// No tick comes any more.
    pub async fn stop(&mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(%error, "the scheduler did not stop");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_fields_get_a_second() {
        assert_eq!(
            normalize_schedule("*/5 * * * *"),
            Some("0 */5 * * * *".to_owned())
        );
        assert_eq!(
            normalize_schedule(" 1/10 * * * *  * "),
            Some("1/10 * * * * *".to_owned())
        );
        for expression in ["", "* * *", "99 * * * *", "a b c d e"] {
            assert!(normalize_schedule(expression).is_none(), "{expression}");
        }
    }

    #[tokio::test]
    async fn ticks() {
        let mut schedule = Schedule::start("* * * * * *").await.unwrap();
        let tick = tokio::time::timeout(std::time::Duration::from_secs(10), schedule.tick()).await;
        assert_eq!(tick, Ok(true));
        schedule.stop().await;
    }
}
