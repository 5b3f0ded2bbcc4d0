//! Our reader with nothing behind it, and PostgreSQL's own, over the same Unix socket.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pgoutput::Lsn;
use serde_json::Value;
use stack::{Process, tributary};

use crate::capture::write_connector;
use crate::report::{Bar, Report};
use crate::servers::{DATABASE, Servers};
use crate::usage;

const PART: &str = "drain, Unix socket";
const CONVERTERS: &str = "drain, encoded as";
const AVRO_CONVERTER: &str = "io.confluent.connect.avro.AvroConverter";
const REGISTRY: &str = "http://127.0.0.1:8081";
/// The slot that copies are made of, and its publication.
const SLOT: &str = "drain";
/// The copy that one run drains.
const COPY: &str = "drain_copy";
/// How often the walsender's time is read: what it uses after the last look is lost.
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(300);

/// Who reads the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    PgRecvlogical,
    /// Decodes every change too, and encodes it for this converter.
    Tributary(Converter),
}

/// What an event is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Converter {
    Json,
    JsonWithSchemas,
    Avro,
}

impl Converter {
    const ALL: [Self; 3] = [Self::Json, Self::JsonWithSchemas, Self::Avro];

    const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::JsonWithSchemas => "json with schemas",
            Self::Avro => "avro",
        }
    }

    /// What a connector says of it; no registry is asked for the id of a schema when nothing is sent.
    const fn properties(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Json => &[],
            Self::JsonWithSchemas => &[
                ("key.converter.schemas.enable", "true"),
                ("value.converter.schemas.enable", "true"),
            ],
            Self::Avro => &[
                ("key.converter", AVRO_CONVERTER),
                ("key.converter.schema.registry.url", REGISTRY),
                ("value.converter", AVRO_CONVERTER),
                ("value.converter.schema.registry.url", REGISTRY),
            ],
        }
    }
}

/// One drain.
#[derive(Debug, Clone, Copy)]
struct Run {
    wall: f64,
    client_cpu: f64,
    walsender_cpu: f64,
}

pub async fn create_slot(servers: &Servers) -> Result<()> {
    servers
        .execute(&format!("create publication {SLOT} for table tweets"))
        .await?;
    servers
        .execute(&format!(
            "select pg_create_logical_replication_slot('{SLOT}', 'pgoutput')"
        ))
        .await
}

/// Drains copies of one slot, each reader in turn.
pub async fn race(
    servers: &Servers,
    pg_recvlogical: &Path,
    runs: u32,
    rows: u32,
    end: Lsn,
    report: &mut Report,
) -> Result<()> {
    let mut theirs = Vec::new();
    let mut ours = Converter::ALL.map(|converter| (converter, Vec::new()));
    for _ in 0..runs {
        let command = pg_recvlogical_command(servers, pg_recvlogical, end);
        theirs.push(drain(servers, Reader::PgRecvlogical, command, rows).await?);
        for (converter, runs) in &mut ours {
            let command = tributary_command(servers, *converter, end)?;
            runs.push(drain(servers, Reader::Tributary(*converter), command, rows).await?);
        }
    }
    servers
        .execute(&format!("select pg_drop_replication_slot('{SLOT}')"))
        .await?;
    report_readers(&theirs, &ours[0].1, rows, report);
    report_converters(&ours, rows, report);
    Ok(())
}

fn report_readers(theirs: &[Run], ours: &[Run], rows: u32, report: &mut Report) {
    let rows = f64::from(rows);
    let rate = |runs: &[Run]| rows / median(runs.iter().map(|run| run.wall));
    let (our_rate, their_rate) = (rate(ours), rate(theirs));
    report.add(PART, "pg_recvlogical", their_rate, "rows/s", None);
    report.add(
        PART,
        "tributary, decoded and encoded",
        our_rate,
        "rows/s",
        None,
    );
    report.add(
        PART,
        "tributary / pg_recvlogical",
        our_rate / their_rate,
        "x",
        Some(Bar::AtLeast(1.0)),
    );
    for (name, runs) in [("pg_recvlogical", theirs), ("tributary", ours)] {
        let client = median(runs.iter().map(|run| run.client_cpu));
        let walsender = median(runs.iter().map(|run| run.walsender_cpu));
        report.add(PART, format!("{name}, client"), client, "CPU-s", None);
        report.add(PART, format!("{name}, walsender"), walsender, "CPU-s", None);
    }
}

/// What reading, decoding and encoding cost together: only the encoding differs.
fn report_converters(ours: &[(Converter, Vec<Run>)], rows: u32, report: &mut Report) {
    let cpu = |runs: &[Run]| median(runs.iter().map(|run| run.client_cpu));
    for (converter, runs) in ours {
        let rate = f64::from(rows) / cpu(runs);
        report.add(CONVERTERS, converter.name(), rate, "events/CPU-s", None);
    }
}

fn tributary_command(servers: &Servers, converter: Converter, end: Lsn) -> Result<Command> {
    let mut properties = vec![
        ("slot.name", COPY),
        ("publication.name", SLOT),
        ("publication.autocreate.mode", "disabled"),
        ("snapshot.mode", "no_data"),
    ];
    properties.extend(converter.properties());
    let connector = write_connector(servers, "drain", &properties)?;
    let mut command = tributary()?;
    command
        .args(["drain", "--until", &end.to_string(), "--connector"])
        .arg(&connector);
    Ok(command)
}

fn pg_recvlogical_command(servers: &Servers, program: &Path, end: Lsn) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--host")
        .arg(servers.postgres.socket_dir())
        .args(["--port", &servers.postgres.port().to_string()])
        .args(["--username", servers.postgres.user(), "--dbname", DATABASE])
        .args([
            "--slot",
            COPY,
            "--start",
            "--no-loop",
            "--file",
            "/dev/null",
        ])
        .args(["--endpos", &end.to_string()])
        // what tributary asks for
        .args(["--option", "proto_version=2", "--option", "streaming=on"])
        .args(["--option", "messages=true", "--option"])
        .arg(format!("publication_names={SLOT}"));
    command
}

#[expect(clippy::indexing_slicing, reason = "a member that is missing is null")]
async fn drain(servers: &Servers, reader: Reader, command: Command, rows: u32) -> Result<Run> {
    servers
        .execute(&format!(
            "select pg_copy_logical_replication_slot('{SLOT}', '{COPY}')"
        ))
        .await?;
    let client = servers.postgres.connect(DATABASE).await?;
    let mut walsender = None;
    let mut walsender_cpu = 0.0;
    let ended_before = usage::cpu_of_ended_children()?;
    let started = Instant::now();
    let mut process = Process::spawn("the reader", command)?;
    let status = loop {
        if let Some(status) = process.status()? {
            break status;
        }
        match walsender {
            None => {
                let sql = "select active_pid from pg_replication_slots where slot_name = $1";
                let row = client.query_one(sql, &[&COPY]).await?;
                let pid: Option<i32> = row.try_get(0).context("read active_pid")?;
                walsender = pid.and_then(|pid| u32::try_from(pid).ok());
            }
            // it ends a moment before its reader
            Some(pid) => walsender_cpu = usage::cpu(pid).unwrap_or(walsender_cpu),
        }
        ensure!(
            started.elapsed() < PATIENCE,
            "{reader:?} does not come to an end"
        );
        tokio::time::sleep(LOOK).await;
    };
    let wall = started.elapsed().as_secs_f64();
    let output = process.output()?;
    if !status.success() {
        bail!("{reader:?} ended with {status}:\n{output}");
    }
    if matches!(reader, Reader::Tributary(_)) {
        let events = serde_json::from_str::<Value>(output.trim())
            .ok()
            .and_then(|drained| drained["events"].as_u64())
            .with_context(|| format!("read what was drained: {output}"))?;
        ensure!(events >= u64::from(rows), "{events} events of {rows} rows");
    }
    let run = Run {
        wall,
        client_cpu: usage::cpu_of_ended_children()? - ended_before,
        walsender_cpu,
    };
    eprintln!("  {reader:?} {run:.2?}");
    stack::until("the slot to be free", PATIENCE, async || {
        let dropped = servers
            .execute(&format!("select pg_drop_replication_slot('{COPY}')"))
            .await;
        dropped.map(Some)
    })
    .await?;
    Ok(run)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
