//! The same changes down both roads must become the same columns.

mod any_value;
mod every_type;
mod foreign;

use std::sync::Arc;

use arrow::{array::Array, record_batch::RecordBatch, util::display::array_value_to_string};
use debezium::{
    ChangeEvent, ChangePosition, Column, ColumnValue, ContractSettings, EventEncoder, KeyChange,
    OldRow, Operation, PgTypeKind, ReplicaIdentity, SnapshotMarker, Source, TableId, TableSchema,
    decode::{EnvelopeDecoder, EventHeaders},
    halves, mapping,
};

use super::{ChangeColumns, RowMeta, error::ColumnError, lake_type::LakeType};
pub(super) use every_type::all_types;
use every_type::{all_settings, array, pg_type};

const META: RowMeta = RowMeta {
    ingest_micros: 1_700_000_000_000_001,
    partition: 3,
    offset: 77,
};

fn table(
    columns: Vec<(String, PgTypeKind)>,
    replica_identity: ReplicaIdentity,
) -> Arc<TableSchema> {
    let columns = columns.into_iter().map(|(name, kind)| Column {
        optional: name != "id",
        name,
        pg_type: pg_type(kind),
        default_expression: None,
        generated: false,
        older_rows: None,
        number: None,
        rule: None,
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
        oid: None,
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
            xmin: None,
        },
        position: ChangePosition::new(0x1_0000_0100, 5),
        transaction: None,
        origin: None,
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
            generated: false,
            older_rows: None,
            number: None,
            rule: None,
        };
        let lake = LakeType::of(&column.pg_type);
        // Events have a column for bit[], but never a value.
        if let PgTypeKind::Array { element } = &column.pg_type.kind
            && matches!(element.kind, PgTypeKind::Bit { .. })
        {
            assert!(lake.is_none());
            continue;
        }
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
            ReplicaIdentity::Default | ReplicaIdentity::Nothing | ReplicaIdentity::Index => {
                OldRow::Key(&key)
            }
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
            ReplicaIdentity::Default | ReplicaIdentity::Nothing | ReplicaIdentity::Index => [
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
