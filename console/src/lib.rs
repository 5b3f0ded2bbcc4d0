//! SQL over the lake: every table by its PostgreSQL name.
//!
//! `public.tweets_changes` is the log of changes as it stands in the lake; `public.tweets` is a view over it with the
//! latest row of every key.

mod engine;
mod error;
mod format;
mod latest;
mod prompt;

pub use engine::{SqlEngine, TableInfo};
pub use error::Error;
pub use format::{OutputFormat, write_result};
pub use prompt::run_prompt;
