//! The command line: one file per subcommand.

mod bucket;
mod cdc;
mod config;
mod demo;
mod doctor;
mod drain;
pub mod examples;
mod generate;
mod healthcheck;
mod image;
mod kafka;
mod lake;
mod lakewriter;
mod maintain;
mod mirror;
mod nearby;
pub mod quantity;
mod sql;
mod status;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use service::LogFormat;
use tokio::runtime::Runtime;

use crate::{failure::Failure, settings::Settings};

/// Every committed PostgreSQL change becomes a Debezium event in Kafka and a row in an open lake table, exactly once.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Arguments {
    /// Settings file (default: tributary.toml, if it is there)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  tributary demo --seconds 30                     # the whole road in one process, no servers needed
  tributary mirror --from postgresql://USER@HOST/DATABASE --to data/lake
  tributary generate --rate 50/s                  # fake tweets into the PostgreSQL of generator.dsn, or --dsn
  tributary cdc                                   # PostgreSQL's WAL to Kafka: a worker that connectors are posted to
  tributary lakewriter                            # Kafka to Delta tables under data/lake, or --lake
  tributary doctor --from postgresql://USER@HOST/DATABASE --to data/lake   # what stands in the way, and what mends it
  tributary sql 'select count(*) from public.tweets'";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole road on embedded defaults: tweets, PostgreSQL, cdc, lake
    Demo(demo::Arguments),
    /// Mirror a PostgreSQL database into a lake, without Kafka
    Mirror(mirror::Arguments),
    /// Write fake tweets into PostgreSQL
    Generate(generate::Arguments),
    /// Read PostgreSQL's WAL and emit change events to Kafka
    Cdc(cdc::Arguments),
    /// Write change events from Kafka into Delta tables
    Lakewriter(lakewriter::Arguments),
    /// Query the lake
    Sql(sql::Arguments),
    /// Look at the lake's tables and keep them small by hand; lakewriter does it by itself
    Lake(maintain::Arguments),
    /// Make the bucket of an S3 lake
    Bucket(bucket::Arguments),
    /// Find what stands in the way of a mirror or a connector, and what mends it
    Doctor(doctor::Arguments),
    /// Show what runs: connectors, lag, freshness, tables
    Status(status::Arguments),
    /// Ask a running part whether it is well
    Healthcheck(healthcheck::Arguments),
    /// Show the effective settings and where each comes from
    Config(config::Arguments),
    #[command(hide = true)]
    Drain(drain::Arguments),
}

/// Everything that can be checked is checked before the runtime exists.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut settings = Settings::load(arguments.config.as_deref(), std::env::vars())?;
    match arguments.command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Mirror(arguments) => mirror::run(arguments, &mut settings),
        Command::Generate(arguments) => generate::run(arguments, &mut settings),
        Command::Cdc(arguments) => cdc::run(arguments, &mut settings),
        Command::Lakewriter(arguments) => lakewriter::run(arguments, &mut settings),
        Command::Sql(arguments) => sql::run(arguments, &mut settings),
        Command::Lake(arguments) => maintain::run(arguments, &mut settings),
        Command::Bucket(arguments) => bucket::run(arguments, &mut settings),
        Command::Doctor(arguments) => doctor::run(arguments, &mut settings),
        Command::Status(arguments) => status::run(arguments, &mut settings),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Config(arguments) => config::run(&arguments, &settings),
        Command::Drain(arguments) => drain::run(arguments, &mut settings),
    }
}

/// Names that an HTTP face is reached by: those of a setting, and this machine's, which is a container's name.
fn hosts(settings: &Settings, key: &str) -> Vec<String> {
    let listed = settings.get(key).unwrap_or_default().split(',');
    let machine = std::env::var("HOSTNAME").ok();
    listed.map(str::to_owned).chain(machine).collect()
}

/// Telemetry and a runtime for a long-running part.
fn start(settings: &Settings, default_level: &str) -> Result<Runtime, Failure> {
    tell(settings, default_level)?;
    Ok(Runtime::new().map_err(anyhow::Error::from)?)
}

/// Telemetry, and what the settings are warned of.
fn tell(settings: &Settings, default_level: &str) -> Result<(), Failure> {
    service::init_telemetry(settings.parse::<LogFormat>("log.format")?, default_level);
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(())
}
