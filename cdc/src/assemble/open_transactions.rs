//! The transactions that the server streams before they have committed, under one byte budget.
//!
//! Beyond the budget the largest goes to disk. A subtransaction that was rolled back takes its changes and its
//! versions of tables with it.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use pgoutput::Lsn;

use super::{
    relations::{ByOid, RelationVersion},
    spool::{Record, Spool},
};
use crate::Error;

/// A transaction that is streamed before it committed.
#[derive(Debug, Default)]
pub(super) struct OpenTransaction {
    pub(super) spool: Spool,
    /// Subtransactions that were rolled back; their changes stay in the spool and are left out of the replay.
    pub(super) aborted: HashSet<u32>,
    /// The Relation messages of this transaction, by their index in the spool. They hold for its own changes only, until
    /// it commits: nobody else may see a table that it altered.
    pub(super) versions: Vec<Arc<RelationVersion>>,
    current: ByOid<usize>,
    /// Position of the first change of each (sub)transaction, and the one that was seen last.
    first_lsns: HashMap<u32, Lsn>,
    last_subxid: Option<u32>,
    /// Name of its replication origin; the commit there is not told while it is open.
    pub(super) origin: Option<String>,
    /// Enums that have values in it that its tables do not list.
    pub(super) enums: Vec<u32>,
}

impl OpenTransaction {
    /// Position of the first change that was not rolled back.
    pub(super) fn first_lsn(&self) -> Option<Lsn> {
        let kept = |subxid: &u32| !self.aborted.contains(subxid);
        let lsns = self.first_lsns.iter();
        lsns.filter(|(subxid, _)| kept(subxid))
            .map(|(_, lsn)| *lsn)
            .min()
    }

    pub(super) fn version(&self, relation_id: u32) -> Option<&Arc<RelationVersion>> {
        self.versions.get(*self.current.get(&relation_id)?)
    }

    fn add_version(&mut self, version: Arc<RelationVersion>) {
        let relation_id = version.description.id;
        let index = self.versions.len();
        self.current.insert(relation_id, index);
        self.versions.push(version);
        self.spool.push(Record::Relation {
            relation_id,
            // One Relation message costs more than a byte, and four billion bytes of them do not fit in memory.
            version: index as u32,
        });
    }
}

/// All transactions that are streamed now, under one byte budget.
#[derive(Debug)]
pub(super) struct OpenTransactions {
    open: HashMap<u32, OpenTransaction>,
    budget: usize,
    memory: usize,
    folder: PathBuf,
}

impl OpenTransactions {
    pub(super) fn new(budget: usize, folder: PathBuf) -> Self {
        Self {
            open: HashMap::new(),
            budget,
            memory: 0,
            folder,
        }
    }

    pub(super) fn get(&self, xid: u32) -> Option<&OpenTransaction> {
        self.open.get(&xid)
    }

    /// A subtransaction was rolled back.
    pub(super) fn abort(&mut self, xid: u32, subxid: u32) {
        if let Some(transaction) = self.open.get_mut(&xid) {
            transaction.aborted.insert(subxid);
        }
    }

    /// The transaction came from another server.
    pub(super) fn set_origin(&mut self, xid: u32, name: &str) {
        self.open.entry(xid).or_default().origin = Some(name.to_owned());
    }

    /// Values of these types are not listed by their tables.
    pub(super) fn add_enums(&mut self, xid: u32, enums: Vec<u32>) {
        if enums.is_empty() {
            return;
        }
        let known = &mut self.open.entry(xid).or_default().enums;
        known.extend(enums);
        known.sort_unstable();
        known.dedup();
    }

    /// A change of a (sub)transaction stands at this position.
    pub(super) fn sent(&mut self, xid: u32, subxid: u32, lsn: Lsn) {
        let transaction = self.open.entry(xid).or_default();
        if transaction.last_subxid.replace(subxid) != Some(subxid) {
            transaction.first_lsns.entry(subxid).or_insert(lsn);
        }
    }

    /// A Relation message of an open transaction.
    pub(super) fn add_version(
        &mut self,
        xid: u32,
        version: Arc<RelationVersion>,
    ) -> Result<(), Error> {
        self.grow(xid, |transaction| transaction.add_version(version))
    }

    /// Remember a record; the largest transaction goes to disk when all together are above the budget.
    pub(super) fn push(&mut self, xid: u32, record: Record<'_>) -> Result<(), Error> {
        self.grow(xid, |transaction| transaction.spool.push(record))
    }

    fn grow(&mut self, xid: u32, step: impl FnOnce(&mut OpenTransaction)) -> Result<(), Error> {
        let transaction = self.open.entry(xid).or_default();
        let before = transaction.spool.memory();
        step(transaction);
        self.memory += transaction.spool.memory() - before;
        while self.memory > self.budget {
            let Some(largest) = self
                .open
                .values_mut()
                .max_by_key(|transaction| transaction.spool.memory())
            else {
                break;
            };
            let freed = largest.spool.memory();
            if freed == 0 {
                break;
            }
            largest.spool.spill(&self.folder)?;
            self.memory -= freed;
        }
        Ok(())
    }

    /// Take a transaction out: it committed, or was rolled back.
    pub(super) fn remove(&mut self, xid: u32) -> Option<OpenTransaction> {
        let transaction = self.open.remove(&xid)?;
        self.memory -= transaction.spool.memory();
        Some(transaction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_spills_when_all_together_are_too_much() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut open = OpenTransactions::new(2 * 1024 * 1024, folder.path().to_owned());
        let message = vec![1; 10_000];
        for round in 0..1000_u64 {
            for xid in [7, 8, 8, 8] {
                open.push(
                    xid,
                    Record::Change {
                        subxid: xid,
                        wal_start: round,
                        message: &message,
                    },
                )
                .expect("pushes");
            }
            assert!(open.memory <= 2 * 1024 * 1024);
        }
        for (xid, want) in [(7, 1000), (8, 3000)] {
            let transaction = open.remove(xid).expect("is open");
            let mut reader = transaction.spool.into_reader().expect("readable");
            let mut count = 0;
            while reader.next_record().expect("readable").is_some() {
                count += 1;
            }
            assert_eq!(count, want);
        }
        assert_eq!(open.memory, 0);
    }
}
