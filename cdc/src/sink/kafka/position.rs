use debezium::{ChangePosition, Operation, Source};

use super::KafkaSink;
use crate::kafka::StoredOffset;

/// The last record of a batch that has a position: what the offset is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastRecord {
    pub(super) kind: RecordKind,
    pub(super) source: Source,
    pub(super) position: ChangePosition,
}

/// What Debezium's `messageType` is made from.
#[derive(Debug, Clone, Copy)]
pub(super) enum RecordKind {
    Change(Operation),
    /// MESSAGE, BEGIN or COMMIT.
    Message(&'static str),
}

impl KafkaSink {
    /// The record was written to the open batch.
    pub(super) fn reached(&mut self, record: LastRecord) {
        self.open_record = Some(record);
    }

    /// The offset that belongs to the open batch; None while there is no position at all.
    pub(super) fn offset(&self) -> Option<StoredOffset> {
        if self.open_record.is_none() && self.open_end.is_none() && self.stored.lsn.is_none() {
            return None;
        }
        let mut offset = match &self.open_record {
            Some(record) => match record.kind {
                RecordKind::Change(op) => {
                    StoredOffset::of_change(op, &record.source, record.position)
                }
                RecordKind::Message(message_type) => {
                    StoredOffset::of_message(message_type, &record.source, record.position)
                }
            },
            None => self.stored.clone(),
        };
        if let Some(record) = &self.open_record {
            self.set_transaction(record, &mut offset);
        }
        offset.tributary_end_lsn = self.stored.tributary_end_lsn;
        if let Some(end) = self.open_end {
            if self.tables_read.is_none() && (offset.snapshot.is_some() || offset.lsn.is_none()) {
                // No row was streamed yet, so what ended was the snapshot, or came after it.
                offset.set_snapshot(true);
                offset.lsn = offset.lsn.or(Some(end.end_lsn.0));
            }
            let reached = self.open_record.map(|record| record.position);
            offset.set_position(end.position.max(reached.unwrap_or_default()));
            offset.tributary_end_lsn = offset.tributary_end_lsn.max(Some(end.end_lsn.0));
        }
        offset.set_tables_read(self.tables_read.as_ref());
        if self.tables_read.is_some() {
            offset.set_snapshot(false);
        }
        if let Some(slot) = self.status.slot() {
            offset.set_slot(Some(&slot));
        }
        Some(offset)
    }

    /// With transaction metadata, Debezium's fields for going on within the transaction.
    fn set_transaction(&self, record: &LastRecord, offset: &mut StoredOffset) {
        let Some(tx_id) = record.source.tx_id.filter(|_| {
            self.transaction_metadata && !matches!(record.kind, RecordKind::Change(Operation::Read))
        }) else {
            return;
        };
        let id = tx_id.to_string();
        if self.stored.transaction_id.as_ref() == Some(&id) {
            offset.transaction_orders = self.stored.transaction_orders.clone();
        }
        for route in self.tables.iter() {
            if let Some((of, order)) = route.last_order
                && of == tx_id
            {
                let known = offset.transaction_orders.entry(route.name()).or_default();
                *known = order.max(*known);
            }
        }
        offset.transaction_id = Some(id);
    }
}
