use std::process::ExitCode;

use anyhow::Result;
use stack::State;

use super::place::{state_file, supervisor_log};

/// Prints what runs. Fails where something has ended that should run.
pub fn status() -> Result<ExitCode> {
    let state = State::load(&state_file())?;
    if state.services.is_empty() {
        println!("nothing was started: `make stack` starts it");
        return Ok(ExitCode::SUCCESS);
    }
    show(&state);
    let mut all = state.services.iter().chain(&state.supervisor);
    Ok(match all.all(|started| started.runs()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// A line for each service.
pub fn show(state: &State) {
    for started in &state.services {
        let condition = if started.runs() { "runs" } else { "ended" };
        let ports: Vec<String> = started.ports.values().map(u16::to_string).collect();
        let (service, pid) = (&started.service, started.pid);
        println!(
            "{service:<12} {condition:<6} pid {pid:<8} ports {:<18} restarts {:<3} {}",
            ports.join(" "),
            started.restarts,
            started.log.display()
        );
    }
    match &state.supervisor {
        Some(supervisor) if supervisor.runs() => println!(
            "what ends is started again by pid {}: {}",
            supervisor.pid,
            supervisor_log().display()
        ),
        Some(_) | None => {
            println!("nothing starts again what ends: `make stack` brings that back");
        }
    }
}
