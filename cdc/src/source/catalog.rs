//! The catalog, asked.

mod labels;
mod read;
mod visibility;

pub use labels::EnumLabels;
pub use read::{GeneratedExpressions, read_generated, read_table, read_types};
use visibility::wait_visible;

use debezium::TableSchema;
use std::sync::Arc;
use tokio_postgres::Client;

use crate::{
    Error,
    table::{
        Past, RelationDescription, StreamedTable, known_then, not_in_old_rows, snapshot_schema,
        streamed_table,
    },
};
use connector::ConnectorConfig;

/// What is remembered between two looks at the catalog.
#[derive(Debug, Default)]
pub struct CatalogMemory {
    pub labels: EnumLabels,
    pub past: Past,
}

/// Complete a Relation message of the committed transaction `xid` by what the catalog knows now and what is remembered.
///
/// # Errors
/// The catalog cannot be read.
pub async fn resolve_relation(
    client: &Client,
    xid: u32,
    relation: &RelationDescription,
    config: &ConnectorConfig,
    memory: &mut CatalogMemory,
) -> Result<StreamedTable, Error> {
    wait_visible(client, xid).await?;
    let (oid, since) = (relation.id, Some(xid));
    let mut table = read_table(client, oid, since, GeneratedExpressions::No).await?;
    let sends_generated = table.as_ref().is_some_and(|table| {
        let mut generated = table.columns.iter().filter(|column| column.generated);
        generated.any(|column| relation.columns.iter().any(|sent| sent.name == column.name))
    });
    if sends_generated && let Some(whole) = read_generated(client, oid, since).await? {
        table = Some(whole);
    }
    let oids = relation.columns.iter().map(|column| column.type_oid);
    let told = relation.columns.iter().filter_map(|column| {
        let told = column.type_name.as_ref()?;
        (told.namespace == "pg_catalog").then_some(told.name.as_str())
    });
    let (oids, told) = (oids.collect(), told.collect());
    let types = read_types(client, oids, told, Some(&mut memory.labels)).await?;
    let (known, doubts) = known_then(relation, xid, table.as_ref(), &types, &memory.past);
    let mut streamed = streamed_table(relation, known, |oid| types.base(oid), config);
    let (schema, is_new) = memory.past.learn(oid, streamed.schema);
    streamed.schema = schema;
    for doubt in doubts.iter().filter(|_| is_new) {
        tracing::warn!(table = %streamed.schema.table, xid, "the catalog has changed since this transaction: {doubt}");
    }
    let unsent = not_in_old_rows(relation, &streamed.schema);
    if is_new && !unsent.is_empty() {
        tracing::warn!(
            table = %streamed.schema.table,
            "the first DELETE will end in an error: the key of its events has {}, which PostgreSQL does not send of deleted rows: ALTER TABLE {}.{} REPLICA IDENTITY FULL, or correct message.key.columns",
            unsent.join(", "),
            streamed.schema.table.schema,
            streamed.schema.table.table,
        );
    }
    Ok(streamed)
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
    let table = read_table(client, oid, None, GeneratedExpressions::Wait);
    let Some(table) = table.await? else {
        return Ok(None);
    };
    let oids = table.columns.iter().map(|column| column.type_oid);
    let types = read_types(client, oids.collect(), Vec::new(), None).await?;
    Ok(Some(Arc::new(snapshot_schema(&table, &types, config))))
}
