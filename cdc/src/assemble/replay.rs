//! A streamed transaction that has committed, on its way from the spool to the sink.
//!
//! It is written in turns, as far as the sink has room, so that a huge transaction needs no more memory than a small
//! one and keepalives are answered meanwhile.

use std::{collections::HashSet, sync::Arc};

use pgoutput::{Lsn, PgOutputMessage};

use super::{
    emitter::Emitter,
    open_transactions::OpenTransaction,
    relations::{ByOid, Capture, RelationVersion, Relations},
    spool::{Record, SpoolReader},
    transaction::Transaction,
};
use crate::{Error, ErrorKind, EventSink, table::RelationDescription};

/// A streamed transaction that committed, being written to the sink as far as it has room.
#[derive(Debug)]
pub(super) struct Replay {
    transaction: Transaction,
    end_lsn: Lsn,
    reader: SpoolReader,
    aborted: HashSet<u32>,
    versions: Vec<Arc<RelationVersion>>,
    /// Enums whose labels the tables of these versions have to list anew.
    enums: Vec<u32>,
    current: ByOid<Arc<RelationVersion>>,
}

/// How far a replay came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplayState {
    /// The sink is full, or the turn is over.
    Unfinished,
    Done,
}

impl Replay {
    pub(super) fn new(
        open: OpenTransaction,
        transaction: Transaction,
        end_lsn: Lsn,
    ) -> Result<Self, Error> {
        let (mut versions, enums) = (open.versions, open.enums);
        for version in &mut versions {
            let lists_too_few = matches!(&version.capture, Capture::Yes(table)
                if table.enums.iter().any(|column| enums.contains(&column.oid)));
            if lists_too_few {
                *version = Arc::new(RelationVersion {
                    description: version.description.clone(),
                    capture: Capture::AtCommit,
                });
            }
        }
        Ok(Self {
            transaction,
            end_lsn,
            reader: open.spool.into_reader()?,
            aborted: open.aborted,
            versions,
            enums,
            current: ByOid::default(),
        })
    }

    pub(super) const fn xid(&self) -> u32 {
        self.transaction.xid
    }

    /// A table version that the catalog has to complete before `run`.
    pub(super) fn unresolved(&self) -> Option<&RelationDescription> {
        self.versions
            .iter()
            .find(|version| matches!(version.capture, Capture::AtCommit))
            .map(|version| &version.description)
    }

    pub(super) fn enums(&self) -> &[u32] {
        &self.enums
    }

    /// The catalog's answer to `unresolved`.
    pub(super) fn resolve(&mut self, resolved: Arc<RelationVersion>) {
        for version in &mut self.versions {
            if matches!(version.capture, Capture::AtCommit)
                && version.description == resolved.description
            {
                *version = Arc::clone(&resolved);
            }
        }
    }

    /// Write changes until the sink is full, `turn` records were read or all is done; then end the transaction.
    pub(super) fn run<S: EventSink>(
        &mut self,
        mut turn: usize,
        relations: &Relations,
        emitter: &mut Emitter,
        sink: &mut S,
    ) -> Result<ReplayState, Error> {
        while turn > 0 && sink.has_room() {
            turn -= 1;
            match self.reader.next_record()? {
                None => {
                    emitter.end(self.transaction, self.end_lsn, sink)?;
                    return Ok(ReplayState::Done);
                }
                Some(Record::Relation {
                    relation_id,
                    version,
                }) => {
                    if let Some(version) = self.versions.get(version as usize) {
                        self.current.insert(relation_id, Arc::clone(version));
                    }
                }
                Some(Record::Skip { subxid, count }) => {
                    if !self.aborted.contains(&subxid) {
                        self.transaction.skip(count);
                    }
                }
                Some(Record::Change { subxid, .. }) if self.aborted.contains(&subxid) => {}
                Some(Record::Change {
                    wal_start, message, ..
                }) => {
                    let message = PgOutputMessage::parse(message, true).map_err(|error| {
                        Error::new(
                            ErrorKind::Protocol,
                            "read a change of a streamed transaction",
                        )
                        .with_source(error)
                    })?;
                    let current = &self.current;
                    let news = emitter.change(
                        &mut self.transaction,
                        Lsn(wal_start),
                        &message,
                        |id| {
                            current
                                .get(&id)
                                .or_else(|| relations.get(id))
                                .map(Arc::as_ref)
                        },
                        sink,
                    )?;
                    if let Some(version) = news {
                        self.current.insert(version.description.id, version);
                    }
                }
            }
        }
        Ok(ReplayState::Unfinished)
    }

    /// The table versions that hold for everybody now that the transaction has committed.
    pub(super) fn into_versions(self) -> impl Iterator<Item = Arc<RelationVersion>> {
        self.current.into_values()
    }
}
