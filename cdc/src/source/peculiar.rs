use postgres_tls::LongestMessage;

use super::{control::connect, server_error::control_error, snapshot::captured_tables};
use crate::{Error, table::TableName};
use connector::ConnectorConfig;

/// Captured tables that a copy and a stream of changes show otherwise, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peculiar {
    /// Their changes are in no WAL: PostgreSQL refuses to publish them.
    pub unlogged: Vec<TableName>,
    /// A query of them has the rows of the tables that inherit from them, whose changes come under their own names.
    pub inherited: Vec<TableName>,
}

/// Which captured tables are so.
///
/// # Errors
/// The catalog cannot be read.
pub async fn peculiar_tables(config: &ConnectorConfig) -> Result<Peculiar, Error> {
    let failed = |error| control_error("read which tables are unlogged or inherited from", error);
    let client = connect(&config.database, LongestMessage::Answer)
        .await?
        .client;
    let tables = captured_tables(&client, config).await?;
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let rows = client
        .query(
            "select c.oid, c.relpersistence <> 'p', c.relkind = 'r' and exists \
             (select from pg_catalog.pg_inherits i where i.inhparent = c.oid) \
             from pg_catalog.pg_class c where c.oid = any($1)",
            &[&oids],
        )
        .await
        .map_err(failed)?;
    let mut peculiar = Peculiar::default();
    for row in rows {
        let oid: u32 = row.try_get(0).map_err(failed)?;
        let Some(table) = tables.iter().find(|table| table.oid == oid) else {
            continue;
        };
        if row.try_get(1).map_err(failed)? {
            peculiar.unlogged.push(table.name.clone());
        }
        if row.try_get(2).map_err(failed)? {
            peculiar.inherited.push(table.name.clone());
        }
    }
    Ok(peculiar)
}
