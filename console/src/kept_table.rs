//! The Delta table `current` of a source table, as its keeper left it: what its last commit says, and whether that still
//! holds. Who keeps it and who reads it ask the same.

use std::{collections::BTreeSet, sync::Arc};

use datafusion::{catalog::TableProvider, prelude::SessionContext};
use deltalake_core::logstore::LogStoreRef;
use futures::{StreamExt as _, TryStreamExt as _};
use lakewriter::lake::{CHANGES, CURRENT, Lake, Since, delta::LoggedEntry};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    doubt::Evidence,
    tables::{self, Boxed},
};

/// The name under which `current` keeps the version of `changes` that it is the fold of.
pub const CURRENT_APP_ID: &str = "tributary/current";

/// What a commit says of itself stands in its `commitInfo` under this name.
pub const CURRENT_INFO: &str = "tributary";

/// The property that tells what the rows were made under: [`hashed_shape`].
pub const CURRENT_SHAPE: &str = "tributary.current_of";

/// So many foreign entries behind the last of ours are looked at for whether they touch a row.
const MOST_FOREIGN: u64 = 50;

/// Changes behind `current` are held in memory by their keys: with more commits or bytes of files than these the whole log
/// is replayed, which divides its keys into parts.
const MOST_COMMITS: u64 = 1000;
const MOST_BYTES: i64 = 8 << 20;

/// Entries of a log that are read at a time.
const READ_AT_ONCE: usize = 16;

/// What every commit to `current` says of itself, in `commitInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// `current` is the fold of `changes` up to this version of it.
    pub changes_version: u64,
    /// Position of the last change in it: incarnation, LSN, ordinal. Where the changes of a table come through one
    /// partition or without Kafka, `current` equals its source at this LSN.
    pub through: Since,
    /// Incarnation and LSN of the newest snapshot whose rows are in it.
    pub snapshot: Option<(i64, i64)>,
    /// Incarnation and LSN of moved keys whose old half had not come, and with it values that PostgreSQL did not send.
    pub open_halves: BTreeSet<(i64, i64)>,
    /// What the folded changes showed beside the rows, for the notices of queries. None: nobody knows, and who wants to
    /// know replays the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// A shape in the table's configuration: the text has all versions of the table.
pub fn hashed_shape(shape: &str) -> String {
    let digest = Sha256::digest(shape.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the keeper's last commit said, if nobody touched a row or the columns since.
///
/// # Errors
/// An entry of the table's log cannot be read.
pub async fn last_progress(log: &LogStoreRef, newest: u64) -> Result<Option<Progress>, Boxed> {
    for version in (newest.saturating_sub(MOST_FOREIGN)..=newest).rev() {
        // Entries are deleted in the end: then nobody knows who wrote it.
        let Some(entry) = LoggedEntry::read(log, version).await? else {
            return Ok(None);
        };
        let said = entry.info.as_ref().and_then(|info| info.get(CURRENT_INFO));
        let is_keepers = entry.txns.iter().any(|(app, _)| app == CURRENT_APP_ID);
        if let (Some(said), true) = (said, is_keepers) {
            let progress = serde_json::from_value(said.clone());
            return progress.map(Some).map_err(|error| {
                format!("version {version} of it says of itself what nobody can read: {error}")
                    .into()
            });
        }
        if entry.keeps_rows() {
            continue;
        }
        if entry.describes || !entry.adds.is_empty() || !entry.removes.is_empty() {
            return Ok(None);
        }
    }
    Ok(None)
}

/// `current` at its newest version.
#[derive(Clone)]
pub(crate) struct KeptTable {
    pub(crate) rows: Arc<dyn TableProvider>,
    pub(crate) progress: Progress,
    pub(crate) shape: String,
}

/// `current` beside the log in this folder; None where there is none, or another program changed its rows.
pub(crate) async fn kept_table(
    lake: &Lake,
    session: &SessionContext,
    changes: &str,
) -> Result<Option<KeptTable>, Boxed> {
    let Some(table) = changes.strip_suffix(CHANGES) else {
        return Ok(None);
    };
    let folder = format!("{table}{CURRENT}");
    if !lake.is_delta_table(&folder).await? {
        return Ok(None);
    }
    let (delta, rows) = tables::provider(lake, session, &folder, None).await?;
    let log = lake.log_store(&folder)?;
    let snapshot = delta.snapshot()?;
    let state = snapshot.snapshot();
    let txn = state.transaction_version(log.as_ref(), CURRENT_APP_ID);
    let txn = txn.await?;
    let shape = snapshot.metadata().configuration().get(CURRENT_SHAPE);
    let progress = last_progress(&log, snapshot.version()).await?;
    // The two are written by one commit: another program's would have to copy both.
    let progress = progress.filter(|progress| txn == i64::try_from(progress.changes_version).ok());
    Ok(progress.zip(shape).map(|(progress, shape)| KeptTable {
        rows,
        progress,
        shape: shape.clone(),
    }))
}

/// Files of the log with the changes that were committed after version `folded` of it, up to `version`. None: they cannot
/// be told from others, or are too many to be held in memory.
pub(crate) async fn files_behind(
    log: &LogStoreRef,
    folded: u64,
    version: u64,
) -> Result<Option<Vec<String>>, Boxed> {
    if folded > version || version - folded > MOST_COMMITS {
        return Ok(None);
    }
    let entries = futures::stream::iter(folded + 1..=version).map(|at| LoggedEntry::read(log, at));
    let entries: Vec<Option<LoggedEntry>> = entries.buffered(READ_AT_ONCE).try_collect().await?;
    let mut files: Vec<String> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let Some(entry) = entry else {
            return Ok(None);
        };
        // Rows that were declared to be gone may be in `current`; a file of these changes that was written anew has others
        // beside them.
        let mut removes = entry.removes.iter();
        if entry.needs_replay() || removes.any(|remove| files.contains(&remove.path)) {
            return Ok(None);
        }
        for add in entry.adds.into_iter().filter(|add| add.data_change) {
            bytes += add.size;
            files.push(add.path);
        }
        if bytes > MOST_BYTES {
            return Ok(None);
        }
    }
    Ok(Some(files))
}
