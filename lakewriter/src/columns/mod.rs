//! Changes of one table version as Arrow columns.
//!
//! Both roads end here and must meet: a change that came straight from PostgreSQL ([`ChangeColumns::append_event`]) and
//! the same change read back from its Debezium event ([`ChangeColumns::append_decoded`]) give the same row.

mod array_text;
mod buffer;
mod change_columns;
mod decimal;
mod error;
mod from_json;
mod from_text;
mod hstore;
mod interval;
mod lake_type;
mod list;
mod metadata;
#[cfg(test)]
mod roads;
mod schema;
mod temporal;

pub use change_columns::{ChangeColumns, RowMeta};
