use deltalake_core::{DeltaTableError, table::state::DeltaTableState};
use tokio::task::JoinHandle;

/// How far the running handle is from its checkpoint.
#[derive(Default)]
pub(super) struct Refresh {
    pub(super) commits: u32,
    pub(super) task: Option<JoinHandle<Result<DeltaTableState, DeltaTableError>>>,
}
