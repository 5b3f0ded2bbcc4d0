//! `stack up`, `stack status`, `stack down`: the services of docker-compose.yml as native processes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use stack::{ComposeFile, Composition, Lifetime, Ports, State};

#[tokio::main]
async fn main() -> ExitCode {
    let action = std::env::args().nth(1).unwrap_or_default();
    let result = match action.as_str() {
        "up" => up().await,
        "status" => status(),
        "down" => down().await,
        _ => {
            eprintln!("usage: stack up|status|down");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn folder() -> PathBuf {
    Path::new("data").join("stack")
}

fn state_file() -> PathBuf {
    folder().join("state.json")
}

async fn up() -> Result<()> {
    let state = State::load(&state_file())?;
    if state.services.iter().any(|started| started.runs()) {
        println!("the stack runs already; `make stack-down` stops it");
        return status();
    }
    let file = ComposeFile::read(Path::new("docker-compose.yml"))?;
    std::fs::create_dir_all(folder()).context("make the folder `data/stack`")?;
    let folder = folder().canonicalize()?;
    let say = |line: &str| println!("{line}");
    let composition =
        Composition::start(&file, Ports::Published, &folder, Lifetime::Detached, say).await?;
    State::of(&composition)?.save(&state_file())?;

    println!();
    status()?;
    println!(
        "\nneed their containers, not started: {}",
        composition.left_out().join(", ")
    );
    println!(
        "PostgreSQL     psql postgres://postgres@127.0.0.1:{}/tributary",
        composition.port("postgres", 5432)?
    );
    println!(
        "Kafka          127.0.0.1:{}",
        composition.port("kafka", 9092)?
    );
    println!(
        "Connect REST   http://127.0.0.1:{}/connectors",
        composition.port("cdc", 8083)?
    );
    println!(
        "MinIO console  http://127.0.0.1:{}",
        composition.port("minio", 9001)?
    );
    println!("make stack-down stops all of it");
    Ok(())
}

fn status() -> Result<()> {
    let state = State::load(&state_file())?;
    if state.services.is_empty() {
        println!("nothing was started");
    }
    for started in &state.services {
        let condition = if started.runs() { "runs" } else { "ended" };
        let ports: Vec<String> = started.ports.values().map(u16::to_string).collect();
        let (service, pid) = (&started.service, started.pid);
        println!(
            "{service:<12} {condition:<6} pid {pid:<8} ports {:<18} {}",
            ports.join(" "),
            started.log.display()
        );
    }
    Ok(())
}

async fn down() -> Result<()> {
    State::load(&state_file())?
        .stop(|line| println!("{line}"))
        .await?;
    match std::fs::remove_file(state_file()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("remove the state file")
        }
        _ => Ok(()),
    }
}
