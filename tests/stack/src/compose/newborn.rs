use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::child::Child;

/// How long a process that is given up may take over its end.
const GRACE: Duration = Duration::from_secs(30);

/// Hears of a process as soon as it runs: whoever is killed a moment later has written down what is left.
pub type Born<'a> = dyn FnMut(&Child) -> Result<()> + 'a;

/// A process whose service is not complete yet, and so nobody's: given up, by an error or a signal, it is ended, whoever
/// owns it otherwise.
pub struct Newborn {
    child: Option<Child>,
    signal: Signal,
}

impl Newborn {
    pub fn new(child: Child, signal: Signal, born: &mut Born<'_>) -> Result<Self> {
        let newborn = Self {
            child: Some(child),
            signal,
        };
        newborn.child.as_ref().map_or(Ok(()), born)?;
        Ok(newborn)
    }

    pub fn expect_running(&mut self) -> Result<()> {
        self.child.as_mut().map_or(Ok(()), Child::expect_running)
    }

    /// The process, for whoever looks after it from now on.
    pub fn grown(mut self) -> Result<Child> {
        self.child.take().context("a process that nobody has taken")
    }
}

impl Drop for Newborn {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.end(self.signal, GRACE);
        }
    }
}
