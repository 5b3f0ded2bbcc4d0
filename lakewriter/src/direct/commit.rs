use std::{collections::HashMap, time::Duration};

use futures::future::try_join_all;
use tokio::sync::OwnedMutexGuard;

use super::{DirectPosition, Shared, open_batch::TakenBatch};
use crate::{
    Error, ErrorKind,
    error::task_ended,
    lake::{
        PreparedTable,
        delta::{CommitOutcome, PreparedCommit, StagedFile, TxnAdvance},
    },
    progress::now_micros,
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
        let to = i64::try_from(end.position.commit_lsn).map_err(|error| {
            Error::new(ErrorKind::Encode, format!("commit at {}", end.position)).with_source(error)
        })?;
        let mut prepared = Vec::with_capacity(files.len());
        for (path, staged) in files {
            prepared.push(self.prepare(path, staged, to).await?);
        }
        prepared.sort_by(|left, right| left.path.cmp(&right.path));

        let mut log = self.log.lock().await;
        let record = log.next(end.clone(), prepared);
        log.append(&record).await?;
        drop(log);
        let rows = self.commit_tables(&record.tables).await?;
        self.progress.visible(&taken.times, now_micros());
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
        to: i64,
    ) -> Result<PreparedTable, Error> {
        let table = self.table(&path).await?;
        let from = table.lock().await.txn(&self.app_id).await?;
        if from.is_some_and(|from| from >= to) {
            return Err(Error::new(
                ErrorKind::Table,
                format!("commit to `{path}`: it stands at {from:?}, the batch ends at {to}"),
            )
            .with_hint("the lake belongs to another database cluster or another history of it"));
        }
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
                    self.progress.committed(prepared.rows);
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
