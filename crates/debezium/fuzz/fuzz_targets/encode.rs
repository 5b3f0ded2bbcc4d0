//! `cargo +nightly fuzz run encode`: the first byte picks a type, the rest is the value's text. Every event must be JSON.
#![no_main]

use std::sync::{Arc, LazyLock};

use debezium::{
    ChangeEvent, ChangePosition, ColumnValue, ContractSettings, EventEncoder, KeyChange, OldRow,
    Operation, SnapshotMarker, Source, TableSchema,
};
use libfuzzer_sys::fuzz_target;

const KINDS: [&str; 22] = [
    r#"{"kind":"bool"}"#,
    r#"{"kind":"int8"}"#,
    r#"{"kind":"float4"}"#,
    r#"{"kind":"float8"}"#,
    r#"{"kind":"numeric","precision":10,"scale":2}"#,
    r#"{"kind":"unconstrained_numeric"}"#,
    r#"{"kind":"money"}"#,
    r#"{"kind":"text"}"#,
    r#"{"kind":"bytea"}"#,
    r#"{"kind":"jsonb"}"#,
    r#"{"kind":"varbit","length":null}"#,
    r#"{"kind":"date"}"#,
    r#"{"kind":"time","precision":6}"#,
    r#"{"kind":"time_tz","precision":6}"#,
    r#"{"kind":"timestamp","precision":6}"#,
    r#"{"kind":"timestamp_tz","precision":6}"#,
    r#"{"kind":"interval"}"#,
    r#"{"kind":"point"}"#,
    r#"{"kind":"hstore"}"#,
    r#"{"kind":"geometry"}"#,
    r#"{"kind":"array","element":{"oid":0,"name":"t","modifier":-1,"kind":{"kind":"text"}}}"#,
    r#"{"kind":"array","element":{"oid":0,"name":"t","modifier":-1,"kind":{"kind":"unconstrained_numeric"}}}"#,
];

static TABLES: LazyLock<Vec<Arc<TableSchema>>> =
    LazyLock::new(|| KINDS.iter().filter_map(|kind| table(kind)).collect());

fn table(kind: &str) -> Option<Arc<TableSchema>> {
    let text = format!(
        r#"{{"table":{{"database":"d","schema":"s","table":"t"}},"key":[],"replica_identity":"default","columns":[
            {{"name":"c","optional":true,"type":{{"oid":0,"name":"t","modifier":-1,"kind":{kind}}}}}]}}"#
    );
    serde_json::from_str(&text).ok().map(Arc::new)
}

fuzz_target!(|data: &[u8]| {
    let Some((pick, text)) = data.split_first() else {
        return;
    };
    let table = &TABLES[usize::from(*pick) % TABLES.len()];
    let row = [ColumnValue::Text(text)];
    let event = ChangeEvent {
        table,
        op: Operation::Create,
        before: OldRow::None,
        after: Some(&row),
        key_change: KeyChange::None,
        source: Source {
            lsn: 1,
            tx_id: None,
            commit_micros: 0,
            last_commit_lsn: None,
            snapshot: SnapshotMarker::False,
            xmin: None,
        },
        position: ChangePosition::default(),
        transaction: None,
        origin: None,
    };
    let mut settings = ContractSettings::new("p");
    settings.value_schemas_enable = false;
    let mut encoder =
        EventEncoder::new(Arc::clone(table), "p.s.t", &settings).expect("prepare a table");
    let mut value = Vec::new();
    encoder
        .encode_value(&event, 0, &mut value)
        .expect("an optional column takes null");
    serde_json::from_slice::<serde_json::Value>(&value).expect("an event is JSON");
});
