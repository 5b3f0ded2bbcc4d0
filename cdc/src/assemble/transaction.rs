use debezium::{ChangePosition, Operation, Source};
use pgoutput::{Lsn, PgOutputMessage};

use super::{
    change::{Placed, RowBuffers},
    relations::{Capture, RelationVersion},
};
use crate::{
    Error, ErrorKind,
    sink::{EventSink, TransactionEnd},
};

/// A committed transaction on its way to the sink.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transaction {
    pub(super) commit_lsn: Lsn,
    pub(super) xid: u32,
    pub(super) commit_micros: i64,
    /// Ordinal of the next change message.
    next_ordinal: u64,
    /// Something of it reached the sink.
    written: bool,
}

/// Changes written to the sink since the start, by operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub creates: u64,
    pub updates: u64,
    pub deletes: u64,
    pub truncates: u64,
}

/// Gives changes their place and writes them.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    buffers: RowBuffers,
    pub(super) counts: Counts,
    /// Everything up to here was delivered in an earlier life.
    delivered: Option<ChangePosition>,
    last_commit_lsn: Option<u64>,
    /// The highest end of a transaction that left nothing for the sink.
    pub(super) quiet: Lsn,
}

impl Transaction {
    pub(super) const fn new(commit_lsn: Lsn, xid: u32, commit_micros: i64) -> Self {
        Self {
            commit_lsn,
            xid,
            commit_micros,
            next_ordinal: 0,
            written: false,
        }
    }

    /// Change messages that are not emitted.
    pub(super) const fn skip(&mut self, count: u64) {
        self.next_ordinal += count;
    }
}

impl Emitter {
    pub(super) fn new(delivered: Option<ChangePosition>, last_commit_lsn: Option<u64>) -> Self {
        Self {
            delivered,
            last_commit_lsn,
            ..Self::default()
        }
    }

    /// One change message of `transaction`: Insert, Update, Delete, Truncate or a logical Message.
    #[inline]
    pub(super) fn change<'r, S: EventSink>(
        &mut self,
        transaction: &mut Transaction,
        wal_start: Lsn,
        message: &PgOutputMessage<'_>,
        version_of: impl Fn(u32) -> Option<&'r RelationVersion>,
        sink: &mut S,
    ) -> Result<(), Error> {
        match message {
            PgOutputMessage::Insert(insert) => {
                let version = version_of(insert.relation_id);
                self.row(
                    transaction,
                    wal_start,
                    message,
                    version,
                    insert.relation_id,
                    sink,
                )
            }
            PgOutputMessage::Update(update) => {
                let version = version_of(update.relation_id);
                self.row(
                    transaction,
                    wal_start,
                    message,
                    version,
                    update.relation_id,
                    sink,
                )
            }
            PgOutputMessage::Delete(delete) => {
                let version = version_of(delete.relation_id);
                self.row(
                    transaction,
                    wal_start,
                    message,
                    version,
                    delete.relation_id,
                    sink,
                )
            }
            PgOutputMessage::Truncate(truncate) => {
                for &id in &truncate.relation_ids {
                    self.row(transaction, wal_start, message, version_of(id), id, sink)?;
                }
                Ok(())
            }
            _ => {
                transaction.skip(1);
                Ok(())
            }
        }
    }

    #[inline]
    fn row<S: EventSink>(
        &mut self,
        transaction: &mut Transaction,
        wal_start: Lsn,
        message: &PgOutputMessage<'_>,
        version: Option<&RelationVersion>,
        relation_id: u32,
        sink: &mut S,
    ) -> Result<(), Error> {
        let position = ChangePosition::new(transaction.commit_lsn.0, transaction.next_ordinal);
        transaction.next_ordinal += 1;
        let Some(version) = version else {
            return Err(unknown_relation(relation_id));
        };
        let Capture::Yes(table) = &version.capture else {
            return Ok(());
        };
        if self
            .delivered
            .is_some_and(|delivered| position <= delivered)
        {
            return Ok(());
        }
        transaction.written = true;
        let source = Source {
            lsn: wal_start.0,
            tx_id: Some(u64::from(transaction.xid)),
            commit_micros: transaction.commit_micros,
            last_commit_lsn: self.last_commit_lsn,
            snapshot: debezium::SnapshotMarker::False,
        };
        let placed = Placed {
            table,
            source,
            position,
        };
        match self.buffers.emit(message, placed, sink)? {
            Some(Operation::Create) => self.counts.creates += 1,
            Some(Operation::Update) => self.counts.updates += 1,
            Some(Operation::Delete) => self.counts.deletes += 1,
            Some(Operation::Truncate) => self.counts.truncates += 1,
            Some(Operation::Read) | None => {}
        }
        Ok(())
    }

    /// All of the transaction was seen.
    pub(super) fn end<S: EventSink>(
        &mut self,
        transaction: Transaction,
        end_lsn: Lsn,
        sink: &mut S,
    ) -> Result<(), Error> {
        if transaction.written {
            sink.end_transaction(TransactionEnd {
                position: ChangePosition::new(
                    transaction.commit_lsn.0,
                    transaction.next_ordinal.saturating_sub(1),
                ),
                end_lsn,
            })?;
        } else {
            self.quiet = self.quiet.max(end_lsn);
        }
        self.committed(end_lsn);
        Ok(())
    }

    /// A replay runs through commits that were already delivered: the position never goes back.
    pub(super) fn committed(&mut self, end_lsn: Lsn) {
        self.last_commit_lsn = self.last_commit_lsn.max(Some(end_lsn.0));
    }
}

/// A change came before the Relation message of its table.
fn unknown_relation(id: u32) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!("read a change of table {id}: its Relation message did not come"),
    )
}
