use anyhow::{Context, Result, bail};
use stack::State;

use super::again::again;
use super::place::{compose_file, folder, lock, state_file};

/// Stops a service and starts it again, with what the compose file says now.
pub async fn restart(service: &str) -> Result<()> {
    let _lock = lock().await?;
    let mut state = State::load(&state_file())?;
    let mut services = state.services.iter();
    let Some(place) = services.position(|started| started.service == service) else {
        let known: Vec<&str> = state.services.iter().map(|s| s.service.as_str()).collect();
        bail!(
            "no service `{service}` was started; these were: {}",
            known.join(", ")
        )
    };
    if let Some(started) = state.services.get(place)
        && started.stop().await?
    {
        println!("{service} stopped, was pid {}", started.pid);
    }
    let home = folder().canonicalize().context("find `data/stack`")?;
    again(&mut state, place, &compose_file()?, &home).await?;
    if let Some(started) = state.services.get(place) {
        println!("{service} starts, pid {}", started.pid);
    }
    Ok(())
}
