//! `tributary`: every committed PostgreSQL change becomes a Debezium event in Kafka and a row in an open lake table.

/// Prints a line on standard output. Its reader may have gone, as in `tributary demo | head -1`: that is no failure.
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($line)*);
    }};
}

mod bounded;
mod command;
mod current;
mod demo;
mod doctor;
mod failure;
mod invocation;
mod mirror;
mod settings;
mod status;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use command::{Arguments, examples};

#[global_allocator]
static ALLOCATOR: bounded::Told = bounded::Told;

fn main() -> ExitCode {
    let line = examples::called_as(Arguments::command(), &invocation::program());
    let arguments = match Arguments::from_arg_matches(&line.get_matches()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match command::run(arguments) {
        Ok(()) => ExitCode::from(service::ExitStatus::Clean as u8),
        Err(failure) => {
            let text = failure.render();
            if !text.is_empty() {
                eprintln!("{text}");
            }
            ExitCode::from(failure.status() as u8)
        }
    }
}
