//! Commits of the direct road: first one record of everything, then the files of each table.
//!
//! A stored position never decreases, and the rows of a commit stand between the stored position and the new one. Both
//! are asserted, and halt.

use std::{collections::HashMap, time::Duration};

use futures::future::try_join_all;
use tokio::sync::OwnedMutexGuard;

use super::{DirectPosition, Shared, open_batch::TakenBatch};
use crate::{
    Error, ErrorKind,
    counters::now_micros,
    error::{defect, task_ended},
    lake::{
        PreparedTable,
        delta::{CommitOutcome, PreparedCommit, StagedFile, TxnAdvance},
    },
};

/// What became durable and visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Up to here, everything is in the lake; `end_lsn` may be confirmed to PostgreSQL.
    pub position: DirectPosition,
    pub rows: u64,
    /// From the call to the last table's commit.
    pub elapsed: Duration,
}

/// The `txn` of a table with the commit of this number. It grows from commit to commit whatever becomes of the LSNs,
/// which a restored backup gives out again. Tables of earlier versions stand at an LSN, far above the numbers of
/// commits: they count on from there.
fn next_txn(from: Option<i64>, number: u64) -> Option<i64> {
    let number = i64::try_from(number).ok()?;
    match from {
        None => Some(number),
        Some(from) => Some(number.max(from.checked_add(1)?)),
    }
}

impl Shared {
    /// Steps 1 to 4 of the module's documentation.
    pub(super) async fn commit(
        &self,
        taken: Result<TakenBatch, Error>,
        end: DirectPosition,
        turn: impl Future<Output = OwnedMutexGuard<()>>,
    ) -> Result<Committed, Error> {
        let started = std::time::Instant::now();
        let taken = taken?;
        let mut files: HashMap<String, Vec<StagedFile>> = HashMap::new();
        for table in taken.tables {
            let staged = files.entry(table.name.changes_path()).or_default();
            for upload in table.uploads {
                let uploaded = upload.await.map_err(|error| {
                    task_ended(format!("upload rows of `{}`", table.name), error)
                })?;
                staged.extend(uploaded?);
            }
        }
        files.retain(|_, staged| !staged.is_empty());

        let _turn = turn.await;
        if self.failed.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(super::failed_before());
        }
        let mut log = self.log.lock().await;
        if let Some(rows) = taken.rows {
            rows.stand_between(log.position(), end.position, &self.app_id)?;
        }
        let mut prepared = Vec::with_capacity(files.len());
        for (path, staged) in files {
            prepared.push(self.prepare(path, staged, log.next_number()).await?);
        }
        prepared.sort_by(|left, right| left.path.cmp(&right.path));
        let record = log.next(end.clone(), prepared);
        log.append(&record).await?;
        drop(log);
        let rows = self.commit_tables(&record.tables).await?;
        self.counters.visible(&taken.times, now_micros());
        Ok(Committed {
            position: end,
            rows,
            elapsed: started.elapsed(),
        })
    }

    async fn prepare(
        &self,
        path: String,
        staged: Vec<StagedFile>,
        number: u64,
    ) -> Result<PreparedTable, Error> {
        let table = self.table(&path).await?;
        let from = table.lock().await.txn(&self.app_id).await?;
        let to = next_txn(from, number)
            .ok_or_else(|| defect("the number of a commit fits into 63 bits", &path))?;
        Ok(PreparedTable {
            path,
            txn: TxnAdvance {
                app_id: self.app_id.clone(),
                from,
                to,
            },
            rows: staged.iter().map(|file| file.rows).sum(),
            adds: staged.into_iter().map(|file| file.add).collect(),
        })
    }

    /// Give every table of a record its files; those that have them already are left alone. The rows that became
    /// visible.
    pub(super) async fn commit_tables(&self, tables: &[PreparedTable]) -> Result<u64, Error> {
        let commits = tables.iter().map(|prepared| async move {
            let table = self.table(&prepared.path).await?;
            let mut table = table.lock().await;
            if table.txn(&prepared.txn.app_id).await? == Some(prepared.txn.to) {
                return Ok(0);
            }
            let commit = PreparedCommit {
                adds: prepared.adds.clone(),
                txns: vec![prepared.txn.clone()],
                info: HashMap::new(),
            };
            match table.commit(&commit).await? {
                CommitOutcome::Committed(_) => {
                    self.counters.committed(prepared.rows);
                    Ok(prepared.rows)
                }
                CommitOutcome::Fenced { found, .. } => Err(Error::new(
                    ErrorKind::Fenced,
                    format!(
                        "commit to `{}`: its position is {found:?}, not {:?}",
                        prepared.path, prepared.txn.from
                    ),
                )),
            }
        });
        Ok(try_join_all(commits).await?.into_iter().sum())
    }

    async fn table(
        &self,
        path: &str,
    ) -> Result<std::sync::Arc<tokio::sync::Mutex<crate::lake::delta::LakeTable>>, Error> {
        self.tables.get(path).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::Table,
                format!("open `{path}`: a position record names it, and it is gone"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_txn_grows_with_every_commit() {
        for (from, number, want) in [
            (None, 1, Some(1)),
            (None, 40, Some(40)),
            (Some(1), 2, Some(2)),
            (Some(2), 7, Some(7)),
            // At an LSN, as earlier versions left it; and the log of positions was removed.
            (Some(0x1_0000_0000), 8, Some(0x1_0000_0001)),
            (Some(7), 1, Some(8)),
            (Some(7), 7, Some(8)),
            (Some(i64::MAX), 9, None),
            (None, u64::MAX, None),
        ] {
            assert_eq!(next_txn(from, number), want, "{from:?} {number}");
        }
    }
}
