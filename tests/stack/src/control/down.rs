use anyhow::Result;
use stack::State;

use super::place::{lake_file, lock, remove, state_file};

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
