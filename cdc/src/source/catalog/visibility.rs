use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use crate::{Error, source::server_error::control_error};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(1);

/// With a synchronous standby a commit stays invisible until the standby has answered. If that takes longer, the table is
/// read as it was before; we must not wait for a standby that may be ourselves.
const PATIENCE: Duration = Duration::from_secs(2);

// The walsender gives 32 bits of the id, the snapshot has 64: the nearest one is meant, before or after.
const VISIBLE: &str = "
select pg_catalog.txid_visible_in_snapshot(
    xmax - ((((xmax - $1::int8) + 2147483648) & 4294967295) - 2147483648), snapshot)
from (select snapshot, pg_catalog.txid_snapshot_xmax(snapshot) as xmax
      from pg_catalog.txid_current_snapshot() as snapshot) now";

/// A transaction is sent as soon as its COMMIT record is flushed, a moment before others can see what it did. Wait until
/// they can, or the catalog would be read as it was before the transaction made or altered the table.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn wait_visible(client: &Client, xid: u32) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let visible: bool = client
            .query_one(VISIBLE, &[&i64::from(xid)])
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|error| {
                control_error(format!("see whether transaction {xid} is visible"), error)
            })?;
        if visible || Instant::now() >= deadline {
            return Ok(());
        }
        sleep(INTERVAL).await;
    }
}
