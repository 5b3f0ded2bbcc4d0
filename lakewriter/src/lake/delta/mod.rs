//! One Delta table, as its only writer sees it.
//!
//! A commit moves rows and the positions they came from in one conditional PUT of a log entry. The library's answer to
//! it is not the truth (an error can be a success whose acknowledgement was lost), the table is: after any error the
//! `txn` versions are read back, and only they decide whether to go on, to commit the same files again or to give up.

mod checkpoint;
mod commit;
mod create;
mod entry;
mod evolve;
mod files;
mod handle;
mod history;
mod logged_entry;
mod overwritten;
mod own_entries;
pub mod property;
mod refresh;
mod remembered;
mod replace;
mod retries;
mod staged;
mod table;
mod txns;

pub use crate::progress::TxnAdvance;
pub use checkpoint::COMMITS_BETWEEN_CHECKPOINTS;
pub(crate) use checkpoint::maintenance;
pub use commit::{CommitOutcome, PreparedCommit};
pub use create::TableProperties;
pub use entry::{Put, next_entry_is_free, put_entry, write_checkpoint};
pub(crate) use evolve::{Evolution, delta_schema, kernel_schema};
pub use history::{TableSize, VersionEntry};
pub use logged_entry::LoggedEntry;
pub(crate) use replace::{Replaced, Replacement};
pub use staged::StagedFile;
pub(crate) use staged::stage;
pub use table::LakeTable;
