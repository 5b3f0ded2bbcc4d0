//! The position log of direct mode: `_position/<pipeline>/<number>.json`, one small object per commit, each put with
//! `If-None-Match: *`.
//!
//! A record is the commit point of a batch that touches several tables: it holds the new position *and* the files that
//! each table must take over. Delta commits one table at a time; a process that dies between two of them leaves a
//! record behind, and whoever opens the log next finishes it (each table's `txn` says whether it is still to be done).
//! Two writers cannot both put record `n`: the loser is fenced before it has changed any table.

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use debezium::ChangePosition;
use deltalake_core::kernel::Add;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path};
use serde::{Deserialize, Serialize};
use service::Backoff;

use super::{
    Lake,
    delta::{LakeTable, TxnAdvance},
    layout::encode,
};
use crate::{
    DirectPosition, Error, ErrorKind,
    error::storage_error,
    progress::{Ended, Position},
};

/// What one table takes over with a record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PreparedTable {
    /// Folder below the lake's root.
    pub(crate) path: String,
    pub(crate) txn: TxnAdvance,
    pub(crate) rows: u64,
    pub(crate) adds: Vec<Add>,
}

/// One entry of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PositionRecord {
    /// One for this layout.
    pub(crate) format: u32,
    pub(crate) number: u64,
    /// The process that wrote it, so that it knows its own record after a lost acknowledgement.
    pub(crate) writer: String,
    pub(crate) position: DirectPosition,
    pub(crate) tables: Vec<PreparedTable>,
}

/// Records are kept this long, and never fewer than `KEPT`. A writer that paused could otherwise put a number that was
/// used and deleted while it slept; it would have to sleep an hour within one PUT.
const RETENTION: Duration = Duration::from_secs(3600);
const KEPT: usize = 16;

/// After this much silence the log is listed before it is written.
const UNVERIFIED: Duration = Duration::from_secs(600);

const MAX_ATTEMPTS: u32 = 8;

/// The files of a table that the newest record of a pipeline names and that the table has not taken over yet: this is bound
/// to happen, however long the process that must do it is away. Paths within the table's folder.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub(crate) async fn promised(lake: &Lake, table: &mut LakeTable) -> Result<HashSet<String>, Error> {
    let root = lake.path("_position");
    let listed = lake.store().list_with_delimiter(Some(&root)).await;
    let listed = listed.map_err(|error| storage_error(format!("list `{root}`"), error))?;
    let mut files = HashSet::new();
    for folder in listed.common_prefixes {
        let (_, record) = PositionLog::open_folder(lake, folder, "").await?;
        for prepared in record.into_iter().flat_map(|record| record.tables) {
            let is_due = prepared.path == table.relative()
                && table.txn(&prepared.txn.app_id).await? != Some(prepared.txn.to);
            if is_due {
                files.extend(prepared.adds.into_iter().map(|add| add.path));
            }
        }
    }
    Ok(files)
}

/// The log, open for appending.
#[derive(Debug)]
pub(crate) struct PositionLog {
    lake: Lake,
    folder: Path,
    writer: String,
    last: u64,
    /// Of the last record, and of the one that is on its way.
    position: Position<ChangePosition>,
    verified: Instant,
    kept: VecDeque<(u64, DateTime<Utc>)>,
}

impl PositionLog {
    /// Open the log of a pipeline, with its last record.
    pub(crate) async fn open(
        lake: &Lake,
        pipeline: &str,
        writer: &str,
    ) -> Result<(Self, Option<PositionRecord>), Error> {
        let folder = lake.path(&format!("_position/{}", encode(pipeline)));
        Self::open_folder(lake, folder, writer).await
    }

    async fn open_folder(
        lake: &Lake,
        folder: Path,
        writer: &str,
    ) -> Result<(Self, Option<PositionRecord>), Error> {
        let mut log = Self {
            lake: lake.clone(),
            folder,
            writer: writer.to_owned(),
            last: 0,
            position: Position::read(None),
            verified: Instant::now(),
            kept: VecDeque::new(),
        };
        log.kept = log.list().await?;
        let Some(&(number, _)) = log.kept.back() else {
            return Ok((log, None));
        };
        log.last = number;
        let bytes = log.read(number).await?;
        let record: PositionRecord = serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(
                ErrorKind::Table,
                format!("read position record `{}`", log.key(number)),
            )
            .with_source(error)
        })?;
        if record.format != 1 || record.number != number {
            return Err(Error::new(
                ErrorKind::Table,
                format!(
                    "read position record `{}`: not of this layout",
                    log.key(number)
                ),
            )
            .with_hint("a newer version of this program wrote it: use that one"));
        }
        log.position = Position::read(Some(record.position.position));
        Ok((log, Some(record)))
    }

    /// What is stored, as far as this process has seen.
    pub(crate) const fn position(&self) -> Option<ChangePosition> {
        self.position.stored()
    }

    /// The number of the next record: greater than those of all records before it.
    pub(crate) const fn next_number(&self) -> u64 {
        self.last + 1
    }

    /// The next record of this log.
    pub(crate) fn next(
        &self,
        position: DirectPosition,
        tables: Vec<PreparedTable>,
    ) -> PositionRecord {
        PositionRecord {
            format: 1,
            number: self.next_number(),
            writer: self.writer.clone(),
            position,
            tables,
        }
    }

    /// Make the record durable. After `Ok` it is the truth, whatever happens to this process.
    ///
    /// # Errors
    /// `Fenced`: another writer put this number. `Storage`: unknown; open the log again. `Defect`: it is before the
    /// position that is stored, so what is in the lake would be written again; or what became of the record before it
    /// is unknown.
    pub(crate) async fn append(&mut self, record: &PositionRecord) -> Result<(), Error> {
        let name = self.folder.to_string();
        self.position.flush(record.position.position, &name)?;
        let put = self.put(record).await;
        self.position.end(match &put {
            Ok(()) => Ended::Committed,
            Err(error) if error.kind() == ErrorKind::Fenced => Ended::Lost,
            Err(_) => Ended::Unknown,
        });
        put?;
        self.last = record.number;
        self.verified = Instant::now();
        self.kept.push_back((record.number, Utc::now()));
        self.forget_old();
        Ok(())
    }

    /// Put the record until the log is seen to hold it.
    async fn put(&self, record: &PositionRecord) -> Result<(), Error> {
        let key = self.key(record.number);
        let attempted = || format!("put position record `{key}`");
        let bytes = serde_json::to_vec(record)
            .map_err(|error| Error::new(ErrorKind::Encode, attempted()).with_source(error))?;
        if self.verified.elapsed() > UNVERIFIED
            && self
                .list()
                .await?
                .back()
                .is_some_and(|&(last, _)| last > self.last)
        {
            return Err(Error::new(ErrorKind::Fenced, attempted()));
        }
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        loop {
            let put = self
                .lake
                .store()
                .put_opts(
                    &key,
                    bytes.clone().into(),
                    PutOptions::from(PutMode::Create),
                )
                .await;
            let error = match put {
                Ok(_) => return Ok(()),
                Err(
                    object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ) => {
                    // Ours, if an acknowledgement was lost on the way.
                    if self.read(record.number).await? == bytes {
                        return Ok(());
                    }
                    return Err(Error::new(ErrorKind::Fenced, attempted()));
                }
                Err(error) => storage_error(attempted(), error),
            };
            if error.kind() != ErrorKind::Storage || backoff.attempt() + 1 >= MAX_ATTEMPTS {
                return Err(error);
            }
            let delay = backoff.next_delay();
            tracing::warn!(%error, ?delay, "putting the same record again");
            tokio::time::sleep(delay).await;
        }
    }

    /// Delete what nobody can need any more, in the background.
    fn forget_old(&mut self) {
        let mut old = Vec::new();
        while self.kept.len() > KEPT {
            match self.kept.front() {
                Some(&(number, written))
                    if (Utc::now() - written)
                        .to_std()
                        .is_ok_and(|age| age > RETENTION) =>
                {
                    old.push(Ok(self.key(number)));
                    self.kept.pop_front();
                }
                _ => break,
            }
        }
        if !old.is_empty() {
            let store = std::sync::Arc::clone(self.lake.store());
            tokio::spawn(async move {
                let mut deleted = store.delete_stream(futures::stream::iter(old).boxed());
                while let Some(result) = deleted.next().await {
                    if let Err(error) = result {
                        tracing::debug!(%error, "an old position record stays behind");
                    }
                }
            });
        }
    }

    async fn list(&self) -> Result<VecDeque<(u64, DateTime<Utc>)>, Error> {
        let attempted = || format!("list position records in `{}`", self.folder);
        let mut found: Vec<(u64, DateTime<Utc>)> = self
            .lake
            .store()
            .list(Some(&self.folder))
            .try_filter_map(|object| async move {
                let number = object
                    .location
                    .filename()
                    .and_then(|name| name.strip_suffix(".json"))
                    .and_then(|name| name.parse().ok());
                Ok(number.map(|number| (number, object.last_modified)))
            })
            .try_collect()
            .await
            .map_err(|error| storage_error(attempted(), error))?;
        found.sort_unstable();
        Ok(found.into())
    }

    async fn read(&self, number: u64) -> Result<bytes::Bytes, Error> {
        let key = self.key(number);
        let read = async { self.lake.store().get(&key).await?.bytes().await };
        read.await
            .map_err(|error| storage_error(format!("read position record `{key}`"), error))
    }

    fn key(&self, number: u64) -> Path {
        self.folder.clone().join(format!("{number:020}.json"))
    }
}
