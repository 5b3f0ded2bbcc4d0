//! What is known of a table: its columns, types, defaults and keys. Two views of it become a [`debezium::TableSchema`]: the
//! table as it is (snapshot), and a Relation message completed by the catalog (stream). Nothing here asks a server.

mod catalog_table;
mod name;
mod numbers;
mod past;
mod relation;
mod schema;
mod then;
mod types;

pub use catalog_table::{CatalogColumn, CatalogKey, CatalogTable, DroppedColumn};
pub use name::{SnapshotTable, TableName};
pub use past::Past;
pub(crate) use relation::not_in_old_rows;
pub use relation::{RelationColumn, RelationDescription, TypeName};
pub use schema::{EnumColumn, KnownColumns, StreamedTable, snapshot_schema, streamed_table};
pub use then::{Doubt, known_then};
pub use types::{TypeCatalog, TypeEntry};
