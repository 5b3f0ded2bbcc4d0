//! `make bench`: the road measured end to end on real servers, beside the bars it has to reach.

mod capture;
mod day;
mod drain;
mod encode;
mod lake;
mod latency;
mod quiet;
mod report;
mod servers;
mod service;
mod tweets;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use crate::report::Report;
use crate::servers::Servers;

/// Measures drain, cdc, lakewriter and latency on servers of its own; prints a table and writes a JSON file.
#[derive(Debug, Parser)]
struct Arguments {
    /// Rows of the snapshot, and rows of the backlog
    #[arg(long, default_value_t = 1_000_000)]
    rows: u32,
    /// Rows of a transaction of the backlog
    #[arg(long, default_value_t = 1000)]
    transaction: u32,
    /// Drains of each reader
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// How long latency is measured, seconds
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// How long a process does nothing before its memory is read, seconds
    #[arg(long, default_value_t = 30)]
    idle: u64,
    /// Measure only what a quiet database costs
    #[arg(long)]
    quiet: bool,
    /// Measure only what so many small commits do to a lake: 43200 are a day at one every two seconds
    #[arg(long, value_name = "COMMITS")]
    day: Option<u64>,
    /// PostgreSQL's own client, of the server's version
    #[arg(long, default_value = "pg_recvlogical")]
    pg_recvlogical: PathBuf,
    /// What the bars are for: a file of a profile other than release says so
    #[arg(long, default_value = "release")]
    profile: String,
    /// The file of figures to write
    #[arg(long)]
    output: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    eprintln!("starting PostgreSQL, Kafka and MinIO");
    let servers = Servers::start().await?;
    let mut report = Report::new(&arguments.profile, &servers).await?;
    let (idle, lasts) = (
        Duration::from_secs(arguments.idle),
        Duration::from_secs(arguments.seconds),
    );
    if arguments.quiet {
        tweets::create(&servers).await?;
        tweets::load(&servers, 0, 1000, 1000).await?;
        quiet::measure(&servers, idle, lasts, &mut report).await?;
        return finish(&report, arguments);
    }
    if let Some(commits) = arguments.day {
        day::measure(commits, &mut report).await?;
        return finish(&report, arguments);
    }
    let rows = arguments.rows;

    encode::measure(&mut report)?;
    eprintln!("writing {rows} rows for the snapshot");
    tweets::create(&servers).await?;
    tweets::load(&servers, 0, rows, arguments.transaction).await?;
    capture::snapshot(&servers, rows, &mut report).await?;

    // both slots stand before the backlog: cdc's own, and the one that each drain gets a copy of
    drain::create_slot(&servers).await?;
    eprintln!(
        "writing a backlog of {rows} rows, {} a transaction",
        arguments.transaction
    );
    tweets::load(&servers, i64::from(rows), rows, arguments.transaction).await?;
    let end = tweets::mark(&servers).await?;
    drain::race(
        &servers,
        &arguments.pg_recvlogical,
        arguments.runs,
        rows,
        end,
        &mut report,
    )
    .await?;
    capture::backlog(&servers, rows, end, &mut report).await?;
    lake::write_topic(&servers, &mut report).await?;
    latency::measure(&servers, idle, lasts, &mut report).await?;
    quiet::measure(&servers, idle, lasts, &mut report).await?;
    finish(&report, arguments)
}

/// Prints the figures, and keeps them where that was asked for.
fn finish(report: &Report, arguments: &Arguments) -> Result<()> {
    print!("{}", report.table());
    if let Some(path) = &arguments.output {
        report.save(path)?;
        println!("\nwritten to {}", path.display());
    }
    Ok(())
}
