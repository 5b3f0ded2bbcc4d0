//! Encodes the INSERT of a row as Debezium writes it to Kafka: `cargo run -p debezium --example encode_event`

use std::{error::Error, sync::Arc};

use debezium::{
    ChangeEvent, ChangePosition, Column, ColumnValue, ContractSettings, EventEncoder, KeyChange,
    OldRow, Operation, PgType, PgTypeKind, ReplicaIdentity, SnapshotMarker, Source, TableId,
    TableSchema,
};

fn column(name: &str, oid: u32, type_name: &str, kind: PgTypeKind) -> Column {
    Column {
        name: name.to_owned(),
        pg_type: PgType {
            oid,
            name: type_name.to_owned(),
            modifier: -1,
            kind,
        },
        optional: name != "id",
        default_expression: None,
        generated: false,
        older_rows: None,
        number: None,
        rule: None,
    }
}

/// Key and value of the record.
pub fn run() -> Result<(String, String), Box<dyn Error>> {
    // One version of a table, as the catalog and a Relation message describe it.
    let table = Arc::new(TableSchema {
        table: TableId {
            database: "twitter".to_owned(),
            schema: "public".to_owned(),
            table: "tweets".to_owned(),
        },
        columns: vec![
            column("id", 20, "int8", PgTypeKind::Int8),
            column("text", 25, "text", PgTypeKind::Text),
            column(
                "at",
                1184,
                "timestamptz",
                PgTypeKind::TimestampTz { precision: 6 },
            ),
        ],
        key: vec![0],
        replica_identity: ReplicaIdentity::Default,
        oid: None,
    });
    // Values are text, as PostgreSQL printed them.
    let row = [
        ColumnValue::Text(b"1"),
        ColumnValue::Text(b"Hello"),
        ColumnValue::Text(b"2024-05-01 12:34:56.789012+00"),
    ];
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
            last_commit_lsn: None,
            snapshot: SnapshotMarker::False,
            xmin: None,
        },
        origin: None,
        position: ChangePosition::new(33_912_000, 0),
        transaction: None,
    };
    let mut settings = ContractSettings::new("twitter");
    settings.key_schemas_enable = false;
    settings.value_schemas_enable = false;
    let mut encoder = EventEncoder::new(Arc::clone(&table), "twitter.public.tweets", &settings)?;
    let (mut key, mut value) = (Vec::new(), Vec::new());
    encoder.encode_key(&row, &mut key)?;
    encoder.encode_value(&event, 1_714_566_980_412_345_678, &mut value)?;
    Ok((String::from_utf8(key)?, String::from_utf8(value)?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let (key, value) = run()?;
    println!("{key}\n{value}");
    Ok(())
}
