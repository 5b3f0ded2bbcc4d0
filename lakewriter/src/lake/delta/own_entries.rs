//! The last entries of a table's log that this process put, and whether somebody may write over them.

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

use deltalake_core::{kernel::Add, logstore::LogStoreRef};
use futures::future::try_join_all;

use super::logged_entry::LoggedEntry;
use crate::{Error, progress::TxnAdvance};

/// The time between a look and a write of another program is some requests long: it writes over one of the newest.
pub(super) const KEPT: usize = 16;

/// Without another program's commits entries are read back this often, or when twice as many have come.
const UNREAD: Duration = Duration::from_secs(30);

/// An entry that this process put.
#[derive(Debug, Clone)]
pub(super) struct OwnEntry {
    pub(super) version: u64,
    pub(super) adds: Vec<Add>,
    pub(super) txns: Vec<TxnAdvance>,
}

impl OwnEntry {
    /// Nobody else names these files and moves these positions.
    fn is(&self, entry: &LoggedEntry) -> bool {
        let added: HashSet<&str> = entry.adds.iter().map(|add| add.path.as_str()).collect();
        let mut txns = self.txns.iter();
        self.adds
            .iter()
            .all(|add| added.contains(add.path.as_str()))
            && txns.all(|txn| entry.txns.contains(&(txn.app_id.clone(), txn.to)))
    }
}

/// The last entries that this process put, and whether somebody may write over them.
#[derive(Debug)]
pub(super) struct OwnEntries {
    entries: VecDeque<OwnEntry>,
    /// Another program writes files to this table.
    pub(super) has_company: bool,
    /// Entries from here on were read and may be those of another program.
    pub(super) unknown_from: Option<u64>,
    read_back: Instant,
}

impl Default for OwnEntries {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            has_company: false,
            unknown_from: None,
            read_back: Instant::now(),
        }
    }
}

impl OwnEntries {
    pub(super) fn put(&mut self, version: u64, adds: &[Add], txns: &[TxnAdvance]) {
        self.entries.push_back(OwnEntry {
            version,
            adds: adds.to_vec(),
            txns: txns.to_vec(),
        });
    }

    /// The table was read on from one version to another.
    pub(super) fn read_on(&mut self, from: u64, to: u64) {
        if to > from {
            self.unknown_from.get_or_insert(from + 1);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        !self.entries.is_empty()
            && (self.has_company
                || self.entries.len() >= 2 * KEPT
                || self.read_back.elapsed() >= UNREAD)
    }

    /// Those that are not in the log any more. One whose number is gone was deleted with the history before a checkpoint.
    pub(super) async fn overwritten(&self, log: &LogStoreRef) -> Result<Vec<OwnEntry>, Error> {
        let versions = self.entries.iter().map(|own| own.version).collect();
        let found = read_all(log, versions).await?;
        let found = found.into_iter().zip(&self.entries);
        Ok(found
            .filter(|(found, own)| found.as_ref().is_some_and(|entry| !own.is(entry)))
            .map(|(_, own)| own.clone())
            .collect())
    }

    /// All of them were read back, and what some had named is in the table again.
    pub(super) fn settle(&mut self, mended: &[OwnEntry]) {
        self.entries
            .retain(|own| mended.iter().all(|mended| mended.version != own.version));
        while self.entries.len() > KEPT {
            self.entries.pop_front();
        }
        self.read_back = Instant::now();
    }
}

/// The entries of these numbers, read side by side.
pub(super) async fn read_all(
    log: &LogStoreRef,
    versions: Vec<u64>,
) -> Result<Vec<Option<LoggedEntry>>, Error> {
    let entries = versions.into_iter().map(|at| LoggedEntry::read(log, at));
    try_join_all(entries.collect::<Vec<_>>()).await
}
