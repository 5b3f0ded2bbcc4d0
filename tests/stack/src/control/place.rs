//! Where a stack keeps what it knows of itself: `data/stack` of the folder it is called in.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use stack::ComposeFile;

pub fn folder() -> PathBuf {
    Path::new("data").join("stack")
}

pub fn state_file() -> PathBuf {
    folder().join("state.json")
}

/// How `tributary sql` reaches the lake, for as long as the stack is up.
pub fn lake_file() -> PathBuf {
    folder().join("lake.toml")
}

pub fn supervisor_log() -> PathBuf {
    folder().join("supervisor.log")
}

pub fn compose_file() -> Result<ComposeFile> {
    ComposeFile::read(Path::new("docker-compose.yml"))
}

/// Waits until no other command starts or stops anything; ends with the file that it gives.
pub async fn lock() -> Result<File> {
    std::fs::create_dir_all(folder()).context("make the folder `data/stack`")?;
    let path = folder().join("lock");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("open `{}`", path.display()))?;
    if file.try_lock().is_err() {
        println!("another `stack` command is at work; waiting for it");
        let waiting = file.try_clone().context("share the lock")?;
        tokio::task::spawn_blocking(move || waiting.lock())
            .await?
            .with_context(|| format!("lock `{}`", path.display()))?;
    }
    Ok(file)
}

/// Removes a file that may not be there.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}
