//! Checkpoint and reopening, beside the commits. Whoever reads the table replays what came after its last checkpoint, so
//! there is one every fifty commits.

use std::sync::OnceLock;

use deltalake_core::{
    DeltaTableError, checkpoints, logstore::LogStoreRef, table::state::DeltaTableState,
};
use tokio::runtime::Runtime;

use super::{
    LakeTable,
    handle::{load, open_handle},
};
use crate::{Error, error::delta_error};

/// A reader fetches at most this many log entries beside the checkpoint.
pub const COMMITS_BETWEEN_CHECKPOINTS: u32 = 50;

impl LakeTable {
    /// Count one commit; start the checkpoint when it is due.
    pub(super) fn refresh_after_commit(&mut self) {
        self.refresh.commits += 1;
        if self.refresh.commits >= COMMITS_BETWEEN_CHECKPOINTS && self.refresh.task.is_none() {
            self.refresh.commits = 0;
            self.refresh.task = maintenance()
                .map(|runtime| runtime.spawn(checkpoint_and_reopen(self.log_store.clone())));
        }
    }

    /// Take over the reopened state if it is ready. Never waits for it.
    pub(super) async fn take_refreshed(&mut self) {
        let Some(task) = self.refresh.task.take_if(|task| task.is_finished()) else {
            return;
        };
        match task.await {
            // A newer version than ours would be another writer's; our own commit must meet it and be told.
            Ok(Ok(state)) if state.version() <= self.version => self.state = state,
            Ok(Ok(_)) => self.proved = None,
            // A checkpoint only makes reading faster: the next one is tried fifty commits later.
            Ok(Err(error)) => {
                tracing::warn!(%error, table = self.relative, "checkpoint failed");
            }
            Err(error) => {
                tracing::warn!(%error, table = self.relative, "checkpoint task ended early");
            }
        }
    }

    /// Write a checkpoint if the log has so many entries behind the last one that reading becomes cheaper, as it was seen
    /// when all positions were read.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn checkpoint_if_behind(&mut self) -> Result<(), Error> {
        if self.behind < u64::from(COMMITS_BETWEEN_CHECKPOINTS) / 5 {
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
            .map_err(|error| delta_error(format!("checkpoint `{}`", self.relative), error))?;
        self.behind = 0;
        self.reload().await
    }
}

/// Where checkpoints and compactions are written: a runtime of their own that lives as long as the process. The library's blocking calls
/// panic if the runtime below them ends first, and nobody's shutdown should wait for a checkpoint; one that the process
/// does not finish is simply not there.
pub(crate) fn maintenance() -> Option<&'static Runtime> {
    static MAINTENANCE: OnceLock<Option<Runtime>> = OnceLock::new();
    MAINTENANCE
        .get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("lake-maintenance")
                .enable_all()
                .build()
                .inspect_err(|error| tracing::warn!(%error, "no threads for checkpoints"))
                .ok()
        })
        .as_ref()
}

pub(super) async fn checkpoint_and_reopen(
    log_store: LogStoreRef,
) -> Result<DeltaTableState, DeltaTableError> {
    let table = open_handle(&log_store).await?;
    checkpoints::create_checkpoint(&table, None).await?;
    load(&log_store).await
}
