//! A commit that takes files of a table away and puts others with the same rows in their place.
//!
//! Invariant: the entry of version n+1 is put only if at version n every file that it takes away was in the table, with
//! the deletion vector that was read. The store refuses a second entry of one version, so the table at n is what the
//! entry follows, whoever else writes. What an error means is read from the table: our files are in it or not.

use std::collections::HashMap;

use deltalake_core::{
    DeltaTableError,
    kernel::transaction::CommitData,
    kernel::{Action, Add, Remove},
    protocol::DeltaOperation,
};

use super::{LakeTable, entry::put, logged_entry::ROWS_KEPT, retries::Retries};
use crate::{Error, error::delta_error};

/// Files of one table and what stands for them from now on.
#[derive(Debug, Clone)]
pub(crate) struct Replacement {
    pub(crate) removes: Vec<Remove>,
    /// Under names that no other attempt uses.
    pub(crate) adds: Vec<Add>,
    /// Bytes that a finished file should have, for the log's reader.
    pub(crate) target_bytes: u64,
    /// Goes into `commitInfo`, for humans.
    pub(crate) info: HashMap<String, serde_json::Value>,
}

/// How it ended, as the table itself says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// In; the table's version then.
    Committed(u64),
    /// Another writer took one of the files away first. The new files may be deleted.
    Overtaken,
}

enum Standing {
    Before,
    After,
    Overtaken,
}

impl LakeTable {
    /// Replace files, and find out what became of it whatever the store answers.
    ///
    /// # Errors
    /// `Storage`: the table could not be read, or the store keeps refusing. Whether the replacement is in is unknown
    /// then; both states show the same rows, and the new files must be left where they are.
    pub(crate) async fn replace(&mut self, replacement: &Replacement) -> Result<Replaced, Error> {
        let attempted = format!("replace files of `{}`", self.relative);
        let mut retries = Retries::new();
        loop {
            self.read_on().await?;
            match self.standing_of_files(replacement) {
                Standing::Before => {}
                Standing::After => return Ok(Replaced::Committed(self.version)),
                Standing::Overtaken => return Ok(Replaced::Overtaken),
            }
            let Err(error) = self.put_replacement(replacement).await else {
                self.version += 1;
                return Ok(Replaced::Committed(self.version));
            };
            let Some(delay) = retries.after(&error) else {
                return Err(delta_error(attempted, error));
            };
            tracing::debug!(%error, table = self.relative, ?delay, "reading the table back, then replacing its files again");
            tokio::time::sleep(delay).await;
        }
    }

    fn standing_of_files(&self, replacement: &Replacement) -> Standing {
        let mut missing: HashMap<&str, &Remove> = replacement
            .removes
            .iter()
            .map(|remove| (remove.path.as_str(), remove))
            .collect();
        let added = replacement.adds.first();
        for file in self.state.log_data().iter() {
            let path = file.path();
            if added.is_some_and(|added| added.path == *path) {
                // Adds and removes are one entry: where one of ours is, all are.
                return Standing::After;
            }
            if let Some(remove) = missing.get(&*path)
                && remove.deletion_vector == file.deletion_vector_descriptor()
            {
                missing.remove(&*path);
            }
        }
        if missing.is_empty() {
            Standing::Before
        } else {
            Standing::Overtaken
        }
    }

    fn info(replacement: &Replacement) -> HashMap<String, serde_json::Value> {
        let mut info = replacement.info.clone();
        info.insert(ROWS_KEPT.to_owned(), true.into());
        info
    }

    /// Put the entry behind the version that was read last.
    async fn put_replacement(&self, replacement: &Replacement) -> Result<(), DeltaTableError> {
        let removes = replacement.removes.iter().cloned().map(Action::Remove);
        let adds = replacement.adds.iter().cloned().map(Action::Add);
        // The table's own description, unchanged. delta-rs 1.x lets an OPTIMIZE that began before this entry commit behind
        // it, because it overlooks files that were taken away without a change of data, and every row would be there
        // twice. An entry that tells the table's description is one that it does not overlook.
        let metadata = Action::Metadata(self.state.metadata().clone());
        let operation = DeltaOperation::Optimize {
            predicate: None,
            target_size: i64::try_from(replacement.target_bytes).unwrap_or(i64::MAX),
        };
        let data = CommitData::new(
            removes.chain(adds).chain([metadata]).collect(),
            operation,
            Self::info(replacement),
            Vec::new(),
        );
        Ok(put(&self.log_store, self.version + 1, &data).await?)
    }
}
