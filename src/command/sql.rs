use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
};

use console::{OutputFormat, SqlEngine, run_prompt, write_result};

use super::{Failure, lake, nearby, start};
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every table stands under its PostgreSQL name: public.tweets is the latest row of each key,
public.tweets_changes the log of its changes. Without a query: a prompt with history (\\d lists tables).
Where neither --lake nor a setting names the lake it is data/lake, the running stack's, or the demo's, whichever is
there, in this folder or in the checkout of this program.

Examples:
  tributary sql 'select count(*) from public.tweets'
  tributary sql --lake data/demo/lake --format csv 'select * from public.users limit 10'
  tributary sql --format parquet 'select * from public.tweets' > tweets.parquet"
)]
pub struct Arguments {
    /// The query; without it a prompt opens
    query: Option<String>,
    /// Root of the lake (lake.url); without it, the one of the demo or the stack beside this program
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    /// table, csv, json (one object a line) or parquet
    #[arg(long, default_value = "table")]
    format: OutputFormat,
}

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    settings.set_flag("lake.url", arguments.lake);
    nearby::choose(settings)?;
    let config = lake::config(settings);
    if arguments.format == OutputFormat::Parquet && std::io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "Parquet is not for the eye: send it to a file with `> rows.parquet`".to_owned(),
        ));
    }
    start(settings, "warn")?.block_on(async {
        let mut engine = SqlEngine::open(&config).await?;
        match arguments.query {
            Some(sql) => {
                let sql = sql.trim().trim_end_matches(';');
                let frame = engine.query(sql).await?;
                let mut out = std::io::BufWriter::new(std::io::stdout());
                write_result(frame, arguments.format, &mut out).await?;
                out.flush().map_err(anyhow::Error::from)?;
            }
            None => run_prompt(&mut engine, arguments.format, history()).await?,
        }
        Ok(())
    })
}

/// `$XDG_STATE_HOME/tributary/history`.
fn history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("tributary").join("history"))
}
