//! Checkpoint and reopening, beside the commits: a handle that lives long gets slower with each commit (every one adds
//! a batch that later ones replay), one that was opened from a fresh checkpoint is fast again.

use deltalake_core::{
    DeltaTableError, checkpoints, logstore::LogStoreRef, table::state::DeltaTableState,
};
use tokio::task::JoinHandle;

use super::{
    LakeTable,
    table::{load, open_handle},
};
use crate::Error;

/// Measured: 6 ms a commit grows to 21 ms after 200 commits without; it stays at 11 ms with 50 or fewer.
const COMMITS_BETWEEN_CHECKPOINTS: u32 = 50;

/// How far the running handle is from its checkpoint.
#[derive(Default)]
pub(super) struct Refresh {
    commits: u32,
    task: Option<JoinHandle<Result<DeltaTableState, DeltaTableError>>>,
}

impl LakeTable {
    /// Count one commit; start the checkpoint when it is due.
    pub(super) fn refresh_after_commit(&mut self) {
        self.refresh.commits += 1;
        if self.refresh.commits >= COMMITS_BETWEEN_CHECKPOINTS && self.refresh.task.is_none() {
            self.refresh.commits = 0;
            self.refresh.task = Some(tokio::spawn(checkpoint_and_reopen(self.log_store.clone())));
        }
    }

    /// Take over the reopened state if it is ready. Never waits for it.
    pub(super) async fn take_refreshed(&mut self) -> Result<(), Error> {
        let Some(task) = self.refresh.task.take_if(|task| task.is_finished()) else {
            return Ok(());
        };
        let mut state = match task.await {
            Ok(Ok(state)) => state,
            // A checkpoint only makes reading faster: the next one is tried fifty commits later.
            Ok(Err(error)) => {
                tracing::warn!(%error, table = self.relative, "checkpoint failed");
                return Ok(());
            }
            Err(error) => {
                tracing::warn!(%error, table = self.relative, "checkpoint task ended early");
                return Ok(());
            }
        };
        if state.version() < self.state.version() {
            let version = self.state.version();
            state
                .update(&self.log_store, Some(version))
                .await
                .map_err(|error| Error::delta(format!("reopen `{}`", self.relative), error))?;
        }
        // A newer version than ours would be another writer's; our own commit must meet it and be told.
        if state.version() == self.state.version() {
            self.state = state;
        }
        Ok(())
    }

    /// Write a checkpoint if the table is old enough for one to make reading cheaper.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn checkpoint_if_behind(&mut self) -> Result<(), Error> {
        if self.version() < u64::from(COMMITS_BETWEEN_CHECKPOINTS) / 5 {
            return Ok(());
        }
        self.checkpoint().await
    }

    /// Write a checkpoint now and reopen from it.
    ///
    /// # Errors
    /// The store's.
    pub async fn checkpoint(&mut self) -> Result<(), Error> {
        checkpoint_and_reopen(self.log_store.clone())
            .await
            .map_err(|error| Error::delta(format!("checkpoint `{}`", self.relative), error))?;
        self.reload().await
    }
}

async fn checkpoint_and_reopen(log_store: LogStoreRef) -> Result<DeltaTableState, DeltaTableError> {
    let table = open_handle(&log_store).await?;
    checkpoints::create_checkpoint(&table, None).await?;
    load(&log_store).await
}
