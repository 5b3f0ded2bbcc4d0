//! Old entries of a table's log, and checkpoints that newer ones stand for.
//!
//! A version can be read as long as there is a checkpoint at or below it and every entry from there on. Entries go when
//! they are older than the history that is kept, and only below a checkpoint. Of the checkpoints within the history one
//! an hour stays: at a commit every two seconds there is a new one every hundred seconds, each with every file.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;

use crate::{
    Error,
    error::storage_error,
    lake::{Lake, delta::LakeTable},
};

/// Whoever has begun to read from a checkpoint has read it by then.
const BEING_READ: Duration = Duration::from_secs(600);

/// Of the checkpoints within one such time the first stays.
const SPACING: Duration = Duration::from_secs(3600);

/// The newest ones stay whatever their age.
const NEWEST: usize = 2;

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Entries of the log and checkpoints from before the history that is kept.
    pub entries: u64,
    /// Checkpoints within it.
    pub checkpoints: u64,
}

/// Delete what no version within `history` needs.
///
/// # Errors
/// The store's; what was deleted stays deleted, and the rest is found the next time.
pub async fn expire(
    lake: &Lake,
    table: &mut LakeTable,
    history: Duration,
) -> Result<Expired, Error> {
    let now = Utc::now();
    let history = chrono::Duration::from_std(history).unwrap_or(chrono::Duration::MAX);
    let Some(cutoff) = now.checked_sub_signed(history) else {
        return Ok(Expired::default());
    };
    let entries = table
        .delete_expired_entries(cutoff.timestamp_millis())
        .await? as u64;
    let log = lake.path(&format!("{}/_delta_log", table.relative()));
    let failed = |error| storage_error(format!("delete old checkpoints in `{log}`"), error);
    let listed: Vec<_> = lake
        .store()
        .list(Some(&log))
        .try_collect()
        .await
        .map_err(failed)?;
    let mut checkpoints: Vec<Checkpoint> = listed
        .iter()
        .filter_map(|object| Checkpoint::read(&object.location, object.last_modified))
        .collect();
    let unneeded = unneeded(&mut checkpoints, now);
    let checkpoints = unneeded.len() as u64;
    let paths = futures::stream::iter(unneeded.into_iter().map(Ok)).boxed();
    let deleted: Vec<_> = lake.store().delete_stream(paths).collect().await;
    for result in deleted {
        match result {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(Expired {
        entries,
        checkpoints,
    })
}

/// A checkpoint of one file, as this program and most others write them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Checkpoint {
    version: u64,
    written: DateTime<Utc>,
    path: Path,
}

impl Checkpoint {
    fn read(path: &Path, written: DateTime<Utc>) -> Option<Self> {
        let version = path.filename()?.strip_suffix(".checkpoint.parquet")?;
        let all_digits = version.len() == 20 && version.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self {
            version: version.parse().ok().filter(|_| all_digits)?,
            written,
            path: path.clone(),
        })
    }
}

/// The oldest stays, because entries below it may be gone; the newest stay; between them one for each [`SPACING`].
fn unneeded(checkpoints: &mut [Checkpoint], now: DateTime<Utc>) -> Vec<Path> {
    checkpoints.sort_by_key(|checkpoint| checkpoint.version);
    let Some((oldest, rest)) = checkpoints.split_first() else {
        return Vec::new();
    };
    let between = rest.get(..rest.len().saturating_sub(NEWEST));
    let mut kept = oldest.written;
    let mut unneeded = Vec::new();
    for checkpoint in between.unwrap_or_default() {
        let age = (now - checkpoint.written).to_std().unwrap_or_default();
        let since_kept = (checkpoint.written - kept).to_std().unwrap_or_default();
        if age < BEING_READ || since_kept >= SPACING {
            kept = checkpoint.written;
        } else {
            unneeded.push(checkpoint.path.clone());
        }
    }
    unneeded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_checkpoint_an_hour_stays() {
        let now = Utc::now();
        let written = |minutes_ago| now - chrono::Duration::minutes(minutes_ago);
        let mut checkpoints: Vec<Checkpoint> = (0..=150)
            .map(|number: i64| {
                let path = format!("t/_delta_log/{:020}.checkpoint.parquet", 50 * number);
                Checkpoint::read(&Path::from(path), written(150 - number)).expect("a checkpoint")
            })
            .collect();
        let gone = unneeded(&mut checkpoints, now);
        checkpoints.retain(|checkpoint| !gone.contains(&checkpoint.path));
        let ages: Vec<i64> = checkpoints
            .iter()
            .map(|checkpoint| (now - checkpoint.written).num_minutes())
            .collect();
        assert_eq!(ages, [150, 90, 30, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
        assert_eq!(unneeded(&mut checkpoints, now), []);
    }

    #[test]
    fn other_files_of_the_log_are_no_checkpoints() {
        for name in [
            "00000000000000000010.json",
            "_last_checkpoint",
            "00000000000000000010.checkpoint.0000000001.0000000002.parquet",
            "0010.checkpoint.parquet",
        ] {
            let path = Path::from(format!("t/_delta_log/{name}"));
            assert_eq!(Checkpoint::read(&path, Utc::now()), None, "{name}");
        }
    }
}
