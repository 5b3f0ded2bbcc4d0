use postgres_tls::LongestMessage;
use tokio_postgres::Client;

use super::{control::connect, server_error::control_error, snapshot::captured_tables};
use crate::{Error, table::SnapshotTable};
use connector::ConnectorConfig;

/// The captured tables that a publication which is there does not have yet, and that have rows: a connector that goes on
/// streams what becomes of them from now on, and reads nothing of what is in them. Quoted as in SQL.
///
/// # Errors
/// The catalog or a table cannot be read.
pub async fn newly_captured(config: &ConnectorConfig) -> Result<Vec<String>, Error> {
    let failed = |error| control_error("read which tables the publication has", error);
    let client = connect(&config.database, LongestMessage::Answer)
        .await?
        .client;
    let tables = captured_tables(&client, config).await?;
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let rows = client
        .query(
            "select c.oid from pg_catalog.pg_class c join pg_catalog.pg_publication p on p.pubname = $2 and not p.puballtables \
             where c.oid = any($1) and c.relkind = 'r' and not exists \
             (select from pg_catalog.pg_publication_rel r where r.prpubid = p.oid and r.prrelid = c.oid)",
            &[&oids, &config.publication_name],
        )
        .await
        .map_err(failed)?;
    let unpublished: Vec<u32> = rows
        .iter()
        .map(|row| row.try_get(0).map_err(failed))
        .collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for table in tables
        .iter()
        .filter(|table| unpublished.contains(&table.oid))
    {
        if has_rows(&client, table).await? {
            found.push(table.name.quoted());
        }
    }
    Ok(found)
}

async fn has_rows(client: &Client, table: &SnapshotTable) -> Result<bool, Error> {
    let name = table.name.quoted();
    let query = format!("select exists (select from only {name})");
    let failed = |error| control_error(format!("look whether {name} has rows"), error);
    let row = client.query_one(&query, &[]).await.map_err(failed)?;
    row.try_get(0).map_err(failed)
}
