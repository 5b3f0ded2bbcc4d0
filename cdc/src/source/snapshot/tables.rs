//! The tables that a connector captures, as the catalog has them.
//!
//! One that its user may not read is told apart from the others, because it is left out and told of with its GRANT.

use std::collections::HashSet;

use tokio_postgres::Client;

use super::super::{publication_root::publishes_via_root, server_error::control_error};
use crate::{
    Error,
    capture::captures_table,
    table::{SnapshotTable, TableName},
};
use connector::{ConnectorConfig, RowCountOrder};

// Ordinary and partitioned tables; views and foreign tables have no WAL of their own, temporary ones none at all.
// Privileges are told as of now, and not as of the transaction's snapshot: of a table that was dropped since then they are
// null. That it is gone is told where it is locked.
const TABLES: &str = "
select c.oid, n.nspname::text, c.relname::text, greatest(c.reltuples, 0)::float8,
       (select i.inhparent from pg_catalog.pg_inherits i where i.inhrelid = c.oid and c.relispartition),
       c.relpersistence = 'p' and not (c.relreplident = 'n' or c.relreplident = 'd' and not exists
           (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisprimary)),
       coalesce(pg_catalog.has_schema_privilege(n.oid, 'usage'), true)
           and coalesce(pg_catalog.has_table_privilege(c.oid, 'select'), true)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relpersistence <> 't'
order by n.nspname::text collate \"C\", c.relname::text collate \"C\"";

/// Every table that could be captured, by name.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn all_tables(client: &Client) -> Result<Vec<TableName>, Error> {
    let failed = |error| control_error("read the list of tables", error);
    let rows = client.query(TABLES, &[]).await.map_err(failed)?;
    rows.iter()
        .map(|row| {
            Ok(TableName {
                schema: row.try_get(1).map_err(failed)?,
                table: row.try_get(2).map_err(failed)?,
            })
        })
        .collect()
}

/// The captured tables in the order of their snapshot: that of the regexes of `table.include.list`, by name within one.
/// Where later tables are copied, those that PostgreSQL does not publish are left out, and those whose rows nothing tells
/// apart: once they were published, it would refuse every UPDATE and DELETE of them. So are those that we may not read.
///
/// # Errors
/// The catalog cannot be read.
pub async fn captured_tables(
    client: &Client,
    config: &ConnectorConfig,
) -> Result<Vec<SnapshotTable>, Error> {
    Ok(MatchingTables::read(client, config).await?.captured(config))
}

/// The tables that match, whether or not they can be published and read, as one look at the catalog found them.
#[derive(Debug)]
pub(crate) struct MatchingTables {
    tables: Vec<MatchingTable>,
    via_root: bool,
}

#[derive(Debug)]
struct MatchingTable {
    table: SnapshotTable,
    /// That it is a partition of.
    parent: Option<u32>,
    /// PostgreSQL publishes it without harm.
    publishable: bool,
    /// We may read it.
    readable: bool,
}

impl MatchingTables {
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn read(client: &Client, config: &ConnectorConfig) -> Result<Self, Error> {
        let failed = |error| control_error("read the list of tables", error);
        let via_root = publishes_via_root(client, &config.publication_name).await?;
        let mut tables = Vec::new();
        for row in client.query(TABLES, &[]).await.map_err(failed)? {
            let name = TableName {
                schema: row.try_get(1).map_err(failed)?,
                table: row.try_get(2).map_err(failed)?,
            };
            if !captures_table(&config.filter, &name.schema, &name.table) {
                continue;
            }
            let rows: f64 = row.try_get(3).map_err(failed)?;
            tables.push(MatchingTable {
                table: SnapshotTable {
                    oid: row.try_get(0).map_err(failed)?,
                    name,
                    estimated_rows: rows as u64,
                },
                parent: row.try_get(4).map_err(failed)?,
                publishable: row.try_get(5).map_err(failed)?,
                readable: row.try_get(6).map_err(failed)?,
            });
        }
        Ok(Self { tables, via_root })
    }

    /// All of them.
    pub(crate) fn all(&self, config: &ConnectorConfig) -> Vec<SnapshotTable> {
        self.those(config, |_| true)
    }

    /// As [`captured_tables`].
    pub(crate) fn captured(&self, config: &ConnectorConfig) -> Vec<SnapshotTable> {
        let later = config.snapshot.later_tables;
        self.those(config, |table| {
            !later || table.publishable && table.readable
        })
    }

    /// Those that could be copied, if we might read them.
    pub(crate) fn unreadable(&self, config: &ConnectorConfig) -> Vec<SnapshotTable> {
        self.those(config, |table| table.publishable && !table.readable)
    }

    fn those(
        &self,
        config: &ConnectorConfig,
        wanted: impl Fn(&MatchingTable) -> bool,
    ) -> Vec<SnapshotTable> {
        let mut tables: Vec<&MatchingTable> =
            self.tables.iter().filter(|table| wanted(table)).collect();
        if self.via_root {
            // The stream names the root only, so its snapshot has the partitions' rows already.
            let captured: HashSet<u32> = tables.iter().map(|table| table.table.oid).collect();
            tables.retain(|table| {
                table
                    .parent
                    .is_none_or(|parent| !captured.contains(&parent))
            });
        }
        let mut tables: Vec<SnapshotTable> = tables
            .into_iter()
            .map(|table| table.table.clone())
            .collect();
        // Stable: the query's order by name remains within one regex.
        tables.sort_by_key(|table| {
            let full_name = table.name.full();
            config
                .filter
                .table_include
                .iter()
                .position(|regex| regex.is_match(&full_name))
        });
        tables
    }
}

/// Those of them that are in the snapshot, in its order: `snapshot.include.collection.list` only narrows them,
/// `snapshot.tables.order.by.row.count` orders them.
///
/// # Errors
/// The catalog cannot be read.
pub async fn snapshot_tables(
    client: &Client,
    config: &ConnectorConfig,
) -> Result<Vec<SnapshotTable>, Error> {
    let mut tables = captured_tables(client, config).await?;
    if let Some(include) = &config.snapshot.include {
        tables.retain(|table| {
            let full_name = table.name.full();
            include.iter().any(|regex| regex.is_match(&full_name))
        });
    }
    match config.snapshot.order {
        RowCountOrder::Disabled => {}
        RowCountOrder::Ascending => tables.sort_by_key(|table| table.estimated_rows),
        RowCountOrder::Descending => {
            tables.sort_by_key(|table| std::cmp::Reverse(table.estimated_rows));
        }
    }
    Ok(tables)
}
