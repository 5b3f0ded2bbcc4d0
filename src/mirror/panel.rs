//! How far the mirror is: a line that stays on a terminal, one line a second elsewhere.

use std::{io::IsTerminal as _, sync::atomic::Ordering, time::Duration};

use cdc::{Phase, PipelineStatus};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lakewriter::LakeCounters;

/// One look at the road.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    elapsed: Duration,
    phase: Phase,
    /// Rows read of each table of the snapshot, in its order.
    tables: Vec<(String, u64)>,
    rows: u64,
    /// The planner's guess.
    estimated: u64,
    changes: u64,
    lake_rows: u64,
    lag_bytes: u64,
    fresh: Option<Duration>,
    trouble: Option<String>,
}

impl Reading {
    pub fn of(elapsed: Duration, status: &PipelineStatus, lake: &LakeCounters) -> Self {
        let counts = status.counts();
        Self {
            elapsed,
            phase: status.phase(),
            tables: status
                .snapshot
                .rows_by_table()
                .into_iter()
                .map(|(name, rows)| (name.full(), rows))
                .collect(),
            rows: status.rows_snapshotted(),
            estimated: status.snapshot.estimated_rows.load(Ordering::Relaxed),
            changes: counts.creates + counts.updates + counts.deletes + counts.truncates,
            lake_rows: lake.rows_visible(),
            lag_bytes: status.lag_bytes(),
            fresh: lake.freshness(0.5),
            trouble: status.trouble(),
        }
    }

    fn line(&self) -> String {
        let seconds = self.elapsed.as_secs();
        if let Some(trouble) = self.trouble.as_deref().and_then(|text| text.lines().next()) {
            return format!("{seconds:>4}s  {trouble}; trying again");
        }
        match self.phase {
            Phase::Snapshotting => format!("{seconds:>4}s  copying: {}", self.copied()),
            Phase::Connecting => format!("{seconds:>4}s  connecting"),
            Phase::Streaming | Phase::Draining | Phase::Idle => format!(
                "{seconds:>4}s  {}: {} rows copied, {} changes, {} rows in the lake, lag {}, fresh {}",
                self.phase.as_str(),
                self.rows,
                self.changes,
                self.lake_rows,
                indicatif::DecimalBytes(self.lag_bytes),
                self.fresh.map_or_else(
                    || "-".to_owned(),
                    |fresh| format!("{} ms", fresh.as_millis())
                ),
            ),
        }
    }

    /// Rows, rate and how long the rest takes, as far as the planner's guess is right.
    fn copied(&self) -> String {
        let seconds = self.elapsed.as_secs().max(1);
        let rate = self.rows / seconds;
        let left = self.estimated.saturating_sub(self.rows);
        let eta = match left.checked_div(rate) {
            Some(left) if left > 0 => {
                format!(
                    ", {} left",
                    indicatif::HumanDuration(Duration::from_secs(left))
                )
            }
            _ => String::new(),
        };
        let reading = self.tables.iter().rev().find(|(_, rows)| *rows > 0);
        let table = reading.map_or_else(String::new, |(name, rows)| format!("; {name} {rows}"));
        format!(
            "{} of about {} rows, {rate}/s{eta}{table}",
            self.rows,
            self.estimated.max(self.rows)
        )
    }
}

/// Where readings are shown.
#[derive(Debug)]
pub struct Panel(Option<ProgressBar>);

impl Panel {
    pub fn new() -> Self {
        Self(std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                bar.set_style(style);
            }
            bar
        }))
    }

    /// How often a reading is worth taking.
    pub const fn period(&self) -> Duration {
        if self.0.is_some() {
            Duration::from_millis(250)
        } else {
            Duration::from_secs(1)
        }
    }

    pub fn show(&self, reading: &Reading) {
        match &self.0 {
            Some(bar) => bar.set_message(reading.line()),
            None => say!("{}", reading.line()),
        }
    }

    /// Leaves the last reading, with the rows of each table of the snapshot before it.
    pub fn close(self, reading: &Reading) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
        for (name, rows) in &reading.tables {
            say!("  {name}: {rows} rows copied");
        }
        say!("{}", reading.line());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(phase: Phase) -> Reading {
        Reading {
            elapsed: Duration::from_secs(10),
            phase,
            tables: vec![
                ("public.users".to_owned(), 500),
                ("public.tweets".to_owned(), 1500),
                ("public.later".to_owned(), 0),
            ],
            rows: 2000,
            estimated: 10_000,
            changes: 7,
            lake_rows: 2007,
            lag_bytes: 0,
            fresh: Some(Duration::from_millis(420)),
            trouble: None,
        }
    }

    #[test]
    fn a_copy_says_its_rate_and_how_long_it_takes() {
        assert_eq!(
            reading(Phase::Snapshotting).line(),
            "  10s  copying: 2000 of about 10000 rows, 200/s, 40 seconds left; public.tweets 1500"
        );
        let line = reading(Phase::Streaming).line();
        assert_eq!(
            line,
            "  10s  streaming: 2000 rows copied, 7 changes, 2007 rows in the lake, lag 0 B, fresh 420 ms"
        );
        let mut trouble = reading(Phase::Connecting);
        trouble.trouble = Some("connect to `x`\nhint: y".to_owned());
        assert_eq!(trouble.line(), "  10s  connect to `x`; trying again");
    }
}
