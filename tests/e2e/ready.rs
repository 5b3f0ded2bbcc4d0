//! Proves: a lake writer that does not reach its lake is alive, and says that it is not ready. That it says so when it is,
//! every other test of this road waits for.
//! Steps: it is started with an object store where nobody listens.
//! Requires: PostgreSQL, Kafka, MinIO.

use anyhow::{Result, ensure};
use stack::{Process, free_port, get};

use crate::road::{READY, Road};
use crate::servers::shared;
use crate::workload::{SCHEMA, TABLES};

#[tokio::test]
async fn not_ready_without_a_lake() -> Result<()> {
    let road = Road::prepare(shared().await?, "not_ready", SCHEMA, &TABLES, &[]).await?;
    let mut command = road.tributary(&["lakewriter"])?;
    command.env(
        "TRIBUTARY_LAKE__ENDPOINT",
        format!("http://127.0.0.1:{}", free_port()?),
    );
    let mut process = Process::spawn("tributary lakewriter", command)?;
    process
        .wait_for_http(&road.lakewriter_url("healthz"), READY)
        .await?;
    let ready = get(&road.lakewriter_url("readyz")).await?;
    ensure!(ready.status == 503, "{ready:?}");
    ensure!(ready.body.contains("the lake or Kafka"), "{ready:?}");
    Ok(())
}
