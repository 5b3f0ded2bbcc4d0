//! Changes of one table version as Arrow columns.
//!
//! Both roads end here and must meet: a change that came straight from PostgreSQL ([`ChangeColumns::append_event`]) and
//! the same change read back from its Debezium event ([`ChangeColumns::append_decoded`]) give the same row. A column's
//! type is a function of its PostgreSQL type alone, whatever settings the event was written under:
//! `docs/types.md`, which a test writes, has the table.
//!
//! A value that its column's type cannot tell is null, and its text stands in `<column>_raw`, which only batches with
//! such a value have: infinite dates and timestamps, years beyond 294246, and, on the direct road alone, NaN and
//! infinities in a Decimal128 and arrays of several dimensions. Debezium's events show null for those last three, and
//! the column's default for NULL in a column that has one (`replace.null.with.default`): a lake that is fed through
//! Kafka cannot know better.

mod buffer;
mod change_columns;
mod decimal;
mod error;
#[cfg(test)]
mod every_kind;
mod from_json;
mod from_text;
mod hstore;
mod interval;
mod lake_type;
mod list;
mod metadata;
mod older_rows;
#[cfg(test)]
mod roads;
mod row_meta;
mod schema;
mod temporal;

pub use change_columns::ChangeColumns;
pub use metadata::{OWN_COLUMNS, TABLE_VERSION_COLUMN, UNAVAILABLE_COLUMN};
pub use older_rows::value_of_text;
pub use row_meta::RowMeta;
pub(crate) use schema::{LakeColumn, lake_columns};
