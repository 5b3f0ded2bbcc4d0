//! What each converter is told on its own, and what only 3.x says of a change.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

use std::sync::Arc;

use debezium::{
    ChangeEvent, ChangePosition, ColumnValue, Compat, ContractSettings, DecimalFormat, EncodeError,
    EventEncoder, Format, HeaderFormat, KeyChange, LogicalMessage, MessageEncoder, OldRow,
    Operation, Origin, SnapshotMarker, Source, TableSchema, TransactionOrder,
};

/// `id numeric(5,2) primary key, v text`.
fn table() -> Arc<TableSchema> {
    let numeric = serde_json::json!({
        "oid": 1700, "name": "numeric", "modifier": 327_686,
        "kind": {"kind": "numeric", "precision": 5, "scale": 2},
    });
    let text = serde_json::json!({
        "oid": 25, "name": "text", "modifier": -1, "kind": {"kind": "text"},
    });
    let table = serde_json::json!({
        "table": {"database": "d", "schema": "public", "table": "t"},
        "key": [0], "replica_identity": "default",
        "columns": [
            {"name": "id", "optional": false, "type": numeric},
            {"name": "v", "optional": true, "type": text},
        ],
    });
    Arc::new(serde_json::from_value(table).expect("a table"))
}

fn settings() -> ContractSettings {
    let mut settings = ContractSettings::new("p");
    settings.key_schemas_enable = false;
    settings.value_schemas_enable = false;
    settings
}

const SOURCE: Source = Source {
    lsn: 20,
    tx_id: Some(7),
    commit_micros: 1_714_566_980_300_400,
    last_commit_lsn: Some(10),
    snapshot: SnapshotMarker::False,
    xmin: Some(5),
};

const ORIGIN: Origin<'_> = Origin {
    name: "pg_1\"6",
    lsn: Some(99),
};

const ROW: [ColumnValue<'_>; 2] = [ColumnValue::Text(b"1.50"), ColumnValue::Null];

/// A row with the key `1.50`, and as the second half of a key change.
fn event(table: &Arc<TableSchema>) -> ChangeEvent<'_> {
    ChangeEvent {
        table,
        op: Operation::Create,
        before: OldRow::None,
        after: Some(&ROW),
        key_change: KeyChange::OldKey(&ROW),
        source: SOURCE,
        origin: Some(ORIGIN),
        position: ChangePosition::new(30, 0),
        transaction: None,
    }
}

fn encoder(table: &Arc<TableSchema>, settings: &ContractSettings) -> EventEncoder {
    EventEncoder::new(Arc::clone(table), "p.public.t", settings).expect("prepare a table")
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

fn value(settings: &ContractSettings) -> String {
    let table = table();
    let mut encoder = encoder(&table, settings);
    text(|out| {
        let written = encoder.encode_value(&event(&table), 5, out);
        written.expect("encode a value");
    })
}

#[test]
fn keys_values_and_headers_have_their_own_decimals() {
    use DecimalFormat::{Base64, Numeric};
    let table = table();
    for (of_key, of_value, of_header, key, in_value, header) in [
        (Base64, Base64, Base64, "\"AJY=\"", "\"AJY=\"", "\"AJY=\""),
        (Base64, Numeric, Base64, "\"AJY=\"", "1.50", "\"AJY=\""),
        (Numeric, Base64, Numeric, "1.50", "\"AJY=\"", "1.50"),
    ] {
        let mut settings = settings();
        settings.key_decimal_format = of_key;
        settings.decimal_format = of_value;
        settings.header_format = HeaderFormat::Json {
            schemas: false,
            decimal_format: of_header,
        };
        let event = event(&table);
        let mut encoder = encoder(&table, &settings);
        let found = text(|out| encoder.encode_event_key(&event, out).expect("a key"));
        assert_eq!(found, format!("{{\"id\":{key}}}"));
        let found = text(|out| encoder.encode_key_change(&event, out).expect("a header"));
        assert_eq!(found, format!("{{\"id\":{header}}}"));
        let found = text(|out| encoder.encode_value(&event, 5, out).expect("a value"));
        assert!(
            found.starts_with(&format!(
                "{{\"before\":null,\"after\":{{\"id\":{in_value},\"v\":null}}"
            )),
            "{found}"
        );
    }
    // Connect's own text of a header has decimals as they are, whatever JSON does.
    let mut settings = settings();
    settings.decimal_format = Numeric;
    let encoder = encoder(&table, &settings);
    let found = text(|out| {
        let written = encoder.encode_key_change(&event(&table), out);
        written.expect("a header");
    });
    assert_eq!(found, "{\"id\":1.50}");
}

#[test]
fn no_key_fits_into_a_header_of_bytes() {
    let table = table();
    let mut settings = settings();
    settings.header_format = HeaderFormat::Bytes;
    let encoder = encoder(&table, &settings);
    let mut out = Vec::new();
    let error = encoder.encode_key_change(&event(&table), &mut out);
    let error = error.expect_err("a struct is no bytes");
    assert_eq!(
        error,
        EncodeError::HeaderOfBytes {
            table: table.table.clone()
        }
    );
    assert!(error.to_string().contains("`public.t`"), "{error}");
    let mut plain = event(&table);
    plain.key_change = KeyChange::None;
    encoder
        .encode_key_change(&plain, &mut out)
        .expect("no header, no error");
    assert!(out.is_empty());
}

#[test]
fn source_tells_origin_and_xmin() {
    let mut settings = settings();
    let found = value(&settings);
    assert!(
        found.contains(r#""txId":7,"lsn":20,"xmin":5},"transaction""#),
        "{found}"
    );
    settings.compat = Compat::V3;
    let found = value(&settings);
    assert!(
        found.contains(r#""lsn":20,"xmin":5,"origin":"pg_1\"6","origin_lsn":99},"transaction""#),
        "{found}"
    );
    settings.value_format = Format::Text;
    let found = value(&settings);
    assert!(
        found.contains(r#"lsn=20,xmin=5,origin=pg_1"6,origin_lsn=99},op=c"#),
        "{found}"
    );
    assert!(
        found.contains("source=Struct{version=2.7.3.Final,"),
        "{found}"
    );
    // The template of a transaction does not outlive its origin.
    let table = table();
    let mut encoder = encoder(&table, &settings);
    for (origin, expected) in [(Some(ORIGIN), ",origin=pg_1\"6"), (None, "xmin=5},op=c")] {
        let mut event = event(&table);
        event.origin = origin;
        let found = text(|out| encoder.encode_value(&event, 5, out).expect("a value"));
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn cloud_events_without_extensions() {
    let mut settings = settings();
    settings.value_format = Format::CloudEvents;
    settings.compat = Compat::V3;
    let found = value(&settings);
    assert!(
        found.contains(
            r#""iodebeziumlsn":"20","iodebeziumxmin":"5","iodebeziumorigin":"pg_1\"6","iodebeziumoriginlsn":"99","iodebeziumtxid":null"#
        ),
        "{found}"
    );
    settings.cloud_events_extensions = false;
    assert_eq!(
        value(&settings),
        concat!(
            r#"{"id":"name:p;lsn:20;txId:7;sequence:[\"10\",\"20\"]","source":"/debezium/postgresql/p","#,
            r#""specversion":"1.0","type":"io.debezium.connector.postgresql.DataChangeEvent","#,
            r#""time":"2024-05-01T12:36:20.300Z","datacontenttype":"application/json","#,
            r#""data":{"before":null,"after":{"id":"AJY=","v":null}}}"#
        )
    );
}

#[test]
fn messages_of_later_releases_stand_in_their_transaction() {
    let mut settings = settings();
    settings.compat = Compat::V3;
    let encoder = MessageEncoder::new("d", &settings);
    let mut message = LogicalMessage {
        prefix: "p",
        content: b"",
        source: SOURCE,
        origin: Some(ORIGIN),
        position: ChangePosition::new(30, 0),
        transaction: Some(TransactionOrder {
            total_order: 2,
            data_collection_order: 1,
        }),
    };
    let found = text(|out| encoder.encode_value(&message, 5, out));
    assert!(
        found.contains(
            r#""xmin":5,"origin":"pg_1\"6","origin_lsn":99},"transaction":{"id":"7:20","total_order":2,"data_collection_order":1},"message""#
        ),
        "{found}"
    );
    message.transaction = None;
    let found = text(|out| encoder.encode_value(&message, 5, out));
    assert!(found.contains(r#""transaction":null,"message""#), "{found}");
}
