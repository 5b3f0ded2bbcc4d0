//! `tributary`: every committed PostgreSQL change becomes a Debezium event in Kafka and a row in an open lake table.

mod command;
mod demo;
mod settings;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    match command::run(arguments) {
        Ok(()) => ExitCode::from(service::ExitStatus::Clean as u8),
        Err(failure) => {
            eprintln!("{}", failure.render());
            ExitCode::from(failure.status() as u8)
        }
    }
}
