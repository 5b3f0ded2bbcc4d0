//! Proves: `tributary demo` ends by itself, goes on from where it was, shares its folder with nobody, removes what it
//! made and nothing else, and after a kill has everything once.
//! Steps: a run that ends by itself; a quiet run, in which the audit begins, ended as by Ctrl-C; a busy run that is
//! compacted by hand and killed; a quiet run that catches up; the lake is compared with the demo's own PostgreSQL, and so
//! is `current`, by three readers.
//! Requires: PostgreSQL, DuckDB.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, json};
use stack::{Process, until};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::truth;
use crate::verdict::{compare, of_folder};

/// A whole run with the making of its cluster, on a machine that compiles something else meanwhile.
pub const RUN: Duration = Duration::from_secs(120);
const TABLES: [&str; 2] = ["public.users", "public.tweets"];
/// Rows that the lake must have got in the busy run before it is killed.
const ROWS_BEFORE_KILL: u64 = 1500;

/// The demo in a folder of its own; what is left of it goes when it is dropped.
pub struct Demo {
    folder: TempDir,
}

impl Demo {
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tributary-demo-test-")
            .tempdir()?;
        Ok(Self { folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("demo")
    }

    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = stack::tributary()?;
        command
            .arg("demo")
            .arg("--folder")
            .arg(self.path())
            .args(arguments)
            .current_dir(self.folder.path());
        Ok(command)
    }

    pub fn start(&self, arguments: &[&str]) -> Result<Process> {
        Process::spawn("tributary demo", self.command(arguments)?)
    }

    /// Starts a demo whose generator does next to nothing, and connects to its PostgreSQL.
    async fn start_quiet(&self) -> Result<(Process, Client)> {
        let mut demo = self.start(&["--rate", "1/h", "--mix", "insert=1"])?;
        let line = demo.wait_for_line("socket folder ", RUN).await?;
        let (_, socket_folder) = line
            .split_once("socket folder ")
            .context("no socket folder")?;
        let dsn = format!(
            "host={} user=postgres dbname=postgres",
            socket_folder.trim()
        );
        let (client, connection) = tokio_postgres::connect(&dsn, NoTls).await.context(dsn)?;
        tokio::spawn(connection);
        // the one row of this hour
        demo.wait_for_line(" tweets 1 ", RUN).await?;
        Ok((demo, client))
    }

    /// Compares by DuckDB and by our SQL.
    async fn verdict(&self, truth: &Path, after_lsn: u64) -> Result<()> {
        let tables = TABLES.map(str::to_owned);
        let lake = self.path().join("lake");
        let lake = (lake.as_path(), "twitter");
        let verdict = of_folder(self.folder.path(), lake, &tables, truth, after_lsn).await?;
        for reader in ["duckdb", "deltalake", "polars"] {
            let places = TABLES.map(|table| {
                let folder = lake.0.join(lake.1).join(table);
                let place =
                    json!({"changes": folder.join("changes"), "current": folder.join("current")});
                (table.to_owned(), place)
            });
            let request = json!({
                "truth": truth, "reader": reader, "after_lsn": after_lsn, "wait_seconds": 60,
                "tables": Map::from_iter(places),
            });
            let kept = compare(self.folder.path(), &request).await;
            let kept = kept.with_context(|| format!("`current`, read by {reader}"))?;
            ensure!(
                kept == verdict,
                "`current` is not the log: {kept:?} and {verdict:?}"
            );
        }
        eprintln!("demo: {verdict:?}");
        Ok(())
    }

    /// A second demo and a clean are refused while one runs, and tell which process it is.
    async fn is_held_by(&self, pid: u32) -> Result<()> {
        for arguments in [&["--seconds", "1"][..], &["--clean"]] {
            let command = self.command(arguments)?;
            let output = tokio::process::Command::from(command).output();
            let output = tokio::time::timeout(RUN, output).await??;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.code() == Some(2)
                    && said.contains(&format!("the demo with pid {pid} runs in this folder")),
                "demo {arguments:?} in the folder of a running one: {}\n{said}",
                output.status
            );
        }
        ensure!(self.path().join("lake").exists(), "the lake is gone");
        Ok(())
    }

    /// What `tributary lake` says of this demo's lake.
    async fn lake(&self, arguments: &[&str]) -> Result<String> {
        let mut command = stack::tributary()?;
        command
            .arg("lake")
            .args(arguments)
            .arg("--lake")
            .arg(self.path().join("lake"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        let output = tokio::process::Command::from(command).output();
        let output = tokio::time::timeout(RUN, output).await??;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "tributary lake {arguments:?}: {told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(told)
    }
}

impl Drop for Demo {
    /// A demo that was killed leaves its server running; the demo itself knows how to end it.
    fn drop(&mut self) {
        let cleaned = self
            .command(&["--clean"])
            .map(|mut command| command.stdin(Stdio::null()).stdout(Stdio::null()).status());
        if !matches!(cleaned, Ok(Ok(status)) if status.success()) {
            eprintln!(
                "`tributary demo --clean` failed for {}",
                self.path().display()
            );
        }
    }
}

#[tokio::test]
async fn the_demo_goes_on_after_its_end_and_after_a_kill() -> Result<()> {
    let demo = Demo::new()?;

    let mut first = demo.start(&["--seconds", "6", "--rate", "200/s", "--seed", "7"])?;
    let status = first.wait(RUN).await?;
    let output = first.output()?;
    ensure!(status.success(), "the demo ended with {status}:\n{output}");
    for part in [
        "generator   ",
        "lake        ",
        "-- hashtags",
        "Ask it yourself:",
        "any reader of Delta tables",
    ] {
        ensure!(
            output.contains(part),
            "the summary lacks `{part}`:\n{output}"
        );
    }
    ensure!(lake_rows(&output) > 0, "the lake got no rows:\n{output}");

    let (mut second, client) = demo.start_quiet().await?;
    demo.is_held_by(second.pid()).await?;
    truth::watch(&client, &TABLES).await?;
    let lsn = truth::first_column(&client, "select (pg_current_wal_lsn() - '0/0')::text").await?;
    let after_lsn = lsn.first().context("no LSN")?.parse()?;
    drop(client);
    second.interrupt()?;
    let status = second.wait(RUN).await?;
    ensure!(
        status.success(),
        "the demo ended with {status} on Ctrl-C:\n{}",
        second.output()?
    );

    let mut killed = demo.start(&["--rate", "1500/s", "--seed", "8"])?;
    until("the lake to get rows", RUN, async || {
        let output = killed.output()?;
        Ok((lake_rows(&output) >= ROWS_BEFORE_KILL).then_some(()))
    })
    .await
    .with_context(|| killed.output().unwrap_or_default())?;
    // Small files become large ones beside the writer, and beside its death.
    let told = demo.lake(&["optimize"]).await?;
    ensure!(
        told.contains("public.tweets: ") && told.contains(" files ("),
        "{told}"
    );
    killed.kill9()?;
    let told = demo.lake(&["describe", "public.tweets"]).await?;
    ensure!(told.contains(" files of older versions"), "{told}");
    let told = demo
        .lake(&["history", "public.tweets", "--limit", "100000"])
        .await?;
    ensure!(told.contains(" OPTIMIZE: "), "{told}");
    let told = demo.lake(&["vacuum", "--history", "15min"]).await?;
    ensure!(told.contains("public.users: 0 files"), "{told}");

    let (mut last, client) = demo.start_quiet().await?;
    let truth = demo.folder.path().join("truth.jsonl");
    truth::export(&client, &truth).await?;
    drop(client);
    let verdict = demo.verdict(&truth, after_lsn).await;
    verdict.with_context(|| last.output().unwrap_or_default())?;
    last.interrupt()?;
    let status = last.wait(RUN).await?;
    ensure!(
        status.success(),
        "the demo ended with {status} on Ctrl-C:\n{}",
        last.output()?
    );

    let beside = demo.path().join("notes.txt");
    std::fs::write(&beside, "mine")?;
    let output = demo.command(&["--clean"])?.output()?;
    ensure!(
        output.status.success() && beside.exists(),
        "demo --clean: {output:?}"
    );
    let left: Vec<_> = std::fs::read_dir(demo.path())?.collect();
    ensure!(left.len() == 1, "--clean leaves {left:?}");
    std::fs::remove_file(&beside)?;
    std::fs::remove_dir(demo.path())?;
    Ok(())
}

/// The newest number of rows in the lake that the demo has shown.
pub fn lake_rows(output: &str) -> u64 {
    output
        .lines()
        .rev()
        .find_map(|line| {
            line.split_once("lake rows ")?
                .1
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}
