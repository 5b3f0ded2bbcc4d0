//! The lines of docs/readers.md, run as they stand there but for where this test's servers are.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};

use crate::verdict;

const ENDPOINT: &str = "127.0.0.1:9000";
const LAKE: &str = "://lake/";

/// The page's blocks, each with the title that it stands under.
pub struct Page {
    blocks: Vec<(String, String)>,
    /// `host:port` of the S3 server, and `://bucket/`.
    server: (String, String),
}

impl Page {
    pub fn read(endpoint: &str, bucket: &str) -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/readers.md");
        let page = std::fs::read_to_string(path)?;
        let mut blocks = Vec::new();
        let mut title = String::new();
        let mut lines = page.lines();
        while let Some(line) = lines.next() {
            if let Some(text) = line.strip_prefix("## ") {
                title = text.to_owned();
            }
            if line.starts_with("```") {
                let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                blocks.push((title.clone(), text.join("\n")));
            }
        }
        Ok(Self {
            blocks,
            server: (
                endpoint.trim_start_matches("http://").to_owned(),
                format!("://{bucket}/"),
            ),
        })
    }

    /// The block under a title, with the S3 server of this test.
    pub fn block(&self, title: &str) -> Result<String> {
        let block = self.blocks.iter().find(|(of, _)| of == title);
        let (_, text) = block.with_context(|| format!("no block under `{title}`"))?;
        ensure!(
            text.contains(ENDPOINT) && text.contains(LAKE),
            "{title}: {text}"
        );
        let (endpoint, lake) = &self.server;
        Ok(text.replace(ENDPOINT, endpoint).replace(LAKE, lake))
    }

    /// The same with a lake in a folder.
    pub fn of_folder(&self, title: &str, lake: &Path) -> Result<String> {
        let block = self.block(title)?;
        let (_, bucket) = &self.server;
        let folder = format!("{}/", lake.display());
        Ok(block
            .replace(&format!("s3a{bucket}"), &folder)
            .replace(&format!("s3{bucket}"), &folder))
    }

    /// Spark's block without the line that fetches the jars, which the test's Spark has: the same versions.
    pub fn spark(&self) -> Result<String> {
        let block = self.block("Apache Spark")?;
        let (fetching, rest): (Vec<&str>, Vec<&str>) = block
            .lines()
            .partition(|line| line.contains("spark.jars.packages"));
        let installer = include_str!("../servers/spark.sh");
        let version = |name: &str| {
            let (_, rest) = installer.split_once(&format!("{name}="))?;
            rest.split_whitespace().next()
        };
        let (delta, hadoop) = (version("delta"), version("hadoop"));
        let (delta, hadoop) = delta.zip(hadoop).context("versions of the installer")?;
        let wanted =
            format!("io.delta:delta-spark_2.12:{delta},org.apache.hadoop:hadoop-aws:{hadoop}");
        ensure!(
            fetching.len() == 1 && fetching[0].contains(&wanted),
            "{fetching:?} is not {wanted}"
        );
        let builder = fetching[0].split(".config").next().unwrap_or_default();
        Ok(format!(
            "from pyspark.sql import SparkSession\n{builder}\n{}",
            rest.join("\n")
        ))
    }
}

/// Runs a block for DuckDB, statement by statement, and prints the last answer.
pub fn by_duckdb(sql: &str) -> String {
    format!(
        "import lake_reader\nconnection = lake_reader.duckdb_connection()\n\
         for statement in '''{sql}'''.split(';'):\n\
         \x20   if statement.strip(): answer = connection.sql(statement)\n\
         print(answer)\n"
    )
}

/// Runs Python that has the readers, and returns what it printed.
pub async fn python(text: &str) -> Result<String> {
    let mut command = verdict::python().await?;
    command
        .arg("-c")
        .arg(text)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    verdict::run(command, text).await
}
