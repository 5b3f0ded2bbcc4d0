//! Every kind of PostgreSQL's types through everything that becomes of it: schema, value, key, default, size, and the
//! lake's column. A kind that lacks one of them fails here by its name.

mod page;

use std::{collections::BTreeSet, sync::Arc};

use debezium::{
    ChangeEvent, ChangePosition, Column, ColumnSize, ColumnValue, Compat, ContractSettings,
    DecimalHandling, Elements, EventEncoder, Format, KeyChange, OldRow, Operation, PgType,
    PgTypeKind, ReplicaIdentity, SnapshotMarker, Source, TableId, TableSchema, TypeClass,
    decode::Representation, mapping,
};

use super::{ChangeColumns, RowMeta, lake_type::LakeType, roads::all_types};

fn column(pg_type: PgType) -> Column {
    Column {
        name: "c".to_owned(),
        pg_type,
        optional: true,
        default_expression: None,
        generated: false,
        older_rows: None,
        number: None,
        rule: None,
    }
}

fn table(column: Column) -> Arc<TableSchema> {
    Arc::new(TableSchema {
        table: TableId {
            database: "d".to_owned(),
            schema: "s".to_owned(),
            table: "t".to_owned(),
        },
        columns: vec![column],
        key: vec![0],
        replica_identity: ReplicaIdentity::Default,
        oid: None,
    })
}

fn create<'a>(table: &'a Arc<TableSchema>, row: &'a [ColumnValue<'a>]) -> ChangeEvent<'a> {
    ChangeEvent {
        table,
        op: Operation::Create,
        before: OldRow::None,
        after: Some(row),
        key_change: KeyChange::None,
        source: Source {
            lsn: 1,
            tx_id: Some(1),
            commit_micros: 0,
            last_commit_lsn: None,
            snapshot: SnapshotMarker::False,
            xmin: None,
        },
        position: ChangePosition::new(1, 1),
        transaction: None,
        origin: None,
    }
}

/// Every release and format of events, with columns of unknown types among them.
fn settings() -> Vec<ContractSettings> {
    let mut all = Vec::new();
    for compat in [Compat::V2_7, Compat::V3] {
        for value_format in [Format::Json, Format::Avro, Format::Text] {
            all.push(ContractSettings {
                compat,
                value_format,
                include_unknown_datatypes: true,
                ..ContractSettings::new("p")
            });
        }
    }
    all
}

/// The name under which a kind is published.
fn tag(kind: &PgTypeKind) -> String {
    let json = serde_json::to_value(kind).expect("a kind is JSON");
    json["kind"].as_str().expect("a tag").to_owned()
}

/// All kinds there are, by those names: serde lists them where it knows none of them.
fn tags() -> BTreeSet<String> {
    let unknown = serde_json::from_str::<PgTypeKind>(r#"{"kind":"?"}"#);
    let message = unknown.expect_err("no kind").to_string();
    let (_, list) = message.split_once("expected one of ").expect("a list");
    list.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Kinds with the texts of values, scalars and arrays, under PostgreSQL's own names.
fn samples() -> Vec<(PgType, Vec<&'static str>)> {
    let types = all_types().into_iter();
    types
        .map(|(kind, texts)| (PgType::plain(kind, -1), texts))
        .collect()
}

#[test]
fn every_kind_has_sample_values_and_is_recognised() {
    let samples: BTreeSet<_> = samples().iter().map(|(of, _)| tag(&of.kind)).collect();
    let kinds = tags();
    let lacking: Vec<_> = kinds.difference(&samples).collect();
    assert!(
        lacking.is_empty(),
        "`all_types` has no values of {lacking:?}"
    );
    let mut recognised: BTreeSet<_> = [-1, (12 << 16 | 3) + 4]
        .into_iter()
        .flat_map(PgTypeKind::recognised)
        .map(|of| tag(&of.kind))
        .collect();
    // The catalog marks these.
    recognised.extend(["enum", "array", "unknown"].map(str::to_owned));
    let lacking: Vec<_> = kinds.difference(&recognised).collect();
    assert!(lacking.is_empty(), "no OID and no name tells {lacking:?}");
}

/// What becomes of the elements of an array; None of other types.
fn elements_of(pg_type: &PgType) -> Option<Elements> {
    let TypeClass::Array { element } = pg_type.row().class else {
        return None;
    };
    Some(element.row().elements)
}

#[test]
fn every_kind_has_a_schema_and_is_written() {
    for settings in settings() {
        for (pg_type, texts) in samples() {
            let kind = &pg_type.kind;
            let left_out = elements_of(&pg_type) == Some(Elements::LeftOut);
            let column = column(pg_type.clone());
            let schema = mapping(&column, &settings);
            assert_eq!(schema.is_none(), left_out, "the schema of {kind:?}");
            if left_out {
                continue;
            }
            let read = Representation::of(&pg_type, &settings);
            assert!(read.is_some(), "how {kind:?} is read back");
            let table = table(column);
            let encoder = EventEncoder::new(Arc::clone(&table), "p.s.t", &settings);
            let mut encoder = encoder.expect("a key");
            for text in texts {
                let row = [ColumnValue::Text(text.as_bytes())];
                let event = create(&table, &row);
                let mut bytes = Vec::new();
                for written in [
                    encoder.encode_value(&event, 0, &mut bytes),
                    encoder.encode_key(&row, &mut bytes),
                    encoder.encode_key_header(&row, &mut bytes),
                ] {
                    assert!(written.is_ok(), "{text} of {kind:?}: {written:?}");
                }
                let format = settings.value_format;
                let lost = encoder.take_unconverted();
                let is_special = ["NaN", "infinity"].iter().any(|name| text.contains(name));
                assert!(
                    lost.is_empty() || is_special,
                    "{text} of {kind:?} as {format:?}"
                );
            }
        }
    }
}

#[test]
fn every_kind_says_what_stands_for_missing_values() {
    for settings in settings() {
        // A struct has no default.
        let settings = ContractSettings {
            decimal_handling: DecimalHandling::String,
            ..settings
        };
        for (mut pg_type, _) in samples() {
            let kind = pg_type.kind.clone();
            let zero = pg_type.row().zero;
            let mut expression = "f()";
            // Of an enum only a label is shown.
            if matches!(kind, PgTypeKind::Enum { .. }) {
                "mood".clone_into(&mut pg_type.name);
                expression = "'sad'::mood";
            }
            let column = Column {
                optional: false,
                default_expression: Some(expression.to_owned()),
                ..column(pg_type)
            };
            let Some(schema) = mapping(&column, &settings) else {
                continue;
            };
            assert_eq!(
                schema.default.is_some(),
                zero.is_some(),
                "the default of {kind:?}"
            );
            let table = table(column);
            let encoder = EventEncoder::new(Arc::clone(&table), "p.s.t", &settings);
            let event = create(&table, &[ColumnValue::Null]);
            let written = encoder
                .expect("a key")
                .encode_value(&event, 0, &mut Vec::new());
            assert!(written.is_ok(), "the zero of {kind:?}: {written:?}");
        }
    }
}

#[test]
fn every_kind_has_a_size() {
    for (pg_type, _) in samples() {
        for snapshot in [false, true] {
            let size = ColumnSize::of(&pg_type, snapshot);
            let bare = snapshot && pg_type.kind == PgTypeKind::UnconstrainedNumeric;
            let is_array_of_bare = snapshot
                && matches!(&pg_type.kind, PgTypeKind::Array { element }
                    if element.kind == PgTypeKind::UnconstrainedNumeric && element.name == "numeric");
            let kind = &pg_type.kind;
            assert_eq!(
                size.length == 0,
                bare || is_array_of_bare,
                "the size of {kind:?}"
            );
        }
    }
}

#[test]
fn every_kind_has_a_column_in_the_lake_or_says_that_it_has_none() {
    const META: RowMeta = RowMeta {
        ingest_micros: 1,
        partition: 0,
        offset: 0,
    };
    for (pg_type, texts) in samples() {
        let kind = pg_type.kind.clone();
        let none = match elements_of(&pg_type) {
            Some(elements) => matches!(elements, Elements::LeftOut | Elements::NeverSent),
            None => matches!(
                pg_type.row().class,
                TypeClass::Tsvector | TypeClass::Figure(_) | TypeClass::Unknown
            ),
        };
        assert_eq!(
            LakeType::of(&pg_type).is_none(),
            none,
            "the lake's {kind:?}"
        );
        let table = table(column(pg_type));
        let mut columns = ChangeColumns::new(Arc::clone(&table));
        for text in texts.iter().filter(|_| !none) {
            let row = [ColumnValue::Text(text.as_bytes())];
            let before = columns.bytes();
            let appended = columns.append_event(&create(&table, &row), META);
            assert!(appended.is_ok(), "{text} of {kind:?}: {appended:?}");
            assert!(columns.bytes() > before, "what {text} of {kind:?} takes");
            let batch = columns.finish().expect("columns");
            let width = batch.num_columns();
            let (value, raw) = (batch.column(0), batch.column(width - 1));
            let has_raw = batch.schema().field(width - 1).name() == "c_raw";
            assert!(
                value.null_count() == 0 || has_raw && raw.null_count() == 0,
                "{text} of {kind:?} is in the lake"
            );
        }
    }
}
