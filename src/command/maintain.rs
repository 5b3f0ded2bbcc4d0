//! The tables of a lake, looked at and kept small by hand.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use clap::Subcommand;
use indicatif::ProgressBar;
use lakewriter::{
    Lake,
    lake::delta::{LakeTable, TableSize, VersionEntry, property},
    maintain::{Compacted, Extent, compact, expire, vacuum},
};
use tokio_util::sync::CancellationToken;

use super::{Failure, lake, nearby, quantity, start};
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A table is named as in PostgreSQL (public.tweets), with the topic prefix before it where several have
one name, or by its folder. Without --lake: the lake of lake.url, or the one of the demo or the stack beside this
program. All of it is safe beside a running writer and can be stopped at any moment.

Examples:
  tributary lake describe
  tributary lake optimize public.tweets
  tributary lake vacuum --dry-run
  tributary lake history public.tweets --limit 5"
)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// Root of the lake (lake.url)
    #[arg(long, value_name = "URL", global = true)]
    lake: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show how large tables are: rows, files, versions
    Describe {
        /// Which tables; without a name, all
        tables: Vec<String>,
    },
    /// Write small files anew as large ones; readers see the same rows
    Optimize {
        /// Which tables; without a name, all
        tables: Vec<String>,
        /// Size of the new files, as 128MB (lake.target_file_size)
        #[arg(long, value_name = "SIZE")]
        target_size: Option<String>,
    },
    /// Delete files and log entries that only versions older than the history need
    Vacuum {
        /// Which tables; without a name, all
        tables: Vec<String>,
        /// How long older versions stay readable, as 6h (lake.history)
        #[arg(long, value_name = "TIME")]
        history: Option<String>,
        /// Only say what would be deleted
        #[arg(long)]
        dry_run: bool,
    },
    /// Show the newest versions of a table and what each of them did, then how its columns and its key have changed in
    /// PostgreSQL and what the lake made of it
    History {
        table: String,
        /// How many
        #[arg(long, value_name = "VERSIONS", default_value_t = 20)]
        limit: usize,
    },
}

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    settings.set_flag("lake.url", arguments.lake)?;
    nearby::choose(settings)?;
    let action = arguments.action;
    match &action {
        Action::Optimize { target_size, .. } => {
            settings.set_flag("lake.target_file_size", target_size.as_ref())?;
        }
        Action::Vacuum { history, .. } => settings.set_flag("lake.history", history.as_ref())?,
        Action::Describe { .. } | Action::History { .. } => {}
    }
    let config = lake::config(settings);
    let limits = lake::limits(settings)?;
    let kept: Duration = settings.parse::<quantity::Time>("lake.history")?.0;
    start(settings, "warn")?.block_on(async {
        let lake = Lake::connect(&config)?;
        let stop = service::stop_on_signal().map_err(anyhow::Error::from)?;
        match action {
            Action::Describe { tables } => {
                for relative in named(&lake, &tables).await? {
                    let table = open(&lake, &relative).await?;
                    say!("{}", described(&table, &table.size().await?));
                }
            }
            Action::Optimize { tables, .. } => {
                for relative in named(&lake, &tables).await? {
                    if stop.is_cancelled() {
                        break;
                    }
                    let mut table = open(&lake, &relative).await?;
                    let done = optimize(&lake, &mut table, &limits, &stop).await?;
                    say!("{}: {}", name_of(&table), compacted(&done));
                }
            }
            Action::Vacuum {
                tables, dry_run, ..
            } => {
                for relative in named(&lake, &tables).await? {
                    if stop.is_cancelled() {
                        break;
                    }
                    let mut table = open(&lake, &relative).await?;
                    say!("{}", swept(&lake, &mut table, kept, dry_run).await?);
                }
            }
            Action::History { table, limit } => {
                for relative in named(&lake, &[table]).await? {
                    let table = open(&lake, &relative).await?;
                    for entry in table.history(limit).await? {
                        say!("{}", told(&entry));
                    }
                    for decision in table.decisions()? {
                        say!("{decision}");
                    }
                }
            }
        }
        Ok(())
    })
}

/// The folders of the named tables, of all where none is named.
async fn named(lake: &Lake, names: &[String]) -> Result<Vec<String>, Failure> {
    if names.is_empty() {
        return Ok(lake.list_changes().await?);
    }
    let mut folders = Vec::new();
    for name in names {
        let found = lake.find_tables(name).await?;
        match found.as_slice() {
            [] => return Err(unknown(lake, name).await?),
            [one] => folders.push(one.clone()),
            several => {
                return Err(Failure::Refused {
                    what: format!("find the table `{name}`: {} have this name", several.len()),
                    hint: format!("name one of {}", several.join(", ")),
                });
            }
        }
    }
    Ok(folders)
}

async fn unknown(lake: &Lake, name: &str) -> Result<Failure, Failure> {
    let mut there = Vec::new();
    for relative in lake.list_changes().await? {
        there.push(name_of(&open(lake, &relative).await?));
    }
    let hint = match service::nearest(name, there.iter().map(String::as_str)) {
        Some(near) => format!("do you mean `{near}`?"),
        None if there.is_empty() => "the lake has no tables yet".to_owned(),
        None => format!("what the lake has {}", service::listed(&there)),
    };
    Ok(Failure::Refused {
        what: format!("find the table `{name}`: the lake has none of this name"),
        hint,
    })
}

async fn open(lake: &Lake, relative: &str) -> Result<LakeTable, Failure> {
    let table = LakeTable::open(lake, relative).await?;
    table.ok_or_else(|| Failure::Halted {
        what: format!("open `{relative}`: it is gone"),
        hint: "somebody deleted the table meanwhile: call again".to_owned(),
    })
}

/// As PostgreSQL calls it, or its folder where the table does not tell.
fn name_of(table: &LakeTable) -> String {
    let names = [property::SCHEMA, property::TABLE].map(|key| table.property(key));
    match names {
        [Some(schema), Some(name)] => format!("{schema}.{name}"),
        _ => table.relative().to_owned(),
    }
}

async fn optimize(
    lake: &Lake,
    table: &mut LakeTable,
    limits: &lakewriter::maintain::CompactionLimits,
    stop: &CancellationToken,
) -> Result<Compacted, Failure> {
    let name = name_of(table);
    let files = table.size().await?.files;
    // Hidden where standard error is no terminal.
    let bar = ProgressBar::new(files).with_message(name);
    let done = compact(lake, table, limits, Extent::Everything, stop, |done| {
        bar.set_position(done.files_before);
    })
    .await?;
    bar.finish_and_clear();
    if done.files_before > 0 {
        table.checkpoint().await?;
    }
    Ok(done)
}

fn compacted(done: &Compacted) -> String {
    let left = match done.left {
        0 => String::new(),
        1 => "; 1 group of files was left as it is (see the log)".to_owned(),
        groups => format!("; {groups} groups of files were left as they are (see the log)"),
    };
    if done.files_before == 0 {
        return format!("nothing to do{left}");
    }
    format!(
        "{} files ({}) are {} now ({}), {} rows{left}",
        done.files_before,
        bytes(done.bytes_before),
        done.files_after,
        bytes(done.bytes_after),
        done.rows
    )
}

async fn swept(
    lake: &Lake,
    table: &mut LakeTable,
    kept: Duration,
    dry_run: bool,
) -> Result<String, Failure> {
    let name = name_of(table);
    let files = vacuum(lake, table, kept, dry_run).await?;
    let mut lines = vec![format!(
        "{name}: {} files ({}) {}",
        files.files.len(),
        bytes(files.bytes),
        if dry_run {
            "would be deleted"
        } else {
            "deleted"
        },
    )];
    if dry_run {
        lines.extend(files.files.iter().map(|file| format!("  {file}")));
    } else {
        let log = expire(lake, table, kept).await?;
        lines.push(format!(
            "{name}: {} entries of the log and {} checkpoints deleted",
            log.entries, log.checkpoints
        ));
    }
    Ok(lines.join("\n"))
}

fn described(table: &LakeTable, size: &TableSize) -> String {
    let rows = match size.rows {
        Some(rows) => format!("{rows} rows"),
        None => "rows unknown".to_owned(),
    };
    let hidden = match size.hidden_rows {
        0 => String::new(),
        rows => format!(" ({rows} more are deleted and still in files)"),
    };
    format!(
        "{} in {}\n  {rows}{hidden} in {} files, {} ({} to {})\n  version {}, {} files of older versions",
        name_of(table),
        table.relative(),
        size.files,
        bytes(size.bytes),
        bytes(size.smallest_file),
        bytes(size.largest_file),
        size.version,
        size.taken_away,
    )
}

fn told(entry: &VersionEntry) -> String {
    let when = entry
        .millis
        .and_then(DateTime::from_timestamp_millis)
        .map_or_else(
            || "at an unknown time".to_owned(),
            |time| time.to_rfc3339_opts(SecondsFormat::Millis, true),
        );
    let mut did = Vec::new();
    if entry.files_added > 0 {
        did.push(format!(
            "{} rows in {} files came",
            entry.rows_added, entry.files_added
        ));
    }
    if entry.files_taken_away > 0 {
        did.push(format!("{} files went", entry.files_taken_away));
    }
    if entry.changes_table {
        did.push("columns or properties changed".to_owned());
    }
    did.extend(
        entry
            .positions
            .iter()
            .map(|(source, position)| format!("{source} = {position}")),
    );
    format!(
        "{} {when} {}: {}",
        entry.version,
        entry.operation,
        did.join(", ")
    )
}

fn bytes(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}
