//! Proves: every command of docs/your-database.md works as it stands there, one after the other in a fresh shell each.
//! Steps: the page's blocks, with the first one's values for the servers of this test; those that run until Ctrl-C are
//! stopped with their section.
//! Requires: PostgreSQL, Kafka.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use stack::{Kafka, Postgres, PostgresOptions, Process, until};
use tempfile::TempDir;

#[path = "house/blocks.rs"]
mod page;

use page::{Block, blocks};

const PATIENCE: Duration = Duration::from_secs(120);

/// How a block is run, by the word behind ```` ```sh ````.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Once,
    /// Until Ctrl-C.
    Background,
    /// Until it answers what is expected: the lake is about a second behind.
    Eventually,
}

impl Way {
    fn of(block: &Block) -> Result<Self> {
        Ok(match block.kind.as_str() {
            "sh" => Self::Once,
            "sh background" => Self::Background,
            "sh eventually" => Self::Eventually,
            other => anyhow::bail!("a block of a kind that nobody runs: {other}"),
        })
    }
}

struct Place {
    folder: TempDir,
    /// The page's first block, with the values of this test's servers.
    servers: String,
    psql: PathBuf,
}

impl Place {
    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    fn shell(&self, text: &str) -> Command {
        let mut command = Command::new("bash");
        command
            .args(["-euc", &format!("{}\n{text}", self.servers)])
            .current_dir(self.folder.path())
            .env_clear()
            .env(
                "PATH",
                format!(
                    "{}:{}:/usr/bin:/bin",
                    self.bin().display(),
                    self.psql.display()
                ),
            )
            .stdin(Stdio::null());
        command
    }

    async fn run(&self, block: &Block) -> Result<String> {
        let run = tokio::process::Command::from(self.shell(&block.text))
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, run).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{}\n{text}{said}", block.text);
        Ok(text)
    }
}

/// The page's own lines of the first block, but for its values.
fn of_these_servers(block: &Block, postgres: &Postgres, kafka: &Kafka) -> Result<String> {
    let mut text = block.text.clone();
    let port = postgres.port().to_string();
    let bootstrap = kafka.bootstrap();
    for (name, value) in [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", &port),
        ("PGUSER", postgres.user()),
        ("PGPASSWORD", postgres.password()),
        ("PGDATABASE", "shop"),
        ("KAFKA", &bootstrap),
    ] {
        let (before, rest) = text.split_once(&format!("{name}=")).context(name)?;
        let end = rest.find([' ', '\n']).unwrap_or(rest.len());
        let after = rest.get(end..).unwrap_or_default();
        text = format!("{before}{name}={value}{after}");
    }
    Ok(text)
}

/// What the blocks answer, by a piece of their text.
fn expected(block: &Block) -> &'static [&'static str] {
    match block.text.as_str() {
        text if text.starts_with("psql") => &[],
        text if text.contains("where id = 1'") => &["| 0 "],
        text if text.contains("where id = 1001'") => &["tea"],
        text if text.contains("as orders from") => &["| 1000 "],
        "tributary doctor" => &["0 errors, 0 warnings", "no-topics", "lake-by-kafka"],
        text if text.contains("doctor") => &["nothing is in the way"],
        text if text.contains("status --lake") => &["public.orders", "nothing is failed"],
        text if text.contains("status --kafka") => &[
            "shop",
            "RUNNING",
            "lakewriter:",
            "public.orders",
            "nothing is failed",
        ],
        _ => &[],
    }
}

#[tokio::test]
async fn every_command_of_the_page_works_as_it_stands_there() -> Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/your-database.md");
    let blocks = blocks(&std::fs::read_to_string(page)?);
    let ways = blocks.iter().map(Way::of).collect::<Result<Vec<_>>>()?;
    let options = PostgresOptions {
        max_slot_wal_keep_size: Some("10GB".to_owned()),
        ..PostgresOptions::default()
    };
    let (postgres, kafka) = tokio::try_join!(Postgres::start_with(options), Kafka::start())?;
    postgres.create_database("shop").await?;
    let sql = "create table orders (id int primary key, item text not null);
        insert into orders select i, 'item ' || i from generate_series(1, 1000) i";
    postgres.execute("shop", sql).await?;
    let (first, others) = blocks.split_first().context("the page has blocks")?;
    let place = Place {
        folder: tempfile::Builder::new()
            .prefix("tributary-page-")
            .tempdir()?,
        servers: of_these_servers(first, &postgres, &kafka)?,
        psql: stack::psql()
            .await?
            .parent()
            .context("a folder")?
            .to_owned(),
    };
    std::fs::create_dir(place.bin())?;
    let built = stack::tributary()?;
    std::os::unix::fs::symlink(built.get_program(), place.bin().join("tributary"))?;
    let mut running: Vec<(String, Process)> = Vec::new();
    let mut run = 0;
    for (block, way) in others.iter().zip(ways.iter().skip(1)) {
        // A section's programs are ended before the next one begins, as a reader ends them.
        while let Some(at) = running.iter().position(|(title, _)| *title != block.title) {
            let (_, mut process) = running.swap_remove(at);
            process.interrupt()?;
            let status = process.wait(PATIENCE).await?;
            ensure!(status.success(), "{status}: {}", process.output()?);
        }
        let told = |text: &str| expected(block).iter().all(|words| text.contains(words));
        match way {
            Way::Background => {
                let command = place.shell(&format!("exec {}", block.text));
                let process = Process::spawn(&block.text, command)?;
                running.push((block.title.clone(), process));
            }
            Way::Once => {
                let text = place.run(block).await?;
                ensure!(told(&text), "{}\n{text}", block.text);
            }
            Way::Eventually => {
                until(&block.text, PATIENCE, async || {
                    let text = place.run(block).await?;
                    Ok(told(&text).then_some(()))
                })
                .await
                .with_context(|| {
                    let logs = running.iter().filter_map(|(_, it)| it.output().ok());
                    logs.collect::<Vec<_>>().join("\n")
                })?;
            }
        }
        run += 1;
    }
    for (_, mut process) in running {
        process.interrupt()?;
        process.wait(PATIENCE).await?;
    }
    ensure!(run >= 12, "only {run} blocks");
    Ok(())
}
