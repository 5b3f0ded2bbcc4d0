//! The orderly end of streaming.

use std::time::Duration;

use super::{CLOSE_PATIENCE, Streaming, TurnEnd};
use crate::{Error, EventSink, Phase};

/// How long the orderly end may take to deliver what was read. Nothing is lost after it: it is sent again.
const DRAIN_PATIENCE: Duration = Duration::from_secs(20);

/// How long the orderly end waits for the catalog, where a change of the transaction at hand does.
const CATALOG_DRAIN_PATIENCE: Duration = Duration::from_secs(2);

/// How long what is left may take where the transaction at hand was given up: it may be a part of it.
const REST_PATIENCE: Duration = Duration::from_secs(3);

impl<S: EventSink> Streaming<'_, S> {
    /// Deliver what was written, confirm it, say goodbye.
    pub(super) async fn drain(mut self) -> Result<(), Error> {
        self.status.enter(Phase::Draining);
        self.draining = true;
        let mut deadline = tokio::time::Instant::now() + DRAIN_PATIENCE;
        if !self.finish_transaction(deadline).await? {
            deadline = deadline.min(tokio::time::Instant::now() + REST_PATIENCE);
        }
        self.sink.begin_drain();
        self.deliver_all(deadline).await?;
        self.mark_idle()?;
        self.deliver_all(deadline).await?;
        self.publish();
        self.send_status(false).await?;
        self.connection.close(CLOSE_PATIENCE).await;
        Ok(())
    }

    /// Some sinks can only make whole transactions durable: read to the end of the one at hand, and no further. Answers
    /// whether it was reached.
    async fn finish_transaction(&mut self, deadline: tokio::time::Instant) -> Result<bool, Error> {
        let catalog_deadline = tokio::time::Instant::now() + CATALOG_DRAIN_PATIENCE;
        while self.assembler.is_inside_transaction() {
            let end = self.turn().await?;
            self.sink.dispatch()?;
            if !self.assembler.is_inside_transaction() {
                break;
            }
            let has_room = self.sink.has_room();
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(deadline) => return Ok(false),
                answer = self.queries.answer(), if self.waiting => self.answered(answer?)?,
                () = tokio::time::sleep_until(catalog_deadline), if self.waiting => {
                    tracing::warn!("stopped while a change waited for the catalog: its transaction is sent again at the next start");
                    return Ok(false);
                }
                progress = self.sink.progress() => self.delivered(progress?),
                read = self.connection.fill(), if end == TurnEnd::Empty && has_room => read?,
                () = std::future::ready(()), if end.has_more() && has_room => {}
            }
        }
        Ok(true)
    }

    async fn deliver_all(&mut self, deadline: tokio::time::Instant) -> Result<(), Error> {
        while !self.sink.is_idle() {
            self.sink.dispatch()?;
            match tokio::time::timeout_at(deadline, self.sink.progress()).await {
                Ok(progress) => self.delivered(progress?),
                Err(_) => {
                    tracing::warn!(
                        confirmed = %self.feedback.confirmed(),
                        "stopped before everything read was delivered: it is sent again at the next start"
                    );
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
