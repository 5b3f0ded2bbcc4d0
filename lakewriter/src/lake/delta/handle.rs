use deltalake_core::{
    DeltaTable, DeltaTableError, logstore::LogStoreRef, table::state::DeltaTableState,
};

/// The table as a library handle at its newest version.
pub(super) async fn open_handle(log_store: &LogStoreRef) -> Result<DeltaTable, DeltaTableError> {
    let mut table = DeltaTable::new(log_store.clone());
    table.load().await?;
    Ok(table)
}

/// What the log says up to its newest version.
pub(super) async fn load(log_store: &LogStoreRef) -> Result<DeltaTableState, DeltaTableError> {
    DeltaTableState::try_new(log_store, None).await
}
