use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;
use console::{
    Output, OutputFormat, STACK_BYTES, SqlEngine, default_memory_limit, run_prompt, write_result,
};
use lakewriter::LakeConfig;
use tokio::runtime::Builder;

use super::{lake, nearby, quantity, tell};
use crate::failure::Failure;
use crate::{bounded, settings::Settings};

/// Threads that wait for files. Each has a stack.
const WAITING: usize = 8;
/// What a process takes beside its queries: tables of the lake, caches, buffers of the object store.
const BESIDE_BYTES: usize = 512 << 20;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every table stands under its PostgreSQL name: public.tweets has the rows that are in it by now,
public.tweets_changes the log of its changes; with the topic prefix before it where several
prefixes have one name: shop.public.tweets. Records that could not become rows are in
_dead_letters (__dead_letters where public has a table of that name). Without a query: a prompt with history (\\d lists tables); where standard input is no terminal its
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
    tell(settings, "warn")?;
    let memory_limit = memory_limit.unwrap_or_else(default_memory_limit);
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // What is not counted takes as much as what is, as a rule, and the kernel counts stacks that nobody uses.
    let stacks = (workers + WAITING + 1) * STACK_BYTES;
    let bound = memory_limit.saturating_mul(2) + BESIDE_BYTES + stacks;
    bounded::set(bound as u64).map_err(|error| {
        anyhow::Error::from(error).context("bound the memory of this process (RLIMIT_DATA)")
    })?;
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .worker_threads(workers)
        .max_blocking_threads(WAITING)
        .thread_stack_size(STACK_BYTES)
        .build()
        .map_err(anyhow::Error::from)?;
    // Statements are planned on this thread, by recursion.
    let (query, format) = (arguments.query, arguments.format);
    std::thread::scope(|scope| {
        let answer = || runtime.block_on(answer(query, format, &config, memory_limit));
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, answer);
        match thread.map_err(anyhow::Error::from)?.join() {
            Ok(answered) => answered,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

async fn answer(
    query: Option<String>,
    format: OutputFormat,
    config: &LakeConfig,
    memory_limit: usize,
) -> Result<(), Failure> {
    let mut engine = SqlEngine::open(config, Some(memory_limit)).await?;
    let Some(sql) = query else {
        return match run_prompt(&mut engine, format, history()).await? {
            failed @ 1.. if !std::io::stdin().is_terminal() => {
                let them = if failed == 1 { "one" } else { "several" };
                Err(Failure::Other(anyhow::anyhow!(
                    "run all statements of standard input: {them} failed, see above"
                )))
            }
            _ => Ok(()),
        };
    };
    for warning in engine.warnings() {
        eprintln!("WARNING: {warning}");
    }
    let sql = sql.trim().trim_end_matches(';');
    let frame = engine.query(sql).await?;
    let mut out = Output::stdout();
    let written = write_result(frame, format, &mut out).await;
    let flushed = out.flush();
    engine.print_notices();
    // Who has read enough has closed the pipe.
    if out.is_closed() {
        return Ok(());
    }
    written?;
    flushed.context("write to standard output")?;
    Ok(())
}

/// `$XDG_STATE_HOME/tributary/history`.
fn history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("tributary").join("history"))
}
