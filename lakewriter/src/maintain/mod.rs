//! What keeps a lake small while it is written: compaction of small files, old entries of the log, files that nobody
//! needs any more.
//!
//! Nothing here changes what a reader sees. A compaction is a commit that takes files away and adds others with the same
//! rows in the same order; it is put only behind an entry at which all of them were still there, so that two
//! compactions, ours or another tool's, can never both take effect. Whatever is interrupted leaves the table as it was
//! and at most a file that no commit names, which a later vacuum deletes.

mod compact;
mod defaults;
mod expire;
mod history;
mod maintainer;
mod plan;
mod rewrite;
mod vacuum;
mod wanted;

pub use compact::{Compacted, Extent, compact};
pub use defaults::{
    DEFAULT_HISTORY, DEFAULT_HISTORY_SETTING, DEFAULT_TARGET_BYTES, DEFAULT_TARGET_SETTING,
};
pub use expire::{Expired, expire};
pub(crate) use history::round;
pub use maintainer::{Maintainer, MaintenanceTask, Upkeep};
pub use plan::CompactionLimits;
pub use vacuum::{ORPHAN_AGE, Vacuumed, vacuum};
pub use wanted::{DEFAULT_SCHEDULE, Maintenance};
