use std::path::Path;

use anyhow::{Context, Result};
use stack::{ComposeFile, Composition, State};

use super::place::state_file;

/// Starts a service of the state once more. It is written down as soon as it runs.
pub async fn again(state: &mut State, place: usize, file: &ComposeFile, home: &Path) -> Result<()> {
    let known = state
        .services
        .get(place)
        .context("a service of the state")?;
    let (service, restarts) = (known.service.clone(), known.restarts + 1);
    let born = |started: &stack::Started| {
        if let Some(known) = state.services.get_mut(place) {
            *known = started.clone();
            known.restarts = restarts;
        }
        state.save(&state_file())
    };
    Composition::start_one(file, home, &service, born).await?;
    Ok(())
}
