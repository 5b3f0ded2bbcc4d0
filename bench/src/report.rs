//! The figures of a run, what each has to reach, and the page on which they stand.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::servers::Servers;
use crate::usage::Usage;

/// What a figure has to reach.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

impl Bar {
    fn verdict(self, value: f64) -> String {
        let (reached, bar) = match self {
            Self::AtLeast(bar) => (value >= bar, bar),
            Self::AtMost(bar) => (value <= bar, bar),
        };
        if reached {
            "reached".to_owned()
        } else {
            format!("not reached: {:.0} %", 100.0 * value / bar)
        }
    }

    fn shown(self) -> String {
        match self {
            Self::AtLeast(bar) => format!(">= {}", number(bar)),
            Self::AtMost(bar) => format!("<= {}", number(bar)),
        }
    }
}

/// One measured number.
#[derive(Debug, Clone, Serialize)]
struct Figure {
    part: &'static str,
    name: String,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bar: Option<Bar>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
}

/// Who used the cores while a part was measured.
#[derive(Debug, Clone, Serialize)]
struct Cores {
    part: &'static str,
    wall_seconds: f64,
    cpu_seconds: serde_json::Map<String, serde_json::Value>,
    other_programs_cpu_seconds: f64,
}

#[derive(Debug, Clone, Serialize)]
struct Machine {
    processor: String,
    cores: usize,
    memory_gb: f64,
    kernel: String,
    postgres: String,
    load_average_at_start: String,
}

/// All figures of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    date: String,
    profile: String,
    machine: Machine,
    figures: Vec<Figure>,
    cores: Vec<Cores>,
}

impl Report {
    pub async fn new(profile: &str, servers: &Servers) -> Result<Self> {
        let processor = line_of("/proc/cpuinfo", "model name")?;
        let memory = line_of("/proc/meminfo", "MemTotal")?;
        let kibibytes: f64 = memory
            .split_whitespace()
            .next()
            .and_then(|value| value.parse().ok())
            .context("read MemTotal of /proc/meminfo")?;
        Ok(Self {
            date: chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            profile: profile.to_owned(),
            machine: Machine {
                processor,
                cores: std::thread::available_parallelism().map_or(0, usize::from),
                memory_gb: round(kibibytes * 1024.0 / 1e9),
                kernel: read("/proc/sys/kernel/osrelease")?,
                postgres: servers.version().await?,
                load_average_at_start: read("/proc/loadavg")?,
            },
            figures: Vec::new(),
            cores: Vec::new(),
        })
    }

    /// Keeps a figure, and says it at once.
    pub fn add(
        &mut self,
        part: &'static str,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        bar: Option<Bar>,
    ) {
        let figure = Figure {
            part,
            name: name.into(),
            value: round(value),
            unit,
            bar,
            verdict: bar.map(|bar| bar.verdict(value)),
        };
        eprintln!("{}", line(&figure).trim_end());
        self.figures.push(figure);
    }

    /// CPU seconds of each process during a part.
    pub fn add_cores(&mut self, part: &'static str, usage: &Usage) {
        let cpu = usage.cpu.iter();
        self.cores.push(Cores {
            part,
            wall_seconds: round(usage.wall),
            cpu_seconds: cpu
                .map(|(name, seconds)| ((*name).to_owned(), round(*seconds).into()))
                .collect(),
            other_programs_cpu_seconds: round(usage.others),
        });
    }

    /// Everything as a table for people.
    pub fn table(&self) -> String {
        let Machine {
            processor,
            cores,
            memory_gb,
            postgres,
            ..
        } = &self.machine;
        let mut text = format!(
            "\n{}, profile {}, {cores} cores of {processor}, {memory_gb} GB, PostgreSQL {postgres}\n\n",
            self.date, self.profile
        );
        let mut part = "";
        for figure in &self.figures {
            if part != figure.part {
                if !part.is_empty() {
                    text.push('\n');
                }
                part = figure.part;
            }
            text.push_str(line(figure).trim_end());
            text.push('\n');
        }
        text.push_str("\nCPU seconds while it was measured, every server on the same cores\n");
        for cores in &self.cores {
            let _ = write!(text, "{:<24} {:>6.1} s:", cores.part, cores.wall_seconds);
            for (name, seconds) in &cores.cpu_seconds {
                let _ = write!(text, " {name} {seconds},");
            }
            let others = cores.other_programs_cpu_seconds;
            let _ = writeln!(text, " everything else {others}");
        }
        text
    }

    pub fn save(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self).context("write the report as JSON")?;
        text.push('\n');
        std::fs::write(path, text).with_context(|| format!("write `{}`", path.display()))
    }
}

fn line(figure: &Figure) -> String {
    let (bar, verdict) = (figure.bar.map(Bar::shown), figure.verdict.as_deref());
    format!(
        "{:<24} {:<44} {:>8} {:<12} {:>10}  {}",
        figure.part,
        figure.name,
        number(figure.value),
        figure.unit,
        bar.unwrap_or_default(),
        verdict.unwrap_or_default()
    )
}

/// Three digits that count, or all before the point.
fn number(value: f64) -> String {
    match value.abs() {
        size if size < 100.0 && value.fract() == 0.0 => format!("{value}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn read(path: &str) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read `{path}`"))?;
    Ok(text.trim().to_owned())
}

/// The value of the first `name: value` line.
fn line_of(path: &str, name: &str) -> Result<String> {
    let text = read(path)?;
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(':'));
    Ok(value.map_or_else(
        || "unknown".to_owned(),
        |(_, value)| value.trim().to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_how_far_it_is() {
        for (bar, value, verdict) in [
            (Bar::AtLeast(100.0), 100.0, "reached"),
            (Bar::AtLeast(100.0), 61.0, "not reached: 61 %"),
            (Bar::AtMost(30.0), 30.0, "reached"),
            (Bar::AtMost(30.0), 45.0, "not reached: 150 %"),
        ] {
            assert_eq!(bar.verdict(value), verdict);
        }
    }
}
