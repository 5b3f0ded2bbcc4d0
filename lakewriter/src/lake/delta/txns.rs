//! All positions that a table stores, in one reading of its log. The library reads the log anew for each of them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, LazyLock},
};

use buoyant_kernel::{
    DeltaResult, Engine, Snapshot,
    actions::LOG_TXN_SCHEMA,
    engine_data::{GetData, RowVisitor, TypedGetData as _},
    expressions::ColumnName,
    schema::DataType,
};
use url::Url;

use super::LakeTable;
use crate::{
    Error,
    error::{delta_error, task_ended},
};

/// The newest version of each application id.
#[derive(Default)]
struct Txns(HashMap<String, i64>);

/// Leaves of the log's `txn` action.
static COLUMNS: LazyLock<([ColumnName; 2], [DataType; 2])> = LazyLock::new(|| {
    let column = |leaf| ColumnName::new(["txn", leaf]);
    (
        [column("appId"), column("version")],
        [DataType::STRING, DataType::LONG],
    )
});

impl RowVisitor for Txns {
    fn selected_column_names_and_types(&self) -> (&'static [ColumnName], &'static [DataType]) {
        (&COLUMNS.0, &COLUMNS.1)
    }

    /// The log is read from its newest entry on.
    fn visit<'a>(&mut self, rows: usize, getters: &[&'a dyn GetData<'a>]) -> DeltaResult<()> {
        let [app_ids, versions] = getters else {
            return Err(buoyant_kernel::Error::generic("two leaves of a txn"));
        };
        for row in 0..rows {
            let app_id: Option<String> = app_ids.get_opt(row, "txn.appId")?;
            if let Some(app_id) = app_id
                && let Entry::Vacant(entry) = self.0.entry(app_id)
            {
                entry.insert(versions.get(row, "txn.version")?);
            }
        }
        Ok(())
    }
}

/// With how many entries the log has behind its last checkpoint. Blocks.
fn read(
    engine: &dyn Engine,
    table: &Url,
    version: u64,
) -> DeltaResult<(HashMap<String, i64>, u64)> {
    let snapshot = Snapshot::builder_for(table)
        .at_version(version)
        .build(engine)?;
    let mut txns = Txns::default();
    for batch in snapshot
        .log_segment()
        .read_actions(engine, Arc::clone(&LOG_TXN_SCHEMA))?
    {
        txns.visit_rows_of(batch?.actions.as_ref())?;
    }
    let checkpoint = snapshot.log_segment().checkpoint_version.unwrap_or(0);
    Ok((txns.0, version.saturating_sub(checkpoint)))
}

impl LakeTable {
    /// Somebody may have moved positions.
    pub(super) fn forget_txns(&mut self) {
        self.txns.clear();
        self.knows_all_txns = false;
    }

    /// Know all positions that the table stores: no [`Self::txn`] asks the store until somebody else writes.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn know_txns(&mut self) -> Result<(), Error> {
        if self.knows_all_txns {
            return Ok(());
        }
        let attempted = || format!("read the positions that `{}` stores", self.relative);
        let engine = self.log_store.engine(None);
        let mut table = self.log_store.config().location().clone();
        if !table.path().ends_with('/') {
            table.set_path(&format!("{}/", table.path()));
        }
        let version = self.state.version();
        let read = tokio::task::spawn_blocking(move || read(engine.as_ref(), &table, version))
            .await
            .map_err(|error| task_ended(attempted(), error))?;
        let (stored, behind) = read.map_err(|error| delta_error(attempted(), error.into()))?;
        self.behind = behind;
        for (app_id, version) in stored {
            // What was committed since the state was read is known already.
            self.txns.entry(app_id).or_insert(Some(version));
        }
        self.knows_all_txns = true;
        Ok(())
    }
}
