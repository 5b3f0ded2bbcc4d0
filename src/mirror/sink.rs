//! The joint of the direct road: change events go from the reader of the WAL straight into the writer of the lake.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cdc::{
    Error, ErrorKind, EventSink, PipelineStatus, Progress, TransactionEnd,
    checkpoint::{Provenance, Resume, Witness},
};
use debezium::ChangeEvent;
use futures::future::BoxFuture;
use lakewriter::{Committed, DirectPosition, DirectWriter};
use pgoutput::Lsn;

/// Open rows may take this much before the socket is not read any more.
const ROOM_BYTES: usize = 96 << 20;

type InFlight = BoxFuture<'static, Result<Committed, lakewriter::Error>>;

/// Commits to the lake at transaction ends, not more often than `freshness` asks for.
pub struct DirectSink {
    writer: DirectWriter,
    status: Arc<PipelineStatus>,
    freshness: Duration,
    last_commit_lsn: Option<u64>,
    /// The last transaction of which something was appended.
    witness: Option<Witness>,
    /// The newest transaction end that no commit covers yet.
    open_end: Option<TransactionEnd>,
    /// Events were appended after that end.
    inside_transaction: bool,
    in_flight: Option<InFlight>,
    last_dispatch: Instant,
    draining: bool,
}

impl DirectSink {
    pub fn new(
        writer: DirectWriter,
        start: Option<&DirectPosition>,
        status: Arc<PipelineStatus>,
        freshness: Duration,
    ) -> Self {
        Self {
            writer,
            status,
            freshness,
            last_commit_lsn: start.and_then(|position| position.last_commit_lsn),
            witness: start.and_then(|position| provenance(position).witness),
            open_end: None,
            inside_transaction: false,
            in_flight: None,
            last_dispatch: Instant::now(),
            draining: false,
        }
    }

    /// How long the open transactions may still wait for company.
    fn patience(&self) -> Duration {
        let limit = if self.draining {
            Duration::ZERO
        } else {
            self.freshness
        };
        limit.saturating_sub(self.last_dispatch.elapsed())
    }

    /// Commit what is open. Only at a transaction's end, or a version of a table would show half of one.
    fn commit(&mut self) {
        if self.in_flight.is_some() || self.inside_transaction {
            return;
        }
        let Some(end) = self.open_end.take() else {
            return;
        };
        let read = Provenance {
            witness: self.witness,
            ..self.status.read()
        };
        // Text of strings and numbers: that cannot fail.
        let slot = serde_json::to_string(&read).unwrap_or_default();
        let position = DirectPosition {
            position: end.position,
            end_lsn: end.end_lsn.0,
            last_commit_lsn: self.last_commit_lsn,
            snapshot_completed: true,
            slot,
        };
        self.last_dispatch = Instant::now();
        self.in_flight = Some(Box::pin(self.writer.commit_open(position)));
    }
}

/// What the reader of the WAL needs to go on from a position that the lake holds.
pub fn resume(position: &DirectPosition) -> Resume {
    let read = provenance(position);
    Resume {
        position: position.position,
        last_commit_lsn: position.last_commit_lsn,
        end_lsn: Some(position.end_lsn),
        snapshot_completed: position.snapshot_completed,
        slot: read.slot,
        witness: read.witness,
        read_micros: read.read_micros,
        selection: read.selection,
        followed: read.followed,
        ..Resume::default()
    }
}

/// Versions without witnesses stored the slot alone.
fn provenance(position: &DirectPosition) -> Provenance {
    serde_json::from_str(&position.slot).unwrap_or_default()
}

/// The lake's errors in the reader's terms: what may be retried there may be retried here.
pub fn lake_error(error: lakewriter::Error) -> Error {
    let kind = match error.kind() {
        lakewriter::ErrorKind::Encode => ErrorKind::Encode,
        lakewriter::ErrorKind::Fenced => ErrorKind::Fenced,
        lakewriter::ErrorKind::Defect => ErrorKind::Defect,
        _ if error.disposition() == lakewriter::Disposition::Retry => ErrorKind::Delivery,
        lakewriter::ErrorKind::Configuration
        | lakewriter::ErrorKind::Storage
        | lakewriter::ErrorKind::Permission
        | lakewriter::ErrorKind::UnsafeStore
        | lakewriter::ErrorKind::Table
        | lakewriter::ErrorKind::Kafka
        | lakewriter::ErrorKind::OffsetsLost => ErrorKind::Configuration,
    };
    let hint = error.hint().to_owned();
    Error::new(kind, "write to the lake")
        .with_hint(hint)
        .with_source(error)
}

impl EventSink for DirectSink {
    fn write(&mut self, event: &ChangeEvent<'_>) -> Result<(), Error> {
        self.inside_transaction = true;
        if event.source.last_commit_lsn.is_some() {
            self.last_commit_lsn = event.source.last_commit_lsn;
        }
        self.witness = Witness::of(event.position, &event.source).or(self.witness);
        self.writer.append(event).map_err(lake_error)
    }

    fn end_transaction(&mut self, end: TransactionEnd) -> Result<(), Error> {
        self.inside_transaction = false;
        self.open_end = Some(end);
        // A busy stream may never pause at the end of a transaction: here is the place to commit.
        self.dispatch()
    }

    fn has_room(&self) -> bool {
        self.writer.open_bytes() < ROOM_BYTES
    }

    fn dispatch(&mut self) -> Result<(), Error> {
        let full = self.writer.open_bytes() >= ROOM_BYTES / 2;
        if full || self.patience().is_zero() {
            self.commit();
        }
        Ok(())
    }

    async fn progress(&mut self) -> Result<Progress, Error> {
        loop {
            if let Some(commit) = &mut self.in_flight {
                let committed = commit.await;
                self.in_flight = None;
                let committed = committed.map_err(lake_error)?;
                return Ok(Progress {
                    flushed: Some(Lsn(committed.position.end_lsn)),
                    events: committed.rows,
                });
            }
            if self.inside_transaction && !self.has_room() {
                // A transaction larger than memory: its parts are on their way to the store, then there is room.
                self.writer.wait_room(ROOM_BYTES).await;
                return Ok(Progress::default());
            }
            if self.inside_transaction || self.open_end.is_none() {
                return std::future::pending().await;
            }
            tokio::time::sleep(self.patience()).await;
            self.commit();
        }
    }

    fn begin_drain(&mut self) {
        self.draining = true;
    }

    fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.open_end.is_none() && self.writer.open_rows() == 0
    }
}

#[cfg(test)]
mod tests {
    use lakewriter::LakeConfig;

    use super::*;

    #[tokio::test]
    async fn it_keeps_its_word() {
        let folder = tempfile::tempdir().unwrap();
        let lake = LakeConfig::new(folder.path().to_str().unwrap());
        let (writer, position) = DirectWriter::open(lake, "test", Arc::default())
            .await
            .unwrap();
        let freshness = Duration::from_millis(50);
        let mut sink = DirectSink::new(writer, position.as_ref(), Arc::default(), freshness);
        sinks::keeps_its_word(&mut sink).await.unwrap();
    }
}
