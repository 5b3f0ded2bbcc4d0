//! SQL over the lake: every table by its PostgreSQL name.
//!
//! `public.tweets_changes` is the log of changes as it stands in the lake; `public.tweets` has the rows that are in the
//! table by now.

mod change;
mod describe;
mod engine;
mod error;
mod far_dates;
mod fill;
mod format;
mod history;
mod identity;
mod json;
mod latest;
mod memory;
mod names;
mod output;
mod prompt;
mod replay;
mod tables;

pub use engine::SqlEngine;
pub use error::Error;
pub use format::{OutputFormat, write_result};
pub use output::Output;
pub use prompt::run_prompt;
pub use tables::TableInfo;
