//! One entry of a table's log, put by a caller that has read the table up to the entry before it.

use bytes::Bytes;
use deltalake_core::{
    DeltaTableError,
    kernel::transaction::{CommitData, TransactionError},
    logstore::{CommitOrBytes, LogStoreRef},
};
use uuid::Uuid;

use super::checkpoint::{checkpoint_and_reopen, maintenance};
use crate::{Error, error::delta_error, lake::Lake};

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is in.
    Done,
    /// There is an entry of this number, by somebody else or by a put whose acknowledgement was lost: what was derived
    /// from the table before it may not hold any more.
    Taken,
}

/// Put exactly this entry, as [`CommitData::get_bytes`] has it. The store refuses it if there is one of its number, so nothing can have come between the table
/// that the caller has read and the entry: no conflict has to be looked for.
///
/// # Errors
/// The store's; whether the entry is in is unknown then, and the table has to be read again.
pub async fn put_entry(
    lake: &Lake,
    relative: &str,
    version: u64,
    entry: Bytes,
) -> Result<Put, Error> {
    match write(&lake.log_store(relative)?, version, entry).await {
        Ok(()) => Ok(Put::Done),
        Err(TransactionError::VersionAlreadyExists(_)) => Ok(Put::Taken),
        Err(source) => Err(delta_error(
            format!("commit version {version} of `{relative}`"),
            DeltaTableError::Transaction { source },
        )),
    }
}

/// The same, with the library's own answer.
pub(super) async fn put(
    log_store: &LogStoreRef,
    version: u64,
    data: &CommitData,
) -> Result<(), TransactionError> {
    write(log_store, version, data.get_bytes()?).await
}

async fn write(
    log_store: &LogStoreRef,
    version: u64,
    entry: Bytes,
) -> Result<(), TransactionError> {
    log_store
        .write_commit_entry(version, CommitOrBytes::LogBytes(entry), Uuid::new_v4())
        .await
}

/// Whether the table's log ends at `version`. Asked after a silence: entries are deleted in the end, and one that was
/// written and deleted meanwhile could be written a second time.
///
/// # Errors
/// The store's.
pub async fn next_entry_is_free(lake: &Lake, relative: &str, version: u64) -> Result<bool, Error> {
    let newest = lake
        .log_store(relative)?
        .get_latest_version(version)
        .await
        .map_err(|error| delta_error(format!("look for the end of `{relative}`"), error))?;
    Ok(newest == version)
}

/// Write a checkpoint of the table, beside whatever else goes on. Where it fails, the next one is as good.
pub fn write_checkpoint(lake: &Lake, relative: &str) {
    let Ok(log_store) = lake.log_store(relative) else {
        return;
    };
    let relative = relative.to_owned();
    let Some(runtime) = maintenance() else { return };
    runtime.spawn(async move {
        if let Err(error) = checkpoint_and_reopen(log_store).await {
            tracing::warn!(%error, table = relative, "checkpoint failed");
        }
    });
}
