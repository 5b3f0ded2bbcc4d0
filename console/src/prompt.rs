//! The prompt of `tributary sql`: statements that end with `;`, and commands that begin with a backslash.

use std::{
    io::{IsTerminal, Write as _},
    path::PathBuf,
    time::Instant,
};

use datafusion::dataframe::DataFrame;
use rustyline::{DefaultEditor, error::ReadlineError};

use crate::{Error, Output, OutputFormat, SqlEngine, write_result};

const HELP: &str = "\
  \\d              tables and views
  \\d NAME         columns of one, as public.tweets
  \\refresh        see what was committed since
  \\q              leave (also Ctrl-D)
  anything else   SQL, ended by a semicolon; Ctrl-C drops what was typed";

/// A prompt with history: statements end with `;`, commands start with a backslash. What fails is told, and the next one
/// is read. Where standard input is no terminal, its end ends a statement too. Ends when nobody reads the answers any
/// more.
///
/// Answers how many statements and commands failed.
///
/// # Errors
/// The terminal cannot be read, or the lake cannot be read again.
pub async fn run_prompt(
    engine: &mut SqlEngine,
    format: OutputFormat,
    history: Option<PathBuf>,
) -> Result<usize, Error> {
    let mut editor = DefaultEditor::new().map_err(Error::Prompt)?;
    if let Some(path) = &history {
        // No history yet is the first run.
        let _ = editor.load_history(path);
    }
    let terminal = std::io::stdin().is_terminal();
    let mut prompt = Prompt {
        engine,
        format,
        out: Output::stdout(),
        failed: 0,
    };
    if terminal {
        let hello = format!(
            "tributary SQL over {}. \\d lists tables, \\? helps.",
            prompt.engine.url()
        );
        prompt.say(&hello);
    }
    prompt.warn();
    let mut statement = String::new();
    while !prompt.out.is_closed() {
        let sign = if statement.is_empty() {
            "lake=> "
        } else {
            "lake-> "
        };
        match editor.readline(sign) {
            Ok(line) => {
                if statement.is_empty() && line.trim().is_empty() {
                    continue;
                }
                if statement.is_empty() && line.trim_start().starts_with('\\') {
                    let _ = editor.add_history_entry(line.trim());
                    if !prompt.command(line.trim()).await? {
                        break;
                    }
                    continue;
                }
                statement.push_str(&line);
                statement.push('\n');
                if line.trim_end().ends_with(';') {
                    let sql = std::mem::take(&mut statement);
                    let _ = editor.add_history_entry(sql.trim());
                    prompt.statement(&sql).await?;
                }
            }
            Err(ReadlineError::Interrupted) => statement.clear(),
            Err(ReadlineError::Eof) => {
                if !terminal && !statement.trim().is_empty() {
                    prompt.statement(&statement).await?;
                }
                break;
            }
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
    Ok(prompt.failed)
}

struct Prompt<'a> {
    engine: &'a mut SqlEngine,
    format: OutputFormat,
    out: Output,
    failed: usize,
}

impl Prompt<'_> {
    async fn statement(&mut self, sql: &str) -> Result<(), Error> {
        self.engine.refresh().await?;
        let began = Instant::now();
        let frame = self.engine.query(sql.trim().trim_end_matches(';')).await;
        self.answer(frame, began).await;
        self.engine.print_notices();
        Ok(())
    }

    /// False ends the prompt.
    async fn command(&mut self, command: &str) -> Result<bool, Error> {
        let (word, argument) = command
            .split_once(char::is_whitespace)
            .map_or((command, ""), |(word, rest)| (word, rest.trim()));
        match word {
            "\\q" => return Ok(false),
            "\\?" | "\\h" => self.say(HELP),
            "\\refresh" => {
                self.engine.refresh().await?;
                self.warn();
            }
            "\\d" | "\\dt" | "\\dv" => {
                self.engine.refresh().await?;
                self.warn();
                let began = Instant::now();
                let frame = self.engine.describe(argument).await;
                self.answer(frame, began).await;
            }
            other => self.fail(&format!("unknown command {other}\n{HELP}")),
        }
        Ok(true)
    }

    async fn answer(&mut self, frame: Result<DataFrame, Error>, began: Instant) {
        let written = match frame {
            Ok(frame) => write_result(frame, self.format, &mut self.out).await,
            Err(error) => Err(error),
        };
        match written {
            Ok(_) if self.format == OutputFormat::Table => {
                let time = format!("Time: {:.1} ms", began.elapsed().as_secs_f64() * 1000.0);
                self.say(&time);
            }
            Ok(_) => self.flush(),
            Err(_) if self.out.is_closed() => {}
            Err(error) => {
                let mut text = error.to_string();
                let mut source = std::error::Error::source(&error);
                while let Some(cause) = source {
                    text = format!("{text}: {cause}");
                    source = cause.source();
                }
                self.fail(&text);
            }
        }
    }

    fn say(&mut self, line: &str) {
        // What cannot be written is told by the flush.
        let _ = writeln!(self.out, "{line}");
        self.flush();
    }

    fn flush(&mut self) {
        if let Err(error) = self.out.flush()
            && !self.out.is_closed()
        {
            self.failed += 1;
            eprintln!("ERROR: write to standard output: {error}");
        }
    }

    /// On standard error, so that an output that is piped stays what was asked for.
    fn fail(&mut self, text: &str) {
        self.flush();
        self.failed += 1;
        eprintln!("ERROR: {text}");
    }

    /// On standard error, as `fail`.
    fn warn(&self) {
        for warning in self.engine.warnings() {
            eprintln!("WARNING: {warning}");
        }
    }
}
