use std::path::Path;

use anyhow::{Context, Result};
use stack::State;

use super::place::{lake_file, lock, state_file};

/// Stops everything; the data stays.
pub async fn down() -> Result<()> {
    let _lock = lock().await?;
    let state = State::load(&state_file())?;
    if state.services.is_empty() {
        println!("nothing runs");
    }
    state.stop(|line| println!("{line}")).await?;
    remove(&lake_file())?;
    remove(&state_file())
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}
