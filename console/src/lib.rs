//! SQL over the lake: every table by its PostgreSQL name.
//!
//! `public.tweets_changes` is the log of changes as it stands in the lake; `public.tweets` has the rows that are in the
//! table by now.

mod change;
mod describe;
mod doubt;
mod engine;
mod eras;
mod error;
mod far_dates;
mod fill;
mod fold;
mod format;
mod history;
mod identity;
mod in_memory;
mod json;
mod kept;
mod kept_table;
mod latest;
mod log;
mod memory;
mod multiply;
mod names;
mod notices;
mod now;
mod older_rows;
mod output;
mod overlay;
mod places;
mod prompt;
mod renames;
mod replay;
mod respell;
mod spelling;
mod statement;
mod tables;
mod wholeness;

pub use doubt::Evidence;
pub use engine::{Rows, SqlEngine};
pub use error::Error;
pub use fold::{Folded, LoggedChange, LoggedChanges, RowKey};
pub use format::{OutputFormat, write_result};
pub use kept::{Keeping, Keys, SourceLog, is_unknown_key};
pub use kept_table::{
    CURRENT_APP_ID, CURRENT_INFO, CURRENT_SHAPE, Progress, hashed_shape, last_progress,
};
pub use latest::Told;
pub use memory::default_limit as default_memory_limit;
pub use output::Output;
pub use prompt::run_prompt;
pub use statement::{STACK_BYTES, Unreasonable};
pub use tables::TableInfo;
pub use wholeness::Wholeness;
