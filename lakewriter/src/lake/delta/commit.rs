//! The commit and its recovery.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use deltalake_core::{
    DeltaTableError,
    kernel::{
        Action, Add, Transaction,
        transaction::{CommitBuilder, CommitData, TransactionError},
    },
    protocol::{DeltaOperation, SaveMode},
};
use service::Backoff;

use super::{
    LakeTable,
    create::{PARTITION_COLUMN, quiet},
    entry::put,
    refresh::Refresh,
    retries::{MAX_ATTEMPTS, MAX_RACES, is_race},
};
use crate::{
    Error, ErrorKind,
    error::delta_error,
    progress::{Reread, TxnAdvance},
};

/// Uploaded files and the positions that become true with them.
#[derive(Debug, Clone, Default)]
pub struct PreparedCommit {
    pub adds: Vec<Add>,
    pub txns: Vec<TxnAdvance>,
    /// Goes into `commitInfo`, for humans.
    pub info: HashMap<String, serde_json::Value>,
}

/// How a commit ended, as the table itself says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOutcome {
    /// In; the table's version now.
    Committed(u64),
    /// Another writer moved a position: nothing of this commit may be written any more.
    Fenced { app_id: String, found: Option<i64> },
}

/// After this much silence a commit looks before it writes: entries are kept for a history of hours, and one that was written and
/// deleted again in between could be written a second time.
const UNPROVED: Duration = Duration::from_secs(600);

/// So many positions are asked for one by one, each at the cost of reading the log: most are known without a request.
const FEW_POSITIONS: usize = 4;

/// Attempts to read the table after an error, before the caller starts over from durable state.
const MAX_RELOADS: u32 = 8;

impl LakeTable {
    /// Commit, and find out what became of it whatever the library says.
    ///
    /// # Errors
    /// `Storage`: the table could not be read back, or the store keeps refusing; whether the commit is in is unknown
    /// until the table is opened again. `Encode`: the commit moves no position, so it could not be recovered.
    pub async fn commit(&mut self, prepared: &PreparedCommit) -> Result<CommitOutcome, Error> {
        if prepared.txns.iter().all(|txn| txn.from == Some(txn.to)) {
            return Err(Error::new(
                ErrorKind::Encode,
                format!("commit to `{}`: it moves no position", self.relative),
            ));
        }
        self.take_refreshed().await;
        self.mend_overwritten().await?;
        if self
            .proved
            .is_none_or(|proved| proved.elapsed() >= UNPROVED)
        {
            self.proved = None;
            self.catch_up().await.map_err(|error| {
                delta_error(format!("read the commits of `{}`", self.relative), error)
            })?;
        }
        match self.standing(prepared).await? {
            Reread::Open => {}
            Reread::Committed => return Ok(CommitOutcome::Committed(self.version)),
            Reread::Lost { app_id, found } => {
                return Ok(CommitOutcome::Fenced { app_id, found });
            }
        }
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut races = Backoff::new(Duration::from_millis(5), Duration::from_millis(50));
        loop {
            let error = match self.try_commit(prepared).await {
                Ok(()) => {
                    self.own.put(self.version, &prepared.adds, &prepared.txns);
                    for txn in &prepared.txns {
                        self.txns.insert(txn.app_id.clone(), Some(txn.to));
                    }
                    self.activity.count(&self.relative);
                    self.refresh_after_commit();
                    return Ok(CommitOutcome::Committed(self.version));
                }
                Err(error) => error,
            };
            tracing::debug!(%error, table = self.relative, "commit answered an error: reading the table back");
            let raced = is_race(&error) && races.attempt() < MAX_RACES;
            if raced {
                tokio::time::sleep(races.next_delay()).await;
            }
            let read_on = if raced {
                match self.read_on().await {
                    Ok(()) => self.standing(prepared).await.ok(),
                    Err(_) => None,
                }
            } else {
                None
            };
            let error = delta_error(format!("commit to `{}`", self.relative), error);
            let standing = match read_on {
                Some(standing) => standing,
                None => self.recover(prepared).await?,
            };
            match standing {
                Reread::Committed => return Ok(CommitOutcome::Committed(self.version)),
                Reread::Lost { app_id, found } => {
                    return Ok(CommitOutcome::Fenced { app_id, found });
                }
                Reread::Open if raced => {
                    // Another writer of the same table was faster, with other partitions or columns. The table was read
                    // to its end just now, and nothing in it concerns these positions: the entry behind that end is put
                    // at once. Whoever looks longer loses against a writer that puts one entry after the other.
                    self.proved = Some(Instant::now());
                }
                Reread::Open if backoff.attempt() + 1 >= MAX_ATTEMPTS => return Err(error),
                Reread::Open => {
                    let delay = backoff.next_delay();
                    tracing::warn!(
                        %error, table = self.relative, attempt = backoff.attempt(), ?delay,
                        "commit is not in the table: committing the same files again"
                    );
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }

    async fn try_commit(&mut self, prepared: &PreparedCommit) -> Result<(), DeltaTableError> {
        let actions: Vec<Action> = prepared.adds.iter().cloned().map(Action::Add).collect();
        let transactions: Vec<Transaction> = prepared
            .txns
            .iter()
            .map(|txn| Transaction::new(&txn.app_id, txn.to))
            .collect();
        let operation = append();
        if self
            .proved
            .is_some_and(|proved| proved.elapsed() < UNPROVED)
        {
            // Nobody else wrote up to `version`, so there is nothing to conflict with: the next entry is put, and the
            // store refuses it if somebody was faster. One request, however old and large the table is.
            let data = CommitData::new(actions, operation, prepared.info.clone(), transactions);
            let version = self.version + 1;
            put(&self.log_store, version, &data).await?;
            self.version = version;
        } else {
            // The library lists what is newer than the snapshot and checks it for conflicts.
            let properties = quiet()
                .with_metadata(prepared.info.clone())
                .with_application_transactions(transactions);
            let finalized = CommitBuilder::from(properties)
                .with_actions(actions)
                .build(Some(&self.state), self.log_store.clone(), operation)
                .await?;
            self.version = finalized.version;
            self.state = finalized.snapshot;
        }
        self.proved = Some(Instant::now());
        Ok(())
    }

    /// Bring the state up to the version that is known.
    async fn catch_up(&mut self) -> Result<(), DeltaTableError> {
        if self.state.version() < self.version {
            self.state
                .update(&self.log_store, Some(self.version))
                .await?;
        }
        Ok(())
    }

    /// Read what was committed since the table was read last.
    ///
    /// # Errors
    /// The store's.
    pub async fn read_on(&mut self) -> Result<(), Error> {
        let updated = self.state.update(&self.log_store, None).await;
        updated.map_err(|error| {
            delta_error(format!("read the commits of `{}`", self.relative), error)
        })?;
        self.own.read_on(self.version, self.state.version());
        self.version = self.state.version();
        self.proved = None;
        self.forget_txns();
        self.refresh = Refresh::default();
        Ok(())
    }

    /// Reload, however often it takes, and see where the positions stand.
    async fn recover(&mut self, prepared: &PreparedCommit) -> Result<Reread, Error> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let read = match self.reload().await {
                Ok(()) => self.standing(prepared).await,
                Err(error) => Err(error),
            };
            match read {
                Ok(standing) => return Ok(standing),
                Err(error) if backoff.attempt() + 1 >= MAX_RELOADS => return Err(error),
                Err(error) => {
                    let delay = backoff.next_delay();
                    tracing::warn!(%error, table = self.relative, ?delay, "the table cannot be read back yet");
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }

    /// What the table says of the commit.
    async fn standing(&mut self, prepared: &PreparedCommit) -> Result<Reread, Error> {
        // Of many positions the log is read once.
        if prepared.txns.len() > FEW_POSITIONS {
            self.know_txns().await?;
        }
        let mut found = Vec::with_capacity(prepared.txns.len());
        for txn in &prepared.txns {
            found.push(self.txn(&txn.app_id).await?);
        }
        Ok(Reread::of(&prepared.txns, &found))
    }
}

/// What a commit of rows calls itself in Delta's words.
pub(super) fn append() -> DeltaOperation {
    DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: Some(vec![PARTITION_COLUMN.to_owned()]),
        predicate: None,
    }
}

/// Whether an error of the library says that the schema changed under us.
pub(super) fn is_metadata_conflict(error: &DeltaTableError) -> bool {
    matches!(
        error,
        DeltaTableError::Transaction {
            source: TransactionError::CommitConflict(
                deltalake_core::kernel::transaction::CommitConflictError::MetadataChanged
            )
        }
    )
}
