//! Gives each change its position, and leaves out what an earlier life has delivered.
//!
//! Ordinals count everything that the publication sends of a transaction, also what is filtered out, so a position
//! names the same change in every life. What comes again is compared with what is remembered of it before anything new
//! is delivered.

use std::{collections::BTreeSet, sync::Arc};

use debezium::{
    ChangePosition, CollectionCounts, LogicalMessage, Operation, Origin, SnapshotMarker, Source,
    SourceRecord, TransactionMetadata,
};
use pgoutput::{Lsn, Message, PgOutputMessage};

use super::{
    change::{Placed, RowBuffers, Written},
    recognition::{History, Recognition},
    relations::{Capture, RelationVersion},
    rules::EmitRules,
    transaction::Transaction,
};
use crate::Counts;
use crate::{Error, ErrorKind, EventSink, Incarnation, TransactionEnd, checkpoint::Witness};

/// What logical messages are counted under among the tables of a transaction.
const MESSAGES: &str = "LOGICAL_DECODING_MESSAGE";

/// Gives changes their place and writes them.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    rules: EmitRules,
    buffers: RowBuffers,
    pub(super) counts: Counts,
    incarnation: Incarnation,
    /// Everything up to here was delivered in an earlier life.
    delivered: Option<ChangePosition>,
    /// Changes of other tables are of no concern.
    only: Option<BTreeSet<u32>>,
    recognition: Recognition,
    last_commit_lsn: Option<u64>,
    /// Of the transaction that began last.
    last_commit_micros: Option<i64>,
    /// The same, None before the first of this life.
    begun_micros: Option<i64>,
    /// With transaction metadata: the events of the transaction at hand.
    collections: CollectionCounts,
    /// The replication origin of the transaction at hand, and its commit there.
    origin: Option<(String, Option<u64>)>,
    /// `Source::xmin` of what comes next.
    pub(super) xmin: Option<u64>,
    /// The highest end of a transaction that left nothing for the sink.
    pub(super) quiet: Lsn,
}

/// Up to where an earlier life has delivered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveredUpTo {
    /// Of everything that is delivered now.
    pub incarnation: Incarnation,
    /// The last delivered change.
    pub position: Option<ChangePosition>,
    /// `Source::last_commit_lsn` of it.
    pub last_commit_lsn: Option<u64>,
    /// `Source::commit_micros` of it.
    pub last_commit_micros: Option<i64>,
    /// The tables of which anything was delivered, by OID; None: all.
    pub tables: Option<BTreeSet<u32>>,
    /// By what it is recognised when it is sent again.
    pub history: History,
}

impl Emitter {
    pub(super) fn new(rules: EmitRules, delivered: DeliveredUpTo) -> Self {
        Self {
            rules,
            incarnation: delivered.incarnation,
            delivered: delivered.position,
            only: delivered.tables,
            recognition: Recognition::new(
                delivered.history,
                delivered.incarnation,
                delivered.position,
            ),
            last_commit_lsn: delivered.last_commit_lsn,
            last_commit_micros: delivered.last_commit_micros,
            ..Self::default()
        }
    }

    /// Whether logical messages of this prefix are emitted.
    pub(super) fn emits_message(&self, prefix: &str) -> bool {
        self.rules.message_filter.emits(prefix)
    }

    fn is_delivered(&self, position: ChangePosition) -> bool {
        self.delivered
            .is_some_and(|delivered| position <= delivered)
    }

    /// A transaction that committed is about to be written.
    ///
    /// # Errors
    /// `LsnsReused`: it is of another history than what was delivered.
    pub(super) fn begin(&mut self, transaction: &Transaction) -> Result<(), Error> {
        self.last_commit_micros = Some(transaction.commit_micros);
        self.begun_micros = Some(transaction.commit_micros);
        self.origin = None;
        self.recognition.transaction(Witness {
            commit_lsn: transaction.commit_lsn.0,
            tx_id: u64::from(transaction.xid),
            commit_micros: transaction.commit_micros,
        })
    }

    /// Commit time of the transaction that began last; None before the first.
    pub(super) const fn begun_micros(&self) -> Option<i64> {
        self.begun_micros
    }

    pub(super) fn idle_end(&self) -> Option<TransactionEnd> {
        let position = self.incarnation.up_to(self.quiet);
        (!self.is_delivered(position)).then_some(TransactionEnd {
            position,
            end_lsn: self.quiet,
        })
    }

    /// The server has nothing of ours before `lsn` that it has not sent.
    ///
    /// # Errors
    /// `LsnsReused`: something that was delivered from there is missing.
    pub(super) fn passed(&mut self, lsn: Lsn) -> Result<(), Error> {
        self.recognition.passed(lsn)?;
        self.quiet = self.quiet.max(lsn);
        Ok(())
    }

    /// The transaction that began last came from another server.
    pub(super) fn set_origin(&mut self, origin: &pgoutput::Origin<'_>) {
        // Within a stream block only the name is known.
        let lsn = Some(origin.origin_lsn.0).filter(|lsn| *lsn > 0);
        self.origin = Some((origin.name.to_owned(), lsn));
    }

    /// One change message of `transaction`: Insert, Update, Delete, Truncate or a logical Message. Answers the version
    /// of its table that holds from now on, where the change tells that it is another.
    #[inline]
    pub(super) fn change<'r, S: EventSink>(
        &mut self,
        transaction: &mut Transaction,
        wal_start: Lsn,
        message: &PgOutputMessage<'_>,
        version_of: impl Fn(u32) -> Option<&'r RelationVersion>,
        sink: &mut S,
    ) -> Result<Option<Arc<RelationVersion>>, Error> {
        let relation_id = match message {
            PgOutputMessage::Insert(insert) => insert.relation_id,
            PgOutputMessage::Update(update) => update.relation_id,
            PgOutputMessage::Delete(delete) => delete.relation_id,
            PgOutputMessage::Truncate(truncate) => {
                for &id in &truncate.relation_ids {
                    self.row(transaction, wal_start, message, version_of(id), id, sink)?;
                }
                return Ok(None);
            }
            PgOutputMessage::Message(message) => {
                self.transactional_message(transaction, wal_start, message, sink)?;
                return Ok(None);
            }
            PgOutputMessage::Begin(_)
            | PgOutputMessage::Commit(_)
            | PgOutputMessage::Origin(_)
            | PgOutputMessage::Relation(_)
            | PgOutputMessage::Type(_)
            | PgOutputMessage::StreamStart(_)
            | PgOutputMessage::StreamStop
            | PgOutputMessage::StreamCommit(_)
            | PgOutputMessage::StreamAbort(_)
            | PgOutputMessage::BeginPrepare(_)
            | PgOutputMessage::Prepare(_)
            | PgOutputMessage::CommitPrepared(_)
            | PgOutputMessage::RollbackPrepared(_)
            | PgOutputMessage::StreamPrepare(_) => {
                transaction.skip(1);
                return Ok(None);
            }
        };
        let version = version_of(relation_id);
        self.row(transaction, wal_start, message, version, relation_id, sink)
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
    ) -> Result<Option<Arc<RelationVersion>>, Error> {
        let position = self
            .incarnation
            .change(transaction.commit_lsn, transaction.next_ordinal);
        transaction.next_ordinal += 1;
        if self
            .only
            .as_ref()
            .is_some_and(|only| !only.contains(&relation_id))
        {
            return Ok(None);
        }
        let Some(version) = version else {
            return Err(unknown_relation(relation_id));
        };
        let Capture::Yes(table) = &version.capture else {
            return Ok(None);
        };
        let relaxed;
        let deliver = !self.is_delivered(position);
        let mut placed = Placed {
            table,
            source: self.source(transaction, wal_start),
            origin: None,
            position,
            deliver,
            collections: None,
        };
        if self.rules.transaction_metadata {
            self.begin_metadata(transaction, sink)?;
            // What was delivered in part is counted from its start.
            placed.collections = Some(&mut self.collections);
        } else if !deliver {
            return Ok(None);
        }
        placed.origin = origin_of(&self.origin);
        transaction.written |= deliver;
        let mut written = self.buffers.emit(message, &mut placed, &self.rules, sink);
        let mut news = None;
        if let Ok(Written::NullsIn(columns)) = &written {
            relaxed = Arc::new(version.with_nulls(table, columns));
            if let Capture::Yes(table) = &relaxed.capture {
                placed.table = table;
            }
            written = self.buffers.emit(message, &mut placed, &self.rules, sink);
            news = Some(Arc::clone(&relaxed));
        }
        match written {
            Ok(Written::Event(Operation::Create)) => self.counts.creates += 1,
            Ok(Written::Event(Operation::Update)) => self.counts.updates += 1,
            Ok(Written::Event(Operation::Delete)) => self.counts.deletes += 1,
            Ok(Written::Event(Operation::Truncate)) => self.counts.truncates += 1,
            Ok(Written::Event(Operation::Read) | Written::Nothing | Written::NullsIn(_)) => {}
            Err(error) => {
                self.rules.on_failure(error)?;
                self.counts.left_out += 1;
            }
        }
        Ok(news)
    }

    fn source(&self, transaction: &Transaction, lsn: Lsn) -> Source {
        Source {
            lsn: lsn.0,
            tx_id: Some(u64::from(transaction.xid)),
            commit_micros: transaction.commit_micros,
            last_commit_lsn: self.last_commit_lsn,
            snapshot: SnapshotMarker::False,
            xmin: self.xmin,
        }
    }

    fn transactional_message<S: EventSink>(
        &mut self,
        transaction: &mut Transaction,
        wal_start: Lsn,
        message: &Message<'_>,
        sink: &mut S,
    ) -> Result<(), Error> {
        let position = self
            .incarnation
            .change(transaction.commit_lsn, transaction.next_ordinal);
        transaction.next_ordinal += 1;
        if !self.emits_message(message.prefix) {
            return Ok(());
        }
        if self.rules.transaction_metadata {
            self.begin_metadata(transaction, sink)?;
        }
        let order = (self.rules.transaction_metadata && self.rules.counts_messages)
            .then(|| self.collections.count_other(MESSAGES));
        if self.is_delivered(position) {
            return Ok(());
        }
        transaction.written = true;
        sink.write_record(&SourceRecord::Message(LogicalMessage {
            prefix: message.prefix,
            content: message.content,
            source: self.source(transaction, wal_start),
            origin: origin_of(&self.origin),
            position,
            transaction: order,
        }))
    }

    /// A message that belongs to no transaction: it stands on its own, and counts as committed where it was written.
    pub(super) fn lone_message<S: EventSink>(
        &mut self,
        wal_start: Lsn,
        message: &Message<'_>,
        sink: &mut S,
    ) -> Result<(), Error> {
        self.recognition.passed(message.lsn)?;
        self.committed(message.lsn);
        let position = self.incarnation.up_to(message.lsn);
        if self.is_delivered(position) || !self.emits_message(message.prefix) {
            return Ok(());
        }
        sink.write_record(&SourceRecord::Message(LogicalMessage {
            prefix: message.prefix,
            content: message.content,
            source: Source {
                lsn: wal_start.0,
                tx_id: None,
                commit_micros: self.last_commit_micros.unwrap_or(0),
                last_commit_lsn: self.last_commit_lsn,
                snapshot: SnapshotMarker::False,
                xmin: self.xmin,
            },
            position,
            transaction: None,
            origin: None,
        }))
    }

    /// BEGIN, before the first record of its transaction.
    fn begin_metadata<S: EventSink>(
        &mut self,
        transaction: &mut Transaction,
        sink: &mut S,
    ) -> Result<(), Error> {
        let position = self.incarnation.begin_record(transaction.commit_lsn);
        if std::mem::replace(&mut transaction.begun, true) || self.is_delivered(position) {
            return Ok(());
        }
        transaction.written = true;
        sink.write_record(&SourceRecord::Transaction(TransactionMetadata {
            tx_id: u64::from(transaction.xid),
            lsn: transaction.first_lsn.0,
            commit_micros: transaction.commit_micros,
            last_commit_lsn: self.last_commit_lsn,
            position,
            counts: None,
        }))
    }

    /// END, with the ordinal after the last change's.
    fn end_metadata<S: EventSink>(
        &mut self,
        transaction: &mut Transaction,
        end_lsn: Lsn,
        sink: &mut S,
    ) -> Result<(), Error> {
        self.begin_metadata(transaction, sink)?;
        let position = self
            .incarnation
            .change(transaction.commit_lsn, transaction.next_ordinal);
        transaction.skip(1);
        if !self.is_delivered(position) {
            transaction.written = true;
            sink.write_record(&SourceRecord::Transaction(TransactionMetadata {
                tx_id: u64::from(transaction.xid),
                lsn: end_lsn.0,
                commit_micros: transaction.commit_micros,
                last_commit_lsn: self.last_commit_lsn,
                position,
                counts: Some(&self.collections),
            }))?;
        }
        self.collections.clear();
        Ok(())
    }

    /// All of the transaction was seen.
    pub(super) fn end<S: EventSink>(
        &mut self,
        mut transaction: Transaction,
        end_lsn: Lsn,
        sink: &mut S,
    ) -> Result<(), Error> {
        if self.rules.transaction_metadata {
            self.end_metadata(&mut transaction, end_lsn, sink)?;
        }
        if transaction.written {
            sink.end_transaction(TransactionEnd {
                position: self.incarnation.whole(transaction.commit_lsn),
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

fn origin_of(origin: &Option<(String, Option<u64>)>) -> Option<Origin<'_>> {
    let (name, lsn) = origin.as_ref()?;
    Some(Origin { name, lsn: *lsn })
}

/// A change came before the Relation message of its table.
fn unknown_relation(id: u32) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!("read a change of table {id}: its Relation message did not come"),
    )
}
