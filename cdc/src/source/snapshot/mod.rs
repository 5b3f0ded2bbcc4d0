//! The initial snapshot: the captured tables as of one moment, by COPY, over one connection or several.

mod begin;
mod copy_text;
mod edges;
mod pinned;
mod plan;
mod reader;
mod relations;
mod table_reader;
mod tables;

pub(crate) use begin::Begun;
pub(crate) use begin::begin_snapshot;
pub use begin::{SnapshotOf, SnapshotStart};
pub use copy_text::{CopyRow, CopyTextError};
use pinned::PinnedConnection;
pub use reader::read_snapshot;
pub(crate) use tables::{MatchingTables, all_tables};
pub use tables::{captured_tables, snapshot_tables};
