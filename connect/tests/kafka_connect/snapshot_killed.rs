//! Proves: a snapshot that is killed goes on where it was. A read_committed consumer sees no row of a finished table twice,
//! and what it sees of the table that was read in part comes to what PostgreSQL has.
//! Steps: a process of its own takes the snapshot of two tables in small batches; it gets SIGKILL as soon as a row of the
//! second table is committed, twice; rows change in between; the third life finishes and streams.
//! Requires: PostgreSQL, Kafka.

use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use cdc::{
    Phase, PipelineStatus,
    kafka::KafkaClient,
    pipeline,
    sink::kafka::{ActiveTopics, KafkaSink},
};
use connector::ConnectorConfig;
use pgoutput::Lsn;
use serde_json::Value;
use stack::{Kafka, Postgres, until};
use tokio_util::sync::CancellationToken;

use crate::{
    events::OFFSETS,
    rest::{PATIENCE, connector},
};

/// What `connector_process` runs: the broker and the connector's properties.
const CHILD: &str = "TRIBUTARY_TEST_SNAPSHOT_KILLED";
const SMALL: usize = 500;
/// So many small Kafka transactions that a kill after the first of them does not come too late, however slowly the consumer
/// that waits for it reads.
const LARGE: usize = 24_000;

async fn live(
    bootstrap: String,
    properties: &BTreeMap<String, String>,
    status: Arc<PipelineStatus>,
    stop: CancellationToken,
) -> Result<(), cdc::Error> {
    let client = KafkaClient::new(bootstrap, &BTreeMap::new())?;
    let config = ConnectorConfig::parse(properties)?.config;
    pipeline::supervise(&config, &status, &stop, || {
        let topics = ActiveTopics::default();
        KafkaSink::connect(&config, &client, OFFSETS, topics, Arc::clone(&status))
    })
    .await
}

/// The process that is killed; without its settings this is no test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connector_process() -> Result<()> {
    let Ok(settings) = std::env::var(CHILD) else {
        return Ok(());
    };
    let (bootstrap, properties) = serde_json::from_str(&settings)?;
    let (status, stop) = (Arc::default(), CancellationToken::new());
    Ok(live(bootstrap, &properties, status, stop).await?)
}

/// A life of the connector in a process of its own, which ends with the handle.
struct Life(Child);

impl Life {
    fn start(kafka: &Kafka, properties: &BTreeMap<String, String>) -> Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args([
                "--exact",
                "snapshot_killed::connector_process",
                "--nocapture",
            ])
            .env(
                CHILD,
                serde_json::to_string(&(kafka.bootstrap(), properties))?,
            )
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }

    /// SIGKILL, once more rows of the table than `count` are committed.
    async fn killed_beyond(mut self, kafka: &Kafka, table: &str, count: usize) -> Result<()> {
        until(&format!("more rows of `{table}`"), PATIENCE, async || {
            let changes = committed(kafka, table).await?;
            Ok((of_op(&changes, "r") > count).then_some(()))
        })
        .await?;
        ensure!(
            self.0.try_wait()?.is_none(),
            "the connector ended by itself"
        );
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A change as a read_committed consumer gets it.
struct Change {
    id: u64,
    op: String,
    v: Option<String>,
}

/// All changes of a table, whose positions grow without exception.
async fn committed(kafka: &Kafka, table: &str) -> Result<Vec<Change>> {
    let mut last = (0, 0, 0);
    let mut changes = Vec::new();
    // Of each snapshot its rows, and how many the last one of them says that there are.
    let mut snapshots: BTreeMap<(u64, u64), (u64, u64)> = BTreeMap::new();
    let topic = format!("killed.inventory.{table}");
    for record in kafka.read_all(&topic, true).await? {
        let Some(value) = &record.value else {
            continue;
        };
        let header = record
            .headers
            .iter()
            .find(|it| it.0 == "tributary.position");
        let position = header
            .and_then(|it| it.1.as_deref())
            .context("a position")?;
        let mut parts = std::str::from_utf8(position)?.split(':').map(str::parse);
        let mut part = || anyhow::Ok(parts.next().context("three parts")??);
        let position: (u64, u64, u64) = (part()?, part()?, part()?);
        ensure!(last < position, "{position:?} stands after {last:?}");
        last = position;
        let value: Value = serde_json::from_slice(value)?;
        let op = value["op"].as_str().context("an operation")?.to_owned();
        let mut headers = record.headers.iter();
        let counted = headers.find(|it| it.0 == "tributary.snapshot_rows");
        ensure!(counted.is_some() == (op == "r"), "{op} with {counted:?}");
        if let Some((_, counted)) = counted {
            let counted: u64 =
                std::str::from_utf8(counted.as_deref().unwrap_or_default())?.parse()?;
            let (rows, said) = snapshots.entry((position.0, position.1)).or_default();
            ensure!(*said == 0, "a row comes after the last one of its table");
            (*rows, *said) = (*rows + 1, counted);
        }
        let row = &value[if op == "d" { "before" } else { "after" }];
        changes.push(Change {
            id: row["id"].as_u64().context("an id")?,
            v: row["v"].as_str().map(str::to_owned),
            op,
        });
    }
    for (snapshot, (rows, said)) in snapshots {
        ensure!(
            said == 0 || said == rows,
            "{snapshot:?} has {rows} rows and says {said}"
        );
    }
    Ok(changes)
}

fn of_op(changes: &[Change], op: &str) -> usize {
    changes.iter().filter(|change| change.op == op).count()
}

/// What somebody has who keeps the newest row of each key.
fn kept(changes: &[Change]) -> BTreeMap<u64, Option<String>> {
    let mut rows = BTreeMap::new();
    for change in changes {
        if change.op == "d" {
            rows.remove(&change.id);
        } else {
            rows.insert(change.id, change.v.clone());
        }
    }
    rows
}

async fn rows(postgres: &Postgres, table: &str) -> Result<BTreeMap<u64, Option<String>>> {
    let sql = format!("select id, v from inventory.{table}");
    let rows = postgres.query("rest", &sql).await?.into_iter();
    rows.map(|mut row| {
        let v = row.pop().context("v")?;
        Ok((row.pop().flatten().context("an id")?.parse()?, v))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_committed_consumer_sees_a_finished_table_once() -> Result<()> {
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start())?;
    postgres.create_database("rest").await?;
    let sql = format!(
        "create schema inventory; create table inventory.a(id bigint primary key, v text); create table inventory.b(like inventory.a including all);
         insert into inventory.a select i, 'a' from generate_series(1, {SMALL}) i;
         insert into inventory.b select i, 'b' || i from generate_series(1, {LARGE}) i"
    );
    postgres.execute("rest", &sql).await?;
    let mut properties: BTreeMap<String, String> =
        serde_json::from_value(connector(&postgres, "killed"))?;
    for (name, value) in [
        ("name", "killed"),
        ("key.converter.schemas.enable", "false"),
        ("value.converter.schemas.enable", "false"),
    ] {
        properties.insert(name.to_owned(), value.to_owned());
    }
    let mut small_batches = properties.clone();
    small_batches.insert("tributary.batch.bytes".to_owned(), "16384".to_owned());

    let mut delivered = Vec::new();
    for round in 0..2 {
        let before = delivered.last().copied().unwrap_or_default();
        let life = Life::start(&kafka, &small_batches)?;
        life.killed_beyond(&kafka, "b", before).await?;
        let changes = committed(&kafka, "b").await?;
        delivered.push(of_op(&changes, "r"));
        ensure!(
            delivered[round] < LARGE,
            "the kill came too late: {delivered:?}"
        );
        let changes = format!(
            "delete from inventory.a where id = 1 + {round}; update inventory.a set v = 'new' where id = 10 + {round};
             delete from inventory.b where id = 1 + {round}; update inventory.b set v = 'new' where id = 10 + {round}"
        );
        postgres.execute("rest", &changes).await?;
    }
    ensure!(
        0 < delivered[0] && delivered[0] < delivered[1] && delivered[1] < LARGE,
        "each life was killed within the second table: {delivered:?}"
    );

    let (status, stop) = (
        Arc::new(PipelineStatus::default()),
        CancellationToken::new(),
    );
    let last = tokio::spawn({
        let (status, stop) = (Arc::clone(&status), stop.clone());
        let bootstrap = kafka.bootstrap();
        async move { live(bootstrap, &properties, status, stop).await }
    });
    until("the connector to stream", PATIENCE, async || {
        Ok((status.phase() == Phase::Streaming).then_some(()))
    })
    .await?;
    let sql = "insert into inventory.a values (1000000, 'last'); insert into inventory.b values (1000000, 'last')";
    postgres.execute("rest", sql).await?;
    let end = postgres
        .query("rest", "select pg_current_wal_lsn()::text")
        .await?;
    let end: Lsn = end[0][0].as_deref().context("the WAL's end")?.parse()?;
    until("the last change", PATIENCE, async || {
        Ok((status.confirmed() >= end).then_some(()))
    })
    .await?;
    stop.cancel();
    last.await??;

    let (a, b) = (committed(&kafka, "a").await?, committed(&kafka, "b").await?);
    let counts = ["r", "c", "u", "d"].map(|op| of_op(&a, op));
    ensure!(counts == [SMALL, 1, 2, 2], "the finished table: {counts:?}");
    let counts = ["c", "u", "d"].map(|op| of_op(&b, op));
    ensure!(counts == [1, 2, 2], "changes of the second one: {counts:?}");
    // The last life read the second table as of one moment, after what had changed.
    let gone = b.iter().rposition(|change| change.op == "d");
    let again = of_op(&b[gone.context("the delete")?..], "r");
    ensure!(again == LARGE - 2, "{again} rows of the second table");
    for (table, changes) in [("a", a), ("b", b)] {
        ensure!(kept(&changes) == rows(&postgres, table).await?, "{table}");
    }
    Ok(())
}
