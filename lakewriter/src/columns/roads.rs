//! The same changes down both roads must become the same columns.

use std::sync::Arc;

use arrow::{array::Array, record_batch::RecordBatch, util::display::array_value_to_string};
use debezium::{
    BinaryHandling, ChangeEvent, ChangePosition, Column, ColumnValue, ContractSettings,
    DecimalFormat, DecimalHandling, EventEncoder, HstoreHandling, IntervalHandling, KeyChange,
    NameAdjustment, OldRow, Operation, PgType, PgTypeKind, RangeKind, ReplicaIdentity,
    SnapshotMarker, Source, TableId, TableSchema, TimePrecision,
    decode::{EnvelopeDecoder, EventHeaders, ForeignDecoders},
    halves, mapping,
};
use proptest::prelude::*;

use super::{ChangeColumns, ColumnError, RowMeta, lake_type::LakeType};

const META: RowMeta = RowMeta {
    ingest_micros: 1_700_000_000_000_001,
    partition: 3,
    offset: 77,
};

fn pg_type(kind: PgTypeKind) -> PgType {
    PgType {
        oid: 0,
        name: String::new(),
        modifier: -1,
        kind,
    }
}

fn array(kind: PgTypeKind) -> PgTypeKind {
    PgTypeKind::Array {
        element: Box::new(pg_type(kind)),
    }
}

fn table(
    columns: Vec<(String, PgTypeKind)>,
    replica_identity: ReplicaIdentity,
) -> Arc<TableSchema> {
    let columns = columns.into_iter().map(|(name, kind)| Column {
        optional: name != "id",
        name,
        pg_type: pg_type(kind),
        default_expression: None,
    });
    Arc::new(TableSchema {
        table: TableId {
            database: "db".to_owned(),
            schema: "public".to_owned(),
            table: "all types".to_owned(),
        },
        columns: columns.collect(),
        key: vec![0],
        replica_identity,
    })
}

fn event<'a>(table: &'a Arc<TableSchema>, op: Operation) -> ChangeEvent<'a> {
    ChangeEvent {
        table,
        op,
        before: OldRow::None,
        after: None,
        key_change: KeyChange::None,
        source: Source {
            lsn: 0x1_0000_0010,
            tx_id: Some(777),
            commit_micros: 1_714_571_490_123_789,
            last_commit_lsn: None,
            snapshot: SnapshotMarker::False,
        },
        position: ChangePosition::new(0x1_0000_0100, 5),
    }
}

/// Through Kafka's bytes, as cdc sends them.
fn by_kafka(
    columns: &mut ChangeColumns,
    event: &ChangeEvent<'_>,
    settings: &ContractSettings,
) -> Result<(), ColumnError> {
    let mut encoder =
        EventEncoder::new(Arc::clone(event.table), "p.public.all_types", settings).expect("a key");
    let mut decoder = EnvelopeDecoder::new(Arc::clone(event.table), settings);
    let (first, second) = halves(*event);
    for half in [Some(first), second].into_iter().flatten() {
        let mut value = Vec::new();
        encoder
            .encode_value(&half, 1_714_571_491_000_000_000, &mut value)
            .expect("an event");
        let position = half.position.to_string();
        let names: Vec<_> = encoder.unavailable_columns(&half).collect();
        let unavailable = names.join(",");
        let headers = EventHeaders {
            position: Some(position.as_bytes()),
            unavailable: (!names.is_empty()).then_some(unavailable.as_bytes()),
        };
        let text = String::from_utf8_lossy(&value).into_owned();
        let decoded = decoder.decode(&value, &headers, META.offset);
        let decoded = decoded.unwrap_or_else(|error| panic!("{error}: {text}"));
        columns.append_decoded(&decoded.expect("a row change"), META)?;
    }
    Ok(())
}

/// Every type of the contract with values at its edges, as PostgreSQL prints them.
fn all_types() -> Vec<(PgTypeKind, Vec<&'static str>)> {
    use PgTypeKind as K;
    let text = [
        "",
        "plain",
        "quote \" back \\ tab \t nul \u{1} ä 五 🎉 \u{2028}",
        "null",
    ];
    let mut types = vec![
        (K::Bool, vec!["t", "f"]),
        (K::Int2, vec!["-32768", "32767"]),
        (K::Int4, vec!["0", "-2147483648"]),
        (K::Int8, vec!["9223372036854775807", "-9223372036854775808"]),
        (K::Oid, vec!["4294967295"]),
        (
            K::Float4,
            vec![
                "3.4e+38", "-0", "0.1", "1e-45", "NaN", "Infinity", "16777216",
            ],
        ),
        (
            K::Float8,
            vec![
                "1.7976931348623157e+308",
                "5e-324",
                "-0.1",
                "1e+10",
                "NaN",
                "-Infinity",
            ],
        ),
        (
            K::Numeric {
                precision: 10,
                scale: 2,
            },
            vec!["4.50", "-0.01", "99999999.99", "0.00"],
        ),
        (
            K::Numeric {
                precision: 38,
                scale: 38,
            },
            vec!["-0.99999999999999999999999999999999999999"],
        ),
        (
            K::Numeric {
                precision: 5,
                scale: -2,
            },
            vec!["1234500", "0", "-100"],
        ),
        (
            K::Numeric {
                precision: 3,
                scale: 5,
            },
            vec!["0.00123", "-0.00001"],
        ),
        (
            K::Numeric {
                precision: 50,
                scale: 2,
            },
            vec![
                "123456789012345678901234567890123456789012345678.90",
                "-1.00",
            ],
        ),
        (
            K::UnconstrainedNumeric,
            vec![
                "1.10",
                "100",
                "0",
                "0.00",
                "-123456789012345678901234567890.123456789",
                "0.00000000000000000001",
            ],
        ),
        (K::Money, vec!["$12.34", "-$0.01", "$1,234,567.80"]),
        (K::Bytea, vec!["\\x", "\\xdeadbeef00ff", "\\x00"]),
        (K::Uuid, vec!["c0ffee00-1234-5678-9abc-def012345678"]),
        (K::Inet, vec!["192.168.1.1/24", "::1"]),
        (K::Bit { length: 1 }, vec!["0", "1"]),
        (
            K::Bit { length: 9 },
            vec!["000000000", "100000001", "000000011"],
        ),
        (
            K::Varbit { length: None },
            vec!["", "11110000111100001", "0"],
        ),
        (
            K::Date,
            vec![
                "2024-05-01",
                "0044-03-15 BC",
                "9999-12-31",
                "infinity",
                "-infinity",
            ],
        ),
        (K::Time { precision: 0 }, vec!["13:51:30", "24:00:00"]),
        (
            K::Time { precision: 6 },
            vec!["13:51:30.123789", "00:00:00.000001"],
        ),
        (
            K::TimeTz { precision: 6 },
            vec![
                "13:51:30.123789+02",
                "00:00:00-12",
                "10:15:00.5+00",
                "10:15:00+05:30",
            ],
        ),
        (
            K::Timestamp { precision: 3 },
            vec![
                "2024-05-01 13:51:30.123",
                "1969-12-31 23:59:59.999",
                "infinity",
                "-infinity",
            ],
        ),
        (
            K::Timestamp { precision: 6 },
            vec![
                "2024-05-01 13:51:30.123789",
                "0044-03-15 12:00:00 BC",
                "0001-01-01 00:00:00",
                "infinity",
                "-infinity",
            ],
        ),
        (
            K::TimestampTz { precision: 6 },
            vec![
                "2024-05-01 11:51:30.123789+00",
                "0044-03-15 12:00:00+00 BC",
                "12345-01-01 00:00:00+00",
                "294270-01-01 00:00:00+00",
                "infinity",
                "-infinity",
            ],
        ),
        (
            K::TimestampTz { precision: 0 },
            vec!["2024-05-01 11:51:30+00"],
        ),
        (
            K::Interval,
            vec![
                "1 year 2 mons 3 days 04:05:06.789",
                "-1 mons -2 days -03:04:05.000006",
                "00:00:00",
                "100 years",
                "-1 days +00:00:01",
            ],
        ),
        (
            K::Range {
                range: RangeKind::TsTz,
            },
            vec!["[\"2023-12-31 22:00:00+00\",infinity)", "empty"],
        ),
        (K::Point, vec!["(1.5,-2.25)", "(0,0)", "(1e-10,1e+15)"]),
        (
            K::Enum {
                labels: vec!["sad".into(), "ok".into()],
            },
            vec!["sad", "ok"],
        ),
        (
            K::Hstore,
            vec!["", "\"b\"=>\"1\", \"aa\"=>NULL, \"q\\\"\"=>\"\\\\\""],
        ),
        (
            K::Geometry,
            vec!["0101000000000000000000F03F000000000000F03F"],
        ),
        (array(K::Bool), vec!["{t,f,NULL}", "{}"]),
        (array(K::Int4), vec!["{1,NULL,3}", "[0:1]={1,2}"]),
        (array(K::Int8), vec!["{9223372036854775807}"]),
        (array(K::Float4), vec!["{1.5,NaN}"]),
        (array(K::Float8), vec!["{0.1,1e+300,-Infinity}"]),
        (
            array(K::Numeric {
                precision: 5,
                scale: 2,
            }),
            vec!["{1.00,2.50,NULL}"],
        ),
        (array(K::UnconstrainedNumeric), vec!["{1,2.50}"]),
        (
            array(K::Text),
            vec!["{a,\"b,c\",\"d\\\"e\",NULL,\"NULL\",\"\"}"],
        ),
        (
            array(K::Uuid),
            vec!["{c0ffee00-1234-5678-9abc-def012345678}"],
        ),
        (array(K::Jsonb), vec!["{\"{\\\"a\\\": 1}\"}"]),
        (array(K::Bytea), vec!["{\"\\\\x00ff\",NULL}"]),
        (array(K::Date), vec!["{2024-05-01,NULL}"]),
        (array(K::Time { precision: 0 }), vec!["{13:51:30}"]),
        (
            array(K::Timestamp { precision: 6 }),
            vec!["{\"2024-05-01 13:51:30.5\"}"],
        ),
        (
            array(K::TimestampTz { precision: 6 }),
            vec!["{\"2024-05-01 11:51:30.5+00\"}"],
        ),
        (
            array(K::Enum {
                labels: vec!["sad".into()],
            }),
            vec!["{sad}"],
        ),
        (
            array(K::Range {
                range: RangeKind::Int4,
            }),
            vec!["{\"[1,3)\",NULL}"],
        ),
        (K::Unknown, vec!["<(1,2),3>"]),
        (array(K::Money), vec!["{$1.50}"]),
        (array(K::Interval), vec!["{\"1 day\"}"]),
    ];
    types.extend(
        [
            K::Bpchar,
            K::Varchar,
            K::Text,
            K::Name,
            K::Citext,
            K::Json,
            K::Jsonb,
            K::Xml,
            K::Ltree,
            K::Isbn,
        ]
        .map(|kind| (kind, text.to_vec())),
    );
    types.push((K::InternalChar, vec!["c", " ", ""]));
    for kind in [K::Cidr, K::Macaddr, K::Macaddr8] {
        types.push((kind, vec!["10.0.0.0/8"]));
    }
    types
}

fn all_settings() -> Vec<ContractSettings> {
    let settings = || ContractSettings::new("p");
    vec![
        settings(),
        ContractSettings {
            value_schemas_enable: false,
            decimal_handling: DecimalHandling::String,
            interval_handling: IntervalHandling::String,
            hstore_handling: HstoreHandling::Map,
            binary_handling: BinaryHandling::Hex,
            time_precision: TimePrecision::AdaptiveTimeMicroseconds,
            ..settings()
        },
        ContractSettings {
            decimal_format: DecimalFormat::Numeric,
            binary_handling: BinaryHandling::Base64UrlSafe,
            field_name_adjustment: NameAdjustment::Avro,
            ..settings()
        },
        ContractSettings {
            value_schemas_enable: false,
            binary_handling: BinaryHandling::Base64,
            ..settings()
        },
    ]
}

/// Where two batches first differ.
fn difference(direct: &RecordBatch, kafka: &RecordBatch) -> Option<String> {
    if direct.schema() != kafka.schema() {
        return Some(format!("{:#?}\n{:#?}", direct.schema(), kafka.schema()));
    }
    let schema = direct.schema();
    for (field, (a, b)) in schema
        .fields()
        .iter()
        .zip(direct.columns().iter().zip(kafka.columns()))
    {
        for row in 0..a.len() {
            if a.slice(row, 1).to_data() != b.slice(row, 1).to_data() {
                let [a, b] = [a, b].map(|column| array_value_to_string(column, row));
                return Some(format!(
                    "{} row {row}: direct {a:?}, Kafka {b:?}",
                    field.name()
                ));
            }
        }
    }
    None
}

#[test]
fn every_type_is_the_same_by_both_roads() {
    let types = all_types();
    let mut columns = vec![("id".to_owned(), PgTypeKind::Int4)];
    columns.extend(
        types
            .iter()
            .enumerate()
            .map(|(i, (kind, _))| (format!("c-{i} ä"), kind.clone())),
    );
    let table = table(columns, ReplicaIdentity::Default);
    let most = types
        .iter()
        .map(|(_, values)| values.len())
        .max()
        .unwrap_or(0);
    for settings in all_settings() {
        let mut direct = ChangeColumns::new(Arc::clone(&table));
        let mut kafka = ChangeColumns::new(Arc::clone(&table));
        // The last row is all nulls.
        for n in 0..=most {
            let id = n.to_string();
            let mut row = vec![ColumnValue::Text(id.as_bytes())];
            row.extend(types.iter().map(|(_, values)| {
                values
                    .get(n)
                    .map_or(ColumnValue::Null, |text| ColumnValue::Text(text.as_bytes()))
            }));
            let event = ChangeEvent {
                after: Some(&row),
                ..event(&table, Operation::Create)
            };
            direct.append_event(&event, META).expect("direct");
            by_kafka(&mut kafka, &event, &settings).expect("Kafka");
        }
        let direct = direct.finish().expect("columns");
        let kafka = kafka.finish().expect("columns");
        assert_eq!(difference(&direct, &kafka), None, "{settings:?}");
        assert_eq!(direct.num_rows(), most + 1);
    }
}

/// What is in the lake is what Debezium's mapping has.
#[test]
fn columns_that_events_lack_are_not_in_the_lake() {
    let settings = ContractSettings::new("p");
    let mut kinds: Vec<_> = all_types().into_iter().map(|(kind, _)| kind).collect();
    kinds.extend(kinds.clone().into_iter().map(array));
    for kind in kinds {
        let column = Column {
            name: "c".to_owned(),
            pg_type: pg_type(kind),
            optional: true,
            default_expression: None,
        };
        let lake = LakeType::of(&column.pg_type);
        let event = mapping(&column, &settings);
        assert_eq!(lake.is_some(), event.is_some(), "{:?}", column.pg_type.kind);
    }
}

#[test]
fn values_that_numbers_cannot_tell_go_into_raw_columns() {
    let columns = vec![
        ("id".to_owned(), PgTypeKind::Int4),
        ("d".to_owned(), PgTypeKind::Date),
        ("D_raw".to_owned(), PgTypeKind::Text),
        (
            "n".to_owned(),
            PgTypeKind::Numeric {
                precision: 5,
                scale: 2,
            },
        ),
        ("a".to_owned(), array(PgTypeKind::Date)),
        ("m".to_owned(), array(PgTypeKind::Int4)),
    ];
    let table = table(columns, ReplicaIdentity::Default);
    let mut columns = ChangeColumns::new(Arc::clone(&table));
    let mut append = |row: [&str; 6]| {
        let row = row.map(|text| ColumnValue::Text(text.as_bytes()));
        let event = ChangeEvent {
            after: Some(&row),
            ..event(&table, Operation::Create)
        };
        columns.append_event(&event, META)
    };
    append(["1", "2024-05-01", "x", "1.00", "{2024-05-01}", "{1}"]).expect("plain");
    append([
        "2",
        "infinity",
        "x",
        "NaN",
        "{2024-05-01,NULL,-infinity}",
        "{{1,2},{3,4}}",
    ])
    .expect("beyond");
    append(["3", "2024-05-01", "x", "1.00", "{}", "{}"]).expect("plain");
    let batch = columns.finish().expect("columns");
    let schema = batch.schema();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(
        names[names.len() - 4..],
        ["d_raw__2", "n_raw", "a_raw", "m_raw"],
        "{names:?}"
    );
    let text = |name: &str, row| {
        array_value_to_string(batch.column_by_name(name).expect(name), row).expect("text")
    };
    for (name, raw) in [
        ("d_raw__2", "infinity"),
        ("n_raw", "NaN"),
        ("a_raw", "{2024-05-01,NULL,-infinity}"),
        ("m_raw", "{{1,2},{3,4}}"),
    ] {
        assert_eq!([text(name, 0), text(name, 1), text(name, 2)], ["", raw, ""]);
    }
    for name in ["d", "n", "a", "m"] {
        let column = batch.column_by_name(name).expect(name);
        assert!(
            column.is_null(1) && !column.is_null(0) && !column.is_null(2),
            "{name}"
        );
    }
    let next = columns.finish().expect("columns");
    assert_eq!(
        next.num_columns(),
        names.len() - 4,
        "made anew where needed"
    );
}

/// Operations, rows and the metadata beside them.
#[test]
fn every_operation_is_the_same_by_both_roads() {
    for identity in [ReplicaIdentity::Default, ReplicaIdentity::Full] {
        let columns = vec![
            ("id".to_owned(), PgTypeKind::Int4),
            ("big".to_owned(), PgTypeKind::Text),
            ("tags".to_owned(), array(PgTypeKind::Float8)),
        ];
        let table = table(columns, identity);
        let row = |id: &'static str, big| {
            [
                ColumnValue::Text(id.as_bytes()),
                big,
                ColumnValue::Text(b"{1,2}"),
            ]
        };
        let full = row("1", ColumnValue::Text(b"old"));
        let key = [
            ColumnValue::Text(b"1"),
            ColumnValue::Null,
            ColumnValue::Null,
        ];
        let old = match identity {
            ReplicaIdentity::Full => OldRow::Full(&full),
            _ => OldRow::Key(&key),
        };
        let unchanged = row("1", ColumnValue::Unchanged);
        let moved = row("2", ColumnValue::Unchanged);
        let base = |op| event(&table, op);
        let events = [
            ChangeEvent {
                after: Some(&full),
                ..base(Operation::Read)
            },
            ChangeEvent {
                after: Some(&full),
                ..base(Operation::Create)
            },
            ChangeEvent {
                after: Some(&unchanged),
                ..base(Operation::Update)
            },
            ChangeEvent {
                after: Some(&unchanged),
                before: old,
                ..base(Operation::Update)
            },
            ChangeEvent {
                after: Some(&moved),
                before: old,
                ..base(Operation::Update)
            },
            ChangeEvent {
                before: old,
                ..base(Operation::Delete)
            },
            base(Operation::Truncate),
        ];
        let settings = ContractSettings::new("p");
        let mut direct = ChangeColumns::new(Arc::clone(&table));
        let mut kafka = ChangeColumns::new(Arc::clone(&table));
        for event in &events {
            direct.append_event(event, META).expect("direct");
            by_kafka(&mut kafka, event, &settings).expect("Kafka");
        }
        assert_eq!(
            (direct.rows(), direct.bytes()),
            (kafka.rows(), kafka.bytes())
        );
        let direct = direct.finish().expect("columns");
        let kafka = kafka.finish().expect("columns");
        assert_eq!(difference(&direct, &kafka), None);
        let shown: Vec<String> = (0..direct.num_rows())
            .map(|row| {
                let cells = ["_op", "id", "big", "_unavailable"].map(|name| {
                    let column = direct.column_by_name(name).expect(name);
                    array_value_to_string(column, row).expect("text")
                });
                cells.join(" ")
            })
            .collect();
        let expected = match identity {
            ReplicaIdentity::Full => [
                "r 1 old ",
                "c 1 old ",
                "u 1  [big]",
                "u 1 old ",
                "d 1 old ",
                "c 2 old ",
                "d 1 old ",
                "t   ",
            ],
            _ => [
                "r 1 old ",
                "c 1 old ",
                "u 1  [big]",
                "u 1  [big]",
                "d 1  ",
                "c 2  [big]",
                "d 1  ",
                "t   ",
            ],
        };
        assert_eq!(shown, expected);
        let cell = |name: &str| {
            let column = direct.column_by_name(name).expect(name);
            array_value_to_string(column, 0).expect("text")
        };
        assert_eq!(
            [
                "_lsn",
                "_seq",
                "_tx_id",
                "_ts",
                "_ingest_ts",
                "_partition",
                "_offset",
                "_date"
            ]
            .map(cell),
            [
                "4294967552",
                "5",
                "777",
                "2024-05-01T13:51:30.123789Z",
                "2023-11-14T22:13:20.000001Z",
                "3",
                "77",
                "2024-05-01"
            ]
        );
    }
}

#[test]
fn a_change_that_fails_leaves_nothing_behind() {
    let columns = vec![
        ("id".to_owned(), PgTypeKind::Int4),
        ("tags".to_owned(), array(PgTypeKind::Text)),
        ("d".to_owned(), PgTypeKind::Date),
        ("n".to_owned(), PgTypeKind::Int4),
    ];
    let table = table(columns, ReplicaIdentity::Default);
    let mut columns = ChangeColumns::new(Arc::clone(&table));
    let mut append = |n: &str| {
        let row = ["1", "{a,b}", "infinity", n].map(|text| ColumnValue::Text(text.as_bytes()));
        let event = ChangeEvent {
            after: Some(&row),
            ..event(&table, Operation::Create)
        };
        columns.append_event(&event, META)
    };
    let error = append("x").expect_err("not a number");
    assert_eq!(
        error.to_string(),
        "read a value of column `n`: expected an integer"
    );
    append("1").expect("a number");
    append("y").expect_err("not a number");
    append("2").expect("a number");
    let short = [ColumnValue::Null];
    let event = ChangeEvent {
        after: Some(&short),
        ..event(&table, Operation::Create)
    };
    assert!(matches!(
        columns.append_event(&event, META),
        Err(ColumnError::Width {
            expected: 4,
            found: 1,
            ..
        })
    ));
    let batch = columns.finish().expect("columns of one length");
    assert_eq!(batch.num_rows(), 2);
    assert_eq!(
        batch.column_by_name("d_raw").map(|raw| raw.null_count()),
        Some(0)
    );
}

/// What an event with embedded schema tells is enough for the same columns, but for types that Connect does not have.
#[test]
fn a_foreign_debezium_s_schema_gives_the_same_columns() {
    let settings = ContractSettings::new("p");
    let types: Vec<_> = all_types()
        .into_iter()
        .filter(|(kind, _)| {
            !matches!(
                kind,
                // A money is a decimal there, bit(1) a boolean, an hstore a text, and a scale below zero is kept.
                PgTypeKind::Money
                    | PgTypeKind::Bit { length: 1 }
                    | PgTypeKind::Hstore
                    | PgTypeKind::Numeric { scale: ..0, .. }
            )
        })
        .collect();
    let mut columns = vec![("id".to_owned(), PgTypeKind::Int4)];
    columns.extend(
        types
            .iter()
            .enumerate()
            .map(|(i, (kind, _))| (format!("c{i}"), kind.clone())),
    );
    let table = table(columns, ReplicaIdentity::Default);
    let mut row = vec![ColumnValue::Text(b"1")];
    row.extend(types.iter().map(|(_, values)| match values.first() {
        Some(text) => ColumnValue::Text(text.as_bytes()),
        None => ColumnValue::Null,
    }));
    let event = ChangeEvent {
        after: Some(&row),
        ..event(&table, Operation::Create)
    };
    let mut direct = ChangeColumns::new(Arc::clone(&table));
    direct.append_event(&event, META).expect("direct");

    let mut encoder =
        EventEncoder::new(Arc::clone(&table), "p.public.all_types", &settings).expect("a key");
    let (mut key, mut value) = (Vec::new(), Vec::new());
    encoder.encode_key(&row, &mut key).expect("a key");
    encoder
        .encode_value(&event, 0, &mut value)
        .expect("an event");
    let mut decoders = ForeignDecoders::new("__debezium_unavailable_value");
    let decoder = decoders
        .decoder_for(Some(&key), &value)
        .expect("JSON")
        .expect("a row");
    let derived = Arc::clone(decoder.table());
    assert_eq!(derived.key, [0]);
    let headers = EventHeaders {
        position: Some(b"4294967552:5"),
        unavailable: None,
    };
    let decoded = decoder
        .decode(&value, &headers, 0)
        .expect("an envelope")
        .expect("a row");
    let mut foreign = ChangeColumns::new(derived);
    foreign.append_decoded(&decoded, META).expect("foreign");
    assert_eq!(
        difference(
            &direct.finish().expect("columns"),
            &foreign.finish().expect("columns")
        ),
        None
    );
}

proptest! {
    #[test]
    fn any_text_is_refused_or_taken(text in prop::collection::vec(any::<u8>(), 0..24), n in 0usize..100) {
        let types = all_types();
        let (kind, _) = &types[n % types.len()];
        let table = table(vec![("id".to_owned(), kind.clone())], ReplicaIdentity::Default);
        let mut columns = ChangeColumns::new(Arc::clone(&table));
        let row = [ColumnValue::Text(&text)];
        let event = ChangeEvent { after: Some(&row), ..event(&table, Operation::Create) };
        let taken = columns.append_event(&event, META).is_ok();
        prop_assert_eq!(columns.rows(), usize::from(taken));
        prop_assert_eq!(columns.finish().expect("columns").num_rows(), usize::from(taken));
    }

    #[test]
    fn numbers_and_times_are_the_same_by_both_roads(
        unscaled in -99_999_999_999i64..99_999_999_999,
        double in any::<f64>(),
        single in any::<f32>(),
        micros in 0i64..86_400_000_000,
        text in any::<String>(),
    ) {
        let table = table(
            vec![
                ("id".to_owned(), PgTypeKind::Int8),
                ("n".to_owned(), PgTypeKind::Numeric { precision: 12, scale: 3 }),
                ("d".to_owned(), PgTypeKind::Float8),
                ("s".to_owned(), PgTypeKind::Float4),
                ("t".to_owned(), PgTypeKind::Time { precision: 6 }),
                ("x".to_owned(), PgTypeKind::Text),
            ],
            ReplicaIdentity::Default,
        );
        let sign = if unscaled < 0 { "-" } else { "" };
        let seconds = micros / 1_000_000;
        // PostgreSQL has neither the sign of a NaN nor the character NUL.
        let texts = [
            unscaled.to_string(),
            format!("{sign}{}.{:03}", unscaled.abs() / 1000, unscaled.abs() % 1000),
            postgres_float(double.is_infinite(), double.to_string()),
            postgres_float(single.is_infinite(), single.to_string()),
            format!(
                "{:02}:{:02}:{:02}.{:06}",
                seconds / 3600, seconds / 60 % 60, seconds % 60, micros % 1_000_000
            ),
            text.replace('\0', ""),
        ];
        let row: Vec<_> = texts.iter().map(|text| ColumnValue::Text(text.as_bytes())).collect();
        let event = ChangeEvent { after: Some(&row), ..event(&table, Operation::Create) };
        let mut direct = ChangeColumns::new(Arc::clone(&table));
        let mut kafka = ChangeColumns::new(Arc::clone(&table));
        direct.append_event(&event, META).expect("direct");
        by_kafka(&mut kafka, &event, &ContractSettings::new("p")).expect("Kafka");
        let difference = difference(&direct.finish().expect("columns"), &kafka.finish().expect("columns"));
        prop_assert_eq!(difference, None);
    }
}

fn postgres_float(infinite: bool, text: String) -> String {
    if infinite {
        text.replace("inf", "Infinity")
    } else {
        text
    }
}
