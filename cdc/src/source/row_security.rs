use tokio_postgres::Client;

use super::server_error::control_error;
use crate::table::SnapshotTable;
use crate::{Error, ErrorKind};
use connector::ConnectorConfig;

/// Tables of which a policy may hide rows from us; not those in whose place a query stands.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn tables_with_policies(
    client: &Client,
    config: &ConnectorConfig,
    tables: &[SnapshotTable],
) -> Result<Vec<String>, Error> {
    let attempted = "read which tables have row level security";
    let failed = |error| control_error(attempted, error);
    let overrides = &config.snapshot.select_overrides;
    let oids: Vec<u32> = tables
        .iter()
        .filter(|table| !overrides.contains_key(&table.name.full()))
        .map(|table| table.oid)
        .collect();
    let rows = client
        .query(
            "select c.oid from pg_catalog.pg_class c where c.oid = any($1) and pg_catalog.row_security_active(c.oid)",
            &[&oids],
        )
        .await
        .map_err(failed)?;
    let active: Vec<u32> = rows
        .iter()
        .map(|row| row.try_get(0).map_err(failed))
        .collect::<Result<_, _>>()?;
    let active = tables.iter().filter(|table| active.contains(&table.oid));
    Ok(active.map(|table| table.name.full()).collect())
}

/// The snapshot has all rows of its tables, as the stream has all changes: no policy of row level security hides any.
///
/// # Errors
/// `Permission` where one does.
pub(crate) async fn require_all_rows(
    client: &Client,
    config: &ConnectorConfig,
    tables: &[SnapshotTable],
) -> Result<(), Error> {
    let hidden = tables_with_policies(client, config, tables).await?;
    if hidden.is_empty() {
        return Ok(());
    }
    let (told, hint) = told(&hidden, &config.database.user);
    Err(Error::new(
        ErrorKind::Permission,
        format!("read all rows of {} for the snapshot", hidden.join(", ")),
    )
    .with_source(told)
    .with_hint(hint))
}

/// What is wrong, and what to do.
pub(crate) fn told(tables: &[String], user: &str) -> (String, String) {
    (
        format!(
            "row level security hides rows of {} from `{user}`, while the stream has the changes of all rows",
            tables.join(", ")
        ),
        format!(
            "alter role {} bypassrls; or exclude the tables, or say by `snapshot.select.statement.overrides` which rows are to be read",
            crate::quoting::quote_identifier(user)
        ),
    )
}
