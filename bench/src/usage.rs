//! CPU time and memory of processes, as /proc tells them.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};

/// USER_HZ: the unit of times in /proc, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Whose time counts.
#[derive(Debug, Clone, Copy)]
pub enum Watched {
    Process(u32),
    /// With its children, those that have ended too: a postmaster and its backends.
    Family(u32),
}

#[derive(Debug, Clone, Copy)]
struct Stat {
    parent: u32,
    own: f64,
    ended_children: f64,
}

fn stat(pid: u32) -> Result<Stat> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("read `{path}`"))?;
    parse(&text).with_context(|| format!("`{path}` is not as proc(5) says: {text}"))
}

/// Fields 4 and 14 to 17 of proc(5); the name before them may hold anything.
fn parse(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
        ended_children: (ticks(13)? + ticks(14)?) / TICKS_PER_SECOND,
    })
}

/// CPU seconds of a process, user and system.
pub fn cpu(pid: u32) -> Result<f64> {
    Ok(stat(pid)?.own)
}

/// CPU seconds of the children of this process that have ended and were waited for.
pub fn cpu_of_ended_children() -> Result<f64> {
    Ok(stat(std::process::id())?.ended_children)
}

fn family_cpu(pid: u32) -> Result<f64> {
    let head = stat(pid)?;
    let mut total = head.own + head.ended_children;
    for entry in fs::read_dir("/proc").context("list /proc")? {
        let name = entry.context("list /proc")?.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // it may have ended meanwhile
        if let Ok(child) = stat(child)
            && child.parent == pid
        {
            total += child.own;
        }
    }
    Ok(total)
}

/// A line of /proc/<pid>/status such as `VmRSS`, in MB of 10^6 bytes.
fn memory(pid: u32, name: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("read `{path}`"))?;
    let kibibytes = text.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix(':')?;
        value.split_whitespace().next()?.parse::<f64>().ok()
    });
    let kibibytes = kibibytes.with_context(|| format!("`{path}` has no {name}"))?;
    Ok(kibibytes * 1024.0 / 1e6)
}

/// Memory that the process holds now, MB.
pub fn resident(pid: u32) -> Result<f64> {
    memory(pid, "VmRSS")
}

/// The most it has held, MB.
pub fn peak(pid: u32) -> Result<f64> {
    memory(pid, "VmHWM")
}

/// CPU seconds that all cores have worked since the machine started.
fn machine_cpu() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat").context("read `/proc/stat`")?;
    let first = text.lines().next().unwrap_or_default();
    let times: Vec<f64> = first
        .split_whitespace()
        .skip(1)
        .filter_map(|time| time.parse().ok())
        .collect();
    // user, nice, system, (idle, iowait,) irq, softirq, steal
    let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|i| times.get(*i));
    Ok(busy.sum::<f64>() / TICKS_PER_SECOND)
}

/// What some processes have used since a moment.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    watched: Vec<(&'static str, Watched, f64)>,
    machine: f64,
}

/// What they used, and how long it took.
#[derive(Debug, Clone)]
pub struct Usage {
    /// Seconds by the clock.
    pub wall: f64,
    /// CPU seconds of each.
    pub cpu: Vec<(&'static str, f64)>,
    /// CPU seconds that everything else on this machine used: it was not there for us.
    pub others: f64,
}

impl Meter {
    pub fn start(watched: impl IntoIterator<Item = (&'static str, Watched)>) -> Result<Self> {
        let watched = watched
            .into_iter()
            .map(|(name, who)| Ok((name, who, used(who)?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            started: Instant::now(),
            watched,
            machine: machine_cpu()?,
        })
    }

    pub fn read(&self) -> Result<Usage> {
        let wall = self.started.elapsed().as_secs_f64();
        let machine = machine_cpu()? - self.machine;
        let cpu = self
            .watched
            .iter()
            .map(|(name, who, before)| Ok((*name, used(*who)? - before)))
            .collect::<Result<Vec<_>>>()?;
        let ours: f64 = cpu.iter().map(|(_, seconds)| seconds).sum();
        Ok(Usage {
            wall,
            cpu,
            others: (machine - ours).max(0.0),
        })
    }
}

impl Usage {
    /// CPU seconds of one of them.
    pub fn of(&self, name: &str) -> f64 {
        let found = self.cpu.iter().find(|(known, _)| *known == name);
        found.map_or(0.0, |(_, seconds)| *seconds)
    }
}

fn used(who: Watched) -> Result<f64> {
    match who {
        Watched::Process(pid) => cpu(pid),
        Watched::Family(pid) => family_cpu(pid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_parenthesis_moves_no_field() {
        let text = "7 (a) b) S 5 7 7 0 -1 4194304 100 0 0 0 250 50 30 20 20 0 1 0 1 1 1";
        let stat = parse(text).unwrap();
        assert_eq!((stat.parent, stat.own, stat.ended_children), (5, 3.0, 0.5));
        assert!(parse("nonsense").is_none());
    }

    #[test]
    fn this_process_has_a_size_and_a_peak() {
        let pid = std::process::id();
        let (now, most) = (resident(pid).unwrap(), peak(pid).unwrap());
        assert!(now > 0.1 && most >= now * 0.9, "{now} {most}");
    }
}
