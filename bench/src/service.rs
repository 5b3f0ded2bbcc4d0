use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use stack::Process;

use crate::usage;

/// How long nothing may move before a run is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at the metrics; it bounds how exact a time is.
const LOOK: Duration = Duration::from_millis(50);

/// One of our processes, watched by its `/metrics`.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    process: Process,
    metrics: String,
}

impl Service {
    /// Starts `command`, which listens on `port`.
    pub fn start(name: &'static str, command: Command, port: u16) -> Result<Self> {
        Ok(Self {
            name,
            process: Process::spawn(name, command)?,
            metrics: format!("http://127.0.0.1:{port}/metrics"),
        })
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Looks until the value of the metric whose line begins with `metric` satisfies `reached`, and returns it. A
    /// metric that is not there, or a process that does not listen yet, counts as 0.
    pub async fn wait(&mut self, metric: &str, reached: impl Fn(f64) -> bool) -> Result<f64> {
        let mut last = -1.0;
        let mut moved = Instant::now();
        loop {
            let value = self.metric(metric).await.unwrap_or(0.0);
            if reached(value) {
                return Ok(value);
            }
            if value != last {
                (last, moved) = (value, Instant::now());
            }
            let status = self.process.status()?;
            if status.is_some() || moved.elapsed() > PATIENCE {
                bail!(
                    "{} stands at {metric} {value}, exit {status:?}; its log:\n{}",
                    self.name,
                    self.process.output()?
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The value of the metric whose line begins with `metric`.
    pub async fn metric(&self, metric: &str) -> Result<f64> {
        let response = stack::get(&self.metrics).await?;
        value(&response.body, metric)
            .with_context(|| format!("{} shows no metric `{metric}`", self.name))
    }

    /// Most memory it has held, MB.
    pub fn peak(&self) -> Result<f64> {
        usage::peak(self.pid())
    }

    /// Ends it in good order.
    pub async fn stop(mut self) -> Result<()> {
        self.process.terminate()?;
        let status = self.process.wait(PATIENCE).await?;
        if !status.success() {
            bail!(
                "{} ended with {status}; its log:\n{}",
                self.name,
                self.process.output()?
            );
        }
        Ok(())
    }
}

fn value(metrics: &str, metric: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| line.starts_with(metric))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_the_beginning_of_its_line() {
        let text = "# HELP a_total A.\na_total{op=\"r\"} 7\na_total{op=\"c\"} 9\nb 1.5e3\n";
        assert_eq!(value(text, "a_total{op=\"c\"}"), Some(9.0));
        assert_eq!(value(text, "b "), Some(1500.0));
        assert_eq!(value(text, "c"), None);
    }
}
