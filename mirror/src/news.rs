//! What commits of a `changes` table added.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use console::SourceLog;
use deltalake_core::{kernel::Add, logstore::LogStoreRef};
use lakewriter::lake::{Lake, delta::LoggedEntry};

use crate::{
    error::{Attempted as _, Error},
    files,
};

/// New rows, up to a version at which all of their files are active.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The last version that was read; None: nothing came.
    pub(crate) version: Option<u64>,
    pub(crate) adds: Vec<Add>,
    pub(crate) lost_rows: bool,
    /// An entry tells the table's description.
    pub(crate) describes: bool,
}

/// A fold takes about as many bytes of files at a time, whatever has come.
const BYTES_AT_A_TIME: i64 = 64 << 20;

/// What came after version `folded`, or the first part of it.
pub(crate) async fn news(log: &LogStoreRef, folded: u64) -> Result<News, Error> {
    let attempted = || format!("look for commits to `{}`", log.root_url());
    let mut news = News::default();
    let mut bytes = 0;
    let mut paths: HashSet<String> = HashSet::new();
    for version in folded + 1.. {
        let Some(entry) = LoggedEntry::read(log, version).await.attempted(attempted)? else {
            break;
        };
        // A compaction that takes files of these news: they are read as of the version before.
        if entry
            .removes
            .iter()
            .any(|remove| paths.contains(&remove.path))
        {
            break;
        }
        news.version = Some(version);
        news.lost_rows |= entry.needs_replay();
        news.describes |= entry.describes;
        for add in entry.adds.into_iter().filter(|add| add.data_change) {
            bytes += add.size;
            paths.insert(add.path.clone());
            news.adds.push(add);
        }
        if bytes >= BYTES_AT_A_TIME {
            break;
        }
    }
    Ok(news)
}

/// Files that are larger than this together are read by the reader of the whole table, which goes on on disk.
const BYTES_IN_MEMORY: i64 = 4 << 20;

/// The rows of new files with the columns of the log, read without the log: that has all other files as well, and to
/// plan a query of it takes the longer the more there are. None: they are too large, or not of the plain kind.
pub(crate) async fn read(
    lake: &Lake,
    relative: &str,
    log: &SourceLog,
    adds: &[Add],
) -> Result<Option<Vec<RecordBatch>>, Error> {
    let bytes: i64 = adds.iter().map(|add| add.size).sum();
    // A path with a percent sign is one that is written otherwise than it reads.
    let is_plain = |add: &Add| add.deletion_vector.is_none() && !add.path.contains(['%', ':']);
    if bytes > BYTES_IN_MEMORY || !adds.iter().all(is_plain) || !log.has_plain_names() {
        return Ok(None);
    }
    let columns = log.columns();
    let mut rows = Vec::new();
    for add in adds {
        match files::read_log(lake, relative, add, &columns).await? {
            Some(batches) => rows.extend(batches),
            None => return Ok(None),
        }
    }
    Ok(Some(rows))
}
