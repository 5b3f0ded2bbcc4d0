//! Proves: a kill of either process under load, or of any server, loses nothing and repeats nothing, neither in the lake
//! nor for a read_committed consumer.
//! Steps: clients write without pause from before the snapshot on; three times the process is killed when it has got on,
//! and started again, or each server once; the clients stop, the road drains.
//! Requires: PostgreSQL, Kafka, MinIO, DuckDB.

use std::sync::Arc;

use anyhow::{Context, Result};
use stack::until;

use crate::road::{PATIENCE, Road};
use crate::servers::{Servers, shared};
use crate::truth;
use crate::verdict;
use crate::workload::{EARLIER_ROWS, Load, SCHEMA, TABLES};

const ROUNDS: usize = 3;
/// How far the process under test must have come since its start before it is killed.
const EVENTS_BEFORE_KILL: i64 = 400;
const ROWS_BEFORE_KILL: f64 = 400.0;

#[tokio::test]
async fn killed_cdc_loses_and_repeats_nothing() -> Result<()> {
    let mut road = Road::prepare(shared().await?, "crash_cdc", SCHEMA, &TABLES, &[]).await?;
    let load = begin(&road).await?;
    road.start_cdc().await?;
    road.start_lakewriter().await?;
    // a snapshot that is killed begins again: its rows come a second time
    road.streaming().await?;
    road.delivered().await?;
    for _ in 0..ROUNDS {
        let before = events(&road).await.unwrap_or(0);
        let moved_on = until("cdc to deliver events", PATIENCE, async || {
            let more = events(&road).await? - before;
            Ok((more >= EVENTS_BEFORE_KILL).then_some(()))
        });
        moved_on.await.with_context(|| road.logs())?;
        road.say("killing cdc");
        road.cdc.as_mut().context("cdc runs")?.kill9()?;
        road.start_cdc().await?;
    }
    finish(road, load).await
}

#[tokio::test]
async fn killed_lakewriter_loses_and_repeats_nothing() -> Result<()> {
    let mut road = Road::prepare(shared().await?, "crash_lakewriter", SCHEMA, &TABLES, &[]).await?;
    let load = begin(&road).await?;
    road.start_cdc().await?;
    for _ in 0..ROUNDS {
        road.start_lakewriter().await?;
        more_rows(&road).await?;
        road.say("killing the lake writer");
        road.lakewriter
            .as_mut()
            .context("the lake writer runs")?
            .kill9()?;
    }
    road.start_lakewriter().await?;
    finish(road, load).await
}

#[tokio::test]
async fn killed_servers_cost_nothing() -> Result<()> {
    // servers of its own: nobody else would like this
    let servers = Arc::new(Servers::start().await?);
    let mut road =
        Road::prepare(Arc::clone(&servers), "crash_servers", SCHEMA, &TABLES, &[]).await?;
    let load = begin(&road).await?;
    road.start_cdc().await?;
    road.start_lakewriter().await?;
    road.streaming().await?;
    road.delivered().await?;
    for server in ["PostgreSQL", "Kafka", "MinIO"] {
        more_rows(&road).await?;
        road.say(&format!("killing {server}"));
        match server {
            "PostgreSQL" => {
                servers.postgres.kill9()?;
                servers.postgres.restart().await?;
            }
            "Kafka" => {
                servers.kafka.kill9()?;
                servers.kafka.restart().await?;
            }
            _ => {
                servers.minio.kill9()?;
                servers.minio.restart().await?;
            }
        }
        road.say(&format!("{server} is back"));
        let going_on = more_rows(&road).await;
        going_on.with_context(|| format!("after a kill of {server}"))?;
    }
    finish(road, load).await
}

/// Waits until the lake has got more rows than it has now.
async fn more_rows(road: &Road) -> Result<()> {
    let metric = "tributary_lakewriter_rows_total";
    let before = road.lakewriter_metric(metric).await;
    let moved_on = until("the lake writer to commit rows", PATIENCE, async || {
        let more = road.lakewriter_metric(metric).await - before;
        Ok((more >= ROWS_BEFORE_KILL).then_some(()))
    });
    moved_on.await.with_context(|| road.logs())
}

/// Rows from before, the audit, and clients that write on.
async fn begin(road: &Road) -> Result<Load> {
    let postgres = &road.servers.postgres;
    let client = postgres.connect(&road.name).await?;
    client.batch_execute(EARLIER_ROWS).await?;
    truth::watch(&client, &TABLES).await?;
    Ok(Load::start(&road.servers, &road.name, 2))
}

/// The clients stop, everything that is on its way arrives.
async fn finish(mut road: Road, load: Load) -> Result<()> {
    let transactions = load.finish().await?;
    road.say(&format!("{transactions} transactions were written"));
    road.verdict(verdict::Load::DuringSnapshot).await?;
    road.stop().await
}

/// Records of the busiest topic so far, markers of transactions among them.
async fn events(road: &Road) -> Result<i64> {
    let ends = road
        .servers
        .kafka
        .end_offsets(&road.topic("public.tweets"))
        .await?;
    Ok(ends.iter().sum())
}
