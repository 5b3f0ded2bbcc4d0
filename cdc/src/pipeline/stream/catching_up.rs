//! Streaming up to the moment of a snapshot that follows.

use std::time::{Duration, Instant};

use pgoutput::{Lsn, PgOutputMessage, XLogData};
use tokio::time::{MissedTickBehavior, interval};

use super::{CLOSE_PATIENCE, Streaming, TurnEnd};
use crate::{Error, EventSink};

/// How often a server is asked whether it has sent everything up to a moment.
const CATCH_UP_TICK: Duration = Duration::from_millis(500);

impl<S: EventSink> Streaming<'_, S> {
    /// Stream everything that commits before `until`, the moment of a snapshot that follows, and deliver it. Answers what
    /// is confirmed then.
    pub(in crate::pipeline) async fn catch_up(mut self, until: Lsn) -> Result<Lsn, Error> {
        self.until = Some(until);
        let mut tick = interval(self.tick.min(CATCH_UP_TICK));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let end = self.turn().await?;
            self.sink.dispatch()?;
            self.publish();
            if end == TurnEnd::Reached {
                break;
            }
            if self.waiting {
                self.heard_at = Instant::now();
            }
            tokio::select! {
                biased;
                answer = self.queries.answer() => self.answered(answer?)?,
                progress = self.sink.progress() => self.delivered(progress?),
                _ = tick.tick() => {
                    self.on_tick().await?;
                    // A server that has nothing more to send is to say so.
                    self.send_status(true).await?;
                }
                read = self.connection.fill(), if end == TurnEnd::Empty && self.sink.has_room() => {
                    read?;
                    self.heard_at = Instant::now();
                }
                () = std::future::ready(()), if end.has_more() && self.sink.has_room() => {}
            }
        }
        while !self.sink.is_idle() {
            self.sink.dispatch()?;
            let progress = self.sink.progress().await?;
            self.delivered(progress);
        }
        self.send_status(false).await?;
        self.connection.close(CLOSE_PATIENCE).await;
        Ok(self.feedback.confirmed())
    }
}

/// Whether that is the first message of something that commits there or later: transactions come in the order of their
/// commits. Blocks of a streamed transaction may come before it is known when that commits.
pub(super) fn commits_from(xlog: &XLogData<'_>, in_block: bool, until: Lsn) -> bool {
    match PgOutputMessage::parse(xlog.data, in_block) {
        Ok(PgOutputMessage::Begin(begin)) => begin.final_lsn >= until,
        Ok(PgOutputMessage::StreamCommit(commit)) => commit.commit_lsn >= until,
        Ok(PgOutputMessage::Message(message)) => !message.transactional && message.lsn >= until,
        // What cannot be read fails where it is used.
        Ok(_) | Err(_) => false,
    }
}
