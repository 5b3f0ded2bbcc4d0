use anyhow::{Context, Result, bail};
use stack::{Composition, State};

use super::place::{compose_file, folder, lock, state_file};

/// Stops a service and starts it again, with what the compose file says now.
pub async fn restart(service: &str) -> Result<()> {
    let _lock = lock().await?;
    let mut state = State::load(&state_file())?;
    let Some(started) = state
        .services
        .iter_mut()
        .find(|started| started.service == service)
    else {
        let known: Vec<&str> = state.services.iter().map(|s| s.service.as_str()).collect();
        bail!(
            "no service `{service}` was started; these were: {}",
            known.join(", ")
        )
    };
    if started.stop().await? {
        println!("{service} stopped, was pid {}", started.pid);
    }
    let home = folder().canonicalize().context("find `data/stack`")?;
    let restarts = started.restarts + 1;
    *started = Composition::start_one(&compose_file()?, &home, service).await?;
    started.restarts = restarts;
    println!("{service} starts, pid {}", started.pid);
    state.save(&state_file())
}
