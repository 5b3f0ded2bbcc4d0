//! Entries of the log that another program has written over.
//!
//! A writer can have the store refuse a second entry of one version, and not every writer does: Spark's log stores for S3
//! and for a local disk look whether an entry is there, and then write it. An entry of ours that came in between is gone,
//! with the rows and positions that it named; the next one would hide that for ever, because it moves the positions on.
//!
//! Invariant: where entry n+1 of this process is put, the rows of each of its last sixteen entries are in the table. Those
//! are read back before each commit once another program was seen to write files to the table, and every half a minute
//! otherwise. What an entry named that is not ours any more is committed again, once: a file that any entry from there on
//! names is there, or was compacted.

use std::collections::{HashMap, HashSet};

use deltalake_core::kernel::{Action, Transaction, transaction::CommitData};

use super::{
    LakeTable, PreparedCommit,
    commit::append,
    entry::put,
    logged_entry::MENDED,
    own_entries::{KEPT, OwnEntry, read_all},
    retries::Retries,
};
use crate::{
    Error, ErrorKind,
    error::{defect, delta_error},
    progress::TxnAdvance,
};

impl LakeTable {
    /// Commit again what this process had committed to the table and another program has written over.
    ///
    /// # Errors
    /// The store's; `Table` if a position stands where neither this process nor the lost entry put it.
    pub(super) async fn mend_overwritten(&mut self) -> Result<(), Error> {
        self.meet_others().await?;
        if !self.own.is_due() {
            return Ok(());
        }
        let lost = self.own.overwritten(&self.log_store).await?;
        if !lost.is_empty() {
            tracing::warn!(
                table = self.relative,
                versions = ?lost.iter().map(|own| own.version).collect::<Vec<_>>(),
                hint = "stop this writer before a program writes to the table that does not ask the store to refuse a second entry of one version, as Spark's log stores do not",
                "another program wrote over entries of the log that this one had put: what they named is committed again"
            );
            self.put_again(&lost).await?;
        }
        self.own.settle(&lost);
        Ok(())
    }

    /// See whether what was read since the last commit is by another program.
    async fn meet_others(&mut self) -> Result<(), Error> {
        let Some(from) = self.own.unknown_from else {
            return Ok(());
        };
        if !self.own.has_company {
            let newest = self.version;
            let versions = from.max(newest.saturating_sub(KEPT as u64))..=newest;
            let entries = read_all(&self.log_store, versions.collect()).await?;
            self.own.has_company = entries.iter().flatten().any(|entry| !entry.is_ours());
        }
        self.own.unknown_from = None;
        Ok(())
    }

    async fn put_again(&mut self, lost: &[OwnEntry]) -> Result<(), Error> {
        let attempted = format!("commit again to `{}` what was written over", self.relative);
        let mut retries = Retries::new();
        loop {
            // What was read of the entries that are gone is forgotten.
            self.reload().await?;
            let missing = self.missing(lost).await?;
            if missing.adds.is_empty() && missing.txns.is_empty() {
                return Ok(());
            }
            let adds = missing.adds.iter().cloned().map(Action::Add);
            let txns = missing.txns.iter();
            let txns = txns.map(|txn| Transaction::new(&txn.app_id, txn.to));
            let data = CommitData::new(
                adds.collect(),
                append(),
                missing.info.clone(),
                txns.collect(),
            );
            let version = self.version + 1;
            let error = match put(&self.log_store, version, &data).await {
                Ok(()) => {
                    self.own.put(version, &missing.adds, &missing.txns);
                    return self.reload().await;
                }
                Err(source) => deltalake_core::DeltaTableError::Transaction { source },
            };
            let Some(delay) = retries.after(&error) else {
                return Err(delta_error(attempted, error));
            };
            tracing::debug!(%error, table = self.relative, ?delay, "reading the table back, then committing again");
            tokio::time::sleep(delay).await;
        }
    }

    /// What of the lost entries is not in the table, by its log.
    async fn missing(&mut self, lost: &[OwnEntry]) -> Result<PreparedCommit, Error> {
        let Some(oldest) = lost.iter().map(|own| own.version).min() else {
            return Err(defect("an entry is lost", &self.relative));
        };
        let entries = read_all(&self.log_store, (oldest..=self.version).collect()).await?;
        let mut named: HashSet<String> = HashSet::new();
        for entry in entries.into_iter().flatten() {
            named.extend(entry.adds.into_iter().map(|add| add.path));
            named.extend(entry.removes.into_iter().map(|remove| remove.path));
        }
        let adds = lost.iter().flat_map(|own| &own.adds);
        let adds = adds.filter(|add| !named.contains(&add.path));
        let mut moves: HashMap<&str, Vec<&TxnAdvance>> = HashMap::new();
        for txn in lost.iter().flat_map(|own| &own.txns) {
            moves.entry(&txn.app_id).or_default().push(txn);
        }
        let mut txns = Vec::new();
        for (app_id, moves) in moves {
            let stored = self.txn(app_id).await?;
            let Some(to) = moves.iter().map(|txn| txn.to).max() else {
                continue;
            };
            if stored >= Some(to) {
                // A later commit of this process moved it on.
                continue;
            }
            if !moves.iter().any(|txn| txn.from == stored) {
                return Err(Error::new(
                    ErrorKind::Table,
                    format!(
                        "commit again to `{}` what was written over: `{app_id}` stands at {stored:?}, and it went from {:?} to {to}",
                        self.relative,
                        moves.iter().map(|txn| txn.from).min()
                    ),
                )
                .with_hint("another program has written over entries of the table's log: nothing more is committed to it; move the table's folder away and take a new snapshot of its source"));
            }
            let from = stored;
            txns.push(TxnAdvance {
                app_id: app_id.to_owned(),
                from,
                to,
            });
        }
        Ok(PreparedCommit {
            adds: adds.cloned().collect(),
            txns,
            info: HashMap::from([(MENDED.to_owned(), true.into())]),
        })
    }
}
