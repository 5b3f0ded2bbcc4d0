//! The lake: one root on an object store, Delta tables below it. Only this module writes to the store.

mod activity;
mod bucket;
mod certificate;
mod client_options;
#[cfg(test)]
mod counting_store;
mod credentials;
mod decisions;
pub mod delta;
mod durable_disk;
mod layout;
mod objects;
mod position;
mod probe;
mod slot_name;
mod snapshot_rows;
mod store;
mod stored_parquet;
mod table_version;
mod tables;
mod versioned_rows;

pub use crate::columns::{OWN_COLUMNS, TABLE_VERSION_COLUMN, UNAVAILABLE_COLUMN, value_of_text};
pub use crate::dead_letter::dead_letter_schema;
pub use crate::parquet::{ParquetEncoder, ParquetFile, write_parquet};
pub use bucket::{Bucket, create_bucket};
pub use certificate::check as check_certificate;
#[cfg(test)]
pub(crate) use counting_store::CountingStore;
pub use delta::property;
pub(crate) use layout::POSITIONS;
pub use layout::{CHANGES, CURRENT, DEAD_LETTERS, LakeTableName};
pub use objects::{read_object, upload};
pub(crate) use position::{PositionLog, PreparedTable, promised};
pub use slot_name::{ReaderOfLake, name_slot, reader_of_lake};
pub(crate) use snapshot_rows::CountedSnapshots;
pub use snapshot_rows::ToldRows;
pub use store::{Lake, check_endpoint, check_url};
pub use stored_parquet::StoredParquet;
pub use table_version::{
    ColumnType, RowIdentity, Since, TableShape, TableVersion, UNNUMBERED, VersionColumn,
    read_versions,
};
pub(crate) use tables::LakeTables;
