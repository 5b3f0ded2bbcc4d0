use debezium::{ChangePosition, Operation, Source};

use super::KafkaSink;
use crate::{
    Error, ErrorKind, TransactionEnd,
    checkpoint::{Provenance, Witness},
    kafka::StoredOffset,
};

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

/// The offset that follows the stored one when a batch becomes durable that ends with `record`, or holds none, and with
/// the transaction end `end`; None while there is no position at all.
pub(super) fn next_offset(
    stored: &StoredOffset,
    record: Option<&LastRecord>,
    end: Option<TransactionEnd>,
    read: &Provenance,
) -> Option<StoredOffset> {
    if record.is_none() && end.is_none() && stored.lsn.is_none() {
        return None;
    }
    let mut offset = match record {
        Some(record) => match record.kind {
            RecordKind::Change(op) => StoredOffset::of_change(op, &record.source, record.position),
            RecordKind::Message(message_type) => {
                StoredOffset::of_message(message_type, &record.source, record.position)
            }
        },
        None => stored.clone(),
    };
    offset.tributary_end_lsn = stored.tributary_end_lsn;
    if let Some(end) = end {
        if offset.snapshot.is_some() || offset.lsn.is_none() {
            // No row was streamed yet, so what ended was the snapshot, or came after it.
            offset.set_snapshot(true);
            offset.lsn = offset.lsn.or(Some(end.end_lsn.0));
        }
        let reached = record.map(|record| record.position);
        offset.set_position(end.position.max(reached.unwrap_or_default()));
        offset.tributary_end_lsn = offset.tributary_end_lsn.max(Some(end.end_lsn.0));
    }
    let witness = record.and_then(|record| Witness::of(record.position, &record.source));
    offset.set_witness(witness.or_else(|| stored.witness()));
    offset.set_read_micros(stored.tributary_read_usec.max(read.read_micros));
    if let Some(slot) = &read.slot {
        offset.set_slot(Some(slot));
        offset.tributary_selection.clone_from(&read.selection);
    }
    Some(offset)
}

/// A stored position never decreases, whatever the server says: everything up to it was delivered, so a lower one would
/// have it delivered again.
///
/// # Errors
/// `Defect`: it would decrease.
pub(super) fn never_decreases(
    connector: &str,
    stored: Option<ChangePosition>,
    next: ChangePosition,
) -> Result<(), Error> {
    match stored {
        Some(stored) if next < stored => Err(Error::new(
            ErrorKind::Defect,
            format!(
                "store position {next} of connector `{connector}`: it is before position {stored}, which is stored, and a stored position never decreases"
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

impl KafkaSink {
    /// The record was written to the open batch.
    pub(super) fn reached(&mut self, record: LastRecord) -> Result<(), Error> {
        let before = self.open_record.map(|record| record.position);
        never_decreases(&self.connector, before.max(self.written), record.position)
            .inspect_err(|_| self.failed = true)?;
        self.open_record = Some(record);
        Ok(())
    }

    /// The offset that belongs to the open batch; None while there is no position at all.
    pub(super) fn offset(&self) -> Result<Option<StoredOffset>, Error> {
        let read = self.status.read();
        let record = self.open_record.as_ref();
        let Some(mut offset) = next_offset(&self.stored, record, self.open_end, &read) else {
            return Ok(None);
        };
        if let Some(record) = record {
            self.set_transaction(record, &mut offset);
        }
        offset.set_tables_read(self.tables_read.as_ref());
        if self.tables_read.is_some() {
            offset.set_snapshot(false);
        }
        if let Some(next) = offset.position() {
            never_decreases(&self.connector, self.written, next)?;
        }
        Ok(Some(offset))
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

#[cfg(test)]
#[path = "position_tests.rs"]
mod tests;
