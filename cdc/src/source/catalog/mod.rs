//! What the catalog knows of a table: columns, types, defaults, keys. Two views of it become a [`TableSchema`]: the
//! table as it is (snapshot), and a Relation message completed by the catalog (stream).

mod labels;
mod read;
mod relation;
mod schema;
mod types;
mod visibility;

pub use labels::EnumLabels;
pub use read::{CatalogColumn, CatalogTable, read_table, read_types};
pub use relation::{RelationColumn, RelationDescription};
pub use schema::{
    EnumColumn, KnownColumns, StreamedTable, snapshot_schema, stream_schema, streamed_table,
};
pub use types::TypeCatalog;
use visibility::wait_visible;

use debezium::TableSchema;
use std::sync::Arc;
use tokio_postgres::Client;

use crate::{Error, config::ConnectorConfig};

/// Complete a Relation message of the committed transaction `xid` with what the catalog knows now; of enums, with the
/// `labels` that are known.
///
/// # Errors
/// The catalog cannot be read.
pub async fn resolve_relation(
    client: &Client,
    xid: u32,
    relation: &RelationDescription,
    config: &ConnectorConfig,
    labels: &mut EnumLabels,
) -> Result<StreamedTable, Error> {
    wait_visible(client, xid).await?;
    let table = read_table(client, relation.id).await?;
    let oids = relation.columns.iter().map(|column| column.type_oid);
    let types = read_types(client, oids.collect(), Some(labels)).await?;
    Ok(stream_schema(relation, table.as_ref(), &types, config))
}

/// A table as it is now; None when it is gone.
///
/// # Errors
/// The catalog cannot be read.
pub async fn current_schema(
    client: &Client,
    oid: u32,
    config: &ConnectorConfig,
) -> Result<Option<Arc<TableSchema>>, Error> {
    let Some(table) = read_table(client, oid).await? else {
        return Ok(None);
    };
    let oids = table.columns.iter().map(|column| column.type_oid);
    let types = read_types(client, oids.collect(), None).await?;
    Ok(Some(Arc::new(snapshot_schema(&table, &types, config))))
}
