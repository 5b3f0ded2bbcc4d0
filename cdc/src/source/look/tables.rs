//! What becomes of the rows and the changes of each captured table, and what the role may do with it.

use std::collections::HashMap;

use debezium::{PgTypeKind, TypeClass, type_mapping};
use futures::{StreamExt as _, stream};
use tokio_postgres::Row;

use super::{Look, column, count};
use crate::{
    Error,
    capture::{captures_column, captures_table},
    source::{
        catalog::current_schema, row_security::tables_with_policies, server_error::control_error,
        snapshot::MatchingTables, survey::peculiarities,
    },
    table::TableName,
};

/// A captured table: what becomes of its rows and of their changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFacts {
    pub name: TableName,
    pub is_unlogged: bool,
    /// It has partitions.
    pub is_partitioned: bool,
    /// The role may alter it.
    pub is_ours: bool,
    /// SELECT on it, and USAGE on its schema.
    pub may_read: bool,
    /// A policy may hide rows of it from the role.
    pub hides_rows: bool,
    pub has_primary_key: bool,
    /// `d`, `n`, `f` or `i`, as `pg_class.relreplident`.
    pub identity: char,
    /// Nothing tells its rows apart: PostgreSQL refuses to UPDATE and DELETE them once it is published.
    pub without_identity: bool,
    /// Columns of the key of its events that PostgreSQL does not send of deleted rows.
    pub key_not_sent: Vec<String>,
    /// Values that are stored apart, which an UPDATE that leaves them alone does not send.
    pub stored_apart_bytes: u64,
    pub columns: Vec<ColumnFacts>,
}

/// A captured column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnFacts {
    pub name: String,
    /// PostgreSQL's name of its type.
    pub type_name: String,
    /// The server works its values out, and sends none.
    pub is_generated: bool,
    /// `numeric` without a scale.
    pub is_numeric_without_scale: bool,
    /// Its values may be stored apart.
    pub may_be_stored_apart: bool,
    /// Events do not have it.
    pub is_left_out: bool,
    /// Events have its text as bytes, whatever it means.
    pub is_opaque: bool,
}

/// Tables that are asked about at the same time.
const AT_ONCE: usize = 32;

const TABLES: &str = "
select c.oid, c.relkind = 'p', pg_catalog.pg_has_role(c.relowner, 'usage'),
       pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE') and pg_catalog.has_table_privilege(c.oid, 'SELECT'),
       exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisprimary), c.relreplident::text,
       coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0)::int8,
       array(select a.attname::text from pg_catalog.pg_index i
             join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
             where i.indrelid = c.oid and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident)),
       array(select a.attname::text from pg_catalog.pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attstorage in ('x', 'e'))
from pg_catalog.pg_class c where c.oid = any ($1)";

const FOREIGN: &str = "
select n.nspname::text, c.relname::text
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'f' order by 1, 2";

impl Look {
    /// The captured tables, in the order of a snapshot.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn tables(&self) -> Result<Vec<TableFacts>, Error> {
        const ATTEMPTED: &str = "read what is peculiar about the captured tables";
        let captured = MatchingTables::read(&self.client, &self.config)
            .await?
            .all(&self.config);
        let hidden = tables_with_policies(&self.client, &self.config, &captured).await?;
        let peculiar = peculiarities(&self.client, &captured).await?;
        let oids: Vec<u32> = captured.iter().map(|table| table.oid).collect();
        // The connection takes questions while others are being answered.
        let schemas = oids
            .iter()
            .map(|oid| current_schema(&self.client, *oid, &self.config));
        let mut schemas = stream::iter(schemas).buffered(AT_ONCE);
        let rows = self.client.query(TABLES, &[&oids]).await;
        let rows = rows.map_err(|error| control_error(ATTEMPTED, error))?;
        let mut told: HashMap<u32, &Row> = HashMap::with_capacity(rows.len());
        for row in &rows {
            told.insert(column(row, 0, ATTEMPTED)?, row);
        }
        let mut found = Vec::with_capacity(captured.len());
        for table in captured {
            let schema = match schemas.next().await {
                Some(schema) => schema?,
                None => None,
            };
            // One that was dropped meanwhile is not told.
            let (Some(row), Some(is)) = (told.get(&table.oid), peculiar.get(&table.oid)) else {
                continue;
            };
            let hides_rows = hidden.contains(&table.name.full());
            let identity: String = column(row, 5, ATTEMPTED)?;
            let identity = identity.chars().next().unwrap_or('d');
            let sent: Vec<String> = column(row, 7, ATTEMPTED)?;
            let apart: Vec<String> = column(row, 8, ATTEMPTED)?;
            let key = schema.iter().flat_map(|schema| schema.key_columns());
            let key_not_sent = key
                .filter(|key| identity != 'f' && !sent.contains(&key.name))
                .map(|key| key.name.clone())
                .collect();
            let columns = schema.iter().flat_map(|schema| &schema.columns);
            let columns = columns.filter(|it| {
                captures_column(
                    &self.config.filter,
                    &table.name.schema,
                    &table.name.table,
                    &it.name,
                )
            });
            found.push(TableFacts {
                is_unlogged: is.unlogged,
                is_partitioned: column(row, 1, ATTEMPTED)?,
                is_ours: column(row, 2, ATTEMPTED)?,
                may_read: column(row, 3, ATTEMPTED)?,
                hides_rows,
                has_primary_key: column(row, 4, ATTEMPTED)?,
                identity,
                // Or its index was dropped.
                without_identity: is.without_identity || identity == 'i' && sent.is_empty(),
                key_not_sent,
                stored_apart_bytes: count(row, 6, ATTEMPTED)?,
                columns: columns
                    .map(|it| ColumnFacts {
                        name: it.name.clone(),
                        type_name: it.pg_type.name.clone(),
                        is_generated: it.generated,
                        is_numeric_without_scale: it.pg_type.kind
                            == PgTypeKind::UnconstrainedNumeric,
                        may_be_stored_apart: apart.contains(&it.name),
                        is_left_out: type_mapping(&it.pg_type, &self.config.contract).is_none(),
                        is_opaque: matches!(it.pg_type.row().class, TypeClass::Unknown),
                    })
                    .collect(),
                name: table.name,
            });
        }
        Ok(found)
    }

    /// Foreign tables that the filters name: their changes are in no WAL of this server.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn foreign_tables(&self) -> Result<Vec<TableName>, Error> {
        const ATTEMPTED: &str = "read the list of foreign tables";
        let rows = self.client.query(FOREIGN, &[]).await;
        let rows = rows.map_err(|error| control_error(ATTEMPTED, error))?;
        let mut found = Vec::new();
        for row in &rows {
            let (schema, table): (String, String) =
                (column(row, 0, ATTEMPTED)?, column(row, 1, ATTEMPTED)?);
            if captures_table(&self.config.filter, &schema, &table) {
                found.push(TableName { schema, table });
            }
        }
        Ok(found)
    }
}
