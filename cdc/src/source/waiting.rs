use std::{pin::pin, time::Duration};

use connector::ConnectorConfig;
use postgres_tls::LongestMessage;
use tokio_postgres::Client;

use super::{Control, control::connect, server_error::control_error, slot::find_slot};
use crate::Error;

/// When to say what something waits for, and when to say it again.
const FIRST: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_secs(10);

// Age and more of another role's session show only to a superuser and to members of pg_read_all_stats. A prepared
// transaction has no process.
const BLOCKERS: &str = "
with waiting as (select * from pg_catalog.pg_locks where pid = $1 and not granted),
blocking as (select distinct b.pid from unnest(pg_catalog.pg_blocking_pids($1)) b(pid))
select concat_ws(', ',
       'process ' || b.pid,
       'of ' || a.usename,
       'application ' || nullif(a.application_name, ''),
       'transaction open for ' || extract(epoch from date_trunc('second', now() - a.xact_start))::int8 || ' s',
       a.state,
       nullif(left(a.query, 200), ''))
from blocking b left join pg_catalog.pg_stat_activity a on a.pid = b.pid
where b.pid <> 0
union all
select concat_ws(', ', 'prepared transaction ' || quote_literal(p.gid), 'of ' || p.owner::text,
       'open for ' || extract(epoch from date_trunc('second', now() - p.prepared))::int8 || ' s')
from pg_catalog.pg_prepared_xacts p
where exists (select 1 from waiting w where w.transactionid = p.transaction
    or exists (select 1 from pg_catalog.pg_locks h where h.granted and h.relation = w.relation
               and h.database = w.database and h.virtualtransaction = '-1/' || p.transaction::text))";

/// The outcome of `work`. While that keeps the server's process `pid` waiting, the log says for whom: `what` tells which
/// work that is.
pub(crate) async fn told_while_waiting<T>(
    control: &mut Control,
    pid: i32,
    what: &str,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    let mut patience = FIRST;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(patience) => patience = AGAIN,
        }
        tokio::select! {
            biased;
            done = &mut work => return done,
            told = blockers(control, pid) => {
                if let Some(told) = told {
                    tracing::warn!(waits_for = %told, "{what}");
                }
            }
        }
    }
}

/// Whom the process waits for. Only for show: where the server cannot be asked, the work fails soon enough.
pub(crate) async fn blockers(control: &mut Control, pid: i32) -> Option<String> {
    let client: &Client = control.client().await.ok()?;
    let rows = client.query(BLOCKERS, &[&pid]).await;
    let rows =
        rows.inspect_err(|error| tracing::debug!(%error, "what is waited for cannot be read"));
    let told: Vec<String> = rows
        .ok()?
        .iter()
        .filter_map(|row| row.try_get(0).ok())
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// End a process of ours that waits. Where the server cannot be asked, it ends with its transaction.
pub(crate) async fn end_process(control: &mut Control, pid: i32) {
    const SQL: &str = "select pg_catalog.pg_terminate_backend($1)";
    let Ok(client) = control.client().await else {
        return;
    };
    if let Err(error) = client.execute(SQL, &[&pid]).await {
        tracing::debug!(%error, pid, "a process that waits was not ended");
    }
}

/// The process that reads the slot now.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn slot_reader(client: &Client, name: &str) -> Result<Option<i32>, Error> {
    let row = client
        .query_opt(
            "select active_pid from pg_catalog.pg_replication_slots where slot_name = $1 and active",
            &[&name],
        )
        .await;
    let pid = row.and_then(|row| match row {
        Some(row) => row.try_get(0),
        None => Ok(None),
    });
    pid.map_err(|error| control_error(format!("read replication slot `{name}`"), error))
}

/// The server process that reads the connector's slot now, asked over a connection of its own; None where nobody does.
///
/// # Errors
/// The server cannot be reached or asked.
pub async fn slot_in_use(config: &ConnectorConfig) -> Result<Option<i32>, Error> {
    let session = connect(&config.database, LongestMessage::Answer).await?;
    slot_reader(&session.client, &config.slot_name).await
}

/// Whether the connector has a slot already, asked over a connection of its own.
///
/// # Errors
/// The server cannot be reached or asked.
pub async fn slot_exists(config: &ConnectorConfig) -> Result<bool, Error> {
    let session = connect(&config.database, LongestMessage::Answer).await?;
    let slot = find_slot(&session.client, &config.slot_name).await?;
    Ok(slot.is_some())
}
