use std::net::SocketAddr;

use anyhow::Result;
use connect::{WorkerConfig, run_worker_on};
use stack::{Kafka, request, until};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::PATIENCE;

/// A worker in this process, ready for connectors.
pub struct Worker {
    /// Of its REST face, without a slash at the end.
    pub url: String,
    stop: CancellationToken,
    task: JoinHandle<Result<(), cdc::Error>>,
}

impl Worker {
    pub async fn start(kafka: &Kafka) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let config = WorkerConfig::new(kafka.bootstrap(), SocketAddr::from(([127, 0, 0, 1], 0)));
        let stop = CancellationToken::new();
        let task = tokio::spawn(run_worker_on(listener, config, stop.clone()));
        until("the worker", PATIENCE, async || {
            let answer = request("GET", &format!("{url}/readyz"), None).await?;
            Ok((answer.status == 200).then_some(()))
        })
        .await?;
        Ok(Self { url, stop, task })
    }

    pub async fn end(self) -> Result<()> {
        self.stop.cancel();
        self.task.await??;
        Ok(())
    }
}
