//! Encodes one tweet-like event over and over and prints the time for each: `cargo run --example encode_speed`.

use std::{error::Error, hint::black_box, sync::Arc, time::Instant};

use debezium::{
    ChangeEvent, ChangePosition, ColumnValue, ContractSettings, EventEncoder, KeyChange, OldRow,
    Operation, SnapshotMarker, Source, TableSchema,
};

/// Short rounds, so that the best of them was not interrupted.
const ROUNDS: u32 = 400;
const EVENTS: u32 = 2_000;

const TABLE: &str = r#"{
  "table": {"database": "twitter", "schema": "public", "table": "tweets"}, "key": [0], "replica_identity": "default",
  "columns": [
    {"name": "id", "optional": false, "type": {"oid": 20, "name": "int8", "modifier": -1, "kind": {"kind": "int8"}}},
    {"name": "user_id", "optional": false, "type": {"oid": 20, "name": "int8", "modifier": -1, "kind": {"kind": "int8"}}},
    {"name": "text", "optional": false, "type": {"oid": 25, "name": "text", "modifier": -1, "kind": {"kind": "text"}}},
    {"name": "lang", "optional": true, "type": {"oid": 1043, "name": "varchar", "modifier": 12, "kind": {"kind": "varchar"}}},
    {"name": "created_at", "optional": false, "type": {"oid": 1184, "name": "timestamptz", "modifier": -1, "kind": {"kind": "timestamp_tz", "precision": 6}}},
    {"name": "like_count", "optional": false, "type": {"oid": 23, "name": "int4", "modifier": -1, "kind": {"kind": "int4"}}},
    {"name": "reply_to", "optional": true, "type": {"oid": 20, "name": "int8", "modifier": -1, "kind": {"kind": "int8"}}},
    {"name": "hashtags", "optional": true, "type": {"oid": 1009, "name": "_text", "modifier": -1, "kind": {"kind": "array", "element": {"oid": 25, "name": "text", "modifier": -1, "kind": {"kind": "text"}}}}},
    {"name": "longitude", "optional": true, "type": {"oid": 701, "name": "float8", "modifier": -1, "kind": {"kind": "float8"}}},
    {"name": "score", "optional": true, "type": {"oid": 1700, "name": "numeric", "modifier": 655366, "kind": {"kind": "numeric", "precision": 10, "scale": 2}}},
    {"name": "meta", "optional": true, "type": {"oid": 3802, "name": "jsonb", "modifier": -1, "kind": {"kind": "jsonb"}}}
  ]}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let table: Arc<TableSchema> = Arc::new(serde_json::from_str(TABLE)?);
    let text = "Just setting up the pipeline: every committed row becomes an event, and every event a row again. \
                #postgres #kafka https://example.org/a/rather/long/link/to/somewhere?with=query&and=more and a few words";
    let row = [
        ColumnValue::Text(b"1714566980412345678"),
        ColumnValue::Text(b"8714566980412"),
        ColumnValue::Text(text.as_bytes()),
        ColumnValue::Text(b"en"),
        ColumnValue::Text(b"2024-05-01 12:34:56.789012+00"),
        ColumnValue::Text(b"17"),
        ColumnValue::Null,
        ColumnValue::Text(b"{postgres,kafka}"),
        ColumnValue::Text(b"13.405"),
        ColumnValue::Text(b"4.50"),
        ColumnValue::Text(br#"{"lang": "en", "client": "web"}"#),
    ];
    for (name, schemas) in [("without schema", false), ("with schema", true)] {
        let mut settings = ContractSettings::new("twitter");
        settings.value_schemas_enable = schemas;
        settings.key_schemas_enable = schemas;
        let mut encoder =
            EventEncoder::new(Arc::clone(&table), "twitter.public.tweets", &settings)?;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let mut best = f64::MAX;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for lsn in 0..EVENTS {
                let event = ChangeEvent {
                    table: &table,
                    op: Operation::Create,
                    before: OldRow::None,
                    after: Some(black_box(&row)),
                    key_change: KeyChange::None,
                    source: Source {
                        lsn: 33_911_400 + u64::from(lsn),
                        tx_id: Some(747),
                        commit_micros: 1_714_566_980_300_400,
                        last_commit_lsn: Some(33_911_000),
                        snapshot: SnapshotMarker::False,
                        xmin: None,
                    },
                    position: ChangePosition::new(33_912_000, u64::from(lsn)),
                    transaction: None,
                    origin: None,
                };
                key.clear();
                value.clear();
                encoder.encode_key(&row, &mut key)?;
                encoder.encode_value(&event, 1_714_566_980_412_345_678, &mut value)?;
                black_box((&key, &value));
            }
            best = best.min(start.elapsed().as_secs_f64());
        }
        let nanos = best * 1e9 / f64::from(EVENTS);
        println!(
            "{name}: {} bytes, {nanos:.0} ns an event, key included",
            value.len()
        );
    }
    Ok(())
}
