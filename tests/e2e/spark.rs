//! A Spark session: one JVM that is asked again and again, since its start takes longer than what it is asked for.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::verdict::oracle;

/// A session's start on a busy machine of two cores, and its slowest answer.
const PATIENCE: Duration = Duration::from_secs(180);

/// What tests set and the page does not: little memory and few tasks, as tables are small; Parquet that keeps dates of long
/// ago and microseconds, for the oracle that reads it.
const FOR_TESTS: [&str; 9] = [
    "spark.master=local[2]",
    "spark.driver.memory=1g",
    "spark.ui.enabled=false",
    "spark.driver.bindAddress=127.0.0.1",
    "spark.driver.host=127.0.0.1",
    "spark.sql.shuffle.partitions=1",
    "spark.databricks.delta.snapshotPartitions=1",
    "spark.sql.parquet.datetimeRebaseModeInWrite=CORRECTED",
    "spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS",
];

pub struct Spark {
    // it ends with the session, and its JVM when its standard input is closed by that
    _process: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Spark {
    /// Starts it with the Python that makes `spark`, and returns what that printed. `folder` is for what Spark writes.
    pub async fn start(folder: &Path, python: &str) -> Result<(Self, String)> {
        let session = folder.join("session.py");
        std::fs::write(&session, python)?;
        let log = std::fs::File::create(folder.join("spark.log"))?;
        // what it buffers goes with the test
        let own = ["spark.local.dir", "spark.hadoop.hadoop.tmp.dir"]
            .map(|name| format!("{name}={}", folder.join("spark").display()));
        let settings = FOR_TESTS.iter().copied();
        let settings: Vec<String> = settings
            .chain(own.iter().map(String::as_str))
            .map(|setting| format!("--conf {setting}"))
            .collect();
        let mut process = Command::new(stack::spark().await?)
            .arg(oracle().join("spark_server.py"))
            .arg(&session)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env(
                "PYSPARK_SUBMIT_ARGS",
                format!("{} pyspark-shell", settings.join(" ")),
            )
            .env_remove("SPARK_HOME")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start Spark")?;
        let requests = process.stdin.take().context("its standard input")?;
        let answers = process.stdout.take().context("its standard output")?;
        let mut spark = Self {
            _process: process,
            requests,
            answers: BufReader::new(answers).lines(),
        };
        let printed = spark.answer().await.with_context(|| {
            let log = std::fs::read_to_string(folder.join("spark.log")).unwrap_or_default();
            format!("start a session of Spark:\n{log}")
        })?;
        Ok((spark, text(&printed)?))
    }

    pub async fn sql(&mut self, sql: &str) -> Result<Value> {
        self.ask(&json!({ "sql": sql })).await
    }

    /// Python that knows `spark`: what it prints.
    pub async fn run(&mut self, python: &str) -> Result<String> {
        text(&self.ask(&json!({ "run": python })).await?)
    }

    /// Writes all rows of a Delta table to a folder of Parquet files.
    pub async fn copy(&mut self, url: &str, to: &Path) -> Result<()> {
        self.ask(&json!({ "read": address(url), "to": to })).await?;
        Ok(())
    }

    async fn ask(&mut self, request: &Value) -> Result<Value> {
        let began = Instant::now();
        self.requests
            .write_all(format!("{request}\n").as_bytes())
            .await
            .context("ask Spark")?;
        let answer = self.answer().await;
        eprintln!("{:>5.1} s  Spark: {request}", began.elapsed().as_secs_f32());
        answer.with_context(|| format!("Spark: {request}"))
    }

    async fn answer(&mut self) -> Result<Value> {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.answers.next_line()).await??;
            let Some(line) = line else {
                bail!("Spark has ended");
            };
            let Some(answer) = line.strip_prefix("ANSWER ") else {
                continue;
            };
            let mut answer: Value = serde_json::from_str(answer)?;
            ensure!(answer.get("error").is_none(), "{}", answer["error"]);
            return Ok(answer["ok"].take());
        }
    }
}

/// The address of a table of S3 as Spark has it.
pub fn address(url: &str) -> String {
    url.replace("s3://", "s3a://")
}

fn text(value: &Value) -> Result<String> {
    value
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("no text: {value}"))
}
