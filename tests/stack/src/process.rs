use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::child::{Child, Lifetime, tail};
use crate::{get, until};

/// A program of ours, its output in a log file of a temporary folder; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    folder: TempDir,
}

impl Process {
    /// Starts `command`. `name` is for messages.
    pub fn spawn(name: &str, command: Command) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tributary-process-")
            .tempdir()
            .context("make a folder")?;
        let child = Child::spawn(
            name,
            command,
            &folder.path().join("output.log"),
            Lifetime::Owned,
        )?;
        Ok(Self {
            name: name.to_owned(),
            child,
            folder,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The file with its standard output and error.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("output.log")
    }

    /// What it has written so far to standard output and error.
    pub fn output(&self) -> Result<String> {
        let bytes =
            std::fs::read(self.log()).with_context(|| format!("read the log of {}", self.name))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The exit status, or `None` while it runs.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        self.child.status()
    }

    /// Waits for a line that contains `text`, and returns the first such line. Fails at once when the process ends
    /// without having written it.
    pub async fn wait_for_line(&mut self, text: &str, timeout: Duration) -> Result<String> {
        let what = format!("{} to write `{text}`", self.name);
        let log = self.log();
        let found = until(&what, timeout, async || {
            let ended = self.child.expect_running();
            let output = self.output()?;
            match output.lines().find(|line| line.contains(text)) {
                Some(line) => Ok(Some(Ok(line.to_owned()))),
                None => Ok(ended.err().map(Err)),
            }
        });
        found
            .await
            .with_context(|| format!("the end of its log:\n{}", tail(&log)))?
    }

    /// Waits until `GET` of `url` answers 200, and returns the body. Fails at once when the process ends.
    pub async fn wait_for_http(&mut self, url: &str, timeout: Duration) -> Result<String> {
        let what = format!("{} to answer at {url}", self.name);
        let log = self.log();
        let answered = until(&what, timeout, async || {
            if let Err(error) = self.child.expect_running() {
                return Ok(Some(Err(error)));
            }
            let response = get(url).await?;
            match response.status {
                200 => Ok(Some(Ok(response.body))),
                status => Err(anyhow!("the answer is {status}: {}", response.body)),
            }
        });
        answered
            .await
            .with_context(|| format!("the end of its log:\n{}", tail(&log)))?
    }

    /// Kills it without warning and waits until it is gone.
    pub fn kill9(&mut self) -> Result<()> {
        self.child.kill()
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&mut self) -> Result<()> {
        self.child.signal(Signal::TERM)
    }

    /// Sends Ctrl-C's signal (SIGINT).
    pub fn interrupt(&mut self) -> Result<()> {
        self.child.signal(Signal::INT)
    }

    /// Waits for its end.
    pub async fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        self.child.wait(timeout).await
    }
}

/// Our own binary, ready to be given arguments: the one beside the test that runs, as cargo builds it.
///
/// # Errors
/// When cargo has not built it; tests outside the root package do not make cargo build it.
pub fn tributary() -> Result<Command> {
    let me = std::env::current_exe().context("find this program")?;
    let beside = me
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("tributary"))
        .find(|path| path.is_file());
    let path = beside.ok_or_else(|| {
        anyhow!(
            "no binary `tributary` near `{}`; run `cargo build`",
            me.display()
        )
    })?;
    Ok(Command::new(path))
}
