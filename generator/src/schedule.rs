use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::parse::ParseError;

/// The expression with six fields, seconds first, as the scheduler wants it.
///
/// # Errors
/// It is not a cron expression.
pub fn normalize(expression: &str) -> Result<String, ParseError> {
    let error = || {
        ParseError::new(
            "a schedule",
            expression,
            "minute, hour, day of month, month and day of week, with seconds before them if wanted",
            "0 */5 * * * *",
        )
    };
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let six = match fields.len() {
        5 => format!("0 {}", fields.join(" ")),
        6 => fields.join(" "),
        _ => return Err(error()),
    };
    Job::new(six.as_str(), |_, _| {}).map_err(|_| error())?;
    Ok(six)
}

/// A cron schedule that is running; dropped ticks are not made up for.
pub struct Schedule {
    scheduler: JobScheduler,
    ticks: mpsc::Receiver<()>,
}

impl Schedule {
    pub async fn start(expression: &str) -> Result<Self, JobSchedulerError> {
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
        assert_eq!(normalize("*/5 * * * *"), Ok("0 */5 * * * *".to_owned()));
        assert_eq!(
            normalize(" 1/10 * * * *  * "),
            Ok("1/10 * * * * *".to_owned())
        );
        for expression in ["", "* * *", "99 * * * *", "a b c d e"] {
            assert!(normalize(expression).is_err(), "{expression}");
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
