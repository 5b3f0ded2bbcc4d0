//! What a snapshot reads, locked and compared with what the snapshot sees.
//!
//! Nothing that is read as of the snapshot's moment was rewritten, truncated or dropped since; this is made sure of
//! before a table is read, and once more afterwards.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use debezium::TableSchema;
use tokio_postgres::Client;

use super::{
    super::{
        Control,
        catalog::current_schema,
        server_error::{LOCK_NOT_AVAILABLE, control_error, sqlstate},
        waiting::told_while_waiting,
    },
    PinnedConnection,
    relations::{Relations, changed_since, locked},
};
use crate::{Error, ErrorKind};
use crate::{quoting::quote_identifier, table::SnapshotTable};
use connector::ConnectorConfig;

/// How long a further connection waits for a lock that the first one has already: only somebody who wants to alter the
/// table stands between them, and he waits for the first.
const FURTHER_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Tables that are locked with one round trip.
const TABLES_AT_A_TIME: usize = 100;

/// A table, and how it is read.
#[derive(Debug, Clone)]
pub(super) struct PlannedTable {
    pub(super) table: SnapshotTable,
    pub(super) schema: Arc<TableSchema>,
    /// The captured columns of the table, or of the query that stands in its place.
    pub(super) query: String,
    reads: Reads,
}

/// What the query of a table reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// The table and nothing else, whatever is attached to it later.
    Table,
    /// Partitions, children, or what an override reads.
    More,
}

/// Everything that is read, locked by the connection that planned it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tables: Vec<PlannedTable>,
    /// What is read: tables, their partitions, what the query of an override reads, and indexes.
    pub(super) locked: BTreeSet<u32>,
}

/// What became of a plan.
pub(super) enum Planned {
    Ready(Plan),
    /// That relation is not any more what it was at the snapshot's moment: its rows cannot be read as of then.
    Changed(String),
}

/// Lock what the snapshot reads, then make sure that it still is what the snapshot sees.
///
/// Invariant: nothing that is read as of the snapshot's moment S was rewritten, truncated, dropped, renamed, attached or
/// detached after S. From the lock on nobody can do that, for all of it takes ACCESS EXCLUSIVE; whether somebody did
/// between S and the lock is what the catalog as of S tells, compared with that of now. ATTACH PARTITION alone is content
/// with less on the parent, see [`ensure_before`].
///
/// # Errors
/// A table cannot be read, or is not locked within `snapshot.lock.timeout.ms`.
pub(super) async fn plan(
    connection: &PinnedConnection,
    tables: Vec<SnapshotTable>,
    config: &ConnectorConfig,
    control: &mut Control,
) -> Result<Planned, Error> {
    let client = &connection.client;
    let mut oids: BTreeSet<u32> = tables.iter().map(|table| table.oid).collect();
    let then = Relations::read(client, &oids).await?;
    let timeout = config.snapshot.lock_timeout.unwrap_or_default();
    connection.set_lock_timeout(timeout).await?;
    let pid = connection.pid().await?;
    let mut planned = Vec::with_capacity(tables.len());
    let planning = async {
        for table in tables {
            let Some(schema) = current_schema(client, table.oid, config)
                .await
                .map_err(|error| within(error, &table))?
            else {
                return Err(vanished(&table));
            };
            let alone = config.snapshot.later_tables && then.is_table(table.oid);
            let reads = if alone || then.is_plain(table.oid) {
                Reads::Table
            } else {
                Reads::More
            };
            let (query, reads) = query(&table, &schema, reads, config);
            let explained = client.batch_execute(&explain(&query)).await;
            explained.map_err(|error| control_error(attempted(&table), error))?;
            planned.push(PlannedTable {
                table,
                schema,
                query,
                reads,
            });
        }
        Ok(())
    };
    let waits = "the snapshot waits for a lock that it needs to read its tables";
    if let Err(error) = told_while_waiting(control, pid, waits, planning).await {
        // A table that is not what it was cannot be planned either; anything else is what the error says.
        let now = Relations::read(control.client().await?, &oids).await?;
        return match then.difference(&now) {
            Some(changed) => Ok(Planned::Changed(changed.to_owned())),
            None => Err(error),
        };
    }
    let locked = locked(client).await?;
    oids.extend(&locked);
    if let Some(changed) = changed_since(client, control.client().await?, &oids).await? {
        return Ok(Planned::Changed(changed));
    }
    Ok(Planned::Ready(Plan {
        tables: planned,
        locked,
    }))
}

/// Lock the same by a further connection, so that none of its tables waits behind somebody who waits for the first:
/// the server does not know that our connections wait for each other. Answers false where somebody stands there already.
///
/// # Errors
/// A table cannot be read.
pub(super) async fn join(connection: &PinnedConnection, plan: &Plan) -> Result<bool, Error> {
    connection.set_lock_timeout(FURTHER_LOCK_TIMEOUT).await?;
    for tables in plan.tables.chunks(TABLES_AT_A_TIME) {
        let explained: Vec<String> = tables.iter().map(|table| explain(&table.query)).collect();
        let joined = connection.client.batch_execute(&explained.join(";")).await;
        if let Err(error) = joined {
            let error = control_error("lock the snapshot's tables by a further connection", error);
            if sqlstate(&error) == Some(LOCK_NOT_AVAILABLE) {
                return Ok(false);
            }
            return Err(error);
        }
    }
    connection.set_lock_timeout(Duration::ZERO).await?;
    Ok(true)
}

/// What the query reads now is what the plan has locked and found unchanged: nothing was attached to a partitioned table.
/// Asked before a table is read, so that nothing is written in vain.
///
/// # Errors
/// It is not; the server cannot be asked.
pub(super) async fn ensure_before(
    client: &Client,
    planned: &PlannedTable,
    known: &BTreeSet<u32>,
    config: &ConnectorConfig,
) -> Result<(), Error> {
    match planned.reads {
        Reads::Table => Ok(()),
        Reads::More => {
            let explained = client.batch_execute(&explain(&planned.query)).await;
            explained.map_err(|error| control_error(attempted(&planned.table), error))?;
            ensure_locked(client, planned, known, config).await
        }
    }
}

/// What was read is what the plan has locked: only after it is that known for sure. Of a table by itself it is that its
/// name meant it, although its schema may have been renamed.
///
/// # Errors
/// It is not; the server cannot be asked.
pub(super) async fn ensure_after(
    client: &Client,
    planned: &PlannedTable,
    known: &BTreeSet<u32>,
    config: &ConnectorConfig,
) -> Result<(), Error> {
    if planned.reads == Reads::More {
        return ensure_locked(client, planned, known, config).await;
    }
    let PlannedTable { table, .. } = planned;
    let row = client
        .query_one(
            "select pg_catalog.to_regclass($1)::oid is not distinct from $2::oid",
            &[&table.name.quoted(), &table.oid],
        )
        .await;
    let same = row.and_then(|row| row.try_get::<_, bool>(0));
    match same.map_err(|error| control_error(attempted(table), error))? {
        true => Ok(()),
        false => Err(starts_over(table, &table.name.full())),
    }
}

async fn ensure_locked(
    client: &Client,
    planned: &PlannedTable,
    known: &BTreeSet<u32>,
    config: &ConnectorConfig,
) -> Result<(), Error> {
    let more: BTreeSet<u32> = locked(client).await?.difference(known).copied().collect();
    if more.is_empty() {
        return Ok(());
    }
    // An index that was made meanwhile is harmless, and so is a table that a function of an override reads.
    let mut control = Control::new(&config.database);
    match changed_since(client, control.client().await?, &more).await? {
        None => Ok(()),
        Some(changed) => Err(starts_over(&planned.table, &changed)),
    }
}

fn starts_over(table: &SnapshotTable, changed: &str) -> Error {
    Error::new(
        ErrorKind::Database,
        format!(
            "{}: {changed} is not what it was when the snapshot began, so the snapshot starts over",
            attempted(table)
        ),
    )
}

/// The lock and the checks of the query, and nothing else: EXPLAIN takes the locks that running it takes, on partitions
/// too, and asks for the same privileges, which LOCK TABLE does not (it wants those of the whole table).
fn explain(query: &str) -> String {
    format!("explain {query}")
}

fn query(
    table: &SnapshotTable,
    schema: &TableSchema,
    reads: Reads,
    config: &ConnectorConfig,
) -> (String, Reads) {
    let columns: Vec<String> = schema
        .columns
        .iter()
        .map(|column| quote_identifier(&column.name))
        .collect();
    let overrides = &config.snapshot.select_overrides;
    let (from, reads) = match (overrides.get(&table.name.full()), reads) {
        (Some(query), _) => (format!("({query}) as override"), Reads::More),
        (None, Reads::Table) => (format!("only {}", table.name.quoted()), reads),
        (None, Reads::More) => (table.name.quoted(), reads),
    };
    (format!("select {} from {from}", columns.join(", ")), reads)
}

pub(super) fn attempted(table: &SnapshotTable) -> String {
    format!("read table {} for the snapshot", table.name.quoted())
}

fn vanished(table: &SnapshotTable) -> Error {
    Error::new(ErrorKind::Database, attempted(table))
        .with_source("the catalog does not know the table any more")
}

/// The same failure, of this table.
fn within(error: Error, table: &SnapshotTable) -> Error {
    let (kind, hint): (ErrorKind, _) = (error.kind(), error.hint().to_owned());
    Error::new(kind, attempted(table))
        .with_hint(hint)
        .with_source(error)
}
