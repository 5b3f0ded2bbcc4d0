//! What runs beside this process and has to end with it, for whoever ends it without an orderly end.

use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Holds one process at a time: a program that is run, then the server.
#[derive(Debug, Clone, Default)]
pub struct Leash(Arc<Mutex<Option<Held>>>);

#[derive(Debug, Clone, Copy)]
enum Held {
    /// With all that it has started.
    Program(Pid),
    Server(Pid),
}

impl Leash {
    pub fn hold_program(&self, pid: u32) {
        self.hold(pid, Held::Program);
    }

    pub fn hold_server(&self, pid: u32) {
        self.hold(pid, Held::Server);
    }

    /// It has ended: its pid may be another's.
    pub fn let_go(&self) {
        *self.held() = None;
    }

    /// Tell what is held to end now. Nobody waits for it.
    pub fn pull(&self) {
        // Of a process that has just ended there is nothing to tell.
        let _ = match self.held().take() {
            None => Ok(()),
            Some(Held::Program(pid)) => kill_process_group(pid, Signal::TERM),
            // PostgreSQL's immediate shutdown: its next start recovers from the WAL.
            Some(Held::Server(pid)) => kill_process(pid, Signal::QUIT),
        };
    }

    fn hold(&self, pid: u32, held: fn(Pid) -> Held) {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        *self.held() = pid.map(held);
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
