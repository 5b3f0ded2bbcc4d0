//! Transactions that PostgreSQL sends before they commit ("Streaming of Large Transactions for Logical Decoding").

use std::sync::Arc;

use pgoutput::{Lsn, Origin, PgOutputMessage, StreamAbort, StreamCommit, XLogData};

use super::{Assembler, Demand, next_of_replay, out_of_place};
use crate::{
    Error,
    assemble::{
        open_transactions::OpenTransaction,
        relations::{Capture, RelationVersion},
        replay::Replay,
        spool::Record,
        transaction::Transaction,
    },
    table::RelationDescription,
};

impl Assembler {
    pub(super) fn accept_streamed(
        &mut self,
        xid: u32,
        xlog: &XLogData<'_>,
        message: &PgOutputMessage<'_>,
    ) -> Result<Demand, Error> {
        let (subxid, changes, captured) = match message {
            PgOutputMessage::StreamStop => {
                self.stream = None;
                return Ok(Demand::Next);
            }
            PgOutputMessage::Relation(relation) => return self.accept_relation(relation),
            PgOutputMessage::Type(told) => {
                self.accept_type(told);
                return Ok(Demand::Next);
            }
            PgOutputMessage::Origin(origin) => {
                self.open.set_origin(xid, origin.name);
                return Ok(Demand::Next);
            }
            PgOutputMessage::Insert(insert) => {
                (insert.xid, 1, self.captures(xid, insert.relation_id)?)
            }
            PgOutputMessage::Update(update) => {
                (update.xid, 1, self.captures(xid, update.relation_id)?)
            }
            PgOutputMessage::Delete(delete) => {
                (delete.xid, 1, self.captures(xid, delete.relation_id)?)
            }
            PgOutputMessage::Truncate(truncate) => {
                let mut captured = false;
                for &id in &truncate.relation_ids {
                    captured |= self.captures(xid, id)?;
                }
                (truncate.xid, truncate.relation_ids.len() as u64, captured)
            }
            PgOutputMessage::Message(message) => {
                (message.xid, 1, self.emitter.emits_message(message.prefix))
            }
            PgOutputMessage::Begin(_)
            | PgOutputMessage::Commit(_)
            | PgOutputMessage::StreamStart(_)
            | PgOutputMessage::StreamCommit(_)
            | PgOutputMessage::StreamAbort(_)
            | PgOutputMessage::BeginPrepare(_)
            | PgOutputMessage::Prepare(_)
            | PgOutputMessage::CommitPrepared(_)
            | PgOutputMessage::RollbackPrepared(_)
            | PgOutputMessage::StreamPrepare(_) => {
                return Err(out_of_place("a transaction's border within a stream block"));
            }
        };
        if self.enum_values.enabled {
            self.note_unlisted_enums(xid, message);
        }
        let subxid = subxid.unwrap_or(xid);
        self.open.sent(xid, subxid, xlog.wal_start);
        let record = if captured {
            Record::Change {
                subxid,
                wal_start: xlog.wal_start.0,
                message: xlog.data,
            }
        } else {
            Record::Skip {
                subxid,
                count: changes,
            }
        };
        self.open.push(xid, record)?;
        Ok(Demand::Next)
    }

    /// Their labels are read again before the transaction is written.
    fn note_unlisted_enums(&mut self, xid: u32, message: &PgOutputMessage<'_>) {
        let relation = message.row_relation();
        let version = relation.and_then(|id| self.version(xid, id));
        let enums = self.enum_values.unlisted(message, version.map(Arc::as_ref));
        self.open.add_enums(xid, enums);
    }

    fn captures(&self, xid: u32, relation_id: u32) -> Result<bool, Error> {
        self.version(xid, relation_id)
            .map(|version| !matches!(version.capture, Capture::No))
            .ok_or_else(|| out_of_place("a streamed change before the Relation of its table"))
    }

    fn version(&self, xid: u32, relation_id: u32) -> Option<&Arc<RelationVersion>> {
        self.open
            .get(xid)
            .and_then(|transaction| transaction.version(relation_id))
            .or_else(|| self.relations.get(relation_id))
    }

    /// Each streamed transaction repeats the Relations of its tables; only one that differs is news.
    pub(super) fn accept_streamed_relation(
        &mut self,
        xid: u32,
        description: RelationDescription,
        captured: bool,
    ) -> Result<Demand, Error> {
        let own = self
            .open
            .get(xid)
            .and_then(|transaction| transaction.version(description.id));
        if own.is_some_and(|own| own.description == description) {
            return Ok(Demand::Next);
        }
        let known = self
            .relations
            .get(description.id)
            .filter(|known| own.is_none() && known.description == description);
        let version = match known {
            Some(known) => Arc::clone(known),
            None => Arc::new(RelationVersion {
                description,
                capture: if captured {
                    Capture::AtCommit
                } else {
                    Capture::No
                },
            }),
        };
        self.open.add_version(xid, version)?;
        Ok(Demand::Next)
    }

    pub(super) fn stream_commit(&mut self, commit: &StreamCommit) -> Result<Demand, Error> {
        let open = self.open.remove(commit.xid);
        let first_lsn = open.as_ref().and_then(OpenTransaction::first_lsn);
        let transaction = Transaction::new(
            commit.commit_lsn,
            commit.xid,
            commit.commit_time.unix_micros(),
            first_lsn.unwrap_or(commit.commit_lsn),
        );
        self.emitter.begin(&transaction)?;
        let Some(open) = open else {
            self.emitter.quiet = self.emitter.quiet.max(commit.end_lsn);
            self.emitter.committed(commit.end_lsn);
            return Ok(Demand::Next);
        };
        if let Some(name) = &open.origin {
            let origin_lsn = Lsn::default();
            self.emitter.set_origin(&Origin { origin_lsn, name });
        }
        let replay = Replay::new(open, transaction, commit.end_lsn)?;
        let step = next_of_replay(&replay);
        self.replay = Some(replay);
        Ok(step)
    }

    pub(super) fn stream_abort(&mut self, abort: &StreamAbort) {
        if abort.xid == abort.subxid {
            self.open.remove(abort.xid);
        } else {
            self.open.abort(abort.xid, abort.subxid);
        }
    }
}
