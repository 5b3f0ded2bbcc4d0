//! What a publication leaves out although the connector captures it: the snapshot reads tables as they are, the stream
//! has only what is published.

use tokio_postgres::Client;

use super::server_error::control_error;
use crate::capture::{captures_column, captures_table};
use crate::{Error, ErrorKind, table::TableName};
use connector::ConnectorConfig;

/// Tables that are named, where there are more.
const NAMED: usize = 10;

// Row filters and column lists are of PostgreSQL 15 and later; before it the view has no such columns.
const CONTENTS: &str = "
select p.schemaname::text, p.tablename::text, to_jsonb(p) ->> 'rowfilter',
       array(select a.attname::text
             from pg_catalog.pg_attribute a
             join pg_catalog.pg_class c on c.oid = a.attrelid
             join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where n.nspname = p.schemaname and c.relname = p.tablename
               and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
               and jsonb_typeof(to_jsonb(p) -> 'attnames') = 'array'
               and not jsonb_exists(to_jsonb(p) -> 'attnames', a.attname::text)
             order by a.attnum)
from pg_catalog.pg_publication_tables p where p.pubname = $1 order by 1, 2";

// A partition is published by itself or as a part of what it is a part of.
const UNPUBLISHED: &str = "
with published as materialized (
    select c.oid from pg_catalog.pg_publication_tables p
    join pg_catalog.pg_namespace n on n.nspname = p.schemaname
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
    where p.pubname = $1)
select n.nspname::text, c.relname::text
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't' and c.oid not in (select oid from published)
  and not exists (select 1 from pg_catalog.pg_partition_ancestors(c.oid) a
                  where a.relid::oid in (select oid from published))
order by 1, 2";

/// A captured table of which a publication publishes a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrowed {
    pub table: TableName,
    /// Only rows that this is true of, as PostgreSQL prints it.
    pub row_filter: Option<String>,
    /// Captured columns that are not published.
    pub left_out: Vec<String>,
}

/// The captured tables of which the publication publishes a part.
///
/// # Errors
/// The catalog cannot be read.
pub(super) async fn narrowed(
    client: &Client,
    config: &ConnectorConfig,
) -> Result<Vec<Narrowed>, Error> {
    let name = &config.publication_name;
    let failed = |error| control_error(format!("read what publication `{name}` publishes"), error);
    let mut found = Vec::new();
    for row in client.query(CONTENTS, &[name]).await.map_err(failed)? {
        let schema: String = row.try_get(0).map_err(failed)?;
        let table: String = row.try_get(1).map_err(failed)?;
        if !captures_table(&config.filter, &schema, &table) {
            continue;
        }
        let columns: Vec<String> = row.try_get(3).map_err(failed)?;
        let left_out: Vec<String> = columns
            .into_iter()
            .filter(|column| captures_column(&config.filter, &schema, &table, column))
            .collect();
        let row_filter: Option<String> = row.try_get(2).map_err(failed)?;
        if row_filter.is_some() || !left_out.is_empty() {
            found.push(Narrowed {
                table: TableName { schema, table },
                row_filter,
                left_out,
            });
        }
    }
    Ok(found)
}

/// Where rows of the snapshot and changes of the stream would not fit together, and what to do: sentences.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn contradictions(
    client: &Client,
    config: &ConnectorConfig,
) -> Result<Vec<String>, Error> {
    let name = &config.publication_name;
    let mut told = Vec::new();
    for Narrowed {
        table,
        row_filter,
        left_out,
    } in narrowed(client, config).await?
    {
        let full_name = table.full();
        let overrides = &config.snapshot.select_overrides;
        if let Some(filter) = row_filter.filter(|_| !overrides.contains_key(&full_name)) {
            told.push(format!(
                "publication `{name}` has a row filter for {full_name}, {filter}: the snapshot reads all rows, and the stream says nothing of those outside. Read the same rows by `snapshot.select.statement.overrides`, or publish the table without the filter"
            ));
        }
        if !left_out.is_empty() {
            told.push(format!(
                "publication `{name}` leaves out columns of {full_name}, {}: the snapshot reads them, the stream does not have them. Exclude them by `column.exclude.list`, or publish them",
                left_out.join(", ")
            ));
        }
    }
    let operations = unpublished_operations(client, config).await?;
    if !operations.is_empty() {
        told.push(format!(
            "publication `{name}` does not publish {}: rows of the snapshot grow stale. Publish it (alter publication ... set (publish = ...)), or name it in `skipped.operations`",
            operations.join(", ")
        ));
    }
    Ok(told)
}

/// Operations that the connector captures and the publication does not publish.
pub(super) async fn unpublished_operations(
    client: &Client,
    config: &ConnectorConfig,
) -> Result<Vec<&'static str>, Error> {
    let name = &config.publication_name;
    let failed = |error| control_error(format!("read what publication `{name}` publishes"), error);
    let row = client
        .query_opt(
            "select pubinsert, pubupdate, pubdelete, pubtruncate from pg_catalog.pg_publication where pubname = $1",
            &[name],
        )
        .await
        .map_err(failed)?;
    let Some(row) = row else {
        return Ok(Vec::new());
    };
    let skipped = config.contract.skipped_operations;
    let mut missing = Vec::new();
    for (index, (operation, skipped)) in [
        ("insert", skipped.create),
        ("update", skipped.update),
        ("delete", skipped.delete),
        ("truncate", skipped.truncate),
    ]
    .into_iter()
    .enumerate()
    {
        let published: bool = row.try_get(index).map_err(failed)?;
        if !published && !skipped {
            missing.push(operation);
        }
    }
    Ok(missing)
}

/// Refuse such a publication where a snapshot is to be taken; where none is, the log tells what the stream lacks. A
/// captured table that is not published at all is told of only: it may be published later.
///
/// # Errors
/// `Configuration` where they contradict each other; the catalog cannot be read.
pub(crate) async fn check_publication(
    client: &Client,
    config: &ConnectorConfig,
    takes_snapshot: bool,
) -> Result<(), Error> {
    tell_unpublished(client, config).await?;
    let told = contradictions(client, config).await?;
    if takes_snapshot && !told.is_empty() {
        return Err(Error::new(
            ErrorKind::Configuration,
            format!(
                "take a snapshot that fits the changes of publication `{}`",
                config.publication_name
            ),
        )
        .with_source(told.join("; "))
        .with_hint(
            "do what is said above, or stream without a snapshot (`snapshot.mode` = no_data)",
        ));
    }
    for told in told {
        tracing::warn!("{told}");
    }
    Ok(())
}

/// Captured tables that the publication does not have.
///
/// # Errors
/// The catalog cannot be read.
pub(super) async fn unpublished_tables(
    client: &Client,
    config: &ConnectorConfig,
) -> Result<Vec<TableName>, Error> {
    let name = &config.publication_name;
    let failed = |error| {
        control_error(
            format!("read the tables that publication `{name}` lacks"),
            error,
        )
    };
    let mut tables = Vec::new();
    for row in client.query(UNPUBLISHED, &[name]).await.map_err(failed)? {
        let (schema, table): (String, String) = (
            row.try_get(0).map_err(failed)?,
            row.try_get(1).map_err(failed)?,
        );
        if captures_table(&config.filter, &schema, &table) {
            tables.push(TableName { schema, table });
        }
    }
    Ok(tables)
}

async fn tell_unpublished(client: &Client, config: &ConnectorConfig) -> Result<(), Error> {
    let name = &config.publication_name;
    let tables = unpublished_tables(client, config).await?;
    if tables.is_empty() {
        return Ok(());
    }
    let count = tables.len();
    let tables: Vec<String> = tables.iter().take(NAMED).map(TableName::full).collect();
    tracing::warn!(
        publication = %name,
        count,
        tables = %tables.join(", "),
        "captured tables are not published: the stream does not have their changes"
    );
    Ok(())
}
