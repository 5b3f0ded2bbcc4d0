//! What a running stack has written down for the commands that come after it.
//!
//! A process is known by its id and its start time, so that nobody else's is ever ended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::{Deserialize, Serialize};

use super::composition::Composition;
use crate::until;

const GRACE: Duration = Duration::from_secs(30);

/// What `stack up` left running, kept in a file for the other commands.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// In the order of their start.
    pub services: Vec<Started>,
    /// The process that starts again what ends.
    #[serde(default)]
    pub supervisor: Option<Started>,
    /// Whoever starts the services has not told yet that all are up: while it is at work, or after it was killed.
    #[serde(default)]
    pub unfinished: bool,
}

/// A process that was started for a service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Started {
    pub service: String,
    pub pid: i32,
    /// Field `starttime` of proc(5)'s stat file: a pid that was given out again has another one.
    pub start_time: Option<u64>,
    /// Container port to loopback port.
    pub ports: BTreeMap<u16, u16>,
    pub log: PathBuf,
    /// How often it ended and was started again.
    #[serde(default)]
    pub restarts: u32,
}

impl State {
    /// The processes of a composition that run.
    pub fn of(composition: &Composition) -> Result<Self> {
        let mut services = Vec::new();
        for service in composition.services() {
            let (pid, log) = composition.process(service)?;
            let ports = composition.ports(service).into_iter().collect();
            services.push(Started::new(service, pid, ports, log)?);
        }
        services.retain(Started::runs);
        Ok(Self {
            services,
            supervisor: None,
            unfinished: false,
        })
    }

    /// The state file's content; nothing where there is no file.
    pub fn load(path: &Path) -> Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("read `{}`", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("read `{}`", path.display())),
        }
    }

    /// Whole or not at all: others read it at any time.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, text)
            .and_then(|()| std::fs::rename(&fresh, path))
            .with_context(|| format!("write `{}`", path.display()))
    }

    /// Stops the processes that still are the ones that were started, last started first, the supervisor before all.
    pub async fn stop(&self, mut progress: impl FnMut(&str)) -> Result<()> {
        for started in self.supervisor.iter().chain(self.services.iter().rev()) {
            let (service, pid) = (&started.service, started.pid);
            match started.stop().await? {
                true => progress(&format!("{service} stopped, was pid {pid}")),
                false => progress(&format!("{service} had ended")),
            }
        }
        Ok(())
    }
}

impl Started {
    /// A process that was just started.
    pub fn new(service: &str, pid: u32, ports: BTreeMap<u16, u16>, log: PathBuf) -> Result<Self> {
        let pid = i32::try_from(pid).context("a pid")?;
        Ok(Self {
            service: service.to_owned(),
            pid,
            start_time: start_time(pid),
            ports,
            log,
            restarts: 0,
        })
    }

    /// Asks the process to end, and kills it where it does not. False: it had ended.
    pub async fn stop(&self) -> Result<bool> {
        if !self.runs() {
            return Ok(false);
        }
        // PostgreSQL's fast shutdown is SIGINT, SIGTERM would wait for its clients
        let signal = if self.service == "postgres" {
            Signal::INT
        } else {
            Signal::TERM
        };
        self.signal(signal)?;
        let what = format!("{} to stop", self.service);
        let gone = async || Ok((!self.runs()).then_some(()));
        if until(&what, GRACE, gone).await.is_err() {
            self.signal(Signal::KILL)?;
            until(&what, GRACE, gone).await?;
        }
        Ok(true)
    }

    /// Whether the very process that was started still runs.
    pub fn runs(&self) -> bool {
        let alive = Pid::from_raw(self.pid).is_some_and(|pid| test_kill_process(pid).is_ok());
        alive && (self.start_time.is_none() || start_time(self.pid) == self.start_time)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        match Pid::from_raw(self.pid) {
            Some(pid) if self.runs() => kill_process(pid, signal)
                .with_context(|| format!("signal {}, pid {}", self.service, self.pid)),
            _ => Ok(()),
        }
    }
}

/// When a process started, in clock ticks since boot; `None` for one that has ended, and where there is no `/proc`.
fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name in parentheses may hold spaces; the state is the field after it, starttime the 20th after it
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let ended = fields.next() == Some("Z");
    fields.nth(18).filter(|_| !ended)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_pid_and_start() {
        let pid = i32::try_from(std::process::id()).expect("pid");
        let me = |start_time| Started {
            service: "me".into(),
            pid,
            start_time,
            ports: BTreeMap::new(),
            log: PathBuf::new(),
            restarts: 0,
        };
        assert!(me(start_time(pid)).runs());
        assert!(!me(Some(1)).runs());
    }
}
