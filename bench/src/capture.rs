//! `tributary cdc` from PostgreSQL to Kafka.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use pgoutput::Lsn;
use serde_json::json;
use stack::{free_port, tributary};

use crate::report::{Bar, Report};
use crate::servers::{DATABASE, Servers};
use crate::service::Service;
use crate::tweets;
use crate::usage::{Meter, Watched};

/// Connector, topic prefix, slot and publication.
pub const NAME: &str = "bench";
/// Where the rows of the table go.
pub const TOPIC: &str = "bench.public.tweets";

const CONFIRMED: &str = "tributary_cdc_confirmed_lsn{";
const STREAMING: &str = "tributary_cdc_streaming{";
const READS: &str = "tributary_cdc_events_total{connector=\"bench\",op=\"r\"}";
const CREATES: &str = "tributary_cdc_events_total{connector=\"bench\",op=\"c\"}";

/// A file with the connector: JSON without schemas, exactly once, one partition, lz4.
#[expect(clippy::indexing_slicing, reason = "a member that is missing is made")]
pub fn write_connector(
    servers: &Servers,
    folder: &str,
    changes: &[(&str, &str)],
) -> Result<PathBuf> {
    let mut connector = json!({"name": NAME, "config": {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": servers.postgres.socket_dir().display().to_string(),
        "database.port": servers.postgres.port().to_string(),
        "database.user": servers.postgres.user(),
        "database.dbname": DATABASE,
        "topic.prefix": NAME,
        "slot.name": NAME,
        "publication.name": NAME,
        "publication.autocreate.mode": "filtered",
        "table.include.list": "public.tweets",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "key.converter.schemas.enable": "false",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "exactly.once.support": "required",
        "producer.override.compression.type": "lz4",
        "topic.creation.default.partitions": "1",
        "topic.creation.default.replication.factor": "1",
    }});
    for (name, value) in changes {
        connector["config"][*name] = (*value).into();
    }
    let folder = servers.folder.path().join(folder);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("make the folder `{}`", folder.display()))?;
    let path = folder.join(format!("{NAME}.json"));
    std::fs::write(&path, connector.to_string())
        .with_context(|| format!("write `{}`", path.display()))?;
    Ok(path)
}

/// Starts cdc, which knows its connector from a file.
pub fn start(servers: &Servers) -> Result<Service> {
    write_connector(servers, "connectors", &[])?;
    let port = free_port()?;
    let mut command = tributary()?;
    command
        .args(["cdc", "--bootstrap-servers", &servers.kafka.bootstrap()])
        .args(["--listen", &format!("127.0.0.1:{port}"), "--connectors"])
        .arg(servers.folder.path().join("connectors"));
    Service::start("cdc", command, port)
}

/// Waits until everything before `end`, and one transaction beyond it, is committed in Kafka.
pub async fn wait_confirmed(cdc: &mut Service, end: Lsn) -> Result<()> {
    cdc.wait(CONFIRMED, |lsn| lsn > end.0 as f64).await?;
    Ok(())
}

/// Waits until changes are read from the slot.
pub async fn wait_streaming(cdc: &mut Service) -> Result<()> {
    cdc.wait(STREAMING, |streaming| streaming > 0.0).await?;
    Ok(())
}

/// The first start: all rows that are there, by COPY.
pub async fn snapshot(servers: &Servers, rows: u32, report: &mut Report) -> Result<()> {
    const PART: &str = "snapshot to Kafka";
    let mut cdc = start(servers)?;
    let pid = cdc.pid();
    let meter = Meter::start(
        [("cdc", Watched::Process(pid))]
            .into_iter()
            .chain(servers.watched()),
    )?;
    // the slot exists when the first rows come, so the mark is streamed after the snapshot
    cdc.wait(READS, |read| read > 0.0).await?;
    let end = tweets::mark(servers).await?;
    wait_confirmed(&mut cdc, end).await?;
    let usage = meter.read()?;
    let read = cdc.metric(READS).await?;
    ensure!(
        read == f64::from(rows),
        "the snapshot has {read} rows of {rows}"
    );
    report.add(
        PART,
        "from start of process to the last in Kafka",
        read / usage.wall,
        "events/s",
        None,
    );
    report.add(PART, "of cdc", read / usage.of("cdc"), "events/CPU-s", None);
    report.add(
        PART,
        "cdc, peak memory",
        cdc.peak()?,
        "MB",
        Some(Bar::AtMost(128.0)),
    );
    report.add_cores(PART, &usage);
    cdc.stop().await
}

/// A later start: everything that was committed meanwhile, from the slot.
pub async fn backlog(servers: &Servers, rows: u32, end: Lsn, report: &mut Report) -> Result<()> {
    const PART: &str = "backlog to Kafka";
    let mut cdc = start(servers)?;
    let meter = Meter::start(
        [("cdc", Watched::Process(cdc.pid()))]
            .into_iter()
            .chain(servers.watched()),
    )?;
    wait_confirmed(&mut cdc, end).await?;
    let usage = meter.read()?;
    let created = cdc.metric(CREATES).await?;
    // the mark is one more
    ensure!(
        created == f64::from(rows) + 1.0,
        "{created} events of {rows} rows and one mark"
    );
    report.add(
        PART,
        "all servers on the same cores",
        created / usage.wall,
        "events/s",
        Some(Bar::AtLeast(80_000.0)),
    );
    report.add(
        PART,
        "of cdc",
        created / usage.of("cdc"),
        "events/CPU-s",
        Some(Bar::AtLeast(150_000.0)),
    );
    report.add(
        PART,
        "cdc, peak memory",
        cdc.peak()?,
        "MB",
        Some(Bar::AtMost(128.0)),
    );
    report.add_cores(PART, &usage);
    cdc.stop().await
}
