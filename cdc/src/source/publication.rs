//! Makes or adopts the publication, as `publication.autocreate.mode` says.
//!
//! It exists before the slot: the server looks it up as of the WAL that it decodes.

use std::collections::BTreeSet;

use debezium::SkippedOperations;
use tokio_postgres::Client;

use super::{
    publication_root::publishes_via_root,
    server_error::{DUPLICATE_OBJECT, control_error, sqlstate},
    snapshot::captured_tables,
};
use crate::{Error, ErrorKind};
use crate::{quoting::quote_identifier, table::TableName};
use connector::{ConnectorConfig, PublicationAutocreate};

/// What `pg_publication` says of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Publication {
    all_tables: bool,
}

/// Create or adopt the publication as `publication.autocreate.mode` says. It must exist before the slot: decoding looks
/// it up as of the WAL it reads.
///
/// # Errors
/// `Configuration` when the mode cannot be carried out, `Permission` when the user may not.
pub async fn prepare_publication(client: &Client, config: &ConnectorConfig) -> Result<(), Error> {
    let name = &config.publication_name;
    let found = find(client, name).await?;
    match (config.publication_autocreate, found) {
        (PublicationAutocreate::Disabled, None) => Err(Error::new(
            ErrorKind::Configuration,
            format!("find publication `{name}`"),
        )
        // Debezium's words, which operators look for.
        .with_source("Publication autocreation is disabled, please create one and restart the connector.")
        .with_hint(format!(
            "create publication {} for table ...; then start again",
            quote_identifier(name)
        ))),
        (PublicationAutocreate::Filtered, found) => filtered(client, config, found).await,
        (_, Some(_)) => Ok(()),
        (PublicationAutocreate::AllTables, None) => {
            create(client, config, " for all tables").await.map_err(|error| {
                if error.kind() == ErrorKind::Permission {
                    error.with_hint("FOR ALL TABLES needs a superuser: set `publication.autocreate.mode` to `filtered`, or create the publication yourself")
                } else {
                    error
                }
            })
        }
        (PublicationAutocreate::NoTables, None) => create(client, config, "").await,
    }
}

/// Where changes were delivered there was a publication: without one none are sent, and one that is made anew publishes
/// only what changes from then on.
///
/// # Errors
/// `Configuration`: it is gone.
pub(crate) async fn require_publication(
    client: &Client,
    config: &ConnectorConfig,
) -> Result<(), Error> {
    let name = &config.publication_name;
    if find(client, name).await?.is_some() {
        return Ok(());
    }
    let tables: Vec<String> = captured_tables(client, config)
        .await?
        .iter()
        .map(|table| table.name.quoted())
        .collect();
    Err(Error::new(
        ErrorKind::Configuration,
        format!("find publication `{name}`: it was dropped, and what changed since then was not published"),
    )
    .with_hint(format!(
        "create publication {} for table {} with (publish_via_partition_root = true); then start again: the tables are copied anew",
        quote_identifier(name),
        tables.join(", ")
    )))
}

async fn find(client: &Client, name: &str) -> Result<Option<Publication>, Error> {
    let row = client
        .query_opt(
            "select puballtables from pg_catalog.pg_publication where pubname = $1",
            &[&name],
        )
        .await
        .map_err(|error| control_error(format!("read publication `{name}`"), error))?;
    row.map(|row| {
        Ok(Publication {
            all_tables: row
                .try_get(0)
                .map_err(|error| control_error(format!("read publication `{name}`"), error))?,
        })
    })
    .transpose()
}

async fn create(client: &Client, config: &ConnectorConfig, tables: &str) -> Result<(), Error> {
    let name = &config.publication_name;
    let options: Vec<String> = published(config.unpublished_operations)
        .into_iter()
        .chain(
            config
                .publish_via_partition_root
                .then(|| "publish_via_partition_root = true".to_owned()),
        )
        .collect();
    let options = match options.as_slice() {
        [] => String::new(),
        options => format!(" with ({})", options.join(", ")),
    };
    let sql = format!(
        "create publication {}{tables}{options}",
        quote_identifier(name)
    );
    match run(client, &sql).await {
        Ok(()) => {
            tracing::info!(publication = %name, "publication created");
            Ok(())
        }
        Err(error) if sqlstate(&error) == Some(DUPLICATE_OBJECT) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The operations that a new publication publishes, where some are left out. One must stay.
fn published(left_out: Option<SkippedOperations>) -> Option<String> {
    let left_out = left_out?;
    let operations: Vec<&str> = [
        ("insert", left_out.create),
        ("update", left_out.update),
        ("delete", left_out.delete),
        ("truncate", left_out.truncate),
    ]
    .into_iter()
    .filter(|(_, skipped)| !skipped)
    .map(|(name, _)| name)
    .collect();
    Some(format!("publish = '{}'", operations.join(", ")))
}

async fn filtered(
    client: &Client,
    config: &ConnectorConfig,
    found: Option<Publication>,
) -> Result<(), Error> {
    let name = &config.publication_name;
    if found.is_some_and(|publication| publication.all_tables) {
        if config.snapshot.later_tables && publishes_via_root(client, name).await? {
            // Who made it wants it so, and what is not captured is passed over.
            return Ok(());
        }
        return Err(Error::new(
            ErrorKind::Configuration,
            format!("narrow publication `{name}` to the captured tables: it is FOR ALL TABLES"),
        )
        .with_hint("drop it, name another `publication.name`, or set `publication.autocreate.mode` to `all_tables`"));
    }
    let tables: Vec<TableName> = captured_tables(client, config)
        .await?
        .into_iter()
        .map(|table| table.name)
        .collect();
    if tables.is_empty() {
        return Err(Error::new(
            ErrorKind::Configuration,
            format!("publish the captured tables by `{name}`: no table matches the filters"),
        )
        .with_hint("correct `table.include.list` and `schema.include.list`"));
    }
    let list = tables
        .iter()
        .map(TableName::quoted)
        .collect::<Vec<_>>()
        .join(", ");
    if found.is_none() {
        return create(client, config, &format!(" for table {list}")).await;
    }
    let published = client
        .query(
            "select schemaname::text, tablename::text from pg_catalog.pg_publication_tables where pubname = $1",
            &[&name],
        )
        .await
        .map_err(|error| control_error(format!("read the tables of publication `{name}`"), error))?
        .iter()
        .map(|row| Ok(TableName { schema: row.try_get(0)?, table: row.try_get(1)? }))
        .collect::<Result<BTreeSet<_>, tokio_postgres::Error>>()
        .map_err(|error| control_error(format!("read the tables of publication `{name}`"), error))?;
    if published == tables.into_iter().collect() {
        return Ok(());
    }
    let sql = format!(
        "alter publication {} set table {list}",
        quote_identifier(name)
    );
    match run(client, &sql).await {
        // What is published by now can be followed all the same.
        Err(error) if config.snapshot.later_tables && error.kind() == ErrorKind::Permission => {
            tracing::warn!(
                error = %error,
                "the publication is not ours to change: tables that it does not have are not mirrored before their owner has run `{sql}`"
            );
            return Ok(());
        }
        altered => altered?,
    }
    tracing::info!(publication = %name, "publication set to the captured tables");
    Ok(())
}

async fn run(client: &Client, sql: &str) -> Result<(), Error> {
    client
        .batch_execute(sql)
        .await
        .map_err(|error| control_error(format!("run `{sql}`"), error))
}
