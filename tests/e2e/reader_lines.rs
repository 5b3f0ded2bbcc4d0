//! The lines of docs/readers.md, run as they stand there but for where this test's servers are.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};

use crate::{
    page::{Block, blocks},
    verdict,
};

const ENDPOINT: &str = "127.0.0.1:9000";
const LAKE: &str = "://lake/";

/// The page's blocks, and where its servers are.
pub struct Page {
    blocks: Vec<Block>,
    /// `host:port` of the S3 server, and `://bucket/`.
    server: (String, String),
}

impl Page {
    pub fn read(endpoint: &str, bucket: &str) -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/readers.md");
        let page = std::fs::read_to_string(path)?;
        Ok(Self {
            blocks: blocks(&page),
            server: (
                endpoint.trim_start_matches("http://").to_owned(),
                format!("://{bucket}/"),
            ),
        })
    }

    /// The block under a title, with the S3 server of this test, as Python.
    pub fn block(&self, title: &str) -> Result<String> {
        let block = self.blocks.iter().find(|block| block.title == title);
        let Block { text, kind, .. } =
            block.with_context(|| format!("no block under `{title}`"))?;
        ensure!(
            text.contains(ENDPOINT) && text.contains(LAKE),
            "{title}: {text}"
        );
        let (endpoint, lake) = &self.server;
        let text = text.replace(ENDPOINT, endpoint).replace(LAKE, lake);
        Ok(if kind == "sql" {
            by_duckdb(&text)
        } else {
            text
        })
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
fn by_duckdb(sql: &str) -> String {
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
