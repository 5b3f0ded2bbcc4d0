use crate::{Compat, ConnectField, ConnectSchema, ConnectType};

pub(super) fn field(name: &str, schema: ConnectSchema) -> ConnectField {
    ConnectField {
        name: name.to_owned(),
        schema,
    }
}

pub(super) fn plain(name: &str, kind: ConnectType, optional: bool) -> ConnectField {
    field(name, ConnectSchema::new(kind, optional))
}

/// A required struct of version 1.
pub(super) fn structure(name: &str, fields: Vec<ConnectField>) -> ConnectSchema {
    ConnectSchema::new(ConnectType::Struct(fields), false).named(name)
}

/// The schema of `source`.
pub(crate) fn source_schema(compat: Compat) -> ConnectSchema {
    use ConnectType::{Int64, String};
    let allowed = match compat {
        Compat::V2_7 => "true,last,false,incremental",
        Compat::V3 => {
            "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"
        }
    };
    let mut snapshot = ConnectSchema::new(String, true)
        .named("io.debezium.data.Enum")
        .parameter("allowed", allowed);
    snapshot.default = Some("\"false\"".to_owned());
    let mut fields = vec![
        plain("version", String, false),
        plain("connector", String, false),
        plain("name", String, false),
        plain("ts_ms", Int64, false),
        field("snapshot", snapshot),
        plain("db", String, false),
        plain("sequence", String, true),
        plain("ts_us", Int64, true),
        plain("ts_ns", Int64, true),
        plain("schema", String, false),
        plain("table", String, false),
        plain("txId", Int64, true),
        plain("lsn", Int64, true),
        plain("xmin", Int64, true),
    ];
    if compat == Compat::V3 {
        fields.push(plain("origin", String, true));
        fields.push(plain("origin_lsn", Int64, true));
    }
    let mut schema = ConnectSchema::new(ConnectType::Struct(fields), false);
    schema.name = Some("io.debezium.connector.postgresql.Source".to_owned());
    schema.version = (compat == Compat::V3).then_some(1);
    schema
}

/// The schema of `transaction`.
pub(crate) fn transaction_schema() -> ConnectSchema {
    ConnectSchema::new(
        ConnectType::Struct(vec![
            plain("id", ConnectType::String, false),
            plain("total_order", ConnectType::Int64, false),
            plain("data_collection_order", ConnectType::Int64, false),
        ]),
        true,
    )
    .named("event.block")
}

/// The schema of a whole event: version 2 of the envelope.
pub(crate) fn envelope_schema(name: &str, row: &ConnectSchema, compat: Compat) -> ConnectSchema {
    use ConnectType::{Int64, String};
    let mut schema = ConnectSchema::new(
        ConnectType::Struct(vec![
            field("before", row.clone()),
            field("after", row.clone()),
            field("source", source_schema(compat)),
            field("transaction", transaction_schema()),
            plain("op", String, false),
            plain("ts_ms", Int64, true),
            plain("ts_us", Int64, true),
            plain("ts_ns", Int64, true),
        ]),
        false,
    );
    schema.name = Some(name.to_owned());
    schema.version = Some(2);
    schema
}
