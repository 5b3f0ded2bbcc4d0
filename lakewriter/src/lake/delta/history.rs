//! What the log of a table tells people: its versions, and how large it is.

use deltalake_core::{kernel::Action, logstore::get_actions};

use super::LakeTable;
use crate::{Error, error::delta_error, lake::decisions::decisions};

/// One commit.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionEntry {
    pub version: u64,
    /// When it was made, milliseconds since the Unix epoch, by the clock of its writer.
    pub millis: Option<i64>,
    /// In Delta's words: `WRITE`, `OPTIMIZE`, `ADD COLUMN`, ...
    pub operation: String,
    /// Files that it added, and their rows where their statistics tell.
    pub files_added: u64,
    pub rows_added: u64,
    pub files_taken_away: u64,
    /// It changed the table's columns or properties.
    pub changes_table: bool,
    /// Positions that it moved, by the names of their sources.
    pub positions: Vec<(String, i64)>,
}

/// A table's size as its readers meet it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSize {
    pub version: u64,
    pub files: u64,
    pub bytes: u64,
    /// None where the statistics of a file do not tell.
    pub rows: Option<u64>,
    pub smallest_file: u64,
    pub largest_file: u64,
    /// Rows that deletion vectors hide; they are counted in none of the above.
    pub hidden_rows: u64,
    /// Files of older versions that are still there.
    pub taken_away: u64,
}

impl LakeTable {
    /// The newest versions, the newest first; fewer where older entries of the log are gone.
    ///
    /// # Errors
    /// The store's, or an entry that cannot be read.
    pub async fn history(&self, limit: usize) -> Result<Vec<VersionEntry>, Error> {
        let mut entries = Vec::new();
        for version in (0..=self.version).rev().take(limit) {
            let failed = |error| {
                delta_error(
                    format!("read version {version} of `{}`", self.relative),
                    error,
                )
            };
            let entry = self.log_store.read_commit_entry(version).await;
            let Some(bytes) = entry.map_err(failed)? else {
                break;
            };
            entries.push(read_entry(
                version,
                get_actions(version, &bytes).map_err(failed)?,
            ));
        }
        Ok(entries)
    }

    /// What became of the changes of the source table's columns and key, the oldest first.
    ///
    /// # Errors
    /// `Table` if the recorded versions cannot be read.
    pub fn decisions(&self) -> Result<Vec<String>, Error> {
        Ok(decisions(&self.source_versions()?))
    }

    /// How large the table is.
    ///
    /// # Errors
    /// The store's.
    pub async fn size(&self) -> Result<TableSize, Error> {
        let mut size = TableSize {
            version: self.version,
            files: 0,
            bytes: 0,
            rows: Some(0),
            smallest_file: u64::MAX,
            largest_file: 0,
            hidden_rows: 0,
            taken_away: self.taken_away().await?.len() as u64,
        };
        for file in self.files() {
            let bytes = file.size().unsigned_abs();
            let hidden = file
                .deletion_vector_descriptor()
                .map_or(0, |vector| vector.cardinality.unsigned_abs());
            let rows = file.num_records().map(|rows| rows as u64);
            size.files += 1;
            size.bytes += bytes;
            size.hidden_rows += hidden;
            size.rows = size
                .rows
                .zip(rows)
                .map(|(all, rows)| all + rows.saturating_sub(hidden));
            size.smallest_file = size.smallest_file.min(bytes);
            size.largest_file = size.largest_file.max(bytes);
        }
        size.smallest_file = size.smallest_file.min(size.largest_file);
        Ok(size)
    }
}

fn read_entry(version: u64, actions: Vec<Action>) -> VersionEntry {
    let mut entry = VersionEntry {
        version,
        millis: None,
        operation: String::new(),
        files_added: 0,
        rows_added: 0,
        files_taken_away: 0,
        changes_table: false,
        positions: Vec::new(),
    };
    for action in actions {
        match action {
            Action::Add(add) => {
                entry.files_added += 1;
                let stats: Option<serde_json::Value> = add
                    .stats
                    .as_deref()
                    .and_then(|stats| serde_json::from_str(stats).ok());
                let rows = stats.and_then(|stats| stats.get("numRecords")?.as_u64());
                entry.rows_added += rows.unwrap_or_default();
            }
            Action::Remove(_) => entry.files_taken_away += 1,
            Action::Metadata(_) | Action::Protocol(_) => entry.changes_table = true,
            Action::Txn(txn) => entry.positions.push((txn.app_id, txn.version)),
            Action::CommitInfo(info) => {
                entry.millis = info.in_commit_timestamp.or(info.timestamp);
                entry.operation = info.operation.unwrap_or_default();
            }
            Action::Cdc(_) | Action::DomainMetadata(_) => {}
        }
    }
    // A compaction restates what the table is and changes nothing of it.
    entry.changes_table &= entry.operation != "OPTIMIZE";
    entry
}
