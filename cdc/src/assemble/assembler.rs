//! pgoutput messages become the events of committed transactions.
//!
//! Nothing reaches the sink before its transaction is known to have committed, transactions reach it in the order of
//! their commits, and each change once. A change whose table has to be described waits here, and everything after it
//! with it.

mod streamed;

use std::{collections::HashMap, sync::Arc};

use debezium::Compat;
use pgoutput::{Insert, Lsn, PgOutputMessage, PgTimestamp, Relation, Type, Update, XLogData};

use super::{
    emitter::{DeliveredUpTo, Emitter},
    enum_values::EnumValues,
    open_transactions::OpenTransactions,
    relations::{Capture, RelationVersion, Relations},
    replay::{Replay, ReplayState},
    rules::EmitRules,
    transaction::Transaction,
};
use crate::Counts;
use crate::{
    Error, ErrorKind, EventSink, TransactionEnd,
    capture::captures_table,
    table::{RelationDescription, StreamedTable, TypeName},
};
use connector::{CaptureFilter, ConnectorConfig};

/// Turns pgoutput messages into events of committed transactions.
#[derive(Debug)]
pub struct Assembler {
    filter: CaptureFilter,
    relations: Relations,
    /// Between Begin and Commit.
    transaction: Option<Transaction>,
    /// Between StreamStart and StreamStop: the top-level transaction.
    stream: Option<u32>,
    open: OpenTransactions,
    /// A streamed transaction whose commit was seen; nothing else may be accepted before it is done.
    replay: Option<Replay>,
    emitter: Emitter,
    enum_values: EnumValues,
    /// What Type messages told, by the OID of the type.
    types: HashMap<u32, TypeName>,
    waiting: Option<Waiting>,
}

/// A change that waits for the catalog.
#[derive(Debug)]
struct Waiting {
    wal_start: Lsn,
    message: Vec<u8>,
    /// It has values that its table does not list.
    for_labels: bool,
}

/// What the caller has to do after a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Give it the next one.
    Next,
    /// Complete this Relation of a committed transaction by the catalog and give it to `add_relation` before anything
    /// else.
    Resolve {
        xid: u32,
        description: RelationDescription,
        /// Enums whose labels have to be read again first.
        enums: Vec<u32>,
    },
    /// Call `go_on`: a change waited for the answer to `Resolve`.
    GoOn,
    /// Call `replay` until it is done before the next message.
    Replay,
}

impl Assembler {
    /// What was `delivered` is not emitted again.
    pub fn new(config: &ConnectorConfig, delivered: DeliveredUpTo) -> Self {
        Self {
            filter: config.filter.clone(),
            relations: Relations::default(),
            transaction: None,
            stream: None,
            open: OpenTransactions::new(config.spill_memory_bytes, config.spill_folder.clone()),
            replay: None,
            emitter: Emitter::new(EmitRules::new(config), delivered),
            enum_values: EnumValues::new(config.contract.compat == Compat::V3),
            types: HashMap::new(),
            waiting: None,
        }
    }

    /// Events written to the sink so far.
    pub const fn counts(&self) -> Counts {
        self.emitter.counts
    }

    /// `Source::xmin` of what comes from now on.
    pub const fn set_xmin(&mut self, xmin: Option<u64>) {
        self.emitter.xmin = xmin;
    }

    /// Commit time of the transaction at hand, microseconds since the Unix epoch.
    pub fn commit_micros(&self) -> Option<i64> {
        self.transaction
            .map(|transaction| transaction.commit_micros)
    }

    /// Commit time of the transaction that began last, microseconds since the Unix epoch; None before the first.
    pub const fn begun_micros(&self) -> Option<i64> {
        self.emitter.begun_micros()
    }

    /// Inside a stream block.
    pub const fn is_streaming_block(&self) -> bool {
        self.stream.is_some()
    }

    /// Between the first and the last change of a committed transaction: what the sink has is a part of it.
    pub const fn is_inside_transaction(&self) -> bool {
        self.transaction.is_some() || self.replay.is_some()
    }

    pub const fn is_replaying(&self) -> bool {
        self.replay.is_some()
    }

    /// Everything that committed before this end was given to the sink, or had nothing for it. None where an earlier life
    /// has stored as much: after a crash the server begins at what it remembers of the slot, which may be older.
    pub fn idle_end(&self) -> Option<TransactionEnd> {
        self.emitter.idle_end()
    }

    /// The server has sent everything of ours that committed before `wal_end`. Transactions that are streamed but still
    /// open do not matter: they commit later, and are then sent again from their start.
    ///
    /// # Errors
    /// `LsnsReused`: what was delivered from there was not among it.
    pub fn keepalive(&mut self, wal_end: Lsn) -> Result<(), Error> {
        if self.is_inside_transaction() {
            return Ok(());
        }
        self.emitter.passed(wal_end)
    }

    /// Take one message.
    ///
    /// # Errors
    /// `Protocol` for what pgoutput cannot send here, `Spill` when the disk fails, the sink's errors.
    #[inline]
    pub fn accept<S: EventSink>(
        &mut self,
        xlog: &XLogData<'_>,
        sink: &mut S,
    ) -> Result<Demand, Error> {
        let message =
            PgOutputMessage::parse(xlog.data, self.stream.is_some()).map_err(|error| {
                Error::new(
                    ErrorKind::Protocol,
                    format!("read the pgoutput message at {}", xlog.wal_start),
                )
                .with_source(error)
            })?;
        if let Some(xid) = self.stream {
            return self.accept_streamed(xid, xlog, &message);
        }
        if (self.enum_values.enabled || !self.relations.all_hold())
            && let Some(step) = self.wait_for_catalog(xlog, &message)
        {
            return Ok(step);
        }
        self.accept_message(xlog, &message, sink)
    }

    #[inline]
    fn accept_message<S: EventSink>(
        &mut self,
        xlog: &XLogData<'_>,
        message: &PgOutputMessage<'_>,
        sink: &mut S,
    ) -> Result<Demand, Error> {
        match message {
            PgOutputMessage::Insert(_)
            | PgOutputMessage::Update(_)
            | PgOutputMessage::Delete(_)
            | PgOutputMessage::Truncate(_) => {
                let Some(transaction) = &mut self.transaction else {
                    return Err(out_of_place("a change outside of a transaction"));
                };
                let relations = &self.relations;
                let news = self.emitter.change(
                    transaction,
                    xlog.wal_start,
                    message,
                    |id| relations.get(id).map(Arc::as_ref),
                    sink,
                )?;
                if let Some(version) = news {
                    self.relations.insert(version);
                }
            }
            PgOutputMessage::Begin(begin) => {
                if self.transaction.is_some() {
                    return Err(out_of_place("a Begin within a transaction"));
                }
                let transaction = Transaction::new(
                    begin.final_lsn,
                    begin.xid,
                    begin.commit_time.unix_micros(),
                    xlog.wal_start,
                );
                self.emitter.begin(&transaction)?;
                self.transaction = Some(transaction);
            }
            PgOutputMessage::Commit(commit) => {
                let Some(transaction) = self.transaction.take() else {
                    return Err(out_of_place("a Commit outside of a transaction"));
                };
                self.emitter.end(transaction, commit.end_lsn, sink)?;
            }
            PgOutputMessage::Message(lone) => match &mut self.transaction {
                Some(transaction) if lone.transactional => {
                    self.emitter
                        .change(transaction, xlog.wal_start, message, |_| None, sink)?;
                }
                _ => self.emitter.lone_message(xlog.wal_start, lone, sink)?,
            },
            PgOutputMessage::Relation(relation) => return self.accept_relation(relation),
            PgOutputMessage::Type(told) => self.accept_type(told),
            PgOutputMessage::Origin(origin) => self.emitter.set_origin(origin),
            PgOutputMessage::StreamStart(start) => self.stream = Some(start.xid),
            PgOutputMessage::StreamCommit(commit) => return self.stream_commit(commit),
            PgOutputMessage::StreamAbort(abort) => self.stream_abort(abort),
            PgOutputMessage::StreamStop => {
                return Err(out_of_place("a StreamStop outside of a stream block"));
            }
            PgOutputMessage::BeginPrepare(_)
            | PgOutputMessage::Prepare(_)
            | PgOutputMessage::CommitPrepared(_)
            | PgOutputMessage::RollbackPrepared(_)
            | PgOutputMessage::StreamPrepare(_) => {
                return Err(out_of_place("a two-phase message that was not asked for"));
            }
        }
        Ok(Demand::Next)
    }

    fn accept_type(&mut self, told: &Type<'_>) {
        self.types.insert(told.type_oid, TypeName::from(told));
    }

    /// Keeps a change whose table lists fewer labels than it has, or has changed since it was read, and asks for it.
    #[inline]
    fn wait_for_catalog(
        &mut self,
        xlog: &XLogData<'_>,
        message: &PgOutputMessage<'_>,
    ) -> Option<Demand> {
        let id = message.row_relation()?;
        let (version, xid) = (self.relations.get(id)?, self.transaction?.xid);
        let enums = self.enum_values.unlisted(message, Some(version));
        let for_labels = !enums.is_empty();
        if !for_labels && !self.relations.has_changed(id, xid) {
            return None;
        }
        self.waiting = Some(Waiting {
            wal_start: xlog.wal_start,
            message: xlog.data.to_vec(),
            for_labels,
        });
        Some(Demand::Resolve {
            xid,
            description: version.description.clone(),
            enums,
        })
    }

    /// The answer to [`Demand::GoOn`].
    ///
    /// # Errors
    /// As `accept`.
    pub fn go_on<S: EventSink>(&mut self, sink: &mut S) -> Result<Demand, Error> {
        let Some(waiting) = self.waiting.take() else {
            return Ok(Demand::Next);
        };
        let (wal_start, data) = (waiting.wal_start, &waiting.message);
        let message = PgOutputMessage::parse(data, false).map_err(|error| {
            let attempted = format!("read the pgoutput message at {wal_start} again");
            Error::new(ErrorKind::Protocol, attempted).with_source(error)
        })?;
        if let PgOutputMessage::Insert(Insert { relation_id, .. })
        | PgOutputMessage::Update(Update { relation_id, .. }) = &message
            && waiting.for_labels
            && let Some(version) = self.relations.get(*relation_id)
        {
            self.enum_values.remember(&message, version);
        }
        let xlog = XLogData {
            wal_start,
            wal_end: wal_start,
            sent_at: PgTimestamp::default(),
            data,
        };
        self.accept_message(&xlog, &message, sink)
    }

    fn accept_relation(&mut self, relation: &Relation<'_>) -> Result<Demand, Error> {
        let mut description = RelationDescription::from(relation);
        for column in &mut description.columns {
            column.type_name = self.types.get(&column.type_oid).cloned();
        }
        let captured = captures_table(&self.filter, &description.namespace, &description.name);
        if let Some(xid) = self.stream {
            return self.accept_streamed_relation(xid, description, captured);
        }
        if !captured {
            self.relations.insert(Arc::new(RelationVersion {
                description,
                capture: Capture::No,
            }));
            return Ok(Demand::Next);
        }
        // It comes once, and again after DDL, which may have changed only what the catalog knows.
        let Some(transaction) = &self.transaction else {
            return Err(out_of_place("a Relation outside of a transaction"));
        };
        Ok(Demand::Resolve {
            xid: transaction.xid,
            description,
            enums: Vec::new(),
        })
    }

    /// The answer to [`Demand::Resolve`].
    pub fn add_relation(
        &mut self,
        description: RelationDescription,
        table: StreamedTable,
    ) -> Demand {
        let Some(replay) = &mut self.replay else {
            self.relations
                .insert(self.relations.version(description, table));
            return match self.waiting {
                Some(_) => Demand::GoOn,
                None => Demand::Next,
            };
        };
        replay.resolve(self.relations.version(description, table));
        next_of_replay(replay)
    }

    /// Go on with the streamed transaction that committed: at most `turn` of its changes. True when it is done.
    ///
    /// # Errors
    /// `Spill` when the disk fails, the sink's errors.
    pub fn replay<S: EventSink>(&mut self, turn: usize, sink: &mut S) -> Result<bool, Error> {
        let Some(mut replay) = self.replay.take() else {
            return Ok(true);
        };
        match replay.run(turn, &self.relations, &mut self.emitter, sink)? {
            ReplayState::Unfinished => {
                self.replay = Some(replay);
                Ok(false)
            }
            ReplayState::Done => {
                self.relations.extend(replay.into_versions());
                Ok(true)
            }
        }
    }
}

fn next_of_replay(replay: &Replay) -> Demand {
    match replay.unresolved() {
        Some(description) => Demand::Resolve {
            xid: replay.xid(),
            description: description.clone(),
            enums: replay.enums().to_vec(),
        },
        None => Demand::Replay,
    }
}

fn out_of_place(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("follow the stream: {what}"))
}
