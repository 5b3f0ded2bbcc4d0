//! Compares what the lake holds with what PostgreSQL says happened: by independent readers, by our SQL, and by Kafka.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::road::{PATIENCE, Road};
use crate::truth;

/// What the oracle found, when it found nothing wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Latest rows compared.
    pub rows: u64,
    /// Rows of the logs of changes compared.
    pub changes: u64,
}

/// Whether the tables were written to while the snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    AfterSnapshot,
    DuringSnapshot,
}

/// Where the rows of now are read.
#[derive(Clone, Copy, Debug)]
enum Rows {
    /// Worked out from `changes`.
    OfTheLog,
    /// In `current`, of tables that have a key.
    Kept,
}

/// A folder of `tests/oracle`.
pub fn oracle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

/// A Python that has the independent readers, in the oracle's folder.
pub async fn python() -> Result<Command> {
    let mut command = Command::new(stack::readers().await?);
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(oracle());
    Ok(command)
}

impl Road {
    /// Waits until the lake holds what PostgreSQL says happened, compares everything by DuckDB, then by our own SQL,
    /// then asks a read_committed consumer. An error says what is lost, twice or wrong.
    pub async fn verdict(&self, load: Load) -> Result<()> {
        let truth = self.folder.path().join("truth.jsonl");
        let client = self.servers.postgres.connect(&self.name).await?;
        let tables = truth::export(&client, &truth).await?;
        self.say("PostgreSQL is asked");
        let independent = self
            .compare_independently(&truth, &tables, load, Rows::OfTheLog)
            .await?;
        self.say(&format!("read by DuckDB: {independent:?}"));
        let ours = self.compare_our_sql(&truth, &tables, load).await?;
        self.say("read by our SQL");
        let kept = self
            .compare_independently(&truth, &tables, load, Rows::Kept)
            .await
            .context("`current`")?;
        ensure!(
            independent == kept,
            "`current` is not the log: {kept:?} and {independent:?}"
        );
        self.say("`current` read by DuckDB");
        ensure!(
            independent == ours,
            "two readers saw different lakes: {independent:?} and {ours:?}"
        );
        self.consumer_sees_each_event_once(&tables, independent.changes)
            .await?;
        self.say("read by a read_committed consumer");
        Ok(())
    }

    async fn compare_independently(
        &self,
        truth: &Path,
        tables: &[String],
        load: Load,
        rows: Rows,
    ) -> Result<Verdict> {
        let place = |table: &String| {
            let changes = self.changes_url(table);
            let current = changes.replace("/changes", "/current");
            let place = match rows {
                Rows::OfTheLog => json!({"changes": changes}),
                Rows::Kept => json!({"changes": changes, "current": current}),
            };
            (table.clone(), place)
        };
        let places: Map<String, Value> = tables.iter().map(place).collect();
        let minio = &self.servers.minio;
        let request = json!({
            "truth": truth,
            "reader": "duckdb",
            "storage": {
                "endpoint": minio.endpoint(),
                "access_key": minio.access_key(),
                "secret_key": minio.secret_key(),
            },
            "wait_seconds": PATIENCE.as_secs(),
            "overlap": load == Load::DuringSnapshot,
            "tables": places,
        });
        let verdict = compare(self.folder.path(), &request).await;
        verdict.with_context(|| format!("read by DuckDB; {}", self.logs()))
    }

    async fn compare_our_sql(
        &self,
        truth: &Path,
        tables: &[String],
        load: Load,
    ) -> Result<Verdict> {
        let mut places = Map::new();
        for table in tables {
            let changes = self.sql(&format!("select * from {table}_changes")).await?;
            let latest = self.sql(&format!("select * from {table}")).await?;
            let place = json!({"changes": changes, "latest": latest});
            places.insert(table.clone(), place);
        }
        let request = json!({
            "truth": truth,
            "reader": "parquet",
            "overlap": load == Load::DuringSnapshot,
            "tables": places,
        });
        let verdict = compare(self.folder.path(), &request).await;
        verdict.with_context(|| format!("read by `tributary sql`; {}", self.logs()))
    }

    /// Runs a query with our SQL into a Parquet file, and returns the file.
    async fn sql(&self, query: &str) -> Result<PathBuf> {
        let name: String = query
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let path = self.folder.path().join(format!("{name}.parquet"));
        let mut command = self.tributary(&["sql", "--format", "parquet", query])?;
        command
            .stdin(Stdio::null())
            .stdout(File::create(&path)?)
            .stderr(Stdio::piped());
        run(command, &format!("tributary sql '{query}'")).await?;
        Ok(path)
    }

    /// A read_committed consumer gets no event twice, and as many as the lake has rows.
    async fn consumer_sees_each_event_once(&self, tables: &[String], changes: u64) -> Result<()> {
        let mut seen = BTreeMap::new();
        let mut events = 0;
        for table in tables {
            let topic = self.topic(table);
            for record in self.servers.kafka.read_all(&topic, true).await? {
                let position = record
                    .headers
                    .iter()
                    .find(|(name, _)| name == "tributary.position")
                    .and_then(|(_, value)| value.clone())
                    .with_context(|| format!("a record of `{topic}` has no position"))?;
                let operation = match &record.value {
                    None => "tombstone".to_owned(),
                    Some(value) => operation(value)?,
                };
                // Without a key, the lake holds an update as a deletion and a creation.
                let rows = 1 + u64::from(record.key.is_none() && operation == "u");
                events += if record.value.is_some() { rows } else { 0 };
                let place = (record.partition, record.offset);
                let event = (topic.clone(), position, operation, record.key);
                if let Some(first) = seen.insert(event.clone(), place) {
                    let (topic, position, operation, _) = event;
                    anyhow::bail!(
                        "topic `{topic}` has `{operation}` at {} twice: partition and offset {first:?} and {place:?}",
                        String::from_utf8_lossy(&position)
                    );
                }
            }
        }
        ensure!(
            events == changes,
            "a read_committed consumer gets {events} events, the lake has {changes} rows"
        );
        Ok(())
    }
}

/// The `op` of an event, with the schema or without.
fn operation(value: &[u8]) -> Result<String> {
    let event: Value = serde_json::from_slice(value).context("read an event")?;
    let operation = event.get("op").or_else(|| event.get("payload")?.get("op"));
    let operation = operation
        .and_then(Value::as_str)
        .context("an event has no `op`")?;
    Ok(operation.to_owned())
}

/// Compares the `tables` of a lake in a local folder with the truth, by DuckDB and by our SQL. `folder` is for what the
/// readers write; `namespace` is the tables' first folder in the lake.
pub async fn of_folder(
    folder: &Path,
    (lake, namespace): (&Path, &str),
    tables: &[String],
    truth: &Path,
    after_lsn: u64,
) -> Result<Verdict> {
    let request = |reader: &str, tables: Map<String, Value>, wait_seconds: u64| json!({"truth": truth, "reader": reader, "after_lsn": after_lsn, "wait_seconds": wait_seconds, "tables": tables});
    let mut independent = Map::new();
    let mut ours = Map::new();
    for table in tables {
        let changes = lake.join(namespace).join(table).join("changes");
        independent.insert(table.clone(), json!({"changes": changes}));
    }
    let first = compare(folder, &request("duckdb", independent, 60)).await?;
    for table in tables {
        let mut files = Map::new();
        for (what, query) in [
            ("changes", format!("select * from {table}_changes")),
            ("latest", format!("select * from {table}")),
        ] {
            let path = folder.join(format!("{table}_{what}.parquet"));
            let mut command = stack::tributary()?;
            command
                .args(["sql", "--format", "parquet", "--lake"])
                .arg(lake)
                .arg(&query)
                .current_dir(folder)
                .stdin(Stdio::null())
                .stdout(File::create(&path)?)
                .stderr(Stdio::piped());
            run(command, &format!("tributary sql '{query}'")).await?;
            files.insert(what.to_owned(), json!(path));
        }
        ours.insert(table.clone(), Value::Object(files));
    }
    let second = compare(folder, &request("parquet", ours, 0)).await?;
    ensure!(
        first == second,
        "two readers saw different lakes: {first:?} and {second:?}"
    );
    Ok(first)
}

/// Runs `tests/oracle/compare.py`; `folder` is for the request.
pub async fn compare(folder: &Path, request: &Value) -> Result<Verdict> {
    let path = folder.join("request.json");
    fs::write(&path, serde_json::to_vec(request)?)?;
    let mut command = python().await?;
    command.arg("compare.py").arg(&path);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = run(command, "the oracle").await?;
    let line = output.lines().last().unwrap_or_default();
    let verdict: Value =
        serde_json::from_str(line).with_context(|| format!("read the verdict `{output}`"))?;
    let count = |name| verdict.get(name).and_then(Value::as_u64);
    Ok(Verdict {
        rows: count("rows").context("the verdict has no rows")?,
        changes: count("changes").context("the verdict has no changes")?,
    })
}

/// Runs a program to its end and returns its standard output; anything but success is an error with what it said.
pub async fn run(command: Command, what: &str) -> Result<String> {
    let child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {what}"))?;
    let output = child
        .wait_with_output()
        .await
        .with_context(|| format!("run {what}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{what} ended with {}:\n{}\n{said}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(said)
}
