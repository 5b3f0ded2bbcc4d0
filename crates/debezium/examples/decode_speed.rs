//! How fast events are read: `cargo run --release -p debezium --example decode_speed`.

#![allow(clippy::expect_used, reason = "a measurement of fixed input")]

use std::{hint::black_box, sync::Arc, time::Instant};

use debezium::{
    ChangeEvent, ChangePosition, Column, ColumnValue, ContractSettings, EventEncoder, KeyChange,
    OldRow, Operation, PgType, PgTypeKind, ReplicaIdentity, SnapshotMarker, Source, TableId,
    TableSchema,
    decode::{EnvelopeDecoder, EventHeaders},
};

const EVENTS: u32 = 1_000_000;

fn tweets() -> TableSchema {
    let columns = [
        ("id", PgTypeKind::Int8),
        ("user_id", PgTypeKind::Int8),
        ("text", PgTypeKind::Text),
        ("created_at", PgTypeKind::TimestampTz { precision: 6 }),
        ("like_count", PgTypeKind::Int4),
        ("lang", PgTypeKind::Text),
        ("meta", PgTypeKind::Jsonb),
        (
            "score",
            PgTypeKind::Numeric {
                precision: 10,
                scale: 2,
            },
        ),
    ];
    TableSchema {
        table: TableId {
            database: "postgres".to_owned(),
            schema: "public".to_owned(),
            table: "tweets".to_owned(),
        },
        columns: columns
            .map(|(name, kind)| Column {
                name: name.to_owned(),
                pg_type: PgType {
                    oid: 0,
                    name: String::new(),
                    modifier: -1,
                    kind,
                },
                optional: name != "id",
                default_expression: None,
                generated: false,
                older_rows: None,
                number: None,
                rule: None,
            })
            .into(),
        key: vec![0],
        replica_identity: ReplicaIdentity::Default,
        oid: None,
    }
}

const ROW: [&str; 8] = [
    "1790123456789012345",
    "42",
    "just setting up my twttr, and reading every row that was ever committed; hello from the other side",
    "2024-05-01 12:34:56.789012+00",
    "17",
    "en",
    "{\"lang\": \"en\", \"client\": \"web\", \"hashtags\": [\"rust\", \"postgres\"]}",
    "4.50",
];

fn main() {
    let table = Arc::new(tweets());
    let row = ROW.map(|text| ColumnValue::Text(text.as_bytes()));
    for schemas in [false, true] {
        let settings = ContractSettings {
            value_schemas_enable: schemas,
            ..ContractSettings::new("dbserver1")
        };
        let event = ChangeEvent {
            table: &table,
            op: Operation::Create,
            before: OldRow::None,
            after: Some(&row),
            key_change: KeyChange::None,
            source: Source {
                lsn: 33_911_400,
                tx_id: Some(747),
                commit_micros: 1_714_566_980_300_400,
                last_commit_lsn: Some(33_911_024),
                snapshot: SnapshotMarker::False,
                xmin: None,
            },
            position: ChangePosition::new(33_911_888, 0),
            transaction: None,
            origin: None,
        };
        let mut value = Vec::new();
        EventEncoder::new(Arc::clone(&table), "dbserver1.public.tweets", &settings)
            .expect("the key is a column")
            .encode_value(&event, 1_714_566_980_412_345_678, &mut value)
            .expect("every value fits its type");
        let mut decoder = EnvelopeDecoder::new(Arc::clone(&table), &settings);
        let headers = EventHeaders {
            position: Some(b"33911888:0"),
            unavailable: None,
        };
        let start = Instant::now();
        for offset in 0..EVENTS {
            let event = decoder.decode(black_box(&value), &headers, i64::from(offset));
            black_box(event.expect("an event"));
        }
        let nanos = start.elapsed().as_nanos() / u128::from(EVENTS);
        println!(
            "{} bytes, schema {schemas}: {nanos} ns an event",
            value.len()
        );
    }
}
