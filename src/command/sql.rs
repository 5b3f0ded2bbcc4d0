use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;
use console::{Output, OutputFormat, SqlEngine, run_prompt, write_result};

use super::{Failure, lake, nearby, quantity, start};
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every table stands under its PostgreSQL name: public.tweets has the rows that are in it by now,
public.tweets_changes the log of its changes; with the topic prefix before it where several
prefixes have one name: shop.public.tweets. Records that could not become rows are in
_dead_letters. Without a query: a prompt with history (\\d lists tables); where standard input is no terminal its
statements are run one after the other, and the exit code is 1 if one of them failed.
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
    /// Memory that a query may take, as 2GB; without it, a quarter of the machine's (sql.memory_limit)
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<String>,
}

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    settings.set_flag("lake.url", arguments.lake)?;
    nearby::choose(settings)?;
    settings.set_flag("sql.memory_limit", arguments.memory_limit)?;
    let config = lake::config(settings);
    let memory_limit = settings.parse_opt::<quantity::Bytes>("sql.memory_limit")?;
    let memory_limit = memory_limit.map(|limit| limit.0);
    if arguments.format == OutputFormat::Parquet && std::io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "Parquet is not for the eye: send it to a file with `> rows.parquet`".to_owned(),
        ));
    }
    start(settings, "warn")?.block_on(async {
        let mut engine = SqlEngine::open(&config, memory_limit).await?;
        match arguments.query {
            Some(sql) => {
                for warning in engine.warnings() {
                    eprintln!("WARNING: {warning}");
                }
                let sql = sql.trim().trim_end_matches(';');
                let frame = engine.query(sql).await?;
                let mut out = Output::stdout();
                let written = write_result(frame, arguments.format, &mut out).await;
                let flushed = out.flush();
                // Who has read enough has closed the pipe.
                if out.is_closed() {
                    return Ok(());
                }
                written?;
                flushed.context("write to standard output")?;
                Ok(())
            }
            None => {
                let failed = run_prompt(&mut engine, arguments.format, history()).await?;
                match failed {
                    1.. if !std::io::stdin().is_terminal() => {
                        let them = if failed == 1 { "one" } else { "several" };
                        Err(Failure::Other(anyhow::anyhow!(
                            "run all statements of standard input: {them} failed, see above"
                        )))
                    }
                    _ => Ok(()),
                }
            }
        }
    })
}

/// `$XDG_STATE_HOME/tributary/history`.
fn history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("tributary").join("history"))
}
