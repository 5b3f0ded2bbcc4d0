use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use generator::{Mix, Pace};
use service::LogFormat;

use super::quantity;
use crate::demo::{self, Leash, Plan};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tributary demo                       # until Ctrl-C
  tributary demo --seconds 30          # ends by itself
  tributary demo --rate 2000/s --seed 7
  tributary demo --clean               # remove what the demo made, and nothing else")]
pub struct Arguments {
    /// End after so many seconds; without it Ctrl-C ends the demo
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Holds the private cluster and the lake
    #[arg(long, value_name = "FOLDER", default_value = "data/demo")]
    folder: PathBuf,
    /// Tweets, edits and deletes a second
    #[arg(long, default_value = "50/s")]
    rate: Pace,
    /// Shares of the operations
    #[arg(long, default_value = "insert=80,update=15,delete=5")]
    mix: Mix,
    /// Same seed, same rows
    #[arg(long)]
    seed: Option<u64>,
    /// Time between two commits to the lake
    #[arg(long, value_name = "TIME", default_value = "500ms")]
    freshness: quantity::Time,
    /// Remove what the demo made in its folder, and nothing else
    #[arg(long)]
    clean: bool,
    /// Log lines on standard error
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogStyle,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogStyle {
    Text,
    Json,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.clean {
        return demo::clean(&arguments.folder);
    }
    let plan = Plan {
        folder: arguments.folder,
        pace: arguments.rate,
        mix: arguments.mix,
        seed: arguments.seed,
        lasts: arguments.seconds.map(Duration::from_secs),
        freshness: arguments.freshness.0,
    };
    let format = match arguments.log_format {
        LogStyle::Text => LogFormat::Text,
        LogStyle::Json => LogFormat::Json,
    };
    service::init_telemetry(format, "warn");
    tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)?
        .block_on(async {
            let leash = Leash::default();
            let pulled = leash.clone();
            let stop = service::stop_on_signal_and(move || pulled.pull());
            demo::run(plan, leash, stop.map_err(anyhow::Error::from)?).await
        })
}
