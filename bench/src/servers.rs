use anyhow::{Context, Result};
use pgoutput::Lsn;
use stack::{Kafka, Minio, Postgres, PostgresOptions};
use tempfile::TempDir;

use crate::usage::Watched;

/// The database that everything is in.
pub const DATABASE: &str = "bench";
/// The bucket of the lake.
pub const BUCKET: &str = "lake";

/// The servers of a run, on one machine with who is measured.
#[derive(Debug)]
pub struct Servers {
    pub postgres: Postgres,
    pub kafka: Kafka,
    pub minio: Minio,
    /// Files of a run: connectors.
    pub folder: TempDir,
}

impl Servers {
    pub async fn start() -> Result<Self> {
        // Commits are flushed as in production where a session asks for it; loads do not ask. No checkpoint and no
        // vacuum comes in between.
        let settings = [
            ("shared_buffers", "1GB"),
            ("max_wal_size", "20GB"),
            ("checkpoint_timeout", "1h"),
            ("autovacuum", "off"),
            ("synchronous_commit", "off"),
        ];
        let options = PostgresOptions {
            fsync: true,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..PostgresOptions::default()
        };
        let (postgres, kafka, minio) = tokio::try_join!(
            Postgres::start_with(options),
            Kafka::start(),
            Minio::start(&[BUCKET])
        )?;
        postgres.create_database(DATABASE).await?;
        let folder = tempfile::Builder::new()
            .prefix("tributary-bench-")
            .tempdir()
            .context("make a folder")?;
        Ok(Self {
            postgres,
            kafka,
            minio,
            folder,
        })
    }

    /// Whose CPU time is shown beside that of who is measured.
    pub fn watched(&self) -> [(&'static str, Watched); 4] {
        [
            ("PostgreSQL", Watched::Family(self.postgres.pid())),
            ("Kafka", Watched::Process(self.kafka.pid())),
            ("MinIO", Watched::Process(self.minio.pid())),
            ("bench", Watched::Process(std::process::id())),
        ]
    }

    /// Runs SQL.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        self.postgres.execute(DATABASE, sql).await
    }

    /// The one value of a query.
    pub async fn value(&self, sql: &str) -> Result<String> {
        let rows = self.postgres.query(DATABASE, sql).await?;
        let value = rows.into_iter().flatten().flatten().next();
        value.with_context(|| format!("no value from `{sql}`"))
    }

    /// The end of what is in the WAL, written or not.
    pub async fn wal_end(&self) -> Result<Lsn> {
        let text = self
            .value("select pg_catalog.pg_current_wal_insert_lsn()")
            .await?;
        text.parse()
            .with_context(|| format!("read the position `{text}`"))
    }

    /// The server's version.
    pub async fn version(&self) -> Result<String> {
        self.value("select pg_catalog.current_setting('server_version')")
            .await
    }
}
