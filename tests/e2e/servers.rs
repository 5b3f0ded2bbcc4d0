use std::borrow::Cow;
use std::sync::{Arc, Weak};

use anyhow::{Context, Result};
use stack::{Kafka, Minio, Postgres, PostgresOptions};
use tokio::sync::Mutex;

/// The bucket that every lake of these tests is in, each under a prefix of its own.
pub const BUCKET: &str = "lake";

const VERSION: &str = "select current_setting('server_version_num')";
/// The first version with numeric types whose scale is below zero.
const NEGATIVE_SCALES: u32 = 150_000;

/// One server of each kind, shared by the tests that run at the same time: each has its own database, topics and
/// prefix in the bucket.
#[derive(Debug)]
pub struct Servers {
    pub postgres: Postgres,
    pub kafka: Kafka,
    pub minio: Minio,
    has_negative_scales: bool,
}

impl Servers {
    pub async fn start() -> Result<Self> {
        let options = PostgresOptions {
            // transactions of some hundred rows arrive before their commit
            settings: vec![("logical_decoding_work_mem".to_owned(), "64kB".to_owned())],
            ..PostgresOptions::default()
        };
        let (postgres, kafka, minio) = tokio::try_join!(
            Postgres::start_with(options),
            Kafka::start(),
            Minio::start(&[BUCKET])
        )?;
        let version = postgres.query("postgres", VERSION).await?;
        let version = version.into_iter().flatten().flatten().next();
        let version: u32 = version.context("PostgreSQL's version")?.parse()?;
        Ok(Self {
            postgres,
            kafka,
            minio,
            has_negative_scales: version >= NEGATIVE_SCALES,
        })
    }

    /// The tables as this PostgreSQL can have them: a column of a type that it does not know has the nearest one.
    pub fn schema<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        if self.has_negative_scales {
            sql.into()
        } else {
            sql.replace("numeric(5, -2)", "numeric(5, 0)").into()
        }
    }
}

/// The servers, started by the first test that asks. They end with the last test that holds them: a static would
/// never be dropped, and their folders would stay behind.
pub async fn shared() -> Result<Arc<Servers>> {
    static SHARED: Mutex<Weak<Servers>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(servers) = shared.upgrade() {
        return Ok(servers);
    }
    let servers = Arc::new(Servers::start().await?);
    *shared = Arc::downgrade(&servers);
    Ok(servers)
}
