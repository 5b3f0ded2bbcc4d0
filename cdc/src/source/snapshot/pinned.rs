//! A connection in a read-only transaction that sees one snapshot.
//!
//! It sees the same from its first statement to its last. When it is dropped the connection ends at once, in the
//! middle of a table too.

use std::{pin::pin, time::Duration};

use postgres_tls::LongestMessage;
use tokio_postgres::Client;
use tokio_util::task::AbortOnDropHandle;

use super::super::{
    control::{OrdinaryConnection, connect},
    server_error::control_error,
};
use crate::Error;
use crate::quoting::quote_literal;
use connector::DatabaseConfig;

/// A table takes as long as it takes, and so does the sink that takes its rows. The last of these settings is of PostgreSQL 17
/// and later.
///
/// Where a policy of row level security hides rows from us the server is to refuse: the stream has all of them.
const SETTINGS: &str = "
set local statement_timeout = 0;
set local row_security = off;
select pg_catalog.set_config(name, '0', true) from pg_catalog.pg_settings
where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')";

/// When to say what a safe snapshot waits for.
const SAFE_SNAPSHOT_PATIENCE: Duration = Duration::from_secs(1);

/// How long the server may take to notice our goodbye.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// A connection in a read-only transaction that sees one snapshot. Dropped, it ends at once, in the middle of a table
/// too; its task would read that table to the end otherwise.
pub(super) struct PinnedConnection {
    pub(super) client: Client,
    task: AbortOnDropHandle<()>,
}

impl PinnedConnection {
    fn new(connection: OrdinaryConnection) -> Self {
        Self {
            client: connection.client,
            task: AbortOnDropHandle::new(connection.task),
        }
    }

    /// See what the exported snapshot sees. Whoever exported it must still hold it; afterwards it need not any more.
    ///
    /// # Errors
    /// The snapshot is gone, or the connection.
    pub(super) async fn import(
        connection: OrdinaryConnection,
        snapshot_name: &str,
    ) -> Result<Self, Error> {
        let pinned = Self::new(connection);
        let begin = format!(
            "begin isolation level repeatable read, read only; set transaction snapshot {};{SETTINGS}",
            quote_literal(snapshot_name)
        );
        let begun = pinned.client.batch_execute(&begin).await;
        begun.map_err(|error| {
            control_error(
                format!("read the exported snapshot `{snapshot_name}`"),
                error,
            )
        })?;
        Ok(pinned)
    }

    /// See what is committed now.
    ///
    /// # Errors
    /// The transaction cannot be begun.
    pub(super) async fn repeatable_read(connection: OrdinaryConnection) -> Result<Self, Error> {
        let pinned = Self::new(connection);
        let begin = format!("begin isolation level repeatable read, read only;{SETTINGS}");
        let begun = pinned.client.batch_execute(&begin).await;
        begun.map_err(|error| control_error("begin the snapshot's transaction", error))?;
        Ok(pinned)
    }

    /// See what is committed at a moment that fits an order of the serializable transactions. Waits until those that
    /// write and are open now have ended, and says so; PostgreSQL manual, "SET TRANSACTION", "DEFERRABLE". Such a
    /// snapshot is safe for a REPEATABLE READ transaction that imports it as well.
    ///
    /// # Errors
    /// The transaction cannot be begun.
    pub(super) async fn serializable(
        connection: OrdinaryConnection,
        database: &DatabaseConfig,
    ) -> Result<Self, Error> {
        let attempted = "begin the snapshot's serializable transaction (`snapshot.isolation.mode`)";
        let failed = |error| control_error(attempted, error);
        let pinned = Self::new(connection);
        let pid = pinned.pid().await?;
        let begin = format!("begin isolation level serializable, read only, deferrable;{SETTINGS}");
        {
            let mut begun = pin!(pinned.client.batch_execute(&begin));
            let begun = tokio::select! {
                biased;
                begun = &mut begun => begun,
                () = tokio::time::sleep(SAFE_SNAPSHOT_PATIENCE) => {
                    say_what_blocks(database, pid).await;
                    begun.await
                }
            };
            begun.map_err(failed)?;
        }
        Ok(pinned)
    }

    /// The name by which others can import what this one sees.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) async fn export(&self) -> Result<String, Error> {
        let row = self
            .client
            .query_one("select pg_catalog.pg_export_snapshot()", &[])
            .await;
        row.and_then(|row| row.try_get(0))
            .map_err(|error| control_error("export the snapshot to further connections", error))
    }

    /// The transaction's id, 0 on a standby, where none has one, and its start in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub(super) async fn transaction(&self) -> Result<(u64, i64), Error> {
        const SQL: &str = "select case when pg_catalog.pg_is_in_recovery() then 0 else pg_catalog.txid_current() end,
                   (extract(epoch from transaction_timestamp()) * 1000000)::int8";
        let row = self.client.query_one(SQL, &[]).await;
        let of_row = row.and_then(|row| Ok((row.try_get::<_, i64>(0)?, row.try_get(1)?)));
        of_row
            .map(|(id, started)| (id.cast_unsigned(), started))
            .map_err(|error| control_error("ask for the snapshot's transaction", error))
    }

    /// The server's process.
    ///
    /// # Errors
    /// The connection was lost.
    pub(super) async fn pid(&self) -> Result<i32, Error> {
        let row = self
            .client
            .query_one("select pg_catalog.pg_backend_pid()", &[])
            .await;
        row.and_then(|row| row.try_get(0))
            .map_err(|error| control_error("ask for the snapshot's process", error))
    }

    /// How long to wait for a lock; zero is for ever.
    ///
    /// # Errors
    /// The connection was lost.
    pub(super) async fn set_lock_timeout(&self, timeout: Duration) -> Result<(), Error> {
        let sql = format!("set local lock_timeout = {}", timeout.as_millis());
        let set = self.client.batch_execute(&sql).await;
        set.map_err(|error| control_error(format!("run `{sql}`"), error))
    }

    /// End the transaction and the connection.
    ///
    /// # Errors
    /// The connection was lost.
    pub(super) async fn close(self) -> Result<(), Error> {
        let ended = self.client.batch_execute("commit").await;
        ended.map_err(|error| control_error("end the snapshot's transaction", error))?;
        drop(self.client);
        // Where it takes longer, the drop ends it.
        let _ = tokio::time::timeout(CLOSE_PATIENCE, self.task).await;
        Ok(())
    }
}

/// Which sessions keep that one from a safe snapshot. Only for show: a failure shows in the snapshot soon enough.
async fn say_what_blocks(database: &DatabaseConfig, pid: i32) {
    const SQL: &str = "select pg_catalog.pg_safe_snapshot_blocking_pids($1)::text";
    let pids = match connect(database, LongestMessage::Answer).await {
        Ok(connection) => connection.client.query_one(SQL, &[&pid]).await,
        Err(_) => return,
    };
    let pids: Result<String, _> = pids.and_then(|row| row.try_get(0));
    tracing::info!(
        pids = pids.as_deref().unwrap_or("?"),
        "the snapshot waits for serializable transactions that write to end: snapshot.isolation.mode"
    );
}
