//! What one change becomes: key changes, unchanged TOAST values, values that PostgreSQL did not send, topics, errors.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

use std::sync::Arc;

use debezium::{
    ChangeEvent, ChangePosition, ColumnValue, ContractSettings, EncodeError, EventEncoder,
    KeyChange, OldRow, Operation, SnapshotMarker, Source, TableSchema, halves, has_tombstone,
};
use serde_json::Value;

use ColumnValue::{Null, Unchanged};

const fn text(text: &str) -> ColumnValue<'_> {
    ColumnValue::Text(text.as_bytes())
}

/// `name:kind` or `name:kind!` for NOT NULL; the first column is the key.
fn table(columns: &[&str]) -> Arc<TableSchema> {
    let columns: Vec<Value> = columns
        .iter()
        .map(|column| {
            let (name, kind) = column.split_once(':').expect("name:kind");
            let (kind, optional) = kind.strip_suffix('!').map_or((kind, true), |kind| (kind, false));
            let kind = match kind.strip_prefix('_') {
                Some(element) => serde_json::json!({
                    "kind": "array",
                    "element": {"oid": 0, "name": element, "modifier": -1, "kind": {"kind": element}}
                }),
                None => serde_json::json!({ "kind": kind }),
            };
            let name_of_type = kind["kind"].clone();
            serde_json::json!({
                "name": name, "optional": optional,
                "type": {"oid": 0, "name": name_of_type, "modifier": -1, "kind": kind},
            })
        })
        .collect();
    let table = serde_json::json!({
        "table": {"database": "d", "schema": "public", "table": "t"},
        "key": [0], "replica_identity": "default", "columns": columns,
    });
    Arc::new(serde_json::from_value(table).expect("a table"))
}

fn settings() -> ContractSettings {
    let mut settings = ContractSettings::new("p");
    settings.key_schemas_enable = false;
    settings.value_schemas_enable = false;
    settings
}

fn encoder(table: &Arc<TableSchema>) -> EventEncoder {
    EventEncoder::new(Arc::clone(table), "p.public.t", &settings()).expect("prepare a table")
}

fn event<'a>(
    table: &'a Arc<TableSchema>,
    op: Operation,
    before: OldRow<'a>,
    after: Option<&'a [ColumnValue<'a>]>,
) -> ChangeEvent<'a> {
    ChangeEvent {
        table,
        op,
        before,
        after,
        key_change: KeyChange::None,
        source: Source {
            lsn: 33_911_400,
            tx_id: Some(747),
            commit_micros: 1_714_566_980_300_400,
            last_commit_lsn: None,
            snapshot: SnapshotMarker::False,
            xmin: None,
        },
        position: ChangePosition::new(33_911_500, 0),
        transaction: None,
        origin: None,
    }
}

fn value(encoder: &mut EventEncoder, event: &ChangeEvent<'_>) -> String {
    let mut value = Vec::new();
    encoder
        .encode_value(event, 1_714_566_980_412_345_678, &mut value)
        .expect("encode a value");
    String::from_utf8(value).expect("UTF-8")
}

fn rows(encoder: &mut EventEncoder, event: &ChangeEvent<'_>) -> (Value, Value) {
    let value: Value = serde_json::from_str(&value(encoder, event)).expect("JSON");
    (value["before"].clone(), value["after"].clone())
}

#[test]
fn an_event_is_written_in_full() {
    let table = table(&["id:int8!", "v:text"]);
    let row = [text("42"), text("hello 🐘")];
    let event = event(&table, Operation::Create, OldRow::None, Some(&row));
    assert_eq!(
        value(&mut encoder(&table), &event),
        concat!(
            r#"{"before":null,"after":{"id":42,"v":"hello \uD83D\uDC18"},"source":{"version":"2.7.3.Final","#,
            r#""connector":"postgresql","name":"p","ts_ms":1714566980300,"snapshot":"false","db":"d","#,
            r#""sequence":"[null,\"33911400\"]","ts_us":1714566980300400,"ts_ns":1714566980300400000,"#,
            r#""schema":"public","table":"t","txId":747,"lsn":33911400,"xmin":null},"transaction":null,"op":"c","#,
            r#""ts_ms":1714566980412,"ts_us":1714566980412345,"ts_ns":1714566980412345678}"#
        )
    );
}

#[test]
fn source_follows_transaction_and_marker() {
    let table = table(&["id:int8!"]);
    let row = [text("1")];
    let mut encoder = encoder(&table);
    let mut event = event(&table, Operation::Read, OldRow::None, Some(&row));
    event.source.last_commit_lsn = Some(33_911_000);
    event.source.snapshot = SnapshotMarker::FirstInDataCollection;
    let first: Value = serde_json::from_str(&value(&mut encoder, &event)).expect("JSON");
    assert_eq!(first["source"]["sequence"], r#"["33911000","33911400"]"#);
    assert_eq!(first["source"]["snapshot"], "first_in_data_collection");
    event.source.snapshot = SnapshotMarker::Incremental;
    event.source.lsn = 5;
    let second: Value = serde_json::from_str(&value(&mut encoder, &event)).expect("JSON");
    assert_eq!(second["source"]["sequence"], r#"["33911000","5"]"#);
    assert!(second["source"]["lsn"].is_null() && second["source"]["txId"].is_null());
}

#[test]
fn a_changed_key_makes_two_halves() {
    let table = table(&["id:int8!", "v:text"]);
    let (old, new) = ([text("1"), Null], [text("2"), text("x")]);
    let update = event(&table, Operation::Update, OldRow::Key(&old), Some(&new));
    let (delete, create) = halves(update);
    let create = create.expect("a second half");
    assert_eq!(
        (delete.op, create.op),
        (Operation::Delete, Operation::Create)
    );
    assert!(has_tombstone(&delete, &settings()) && !has_tombstone(&create, &settings()));
    let encoder = encoder(&table);
    for (half, key, header_row, header) in [
        (delete, "{\"id\":1}", &new, "{\"id\":2}"),
        (create, "{\"id\":2}", &old, "{\"id\":1}"),
    ] {
        let (mut found_key, mut found_header) = (Vec::new(), Vec::new());
        encoder
            .encode_event_key(&half, &mut found_key)
            .expect("a key");
        encoder
            .encode_key_header(header_row, &mut found_header)
            .expect("a header");
        assert_eq!(String::from_utf8_lossy(&found_key), key);
        assert_eq!(String::from_utf8_lossy(&found_header), header);
    }
    assert_eq!(delete.key_change, KeyChange::NewKey(&new));
    assert_eq!(create.key_change, KeyChange::OldKey(&old));
}

#[test]
fn only_a_known_and_different_key_splits() {
    let table = table(&["id:unconstrained_numeric!", "v:text"]);
    let new = [text("1.5"), text("x")];
    for (old, splits) in [
        (OldRow::None, false),
        (OldRow::Key(&[text("1.5"), Null]), false),
        // Another tuple, the same number.
        (OldRow::Key(&[text("1.50"), Null]), false),
        (OldRow::Key(&[text("1.6"), Null]), true),
        (OldRow::Full(&[text("1.6"), text("x")]), true),
        // The replica identity does not cover the key.
        (OldRow::Key(&[Null, text("old")]), false),
    ] {
        let update = event(&table, Operation::Update, old, Some(&new));
        assert_eq!(halves(update).1.is_some(), splits, "{old:?}");
    }
    let insert = event(&table, Operation::Create, OldRow::None, Some(&new));
    assert!(halves(insert).1.is_none());
}

#[test]
fn unchanged_toast_values_come_from_the_old_row_or_a_placeholder() {
    let table = table(&[
        "id:int8!",
        "a:text",
        "b:bytea",
        "c:_float8",
        "d:_int4",
        "e:uuid",
        "f:hstore",
        "g:_uuid",
    ]);
    let mut encoder = encoder(&table);
    let new = [
        text("2"),
        Unchanged,
        Unchanged,
        Unchanged,
        Unchanged,
        Unchanged,
        Unchanged,
        Unchanged,
    ];
    let update = event(&table, Operation::Update, OldRow::None, Some(&new));
    let (_, after) = rows(&mut encoder, &update);
    assert_eq!(after["a"], "__debezium_unavailable_value");
    assert_eq!(after["b"], "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==");
    assert!(after["c"].is_null());
    assert_eq!(after["d"][2], 100);
    assert_eq!(
        after["f"],
        r#"{"__debezium_unavailable_value":"__debezium_unavailable_value"}"#
    );
    assert_eq!(after["g"][0], "b68a35a7-17ad-35b3-af2a-ae46edb4545a");
    let names: Vec<&str> = encoder.unavailable_columns(&update).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f", "g"]);

    let old = [
        text("1"),
        text("kept"),
        text("\\x01"),
        text("{1}"),
        text("{2}"),
        Null,
        Null,
        Null,
    ];
    let full = event(&table, Operation::Update, OldRow::Full(&old), Some(&new));
    let (delete, create) = halves(full);
    for known in [full, create.expect("a second half")] {
        let (_, after) = rows(&mut encoder, &known);
        assert_eq!(
            (&after["a"], &after["b"], &after["c"][0]),
            (&"kept".into(), &"AQ==".into(), &1.0.into())
        );
        let names: Vec<&str> = encoder.unavailable_columns(&known).collect();
        assert_eq!(names, ["e", "f", "g"]);
    }
    assert_eq!(encoder.unavailable_columns(&delete).count(), 0);
}

#[test]
fn a_toasted_key_is_in_the_old_row() {
    let table = table(&["id:text!", "v:text"]);
    let encoder = encoder(&table);
    let (old, new) = ([text("long"), Null], [Unchanged, text("x")]);
    let update = event(&table, Operation::Update, OldRow::Key(&old), Some(&new));
    assert!(halves(update).1.is_none());
    let mut key = Vec::new();
    encoder.encode_event_key(&update, &mut key).expect("a key");
    assert_eq!(key, br#"{"id":"long"}"#);

    let mut schema = TableSchema::clone(&table);
    schema.key = vec![0, 1];
    let table = Arc::new(schema);
    let old = [text("long"), text("a")];
    let encoder = self::encoder(&table);
    let (delete, create) = halves(event(
        &table,
        Operation::Update,
        OldRow::Key(&old),
        Some(&new),
    ));
    for (half, own, other) in [
        (delete, "a", "x"),
        (create.expect("a second half"), "x", "a"),
    ] {
        let (mut key, mut header) = (Vec::new(), Vec::new());
        encoder.encode_event_key(&half, &mut key).expect("a key");
        encoder
            .encode_key_change(&half, &mut header)
            .expect("a header");
        assert_eq!(
            String::from_utf8_lossy(&key),
            format!(r#"{{"id":"long","v":"{own}"}}"#)
        );
        assert_eq!(
            String::from_utf8_lossy(&header),
            format!(r#"{{"id":"long","v":"{other}"}}"#)
        );
    }
}

#[test]
fn required_columns_that_were_not_sent_are_zeros() {
    let table = table(&[
        "id:int8!", "a:text!", "b:int4!", "c:bool!", "d:_int4!", "e:date!", "f:point!", "g:text",
        "h:jsonb!",
    ]);
    let old = [text("1"), Null, Null, Null, Null, Null, Null, Null, Null];
    let delete = event(&table, Operation::Delete, OldRow::Key(&old), None);
    let (before, after) = rows(&mut encoder(&table), &delete);
    assert!(after.is_null());
    assert_eq!(
        before,
        serde_json::json!({"id": 1, "a": "", "b": 0, "c": false, "d": [], "e": 0, "g": null, "h": "",
            "f": {"x": 0.0, "y": 0.0, "wkb": "AQEAAAAAAAAAAAAAAAAAAAAAAAAA", "srid": null}})
    );
}

#[test]
fn values_without_representation_are_counted_or_refused() {
    let table = table(&["id:int8!", "n:unconstrained_numeric", "m:_int4"]);
    let mut encoder = encoder(&table);
    let row = [text("1"), text("NaN"), text("{{1,2},{3,4}}")];
    let (_, after) = rows(
        &mut encoder,
        &event(&table, Operation::Create, OldRow::None, Some(&row)),
    );
    assert!(after["n"].is_null() && after["m"].is_null());
    let found: Vec<(String, u64)> = encoder
        .take_unconverted()
        .into_iter()
        .map(|found| (found.column, found.count))
        .collect();
    assert_eq!(found, [("n".to_owned(), 1), ("m".to_owned(), 1)]);
    assert!(encoder.take_unconverted().is_empty());
}

#[test]
fn what_cannot_be_written_is_an_error_that_leaves_no_bytes() {
    let table = table(&["id:int8!", "n:unconstrained_numeric!", "f:_float8!"]);
    let id = || table.table.clone();
    let full = [text("1"), text("1"), text("{1}")];
    for (row, error) in [
        (
            vec![text("1"), text("NaN"), text("{}")],
            EncodeError::RequiredValue {
                table: id(),
                column: "n".to_owned(),
            },
        ),
        (
            vec![text("1"), text("1"), Unchanged],
            EncodeError::UnavailableValue {
                table: id(),
                column: "f".to_owned(),
            },
        ),
        (
            vec![text("1")],
            EncodeError::RowWidth {
                table: id(),
                expected: 3,
                found: 1,
            },
        ),
    ] {
        let mut encoder = encoder(&table);
        let event = event(&table, Operation::Create, OldRow::None, Some(&row));
        let mut out = b"before".to_vec();
        assert_eq!(encoder.encode_value(&event, 0, &mut out), Err(error));
        assert_eq!(out, b"before");
        // A refused event does not disturb the next.
        let next = self::event(&table, Operation::Create, OldRow::None, Some(&full));
        assert!(encoder.encode_value(&next, 0, &mut out).is_ok());
    }
    let mut out = Vec::new();
    assert_eq!(
        encoder(&table).encode_key(&[Null, Null, Null], &mut out),
        Err(EncodeError::MissingKeyColumn {
            table: id(),
            column: "id".to_owned()
        })
    );
    assert!(out.is_empty());
}

#[test]
fn key_headers_are_connects_own_text() {
    let mut settings = settings();
    settings.time_precision = debezium::TimePrecision::Connect;
    let columns = [
        "a:text!",
        "b:bytea!",
        "c:float8!",
        "d:date!",
        "e:unconstrained_numeric!",
    ];
    let mut schema = TableSchema::clone(&table(&columns));
    schema.key = vec![0, 1, 2, 3, 4];
    let encoder =
        EventEncoder::new(Arc::new(schema), "p.public.t", &settings).expect("prepare a table");
    let row = [
        text("q\"\\\n🐘"),
        text("\\x00ff"),
        text("NaN"),
        text("2024-05-01"),
        text("2.25"),
    ];
    let mut header = Vec::new();
    encoder
        .encode_key_header(&row, &mut header)
        .expect("a header");
    assert_eq!(
        String::from_utf8_lossy(&header),
        "{\"a\":\"q\\\"\\\\\n🐘\",\"b\":\"AP8=\",\"c\":NaN,\"d\":2024-05-01,\"e\":{\"scale\":2,\"value\":\"AOE=\"}}"
    );
}
