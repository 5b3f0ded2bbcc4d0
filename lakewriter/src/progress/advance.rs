use serde::{Deserialize, Serialize};

/// One position that a commit moves, with where it must stand before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnAdvance {
    pub app_id: String,
    /// None: no commit has named this id yet.
    pub from: Option<i64>,
    pub to: i64,
}
