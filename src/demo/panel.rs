//! What the demo shows while it runs: a small live panel on a terminal, one plain line a second elsewhere.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Columns of the narrowest terminal that the panel is for, less the one in which a terminal breaks the line.
const WIDTH: usize = 58;

/// One look at every joint of the road.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    pub elapsed: Duration,
    /// Tweets the generator has written in this run.
    pub tweets_written: u64,
    pub created: u64,
    pub updated: u64,
    pub deleted: u64,
    /// Rows of the initial snapshot.
    pub read: u64,
    /// Change rows committed to the lake in this run.
    pub lake_rows: u64,
    /// Bytes of WAL that the server has written and the slot has not confirmed.
    pub lag_bytes: u64,
    /// From commit in PostgreSQL to visible in the lake.
    pub freshness_p50: Option<Duration>,
    pub freshness_p99: Option<Duration>,
}

impl Reading {
    /// All of it on one line.
    pub fn line(&self) -> String {
        format!(
            "{:>4.0}s  tweets {}  captured c {} u {} d {} r {}  lake rows {}  lag {}  fresh p50 {} p99 {}",
            self.elapsed.as_secs_f64(),
            self.tweets_written,
            self.created,
            self.updated,
            self.deleted,
            self.read,
            self.lake_rows,
            bytes(self.lag_bytes),
            delay(self.freshness_p50),
            delay(self.freshness_p99),
        )
    }

    /// One thing a line; no line is longer than [`WIDTH`], or a terminal that is narrower would break it, and redrawing
    /// would leave its first part behind.
    fn lines(&self) -> String {
        let lines = [
            format!("  tweets written     {}", self.tweets_written),
            format!(
                "  changes captured   {}",
                self.created + self.updated + self.deleted + self.read
            ),
            format!("    insert {}, update {}", self.created, self.updated),
            format!("    delete {}, snapshot {}", self.deleted, self.read),
            format!("  rows in the lake   {}", self.lake_rows),
            format!("  replication lag    {}", bytes(self.lag_bytes)),
            format!(
                "  commit to lake     p50 {}, p99 {}",
                delay(self.freshness_p50),
                delay(self.freshness_p99)
            ),
        ];
        lines
            .map(|line| line.chars().take(WIDTH).collect::<String>())
            .join("\n")
    }

    /// While it goes on.
    fn running(&self) -> String {
        let seconds = self.elapsed.as_secs_f64();
        format!("{}\n  {seconds:.0} s; Ctrl-C ends", self.lines())
    }

    /// At the end, in the same number of lines.
    fn ended(&self) -> String {
        let seconds = self.elapsed.as_secs_f64();
        format!("{}\n  ended after {seconds:.0} s", self.lines())
    }
}

/// Where readings are shown.
#[derive(Debug)]
pub struct Panel {
    bar: Option<ProgressBar>,
}

impl Panel {
    /// A panel on a terminal, plain lines elsewhere.
    pub fn new() -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }

    /// How often a reading is worth taking.
    pub const fn period(&self) -> Duration {
        if self.bar.is_some() {
            Duration::from_millis(250)
        } else {
            Duration::from_secs(1)
        }
    }

    pub fn show(&self, reading: &Reading) {
        match &self.bar {
            Some(bar) => bar.set_message(reading.running()),
            None => say!("{}", reading.line()),
        }
    }

    /// Leaves the last reading on the screen.
    pub fn close(self, reading: &Reading) {
        match self.bar {
            Some(bar) => bar.finish_with_message(reading.ended()),
            None => say!("{}", reading.line()),
        }
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

fn delay(delay: Option<Duration>) -> String {
    delay.map_or_else(|| "-".to_owned(), |d| format!("{} ms", d.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_panel_keeps_its_width_and_its_height() {
        let large = Reading {
            elapsed: Duration::from_secs(1_000_000),
            tweets_written: u64::MAX,
            created: 123_456_789_012,
            updated: 123_456_789_012,
            deleted: 123_456_789_012,
            read: 123_456_789_012,
            lake_rows: u64::MAX,
            lag_bytes: u64::MAX,
            freshness_p50: Some(Duration::from_secs(1_000_000)),
            freshness_p99: Some(Duration::from_secs(1_000_000)),
        };
        for reading in [large, Reading::default()] {
            for shown in [reading.running(), reading.ended()] {
                assert_eq!(shown.lines().count(), 8, "{shown}");
                assert!(shown.lines().all(|line| line.len() <= WIDTH), "{shown}");
            }
        }
    }

    #[test]
    fn a_line_says_everything() {
        let reading = Reading {
            elapsed: Duration::from_millis(2900),
            tweets_written: 150,
            created: 140,
            updated: 9,
            deleted: 1,
            lake_rows: 120,
            lag_bytes: 12_345,
            freshness_p50: Some(Duration::from_millis(310)),
            ..Reading::default()
        };
        assert_eq!(
            reading.line(),
            "   3s  tweets 150  captured c 140 u 9 d 1 r 0  lake rows 120  lag 12 kB  fresh p50 310 ms p99 -"
        );
    }
}
