use postgres_tls::LongestMessage;

use super::{control::connect, server_error::control_error, snapshot::captured_tables};
use crate::Error;
use connector::ConnectorConfig;

/// The captured tables of which PostgreSQL refuses every UPDATE and DELETE as soon as they are published: those that have
/// neither a primary key nor another replica identity. Quoted as in SQL.
///
/// # Errors
/// The catalog cannot be read.
pub async fn tables_without_identity(config: &ConnectorConfig) -> Result<Vec<String>, Error> {
    let failed = |error| control_error("read which tables have a replica identity", error);
    let client = connect(&config.database, LongestMessage::Answer)
        .await?
        .client;
    let tables = captured_tables(&client, config).await?;
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let rows = client
        .query(
            "select c.oid from pg_catalog.pg_class c where c.oid = any($1) and c.relkind in ('r', 'p') and (c.relreplident = 'n' \
             or c.relreplident = 'd' and not exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisprimary))",
            &[&oids],
        )
        .await
        .map_err(failed)?;
    let without: Vec<u32> = rows
        .iter()
        .map(|row| row.try_get(0).map_err(failed))
        .collect::<Result<_, _>>()?;
    let found = tables.iter().filter(|table| without.contains(&table.oid));
    Ok(found.map(|table| table.name.quoted()).collect())
}
