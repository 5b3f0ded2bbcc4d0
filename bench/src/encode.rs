//! What writing an event costs by itself: rows of the measured table, from PostgreSQL's text to a record, on one core.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result};
use debezium::{
    ChangeEvent, ChangePosition, ColumnValue, ContractSettings, EventEncoder, Format, KeyChange,
    OldRow, Operation, SnapshotMarker, Source, TableSchema,
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::report::{Bar, Report};

const PART: &str = "encoding alone, one core";
/// Rows of a transaction, which share all but their own LSN.
const TRANSACTION: u64 = 1000;
const EVENTS: u64 = 500_000;
const RUNS: usize = 5;
/// Between two rows of the measured table, bytes of WAL.
const WAL_OF_A_ROW: u64 = 350;

/// Encodes the same events for each converter in turn, and reports the median.
pub fn measure(report: &mut Report) -> Result<()> {
    let mut json = settings(Format::Json);
    let mut with_schemas = settings(Format::Json);
    with_schemas.key_schemas_enable = true;
    with_schemas.value_schemas_enable = true;
    json.key_schemas_enable = false;
    json.value_schemas_enable = false;
    let converters = [
        ("json", json),
        ("json with schemas", with_schemas),
        ("avro", settings(Format::Avro)),
    ];
    let table = table()?;
    let mut seconds = converters.each_ref().map(|_| Vec::new());
    for _ in 0..RUNS {
        for ((_, settings), seconds) in converters.iter().zip(&mut seconds) {
            seconds.push(encode(&table, settings)?);
        }
    }
    let medians = seconds.map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        seconds.get(RUNS / 2).copied().unwrap_or(f64::NAN)
    });
    for ((name, _), seconds) in converters.iter().zip(medians) {
        let rate = EVENTS as f64 / seconds;
        report.add(PART, *name, rate, "events/CPU-s", None);
    }
    let [json, _, avro] = medians;
    let bar = Some(Bar::AtMost(1.0));
    report.add(PART, "CPU of avro / json", avro / json, "x", bar);
    Ok(())
}

fn settings(format: Format) -> ContractSettings {
    let mut settings = ContractSettings::new("bench");
    settings.key_format = format;
    settings.value_format = format;
    settings
}

/// The table of `tweets.rs`.
fn table() -> Result<Arc<TableSchema>> {
    let column = |name: &str, optional: bool, oid: u32, pg_type: &str, kind: serde_json::Value| {
        json!({
            "name": name, "optional": optional,
            "type": {"oid": oid, "name": pg_type, "modifier": -1, "kind": kind},
        })
    };
    let kind = |kind: &str| json!({"kind": kind});
    let float8 = json!({"oid": 701, "name": "float8", "modifier": -1, "kind": kind("float8")});
    let table = json!({
        "table": {"database": "postgres", "schema": "public", "table": "tweets"},
        "key": [0], "replica_identity": "default",
        "columns": [
            column("id", false, 20, "int8", kind("int8")),
            column("user_id", false, 20, "int8", kind("int8")),
            column("text", false, 25, "text", kind("text")),
            column("lang", false, 25, "text", kind("text")),
            column("created_at", false, 1184, "timestamptz", json!({"kind": "timestamp_tz", "precision": 6})),
            column("like_count", false, 23, "int4", kind("int4")),
            column("reply_to", true, 20, "int8", kind("int8")),
            column("geo", true, 1022, "_float8", json!({"kind": "array", "element": float8})),
            column("meta", true, 3802, "jsonb", kind("jsonb")),
            column("score", true, 1700, "numeric", json!({"kind": "numeric", "precision": 10, "scale": 2})),
        ],
    });
    let table = serde_json::from_value(table).context("describe the measured table")?;
    Ok(Arc::new(table))
}

/// CPU seconds of this thread for all events.
fn encode(table: &Arc<TableSchema>, settings: &ContractSettings) -> Result<f64> {
    let mut encoder = EventEncoder::new(Arc::clone(table), "bench.public.tweets", settings)?;
    let text = format!(
        "{} #rust #postgres",
        "0cc175b9c0f1b6a831c399e269772661".repeat(3)
    );
    let texts = [
        &b"1000123"[..],
        b"7919",
        text.as_bytes(),
        b"en",
        b"2026-11-21 10:30:53.123456+00",
        b"0",
    ];
    let optional = [
        &b"123"[..],
        b"{13.4050,52.5200}",
        b"{\"client\": \"web\", \"retweets\": 12}",
    ];
    let score = ColumnValue::Text(b"42.50");
    let full: Vec<_> = texts
        .iter()
        .chain(&optional)
        .map(|text| ColumnValue::Text(text))
        .chain([score])
        .collect();
    let short: Vec<_> = texts
        .iter()
        .map(|text| ColumnValue::Text(text))
        .chain([ColumnValue::Null; 3])
        .chain([score])
        .collect();
    let mut out = Vec::with_capacity(4096);
    let before = cpu_seconds();
    for number in 0..EVENTS {
        let transaction = number / TRANSACTION;
        let lsn = 0x1_4000_0000 + number * WAL_OF_A_ROW;
        let micros = 1_795_257_053_123_456 + i64::try_from(transaction)?;
        let event = ChangeEvent {
            table,
            op: Operation::Create,
            before: OldRow::None,
            // as many places and documents as in the measured table
            after: Some(if number % 10 == 0 { &full } else { &short }),
            key_change: KeyChange::None,
            source: Source {
                lsn,
                tx_id: Some(740 + transaction),
                commit_micros: micros,
                last_commit_lsn: Some(0x1_4000_0000 + transaction * TRANSACTION * WAL_OF_A_ROW),
                snapshot: SnapshotMarker::False,
                xmin: None,
            },
            origin: None,
            position: ChangePosition::new(lsn, number % TRANSACTION),
            transaction: None,
        };
        out.clear();
        encoder.encode_event_key(&event, &mut out)?;
        encoder.encode_value(&event, micros * 1000 + 789, &mut out)?;
        black_box(&out);
    }
    Ok(cpu_seconds() - before)
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
