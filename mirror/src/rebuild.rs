//! `current` made anew: all latest rows of the log, in the order of their keys, to large files, and one commit that puts
//! them in the place of what was there.

use std::{collections::BTreeSet, time::Duration};

use arrow::array::RecordBatch;
use console::{SourceLog, Told};
use deltalake_core::kernel::Add;
use futures::StreamExt as _;
use lakewriter::lake::Lake;

use crate::{
    current::{self, Before, Outcome},
    error::{Attempted as _, Error},
    files,
    folded::Progress,
};

/// A file is finished when its rows take this much in memory; on disk it is a third of that and less.
const BYTES_OF_A_FILE: usize = 128 << 20;

/// Rows of a file at most: one row group.
const ROWS_OF_A_FILE: usize = 1 << 20;

/// Makes the table as of the log's version.
pub(crate) async fn rebuild(
    lake: &Lake,
    relative: &str,
    log: &SourceLog,
    before: Option<Before>,
    history: Duration,
) -> Result<Outcome, Error> {
    let attempted = || format!("read the latest rows of {}", log.name());
    let mut progress = Progress {
        changes_version: log.version(),
        through: log
            .newest()
            .await
            .attempted(attempted)?
            .unwrap_or((0, 0, -1)),
        snapshot: log.snapshot().await.attempted(attempted)?,
        open_halves: log
            .open_moves()
            .await
            .attempted(attempted)?
            .into_iter()
            .collect::<BTreeSet<_>>(),
        evidence: None,
    };
    let mut adds: Vec<Add> = Vec::new();
    let mut open: Vec<RecordBatch> = Vec::new();
    let (mut bytes, mut rows) = (0, 0);
    let told = Told::default();
    let latest = log.latest_telling(&told).attempted(attempted)?;
    let mut latest = latest.execute_stream().await.attempted(attempted)?;
    while let Some(batch) = latest.next().await {
        let batch = batch.attempted(attempted)?;
        if batch.num_rows() == 0 {
            continue;
        }
        bytes += batch.get_array_memory_size();
        rows += batch.num_rows();
        let columns = batch.columns().to_vec();
        let batch = RecordBatch::try_new(log.schema().clone(), columns).attempted(attempted)?;
        open.push(batch);
        if bytes >= BYTES_OF_A_FILE || rows >= ROWS_OF_A_FILE {
            adds.push(files::write(lake, relative, std::mem::take(&mut open)).await?);
            (bytes, rows) = (0, 0);
        }
    }
    if !open.is_empty() {
        adds.push(files::write(lake, relative, open).await?);
    }
    progress.evidence = Some(told.evidence());
    current::replace(lake, relative, before, log, history, adds, &progress).await
}
