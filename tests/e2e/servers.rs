use std::sync::{Arc, Weak};

use anyhow::Result;
use stack::{Kafka, Minio, Postgres, PostgresOptions};
use tokio::sync::Mutex;

/// The bucket that every lake of these tests is in, each under a prefix of its own.
pub const BUCKET: &str = "lake";

/// One server of each kind, shared by the tests that run at the same time: each has its own database, topics and
/// prefix in the bucket.
#[derive(Debug)]
pub struct Servers {
    pub postgres: Postgres,
    pub kafka: Kafka,
    pub minio: Minio,
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
        Ok(Self {
            postgres,
            kafka,
            minio,
        })
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
