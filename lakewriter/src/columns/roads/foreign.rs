use std::sync::Arc;

use debezium::{
    ChangeEvent, ColumnValue, ContractSettings, EventEncoder, Operation, PgTypeKind,
    ReplicaIdentity,
    decode::{EventHeaders, ForeignDecoders},
};

use super::{META, difference, event, every_type::all_types, table};
use crate::columns::ChangeColumns;

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
