//! What is peculiar about the captured tables, asked before a connector without an operator is started.

use std::collections::HashMap;

use postgres_tls::LongestMessage;
use tokio_postgres::Client;

use super::{control::connect, server_error::control_error, snapshot::MatchingTables};
use crate::{
    Error,
    table::{SnapshotTable, TableName},
};
use connector::ConnectorConfig;

/// A captured table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedTable {
    pub name: TableName,
    /// Its changes are in no WAL: PostgreSQL refuses to publish it.
    pub unlogged: bool,
    /// A query of it has the rows of the tables that inherit from it, whose changes come under their own names.
    pub inherited: bool,
    /// It has neither a primary key nor another replica identity: PostgreSQL refuses every UPDATE and DELETE of it as soon
    /// as it is published.
    pub without_identity: bool,
    /// The role that asks may not read it.
    pub unreadable: bool,
}

const TABLES: &str = "
select c.oid, c.relpersistence <> 'p',
       c.relkind = 'r' and exists (select from pg_catalog.pg_inherits i where i.inhparent = c.oid),
       c.relkind in ('r', 'p') and (c.relreplident = 'n' or c.relreplident = 'd' and not exists
           (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisprimary))
from pg_catalog.pg_class c where c.oid = any($1)";

/// What the catalog alone tells of a table, as [`SurveyedTable`] has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peculiar {
    pub(super) unlogged: bool,
    pub(super) inherited: bool,
    pub(super) without_identity: bool,
}

/// What the catalog tells of these tables, by their OIDs. One that was dropped meanwhile is not told.
///
/// # Errors
/// The catalog cannot be read.
pub(super) async fn peculiarities(
    client: &Client,
    tables: &[SnapshotTable],
) -> Result<HashMap<u32, Peculiar>, Error> {
    let failed = |error| control_error("read what is peculiar about the captured tables", error);
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let rows = client.query(TABLES, &[&oids]).await.map_err(failed)?;
    let mut told = HashMap::with_capacity(rows.len());
    for row in &rows {
        let is = Peculiar {
            unlogged: row.try_get(1).map_err(failed)?,
            inherited: row.try_get(2).map_err(failed)?,
            without_identity: row.try_get(3).map_err(failed)?,
        };
        told.insert(row.try_get(0).map_err(failed)?, is);
    }
    Ok(told)
}

/// The captured tables, in the order of a snapshot.
///
/// # Errors
/// The catalog or a table cannot be read.
pub async fn survey(config: &ConnectorConfig) -> Result<Vec<SurveyedTable>, Error> {
    let client = connect(&config.database, LongestMessage::Answer)
        .await?
        .client;
    let matching = MatchingTables::read(&client, config).await?;
    let tables = matching.all(config);
    let told = peculiarities(&client, &tables).await?;
    let unreadable = matching.unreadable(config);
    let mut found = Vec::with_capacity(tables.len());
    for table in tables {
        // One that was dropped meanwhile is not told.
        let Some(is) = told.get(&table.oid) else {
            continue;
        };
        found.push(SurveyedTable {
            unlogged: is.unlogged,
            inherited: is.inherited,
            without_identity: is.without_identity,
            unreadable: unreadable.iter().any(|other| other.oid == table.oid),
            name: table.name,
        });
    }
    Ok(found)
}
