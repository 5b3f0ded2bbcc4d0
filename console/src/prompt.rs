use std::{io::IsTerminal, path::PathBuf, time::Instant};

use datafusion::dataframe::DataFrame;
use rustyline::{DefaultEditor, error::ReadlineError};

use crate::{Error, OutputFormat, SqlEngine, write_result};

const HELP: &str = "\
  \\d              tables and views
  \\d NAME         columns of one, as public.tweets
  \\refresh        see what was committed since
  \\q              leave (also Ctrl-D)
  anything else   SQL, ended by a semicolon; Ctrl-C drops what was typed";

/// A prompt with history: statements end with `;`, commands start with a backslash.
///
/// # Errors
/// The terminal cannot be read, or the lake cannot be read again.
pub async fn run_prompt(
    engine: &mut SqlEngine,
    format: OutputFormat,
    history: Option<PathBuf>,
) -> Result<(), Error> {
    let mut editor = DefaultEditor::new().map_err(Error::Prompt)?;
    if let Some(path) = &history {
        // No history yet is the first run.
        let _ = editor.load_history(path);
    }
    if std::io::stdin().is_terminal() {
        println!(
            "tributary SQL over {}. \\d lists tables, \\? helps.",
            engine.url()
        );
    }
    warn(engine);
    let mut statement = String::new();
    loop {
        let prompt = if statement.is_empty() {
            "lake=> "
        } else {
            "lake-> "
        };
        match editor.readline(prompt) {
            Ok(line) => {
                if statement.is_empty() && line.trim().is_empty() {
                    continue;
                }
                if statement.is_empty() && line.trim_start().starts_with('\\') {
                    let _ = editor.add_history_entry(line.trim());
                    if !run_command(engine, line.trim(), format).await? {
                        break;
                    }
                    continue;
                }
                statement.push_str(&line);
                statement.push('\n');
                if line.trim_end().ends_with(';') {
                    let sql = std::mem::take(&mut statement);
                    let _ = editor.add_history_entry(sql.trim());
                    engine.refresh().await?;
                    let began = Instant::now();
                    let frame = engine.query(sql.trim().trim_end_matches(';')).await;
                    answer(frame, began, format).await;
                }
            }
            Err(ReadlineError::Interrupted) => statement.clear(),
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(Error::Prompt(error)),
        }
    }
    if let Some(path) = &history {
        if let Some(folder) = path.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        if let Err(error) = editor.save_history(path) {
            eprintln!("history not saved to `{}`: {error}", path.display());
        }
    }
    Ok(())
}

/// False ends the prompt.
async fn run_command(
    engine: &mut SqlEngine,
    command: &str,
    format: OutputFormat,
) -> Result<bool, Error> {
    let (word, argument) = command
        .split_once(char::is_whitespace)
        .map_or((command, ""), |(word, rest)| (word, rest.trim()));
    match word {
        "\\q" => return Ok(false),
        "\\?" | "\\h" => println!("{HELP}"),
        "\\refresh" => {
            engine.refresh().await?;
            warn(engine);
        }
        "\\d" | "\\dt" | "\\dv" => {
            engine.refresh().await?;
            warn(engine);
            let began = Instant::now();
            answer(engine.describe(argument).await, began, format).await;
        }
        other => println!("unknown command {other}\n{HELP}"),
    }
    Ok(true)
}

/// On standard error, so that an output that is piped stays what was asked for.
fn warn(engine: &SqlEngine) {
    for warning in engine.warnings() {
        eprintln!("WARNING: {warning}");
    }
}

async fn answer(frame: Result<DataFrame, Error>, began: Instant, format: OutputFormat) {
    let written = match frame {
        Ok(frame) => write_result(frame, format, &mut std::io::stdout()).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(_) if format == OutputFormat::Table => {
            println!("Time: {:.1} ms", began.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(_) => {}
        Err(error) => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            println!("ERROR: {text}");
        }
    }
}
