use tokio::{sync::mpsc, task::JoinHandle};

use super::Control;
use connector::DatabaseConfig;

/// `heartbeat.action.query`, run beside the stream on a connection of its own: a query that waits for a lock must not
/// keep changes waiting.
#[derive(Debug)]
pub struct HeartbeatAction {
    asked: mpsc::Sender<()>,
    task: JoinHandle<()>,
}

impl HeartbeatAction {
    /// Nothing is run, and no connection opened, before the first `run`.
    pub fn new(database: &DatabaseConfig, query: &str) -> Self {
        let (asked, mut receiver) = mpsc::channel(1);
        let mut control = Control::new(database);
        let query = query.to_owned();
        let task = tokio::spawn(async move {
            while receiver.recv().await.is_some() {
                let run = async {
                    let client = control.client().await?;
                    client.batch_execute(&query).await.map_err(|error| {
                        super::server_error::control_error("run `heartbeat.action.query`", error)
                    })
                };
                if let Err(error) = run.await {
                    tracing::warn!(
                        error = %service::render_error(&error, None).replace('\n', "; "),
                        "the heartbeat's action failed and is run again with the next heartbeat"
                    );
                }
            }
        });
        Self { asked, task }
    }

    /// Run it now, unless it still runs from an earlier heartbeat and is asked for already.
    pub fn run(&self) {
        // Full: it follows as soon as the one before it has ended.
        let _ = self.asked.try_send(());
    }
}

impl Drop for HeartbeatAction {
    fn drop(&mut self) {
        self.task.abort();
    }
}
