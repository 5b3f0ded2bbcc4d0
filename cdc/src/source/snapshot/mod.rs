//! The initial snapshot: the captured tables as of the slot's consistent point, by COPY.

mod copy_text;
mod held_row;
mod reader;
mod tables;

pub use copy_text::{CopyRow, CopyTextError};
pub use reader::{SnapshotEnd, SnapshotProgress, SnapshotStart, begin_snapshot, read_snapshot};
pub use tables::{SnapshotTable, TableName, captured_tables, snapshot_tables};
