use debezium::{ChangePosition, Operation, Source};

use super::KafkaSink;
use crate::kafka::StoredOffset;

/// What the offset is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastChange {
    pub(super) op: Operation,
    pub(super) source: Source,
    pub(super) position: ChangePosition,
}

impl KafkaSink {
    /// The offset that belongs to the open batch.
    pub(super) fn offset(&self) -> StoredOffset {
        let mut offset = match &self.open_change {
            Some(change) => StoredOffset::of_change(change.op, &change.source, change.position),
            None => self.stored.clone(),
        };
        offset.tributary_end_lsn = self.stored.tributary_end_lsn;
        if let Some(end) = self.open_end {
            if offset.snapshot.is_some() || offset.lsn.is_none() {
                // No row was streamed yet, so what ended was the snapshot, or came after it.
                offset.set_snapshot(true);
                offset.lsn = offset.lsn.or(Some(end.end_lsn.0));
            }
            let reached = self.open_change.map(|change| change.position);
            offset.set_position(end.position.max(reached.unwrap_or_default()));
            offset.tributary_end_lsn = offset.tributary_end_lsn.max(Some(end.end_lsn.0));
        }
        if let Some(slot) = self.status.slot() {
            offset.set_slot(Some(&slot));
        }
        offset
    }
}
