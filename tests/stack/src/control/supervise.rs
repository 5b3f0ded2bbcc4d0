//! What compose's `restart: unless-stopped` does: a service that ends is started again, after a delay that doubles from
//! 100 ms to a minute while it does not stay up.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use stack::{ComposeFile, Started, State};

use super::again::again;
use super::place::{compose_file, folder, lock, state_file, supervisor_log};

/// How often it is looked whether everything runs.
const LOOK: Duration = Duration::from_millis(500);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// A service that ran so long is up: the next end of it is a first one.
const UP: Duration = Duration::from_secs(10);

/// Starts the process that watches over the services, unless it runs. It takes the caller's lock, as soon as that is free.
pub fn ensure_supervisor(state: &mut State) -> Result<()> {
    if state.supervisor.as_ref().is_some_and(Started::runs) {
        return Ok(());
    }
    let log = File::options()
        .create(true)
        .append(true)
        .open(supervisor_log())
        .context("open the supervisor's log")?;
    let mut command = Command::new(std::env::current_exe().context("find this program")?);
    command
        .arg("supervise")
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("share the supervisor's log")?)
        .stderr(log);
    let leave = || rustix::process::setsid().map(drop).map_err(Into::into);
    // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(leave) };
    let child = command.spawn().context("start the supervisor")?;
    state.supervisor = Some(Started::new(
        "supervisor",
        child.id(),
        BTreeMap::new(),
        supervisor_log(),
    )?);
    Ok(())
}

/// When a service ended last, and how long it is left alone.
struct Trouble {
    next: Instant,
    delay: Duration,
    started: Instant,
}

/// Watches until it is told to end, or until another supervisor stands in the state file.
pub async fn supervise() -> Result<()> {
    let mut troubles = BTreeMap::new();
    // Who starts this process writes the state file before the lock is free.
    drop(lock().await?);
    loop {
        tokio::time::sleep(LOOK).await;
        reap();
        let state = State::load(&state_file())?;
        if state.services.is_empty() {
            return Ok(());
        }
        if state.services.iter().all(Started::runs) {
            continue;
        }
        // Somebody else may be at it just now: what is read under the lock counts.
        let _lock = lock().await?;
        let mut state = State::load(&state_file())?;
        let me = i32::try_from(std::process::id()).context("a pid")?;
        if state
            .supervisor
            .as_ref()
            .is_none_or(|known| known.pid != me)
        {
            return Ok(());
        }
        mend(&mut state, &compose_file()?, &mut troubles).await?;
    }
}

/// Starts what has ended and is due.
async fn mend(
    state: &mut State,
    file: &ComposeFile,
    troubles: &mut BTreeMap<String, Trouble>,
) -> Result<()> {
    let home = folder().canonicalize().context("find `data/stack`")?;
    for place in 0..state.services.len() {
        let Some(started) = state.services.get(place) else {
            break;
        };
        let restarts = file
            .services
            .get(&started.service)
            .is_some_and(|service| service.restarts());
        if !restarts || started.runs() {
            continue;
        }
        let now = Instant::now();
        let trouble = troubles
            .entry(started.service.clone())
            .or_insert_with(|| Trouble {
                next: now,
                delay: FIRST_DELAY,
                started: now,
            });
        if now < trouble.next {
            continue;
        }
        if now.duration_since(trouble.started) > UP + trouble.delay {
            trouble.delay = FIRST_DELAY;
        }
        trouble.started = now;
        trouble.next = now + trouble.delay;
        trouble.delay = (trouble.delay * 2).min(LONGEST_DELAY);
        let (service, pid) = (started.service.clone(), started.pid);
        match again(state, place, file, &home).await {
            Ok(()) => {
                let now = state.services.get(place).map_or(0, |started| started.pid);
                println!("{service}, pid {pid}, had ended: started again, pid {now}");
            }
            Err(error) => {
                println!("{service}, pid {pid}, had ended, and does not start: {error:#}")
            }
        }
    }
    Ok(())
}

/// What this process started and what has ended since: nobody else asks for it.
fn reap() {
    while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
}
