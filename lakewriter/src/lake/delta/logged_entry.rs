//! One entry of a table's log as it is read, to go on from what another program or an earlier life committed.

use deltalake_core::{
    kernel::{Action, Add, Remove},
    logstore::LogStoreRef,
};

use crate::{
    Error,
    error::{ErrorKind, delta_error},
};

/// In the `commitInfo` of a commit that replaces files: the rows are those that were there before.
pub(super) const ROWS_KEPT: &str = "tributaryRowsKept";

/// In the `commitInfo` of a commit that has the rows of entries that are gone: they stand behind later ones, and what was
/// made of the entry that took their place is not known.
pub(super) const MENDED: &str = "tributaryMended";

/// What an entry has of files, positions, and of itself.
#[derive(Debug, Default)]
pub struct LoggedEntry {
    /// The whole `commitInfo`, with what its writer put into it.
    pub info: Option<serde_json::Value>,
    /// It describes the table: columns, properties, protocol.
    pub describes: bool,
    /// Files that it added.
    pub adds: Vec<Add>,
    /// Files that it took away.
    pub removes: Vec<Remove>,
    /// Positions that it moved, by the names of their sources.
    pub txns: Vec<(String, i64)>,
}

impl LoggedEntry {
    /// The entry of this number; None: there is none.
    ///
    /// # Errors
    /// The store's; `Table` if the entry is not one of the Delta protocol.
    pub async fn read(log: &LogStoreRef, version: u64) -> Result<Option<Self>, Error> {
        let attempted = || format!("read version {version} of `{}`", log.root_url());
        let bytes = log.read_commit_entry(version).await;
        let Some(bytes) = bytes.map_err(|error| delta_error(attempted(), error))? else {
            return Ok(None);
        };
        Self::parse(&bytes)
            .map(Some)
            .map_err(|error| Error::new(ErrorKind::Table, attempted()).with_source(error))
    }

    // Actions that nobody asks for here are not read: a newer protocol may have some that the library does not know.
    fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        let mut entry = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            let action: serde_json::Value = serde_json::from_slice(line)?;
            let has = |kind| action.get(kind).is_some();
            if let Some(info) = action.get("commitInfo") {
                entry.info = Some(info.clone());
            } else if has("metaData") || has("protocol") {
                entry.describes = true;
            } else if ["add", "remove", "txn"].into_iter().any(has) {
                match serde_json::from_value(action)? {
                    Action::Add(add) => entry.adds.push(add),
                    Action::Remove(remove) => entry.removes.push(remove),
                    Action::Txn(txn) => entry.txns.push((txn.app_id, txn.version)),
                    Action::Metadata(_)
                    | Action::Protocol(_)
                    | Action::Cdc(_)
                    | Action::CommitInfo(_)
                    | Action::DomainMetadata(_) => {}
                }
            }
        }
        Ok(entry)
    }

    /// Its writer says that the rows are those that were there before.
    pub fn keeps_rows(&self) -> bool {
        self.says(ROWS_KEPT)
    }

    /// It touches no file, or this program wrote it.
    pub fn is_ours(&self) -> bool {
        let is_ours = |(app_id, _): &(String, i64)| app_id.starts_with("tributary/");
        self.adds.is_empty() && self.removes.is_empty()
            || self.keeps_rows()
            || self.says(MENDED)
            || self.txns.iter().any(is_ours)
    }

    /// What was made of the entries before it holds no more: rows went with a file, or this one has what an earlier one
    /// had before another program wrote over that.
    pub fn needs_replay(&self) -> bool {
        self.removes.iter().any(|remove| remove.data_change) || self.says(MENDED)
    }

    fn says(&self, what: &str) -> bool {
        let said = self.info.as_ref().and_then(|info| info.get(what));
        said.and_then(serde_json::Value::as_bool) == Some(true)
    }
}
