//! A Delta table as its only writer holds it: the state that was read last, the version that is known, and its positions
//! as far as they are known. What is remembered of a position must be forgotten wherever somebody else may have moved it.

use std::{collections::HashMap, sync::Arc, time::Instant};

use deltalake_core::{
    DeltaTable, DeltaTableError, kernel::StructType, logstore::LogStoreRef,
    table::state::DeltaTableState,
};

use super::{
    handle::{load, open_handle},
    own_entries::OwnEntries,
    property,
    refresh::Refresh,
};
use crate::{
    Error, ErrorKind,
    error::delta_error,
    lake::{Lake, activity::CommitActivity},
};

/// A Delta table with one writer: this value. Keep one per table and process.
pub struct LakeTable {
    pub(super) relative: String,
    pub(super) log_store: LogStoreRef,
    /// The table as it was last read. May be older than `version`, never by a commit of somebody else.
    pub(super) state: DeltaTableState,
    /// The newest version known: everything up to it was read, or written here.
    pub(super) version: u64,
    /// When `version` was last proved to be the newest; None: the next commit has to look.
    pub(super) proved: Option<Instant>,
    /// What `txn` said when it was last read or moved. Reading one costs a GET per commit since the last checkpoint.
    pub(super) txns: HashMap<String, Option<i64>>,
    /// What is not among `txns` is not stored.
    pub(super) knows_all_txns: bool,
    /// Entries of the log behind its last checkpoint, when all positions were read.
    pub(super) behind: u64,
    pub(super) refresh: Refresh,
    /// Those of this value; other programs may write over them.
    pub(super) own: OwnEntries,
    /// Told of every commit.
    pub(super) activity: Arc<CommitActivity>,
}

impl std::fmt::Debug for LakeTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LakeTable({}@{})", self.relative, self.version())
    }
}

impl LakeTable {
    /// The table in this folder below the lake's root; None if there is none.
    ///
    /// # Errors
    /// The store's, or `Table` if what lies there cannot be read as a table.
    pub async fn open(lake: &Lake, relative: &str) -> Result<Option<Self>, Error> {
        let log_store = lake.log_store(relative)?;
        let state = match load(&log_store).await {
            Ok(state) => state,
            Err(DeltaTableError::NotATable(_)) => return Ok(None),
            // A log that the library cannot find is reported in several ways; the listing decides.
            Err(_) if !lake.is_delta_table(relative).await? => return Ok(None),
            Err(error) => return Err(delta_error(format!("open `{relative}`"), error)),
        };
        Ok(Some(Self {
            relative: relative.to_owned(),
            log_store,
            version: state.version(),
            proved: None,
            state,
            txns: HashMap::new(),
            knows_all_txns: false,
            behind: 0,
            refresh: Refresh::default(),
            own: OwnEntries::default(),
            activity: Arc::clone(lake.activity()),
        }))
    }

    /// The folder below the lake's root.
    pub fn relative(&self) -> &str {
        &self.relative
    }

    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The table's columns, its partition column among them.
    pub fn schema(&self) -> std::sync::Arc<StructType> {
        self.state.schema()
    }

    /// A value of the table's configuration.
    pub fn property(&self, key: &str) -> Option<&str> {
        self.state
            .metadata()
            .configuration()
            .get(key)
            .map(String::as_str)
    }

    /// The pipelines that wrote records of Kafka to it.
    ///
    /// # Errors
    /// `Table`: the list cannot be read.
    pub(crate) fn pipelines(&self) -> Result<Vec<String>, Error> {
        let Some(list) = self.property(property::PIPELINES) else {
            return Ok(Vec::new());
        };
        serde_json::from_str(list).map_err(|error| {
            let attempted = format!("read {} of `{}`", property::PIPELINES, self.relative);
            Error::new(ErrorKind::Table, attempted).with_source(error)
        })
    }

    /// The version last committed under this application id, None before the first.
    ///
    /// # Errors
    /// The store's.
    pub async fn txn(&mut self, app_id: &str) -> Result<Option<i64>, Error> {
        if let Some(&known) = self.txns.get(app_id) {
            return Ok(known);
        }
        if self.knows_all_txns {
            return Ok(None);
        }
        let version = self
            .state
            .transaction_version(&self.log_store, app_id)
            .await
            .map_err(|error| {
                delta_error(format!("read txn `{app_id}` of `{}`", self.relative), error)
            })?;
        self.txns.insert(app_id.to_owned(), version);
        Ok(version)
    }

    /// Read the table again from its last checkpoint, forgetting everything cached.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn reload(&mut self) -> Result<(), Error> {
        self.state = load(&self.log_store)
            .await
            .map_err(|error| delta_error(format!("reload `{}`", self.relative), error))?;
        self.own.read_on(self.version, self.state.version());
        self.version = self.state.version();
        self.proved = None;
        self.forget_txns();
        self.refresh = Refresh::default();
        Ok(())
    }

    /// The table as a library handle at its newest version.
    pub(super) async fn handle(&self) -> Result<DeltaTable, Error> {
        open_handle(&self.log_store)
            .await
            .map_err(|error| delta_error(format!("reopen `{}`", self.relative), error))
    }
}
