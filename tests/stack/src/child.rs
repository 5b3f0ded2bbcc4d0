//! A process in a group of its own with its output in a file, and how it is ended.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal};

use crate::until;

/// Whether a process dies with whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Killed when its [`Child`] is dropped and when this process dies.
    Owned,
    /// Goes on after both.
    Detached,
}

/// A process in a process group of its own, its output in a log file.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: std::process::Child,
    log: PathBuf,
    lifetime: Lifetime,
}

impl Child {
    /// Starts `command`; standard output and error are appended to `log`, standard input is empty.
    pub fn spawn(name: &str, mut command: Command, log: &Path, lifetime: Lifetime) -> Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("open the log file `{}`", log.display()))?;
        let second = file
            .try_clone()
            .with_context(|| format!("share the log file `{}`", log.display()))?;
        command.stdin(Stdio::null()).stdout(file).stderr(second);
        let program = command.get_program().to_owned();
        let process = spawn_on_lasting_thread(command, lifetime)
            .with_context(|| format!("start {name}, program `{}`", program.display()))?;
        Ok(Self {
            name: name.to_owned(),
            process,
            log: log.to_owned(),
            lifetime,
        })
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status, or `None` while it runs.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        self.process
            .try_wait()
            .with_context(|| format!("look after {}", self.name))
    }

    /// Fails, with the end of the log, when the process has ended.
    pub fn expect_running(&mut self) -> Result<()> {
        match self.status()? {
            None => Ok(()),
            Some(status) => bail!(
                "{} ended with {status}; the end of its log:\n{}",
                self.name,
                tail(&self.log)
            ),
        }
    }

    /// Sends `signal` to the process itself. One that has ended is left alone.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.status()?.is_some() {
            return Ok(());
        }
        let pid = pid_of(&self.process)?;
        rustix::process::kill_process(pid, signal).with_context(|| format!("signal {}", self.name))
    }

    /// Waits for the process to end, `timeout` at most.
    pub async fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        let ended = until(&what, timeout, async || {
            self.process.try_wait().map_err(Into::into)
        })
        .await;
        ended.with_context(|| format!("the end of its log:\n{}", tail(&self.log)))
    }

    /// Kills the process and its group without warning, and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        if self.status()?.is_none() {
            let pid = pid_of(&self.process)?;
            rustix::process::kill_process_group(pid, Signal::KILL)
                .with_context(|| format!("kill {}", self.name))?;
            self.process
                .wait()
                .with_context(|| format!("wait for {}", self.name))?;
        }
        Ok(())
    }

    /// Sends `signal`, waits for the end, and kills what is still there after `timeout`. For `Drop`: it blocks.
    pub fn end(&mut self, signal: Signal, timeout: Duration) {
        let deadline = std::time::Instant::now() + timeout;
        if self.signal(signal).is_ok() {
            while matches!(self.status(), Ok(None)) && std::time::Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let _ = self.kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Owned {
            let _ = self.kill();
        }
    }
}

fn pid_of(process: &std::process::Child) -> Result<Pid> {
    i32::try_from(process.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| anyhow!("no such pid: {}", process.id()))
}

/// The last lines of a log file, or why they cannot be shown.
pub fn tail(log: &Path) -> String {
    const LENGTH: u64 = 6000;
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LENGTH)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("(log file `{}` cannot be read: {error})", log.display()))
}

struct Job {
    command: Command,
    reply: Sender<std::io::Result<std::process::Child>>,
}

/// Starts `command` from a thread that lives as long as this process: Linux sends the parent-death signal when the
/// *thread* that forked ends, and a test's thread ends long before a server that several tests share.
fn spawn_on_lasting_thread(
    mut command: Command,
    lifetime: Lifetime,
) -> Result<std::process::Child> {
    static SPAWNER: OnceLock<Sender<Job>> = OnceLock::new();
    match lifetime {
        Lifetime::Owned => {
            command.process_group(0);
            die_with_parent(&mut command);
        }
        Lifetime::Detached => leave_session(&mut command),
    }
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, queue) = channel::<Job>();
        std::thread::spawn(move || {
            for mut job in queue {
                let _ = job.reply.send(job.command.spawn());
            }
        });
        jobs
    });
    let (reply, answer) = channel();
    spawner
        .send(Job { command, reply })
        .map_err(|_| anyhow!("the thread that starts processes has ended"))?;
    let process = answer
        .recv()
        .context("the thread that starts processes gave no answer")?;
    Ok(process?)
}

/// A session of its own: no signal of a terminal reaches it.
fn leave_session(command: &mut Command) {
    let leave = || rustix::process::setsid().map(drop).map_err(Into::into);
    // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(leave) };
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let set =
        || rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(Into::into);
    // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(set) };
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command) {}
