//! Files that no version within the history needs, and files that no commit ever named.
//!
//! The library's own vacuum makes two commits, fails where a writer is faster than they are, and tells an upload whose
//! commit is still to come from an orphan by the same age as a file that was taken away. Here the two are two things.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{ObjectMeta, path::Path};

use crate::{
    Error,
    error::storage_error,
    lake::{Lake, delta::LakeTable, promised},
};

/// A file that no commit names may be part of one that is still to come: of a snapshot that takes days, or of a writer
/// that is cut off from the store. After this long it is an orphan.
pub const ORPHAN_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What was deleted, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Below the table's folder, in the order of their names.
    pub files: Vec<String>,
    pub bytes: u64,
}

/// Delete files that were taken away longer than `history` ago, and orphans. `dry_run` only tells them.
///
/// # Errors
/// The store's; what was deleted stays deleted.
pub async fn vacuum(
    lake: &Lake,
    table: &mut LakeTable,
    history: Duration,
    dry_run: bool,
) -> Result<Vacuumed, Error> {
    let root = lake.path(table.relative());
    // Listed before it is asked what is needed: what comes in between is in no list.
    let listed: Vec<ObjectMeta> = lake
        .store()
        .list(Some(&root))
        .try_collect()
        .await
        .map_err(|error| storage_error(format!("list the files of `{root}`"), error))?;
    table.read_on().await?;
    let taken_away = table.taken_away().await?;
    let mut needed = promised(lake, table).await?;
    needed.extend(table.files().iter().map(|file| file.path().into_owned()));
    let now = Utc::now();
    let mut unneeded: Vec<(String, ObjectMeta)> = listed
        .into_iter()
        .filter_map(|object| {
            let path = below(&root, &object.location)?;
            let needed = needed.contains(&path)
                || !is_data(&path)
                || !is_old(&path, object.last_modified, &taken_away, now, history);
            (!needed).then_some((path, object))
        })
        .collect();
    unneeded.sort_by(|(a, _), (b, _)| a.cmp(b));
    let vacuumed = Vacuumed {
        bytes: unneeded.iter().map(|(_, object)| object.size).sum(),
        files: unneeded.iter().map(|(path, _)| path.clone()).collect(),
    };
    if dry_run {
        return Ok(vacuumed);
    }
    let paths = unneeded.into_iter().map(|(_, object)| Ok(object.location));
    let deleted = lake
        .store()
        .delete_stream(futures::stream::iter(paths.collect::<Vec<_>>()).boxed());
    let deleted: Vec<_> = deleted.collect().await;
    for result in deleted {
        match result {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => {
                return Err(storage_error(
                    format!("delete unneeded files of `{root}`"),
                    error,
                ));
            }
        }
    }
    Ok(vacuumed)
}

/// The path within a folder.
fn below(root: &Path, location: &Path) -> Option<String> {
    let parts = location.prefix_match(root)?;
    let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
    Some(parts.join("/"))
}

/// Only Parquet outside of the table's own folders is ours to judge: the log, change data and files of deletion vectors
/// have rules of their own.
fn is_data(path: &str) -> bool {
    path.ends_with(".parquet")
        && !path.starts_with("_delta_log/")
        && !path.starts_with("_change_data/")
}

fn is_old(
    path: &str,
    written: DateTime<Utc>,
    taken_away: &HashMap<String, Option<i64>>,
    now: DateTime<Utc>,
    history: Duration,
) -> bool {
    let (since, age) = match taken_away.get(path) {
        // When it was taken away is not told: it was not before it was written.
        Some(millis) => {
            let taken = millis.and_then(DateTime::from_timestamp_millis);
            (taken.unwrap_or(written), history)
        }
        None => (written, ORPHAN_AGE.max(history)),
    };
    (now - since).to_std().is_ok_and(|passed| passed > age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_that_may_still_be_committed_stays() {
        let now = Utc::now();
        let ago = |hours| now - chrono::Duration::hours(hours);
        let taken = HashMap::from([
            ("long ago".to_owned(), Some(ago(7).timestamp_millis())),
            ("just now".to_owned(), Some(ago(5).timestamp_millis())),
            ("untold".to_owned(), None),
        ]);
        let history = Duration::from_secs(6 * 3600);
        for (path, written, old) in [
            ("long ago", 30, true),
            ("just now", 30, false),
            ("untold", 7, true),
            ("untold", 5, false),
            ("unknown", 30, false),
            ("unknown", 24 * 7 + 1, true),
        ] {
            let found = is_old(path, ago(written), &taken, now, history);
            assert_eq!(found, old, "{path} of {written} hours ago");
        }
    }

    #[test]
    fn the_log_is_not_data() {
        for (path, data) in [
            ("_date=2026-01-01/part-1.parquet", true),
            ("part-1.parquet", true),
            ("_delta_log/00000000000000000010.checkpoint.parquet", false),
            ("_delta_log/00000000000000000010.json", false),
            ("deletion_vector_1.bin", false),
        ] {
            assert_eq!(is_data(path), data, "{path}");
        }
    }
}
