//! Reads what Debezium 2.7.3 wrote, with serde_json as the judge of every value, and what it never would write.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

use std::{path::PathBuf, sync::Arc};

use debezium::{
    ChangePosition, Column, ContractSettings, Operation, PgType, PgTypeKind, ReplicaIdentity,
    TableId, TableSchema,
    decode::{
        DecodeReason, DecodedEvent, DecodedOldRow, DecodedRow, EnvelopeDecoder, EventHeaders,
        ForeignDecoders,
    },
};
use proptest::prelude::*;
use serde_json::Value;

/// Scenarios whose topics hold plain envelopes.
const SCENARIOS: [&str; 21] = [
    "arrays",
    "composite-key",
    "copy-shared-lsn",
    "crud-default-identity",
    "crud-full-identity",
    "crud-schemas",
    "decimal-double",
    "decimal-precise",
    "defaults-generated",
    "enums-domains",
    "escapes",
    "hstore-json",
    "interval-string",
    "no-primary-key",
    "odd-names",
    "primary-key-change",
    "scalars",
    "scalars-schemas",
    "schema-change",
    "time-adaptive",
    "toast",
];

struct Recorded {
    key: Option<String>,
    value: String,
    offset: i64,
}

fn recorded(scenario: &str) -> Vec<Recorded> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../data/golden/debezium-2.7.3")
        .join(scenario)
        .join("events.jsonl");
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("read {}: {error}", file.display()));
    let records = text.lines().map(|line| {
        let record: Value = serde_json::from_str(line).expect("a recorded record");
        Some(Recorded {
            key: record["key"].as_str().map(str::to_owned),
            value: record["value"].as_str()?.to_owned(),
            offset: record["offset"].as_i64()?,
        })
    });
    records.flatten().collect()
}

fn row_equals(table: &TableSchema, row: Option<DecodedRow<'_>>, expected: &Value) {
    let Some(row) = row else {
        assert!(expected.is_null(), "{expected}");
        return;
    };
    let expected = expected.as_object().expect("a row");
    assert_eq!(table.columns.len(), expected.len());
    for (i, column) in table.columns.iter().enumerate() {
        let value: Value = serde_json::from_str(row.column(i).as_json()).expect("JSON");
        assert_eq!(Some(&value), expected.get(&column.name), "{}", column.name);
        if let Some(text) = value.as_str() {
            assert_eq!(row.column(i).string().as_deref(), Some(text));
        }
    }
}

fn old_row(row: DecodedOldRow<'_>) -> Option<DecodedRow<'_>> {
    match row {
        DecodedOldRow::None => None,
        DecodedOldRow::Key(row) | DecodedOldRow::Full(row) => Some(row),
    }
}

fn event_equals(table: &TableSchema, event: &DecodedEvent<'_>, expected: &Value) {
    assert_eq!(
        event.op.code().to_string(),
        expected["op"].as_str().expect("an operation")
    );
    row_equals(table, event.after, &expected["after"]);
    row_equals(table, old_row(event.before), &expected["before"]);
    let source = &expected["source"];
    assert_eq!(Some(event.source.commit_micros), source["ts_us"].as_i64());
    assert_eq!(event.source.tx_id, source["txId"].as_i64());
    assert_eq!(event.source.lsn, source["lsn"].as_i64());
    assert_eq!(event.source.snapshot, source["snapshot"] != "false");
    assert_eq!(Some(table.table.table.as_str()), source["table"].as_str());
}

#[test]
fn recorded_events_read_as_serde_json_reads_them() {
    for scenario in SCENARIOS {
        let mut decoders = ForeignDecoders::new("__debezium_unavailable_value");
        let mut rows = 0;
        for record in recorded(scenario) {
            let value: Value = serde_json::from_str(&record.value).expect("JSON");
            let payload = value.get("payload").unwrap_or(&value);
            let key = record.key.as_deref().map(str::as_bytes);
            let decoder = decoders
                .decoder_for(key, record.value.as_bytes())
                .unwrap_or_else(|error| panic!("{scenario}: {error}: {}", record.value));
            let Some(decoder) = decoder else {
                assert!(
                    payload.get("after").is_none_or(Value::is_null),
                    "{}",
                    record.value
                );
                continue;
            };
            let table = Arc::clone(decoder.table());
            let event = decoder
                .decode(
                    record.value.as_bytes(),
                    &EventHeaders::default(),
                    record.offset,
                )
                .unwrap_or_else(|error| panic!("{scenario}: {error}: {}", record.value));
            match event {
                Some(event) => {
                    event_equals(&table, &event, payload);
                    rows += 1;
                }
                None => assert_eq!(payload["op"], "m"),
            }
        }
        assert!(rows > 0, "{scenario} has rows");
    }
}

#[test]
fn placeholders_of_a_foreign_debezium_are_seen() {
    let mut decoders = ForeignDecoders::new("__debezium_unavailable_value");
    let mut seen = Vec::new();
    for record in recorded("toast") {
        let value = record.value.as_bytes();
        let key = record.key.as_deref().map(str::as_bytes);
        let decoder = decoders
            .decoder_for(key, value)
            .expect("JSON")
            .expect("a row");
        let table = Arc::clone(decoder.table());
        let event = decoder.decode(value, &EventHeaders::default(), record.offset);
        let event = event.expect("an envelope").expect("a row");
        let names: Vec<_> = event
            .unavailable
            .iter()
            .map(|&i| table.columns[i].name.as_str())
            .collect();
        seen.push(format!("{}:{}", event.op.code(), names.join(",")));
        if event.op == Operation::Delete {
            assert!(matches!(event.before, DecodedOldRow::Key(_)));
        }
    }
    assert_eq!(
        seen,
        [
            "r:",
            "u:big,bin,js,ta,nn",
            "u:bin,js,ta,nn",
            "u:bin,js,ta,nn",
            "u:big,bin,js,ta,nn",
            "d:"
        ]
    );
}

#[test]
fn full_and_key_only_old_rows_of_a_foreign_debezium_differ() {
    for (scenario, full) in [
        ("crud-default-identity", false),
        ("crud-full-identity", true),
    ] {
        let mut decoders = ForeignDecoders::new("__debezium_unavailable_value");
        let mut deletes = 0;
        for record in recorded(scenario) {
            let value = record.value.as_bytes();
            let key = record.key.as_deref().map(str::as_bytes);
            let Some(decoder) = decoders.decoder_for(key, value).expect("JSON") else {
                continue;
            };
            let event = decoder.decode(value, &EventHeaders::default(), record.offset);
            let Some(event) = event.expect("an envelope") else {
                continue;
            };
            if event.op == Operation::Delete {
                assert_eq!(
                    matches!(event.before, DecodedOldRow::Full(_)),
                    full,
                    "{}",
                    record.value
                );
                deletes += 1;
            }
        }
        assert!(deletes > 0);
    }
}

fn column(name: &str, kind: PgTypeKind) -> Column {
    Column {
        name: name.to_owned(),
        pg_type: PgType {
            oid: 0,
            name: String::new(),
            modifier: -1,
            kind,
        },
        optional: true,
        default_expression: None,
        generated: false,
        older_rows: None,
        number: None,
        rule: None,
    }
}

fn decoder() -> EnvelopeDecoder {
    let table = TableSchema {
        table: TableId {
            database: "d".to_owned(),
            schema: "public".to_owned(),
            table: "t".to_owned(),
        },
        columns: vec![
            column("id", PgTypeKind::Int8),
            column("a,b", PgTypeKind::Text),
            column("ö🐘", PgTypeKind::Text),
            column("tsv", PgTypeKind::Unknown),
        ],
        key: vec![0],
        replica_identity: ReplicaIdentity::Default,
        oid: None,
    };
    EnvelopeDecoder::new(Arc::new(table), &ContractSettings::new("p"))
}

const EVENT: &str = r#"{"before":null,"after":{"id":1,"a,b":"x","ö\uD83D\uDC18":"y"},"source":{"version":"1","ts_ms":5,"snapshot":"false","db":"d","ts_us":5001,"schema":"public","table":"t","txId":7,"lsn":100},"transaction":null,"op":"u","ts_ms":9}"#;

const HEADERS: EventHeaders<'static> = EventHeaders {
    position: Some(b"100:3"),
    unavailable: None,
};

fn columns(event: &DecodedEvent<'_>) -> Vec<String> {
    let row = event.after.expect("an update");
    (0..4).map(|i| row.column(i).as_json().to_owned()).collect()
}

#[test]
fn text_in_any_order_reads_the_same() {
    let wrapped = format!(r#"{{"schema":{{"type":"struct"}},"payload":{EVENT}}}"#);
    let reordered = r#" { "op" : "u" , "source" : {"ts_us":5001,"txId":7,"lsn":100,"table":"\u0074","schema":"public","db":"d"},
        "after" : {"extra":[1,{"a":2}], "\u00f6\ud83d\udc18" : "y" , "a,b":"x", "id" : 1 } , "before":null } "#;
    let mut decoder = decoder();
    // Twice each: the second time the schema is known.
    for text in [EVENT, &wrapped, &wrapped, reordered, EVENT] {
        let event = decoder.decode(text.as_bytes(), &HEADERS, 0);
        let event = event.expect("an envelope").expect("a row");
        assert_eq!(columns(&event), ["1", "\"x\"", "\"y\"", ""], "{text}");
        assert_eq!(event.position, ChangePosition::new(100, 3));
        assert_eq!(
            (event.source.tx_id, event.source.commit_micros),
            (Some(7), 5001)
        );
    }
}

#[test]
fn headers_name_position_and_unavailable_columns() {
    let mut decoder = decoder();
    let mut unavailable = |names: &str| {
        let headers = EventHeaders {
            position: Some(b"1:0"),
            unavailable: Some(names.as_bytes()),
        };
        let event = decoder.decode(EVENT.as_bytes(), &headers, 0);
        event.map(|event| event.expect("a row").unavailable.to_vec())
    };
    assert_eq!(unavailable("a,b"), Ok(vec![1]));
    assert_eq!(unavailable("a,b,ö🐘"), Ok(vec![1, 2]));
    assert_eq!(unavailable("id,ö🐘"), Ok(vec![0, 2]));
    assert!(unavailable("a").is_err());
    assert!(unavailable("a,b,").is_err());
    let wrong = EventHeaders {
        position: Some(b"x"),
        unavailable: None,
    };
    assert!(decoder.decode(EVENT.as_bytes(), &wrong, 0).is_err());
    let event = decoder.decode(EVENT.as_bytes(), &EventHeaders::default(), 42);
    let position = event.expect("an envelope").expect("a row").position;
    assert_eq!(position, ChangePosition::new(100, 42));
}

#[test]
fn what_is_no_event_is_refused_with_its_place() {
    let mut decoder = decoder();
    for (text, offset, reason) in [
        ("", 0, DecodeReason::UnexpectedEnd),
        ("null", 0, DecodeReason::Expected("an object")),
        ("{}", 0, DecodeReason::MissingField("op")),
        (
            &EVENT[..EVENT.len() - 1],
            EVENT.len() - 1,
            DecodeReason::UnexpectedEnd,
        ),
        (
            &format!("{EVENT}x"),
            EVENT.len(),
            DecodeReason::TrailingText,
        ),
        (
            &EVENT.replace(":1,", ":01,"),
            30,
            DecodeReason::Expected("`,` or `}`"),
        ),
        (
            &EVENT.replace("\"x\"", "\"\\x\""),
            38,
            DecodeReason::InvalidEscape,
        ),
        (
            &EVENT.replace("\"x\"", "\"\n\""),
            38,
            DecodeReason::ControlCharacter,
        ),
        (
            &EVENT.replace(r#""op":"u""#, r#""op":"z""#),
            0,
            DecodeReason::UnknownOperation("\"z\"".to_owned()),
        ),
        (
            &EVENT.replace(r#""table":"t""#, r#""table":"s""#),
            72,
            DecodeReason::OtherTable("d.public.s".to_owned()),
        ),
        (
            &EVENT.replace("\"after\"", "\"beside\""),
            0,
            DecodeReason::MissingField("after"),
        ),
    ] {
        let error = decoder
            .decode(text.as_bytes(), &HEADERS, 0)
            .expect_err(text);
        assert_eq!((error.offset, error.reason), (offset, reason), "{text}");
    }
    assert!(decoder.decode(b"{\"op\":\"\xff\"}", &HEADERS, 0).is_err());
}

proptest! {
    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decoder().decode(&bytes, &HEADERS, 0);
        let _ = ForeignDecoders::new("x").decoder_for(Some(&bytes), &bytes);
    }

    #[test]
    fn damaged_events_are_refused_or_still_json(at in 0..EVENT.len(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = EVENT.as_bytes().to_vec();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        if decoder().decode(&bytes, &HEADERS, 0).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&bytes).is_ok());
        }
        let mut foreign = ForeignDecoders::new("x");
        if let Ok(Some(decoder)) = foreign.decoder_for(Some(b"{\"id\":1}"), &bytes) {
            let _ = decoder.decode(&bytes, &HEADERS, 0);
        }
    }
}
