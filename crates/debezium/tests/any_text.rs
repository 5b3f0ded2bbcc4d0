//! Whatever a column's text is, an event is either refused or is JSON with all fields of its schema: no text makes the
//! encoder panic or break the message. As Avro it has the same values, read by a decoder that is not ours.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

#[path = "any_text/avro_value.rs"]
mod avro_value;

use std::sync::Arc;

use debezium::{
    BinaryHandling, ChangeEvent, ChangePosition, Column, ColumnValue, ContractSettings,
    DecimalFormat, DecimalHandling, EventEncoder, Format, HstoreHandling, IntervalHandling,
    KeyChange, OldRow, Operation, PgType, PgTypeKind, ReplicaIdentity, SnapshotMarker, Source,
    TableId, TableSchema, TimePrecision, TransactionOrder,
};
use proptest::prelude::*;
use serde_json::Value;

fn of_kind(kind: PgTypeKind) -> PgType {
    PgType {
        oid: 0,
        name: "t".to_owned(),
        modifier: -1,
        kind,
    }
}

/// Every type that there is, some with modifiers, and arrays of them all.
fn kinds() -> Vec<PgTypeKind> {
    let mut scalars: Vec<_> = [-1, 3, ((10 << 16) | 2) + 4, ((5 << 16) | (-2 & 0x7ff)) + 4]
        .into_iter()
        .flat_map(PgTypeKind::recognised)
        .map(|of| of.kind)
        .collect();
    scalars.push(PgTypeKind::Enum {
        labels: vec!["a".to_owned()],
    });
    scalars.push(PgTypeKind::Unknown);
    let mut kinds: Vec<PgTypeKind> = Vec::new();
    for kind in scalars {
        // Most types have no modifier.
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let arrays = kinds.iter().map(|kind| PgTypeKind::Array {
        element: Box::new(of_kind(kind.clone())),
    });
    kinds.iter().cloned().chain(arrays).collect()
}

fn table() -> Arc<TableSchema> {
    let columns = kinds().into_iter().enumerate().map(|(at, kind)| Column {
        name: format!("c{at}"),
        pg_type: of_kind(kind),
        optional: true,
        default_expression: None,
        generated: false,
        older_rows: None,
        number: None,
        rule: None,
    });
    Arc::new(TableSchema {
        table: TableId {
            database: "d".to_owned(),
            schema: "s".to_owned(),
            table: "t".to_owned(),
        },
        columns: columns.collect(),
        key: vec![3],
        replica_identity: ReplicaIdentity::Default,
        oid: None,
    })
}

fn settings() -> impl Strategy<Value = ContractSettings> {
    (
        prop::sample::select(vec![
            DecimalHandling::Precise,
            DecimalHandling::Double,
            DecimalHandling::String,
        ]),
        prop::sample::select(vec![
            TimePrecision::Adaptive,
            TimePrecision::AdaptiveTimeMicroseconds,
            TimePrecision::Connect,
        ]),
        prop::sample::select(vec![IntervalHandling::Numeric, IntervalHandling::String]),
        prop::sample::select(vec![HstoreHandling::Json, HstoreHandling::Map]),
        prop::sample::select(vec![
            BinaryHandling::Bytes,
            BinaryHandling::Base64,
            BinaryHandling::Base64UrlSafe,
            BinaryHandling::Hex,
        ]),
        prop::sample::select(vec![DecimalFormat::Base64, DecimalFormat::Numeric]),
        any::<bool>(),
    )
        .prop_map(
            |(decimal, time, interval, hstore, binary, format, unknown)| {
                let mut settings = ContractSettings::new("p");
                settings.decimal_handling = decimal;
                settings.time_precision = time;
                settings.interval_handling = interval;
                settings.hstore_handling = hstore;
                settings.binary_handling = binary;
                settings.decimal_format = format;
                settings.include_unknown_datatypes = unknown;
                settings.value_schemas_enable = false;
                settings
            },
        )
}

/// Any text, and texts that come near to what the types print.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        any::<String>(),
        "[-+0-9.eE:, TZBCinfyat{}()\\[\\]=>\"\\\\NULx$]{0,30}",
        "-?[0-9]{0,40}\\.?[0-9]{0,20}",
        "[0-9]{4,12}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?([+-][0-9]{2}(:[0-9]{2})?)?)?( BC)?",
        "(-?[0-9]{1,12} (years?|mons?|days?) ?){0,3}(-?[0-9]{1,12}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?)?",
        "\\{([a-z0-9\"\\\\]{0,5},?){0,4}\\}",
        "(\"[a-z]{0,3}\"=>(NULL|\"[a-z]{0,3}\"),? ?){0,3}",
        "\\\\x[0-9a-f]{0,12}",
        "[01]{0,20}",
    ];
    prop_oneof![4 => text.prop_map(String::into_bytes), 1 => any::<Vec<u8>>()]
}

fn source() -> Source {
    Source {
        lsn: 1,
        tx_id: Some(2),
        commit_micros: 3,
        last_commit_lsn: None,
        snapshot: SnapshotMarker::False,
        xmin: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_encoded_or_refused(settings in settings(), text in text()) {
        let table = table();
        let row = vec![ColumnValue::Text(&text); table.columns.len()];
        let event = ChangeEvent {
            table: &table,
            op: Operation::Create,
            before: OldRow::None,
            after: Some(&row),
            key_change: KeyChange::None,
            source: source(),
            position: ChangePosition::default(),
            transaction: None,
            origin: None,
        };
        let mut encoder = EventEncoder::new(Arc::clone(&table), "p.s.t", &settings).expect("prepare a table");
        let mut value = Vec::new();
        encoder.encode_value(&event, 0, &mut value).expect("optional columns take null");
        let parsed: Value = serde_json::from_slice(&value).expect("an event is JSON");
        let written: Vec<&String> = parsed["after"].as_object().expect("a row").keys().collect();
        let schemas = table.column_schemas(&settings);
        let expected: Vec<&String> = table
            .columns
            .iter()
            .zip(&schemas)
            .filter(|(_, schema)| schema.is_some())
            .map(|(column, _)| &column.name)
            .collect();
        prop_assert_eq!(written, expected);
        let unconverted: Vec<String> = encoder.take_unconverted().into_iter().map(|found| found.column).collect();
        for column in &unconverted {
            prop_assert!(parsed["after"][column].is_null());
        }
        let mut rest = Vec::new();
        // The key is an int8: its text is refused unless it is a number.
        let key = encoder.encode_key(&row, &mut rest);
        let header = encoder.encode_key_header(&row, &mut rest);
        prop_assert_eq!(key.is_ok(), header.is_ok());
        if key.is_err() {
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn any_default_expression_is_read_or_ignored(expression in prop_oneof![any::<String>(), "[()':a-z0-9 B|-]{0,30}"]) {
        for kind in kinds() {
            let name = PgType::plain(kind.clone(), -1).name;
            let column = Column {
                name: "c".to_owned(),
                pg_type: PgType { oid: 0, name, modifier: -1, kind },
                optional: true,
                default_expression: Some(expression.clone()),
                generated: false,
                older_rows: None,
                number: None,
                rule: None,
            };
            if let Some(default) = debezium::mapping(&column, &ContractSettings::new("p")).and_then(|schema| schema.default) {
                serde_json::from_str::<Value>(&default).expect("a default is JSON");
            }
        }
    }

    #[test]
    fn avro_has_the_values_of_json(settings in settings(), text in text()) {
        let json = ContractSettings { decimal_format: DecimalFormat::Base64, ..settings };
        let avro = ContractSettings { value_format: Format::Avro, ..json.clone() };
        let table = table();
        let row = vec![ColumnValue::Text(&text); table.columns.len()];
        let event = ChangeEvent {
            table: &table,
            op: Operation::Update,
            before: OldRow::Full(&row),
            after: Some(&row),
            key_change: KeyChange::None,
            source: source(),
            position: ChangePosition::default(),
            transaction: Some(TransactionOrder { total_order: 3, data_collection_order: 2 }),
            origin: None,
        };
        let encoded = |settings: &ContractSettings| {
            let mut encoder = EventEncoder::new(Arc::clone(&table), "p.s.t", settings).expect("prepare a table");
            let mut value = Vec::new();
            encoder.encode_value(&event, 1_234_567_890, &mut value).expect("optional columns take null");
            (encoder.value_schema().clone(), value)
        };
        let (_, json) = encoded(&json);
        let (schema, avro) = encoded(&avro);
        let json: Value = serde_json::from_slice(&json).expect("an event is JSON");
        // PostgreSQL prints no integer that its type cannot hold.
        prop_assume!(avro_value::integers_fit(&schema, &json));
        let value = avro_value::decoded(&schema, &avro);
        prop_assert_eq!(avro_value::difference(&schema, &value, &json), None);
    }
}
