use std::{io::IsTerminal as _, sync::Arc, time::Duration};

use generator::{Mix, Pace, Progress};
use service::Secret;

use super::start;
use crate::failure::Failure;
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tributary generate --rate 50/s
  tributary generate --every 5s --batch 20
  tributary generate --schedule '0 */5 * * * *' --batch 100
  tributary generate --rate unlimited --count 1000000 --seed 7
  tributary generate --rate 50/s --burst 500/s:5s:60s --mix insert=80,update=15,delete=5")]
pub struct Arguments {
    /// Connection string of the database
    #[arg(long, value_name = "DSN")]
    dsn: Option<String>,
    /// Operations a second: 50/s, 3000/m, unlimited
    #[arg(long, conflicts_with_all = ["every", "schedule"])]
    rate: Option<String>,
    /// A batch each time this passes: 500ms, 5s, 1min
    #[arg(
        long,
        value_name = "PERIOD",
        conflicts_with = "schedule",
        requires = "batch"
    )]
    every: Option<String>,
    /// A batch at these times: cron with seconds, as '0 */5 * * * *'
    #[arg(long, value_name = "CRON", requires = "batch")]
    schedule: Option<String>,
    /// Operations of one batch of --every and --schedule
    #[arg(long, value_name = "N")]
    batch: Option<u64>,
    /// Stop after so many operations
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Shares of the operations
    #[arg(long, value_name = "SHARES")]
    mix: Option<String>,
    /// Same seed, same rows
    #[arg(long)]
    seed: Option<u64>,
    /// A higher rate now and then: RATE:LENGTH:PERIOD, as 500/s:5s:60s
    #[arg(long, value_name = "BURST")]
    burst: Option<String>,
    /// Follow the hours of the day: quiet nights, busy evenings
    #[arg(long)]
    day_rhythm: bool,
}

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    settings.set_flag("generator.dsn", arguments.dsn.as_deref())?;
    settings.set_flag("generator.rate", arguments.rate.as_deref())?;
    settings.set_flag("generator.mix", arguments.mix.as_deref())?;
    settings.set_flag("generator.seed", arguments.seed)?;
    let batch = arguments.batch.unwrap_or(1);
    let pace = match (&arguments.every, &arguments.schedule) {
        (Some(period), _) => Pace::every(period, batch).map_err(usage)?,
        (None, Some(expression)) => Pace::schedule(expression, batch).map_err(usage)?,
        (None, None) => settings.parse("generator.rate")?,
    };
    let mut generate = generator::Settings::new(settings.get("generator.dsn").unwrap_or_default());
    generate.password = settings.get("generator.password").map(Secret::new);
    generate.pace = pace;
    generate.mix = settings.parse::<Mix>("generator.mix")?;
    generate.seed = settings.parse_opt("generator.seed")?;
    generate.count = arguments.count;
    generate.burst = arguments
        .burst
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(usage)?;
    generate.day_rhythm = arguments.day_rhythm;
    start(settings, "info")?.block_on(async {
        let stop = service::stop_on_signal().map_err(anyhow::Error::from)?;
        let progress = Arc::new(Progress::default());
        let reporter = tokio::spawn(report(Arc::clone(&progress)));
        let summary = generator::run(generate, progress, stop).await;
        reporter.abort();
        say!("{}", summary?);
        Ok(())
    })
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::Usage(error.to_string())
}

/// One line a second on a terminal, one a minute in a log.
async fn report(progress: Arc<Progress>) {
    let terminal = std::io::stderr().is_terminal();
    let period = Duration::from_secs(if terminal { 1 } else { 60 });
    let mut timer = tokio::time::interval(period);
    timer.tick().await;
    loop {
        timer.tick().await;
        tracing::info!(
            inserted = progress.inserted(),
            updated = progress.updated(),
            deleted = progress.deleted(),
            state = ?progress.state(),
            "generating"
        );
    }
}
