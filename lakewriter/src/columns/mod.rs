//! Changes of one table version as Arrow columns.
//!
//! Both roads end here and must meet: a change that came straight from PostgreSQL ([`ChangeColumns::append_event`]) and
//! the same change read back from its Debezium event ([`ChangeColumns::append_decoded`]) give the same row. A column's
//! type is a function of its PostgreSQL type alone, whatever settings the event was written under:
//!
//! | PostgreSQL | lake |
//! |---|---|
//! | int2, int4, int8, oid; float4, float8; bool | Int64; Float64; Boolean |
//! | numeric(p,s) that fits 38 digits | Decimal128; a scale below zero is written out, one above p widens p |
//! | other numeric | Utf8, exact; without trailing zeros where the type has no scale |
//! | money | Utf8 `-1234.50` |
//! | date, timestamp, timestamptz | Date32, Timestamp(us), Timestamp(us, UTC) |
//! | time; timetz | Int64 us; Utf8 in UTC, `11:51:30.5Z` |
//! | interval | Utf8 `P429DT7H5M6.789S`: the length that `MicroDuration` tells, a month being 30.4375 days |
//! | bytea, PostGIS; bit, varbit | Binary; Binary as Debezium's Bits: little-endian, no leading zeros |
//! | point; hstore | Struct of x and y; Map, sorted as PostgreSQL sorts |
//! | T[] | List |
//! | what Debezium leaves out: composites, tsvector, geometric types but point, money[], interval[] ... | no column |
//! | everything else | Utf8, PostgreSQL's text |
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
pub use metadata::{OWN_COLUMNS, TABLE_VERSION_COLUMN, UNAVAILABLE_COLUMN};
pub(crate) use schema::{LakeColumn, lake_columns};
