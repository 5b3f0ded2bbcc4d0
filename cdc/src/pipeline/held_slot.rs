use std::time::{Duration, Instant};

use pgoutput::Lsn;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::clock::postgres_now;
use crate::source::{Feedback, connection::ReplicationConnection};
use connector::ConnectorConfig;

/// How long a sign of life may take to be sent.
const SEND_PATIENCE: Duration = Duration::from_secs(10);

/// How often the walsender hears from us: in time for its `wal_sender_timeout`; None: it has none.
pub(super) fn status_interval(config: &ConnectorConfig, timeout: Option<Duration>) -> Duration {
    timeout
        .map_or(config.status_update_interval, |timeout| {
            config.status_update_interval.min(timeout / 3)
        })
        .max(Duration::from_millis(10))
}

/// A walsender that has taken the slot and is not read yet: START_REPLICATION was not refused, and nobody else can take
/// the slot, while a snapshot is read. What it sends waits in the socket.
pub(super) struct HeldSlot {
    release: CancellationToken,
    task: AbortOnDropHandle<Option<ReplicationConnection>>,
}

impl HeldSlot {
    /// Hold what streams; `confirmed` is what the slot has.
    pub(super) fn hold(
        connection: ReplicationConnection,
        confirmed: Lsn,
        interval: Duration,
    ) -> Self {
        let release = CancellationToken::new();
        let released = release.clone();
        let feedback = Feedback::new(confirmed, interval, Instant::now());
        let task = tokio::spawn(keep_alive(connection, feedback, interval, released));
        Self {
            release,
            task: AbortOnDropHandle::new(task),
        }
    }

    /// What is to be read now; None where the server has ended it meanwhile: then the slot is to be taken again.
    pub(super) async fn release(self) -> Option<ReplicationConnection> {
        self.release.cancel();
        self.task.await.ok().flatten()
    }
}

async fn keep_alive(
    mut connection: ReplicationConnection,
    mut feedback: Feedback,
    interval: Duration,
    released: CancellationToken,
) -> Option<ReplicationConnection> {
    let mut payload = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = released.cancelled() => return Some(connection),
            () = tokio::time::sleep(interval) => {}
        }
        payload.clear();
        feedback.encode(Instant::now(), postgres_now(), false, &mut payload);
        let sent = tokio::time::timeout(SEND_PATIENCE, connection.send_copy_data(&payload)).await;
        let error = match sent {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => service::render_error(&error, None).replace('\n', "; "),
            Err(_) => "the server takes nothing".to_owned(),
        };
        tracing::warn!(
            error,
            "the slot was lost while the snapshot is read: it is taken again afterwards"
        );
        return None;
    }
}
