//! `stack up`, `stack status`, `stack restart`, `stack logs`, `stack down`: the services of docker-compose.yml as native
//! processes, watched as compose watches them.

mod control;

use std::process::ExitCode;

use anyhow::{Result, bail};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: stack up | status | restart SERVICE | logs SERVICE [--follow] | down";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = tokio::select! {
        done = run(&words) => done,
        asked = asked_to_end() => asked.and_then(|signal| {
            // What was being started has been stopped by now.
            if words == ["up"] {
                control::forget_stopped()?;
            }
            bail!("ended by {signal}")
        }),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C, and what `kill`, a closed terminal and CI send.
async fn asked_to_end() -> Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
    })
}

async fn run(words: &[&str]) -> Result<ExitCode> {
    match words {
        ["up"] => control::up().await?,
        ["status"] => return control::status(),
        ["restart", service] => control::restart(service).await?,
        ["logs", service] => control::logs(service, false).await?,
        ["logs", service, "--follow"] => control::logs(service, true).await?,
        ["supervise"] => control::supervise().await?,
        ["down"] => control::down().await?,
        _ => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}
