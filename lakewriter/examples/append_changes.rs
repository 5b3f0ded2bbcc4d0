//! Writes two changes of a row into a lake in a folder, in one commit, without PostgreSQL and Kafka:
//! `cargo run -p lakewriter --example append_changes -- data/lake`

use std::{env, error::Error, sync::Arc};

use debezium::{
    ChangeEvent, ChangePosition, ColumnValue, KeyChange, OldRow, Operation, SnapshotMarker, Source,
    TableSchema,
};
use lakewriter::{DirectPosition, DirectWriter, LakeConfig};

/// One version of a table: what events have to know of it.
const TABLE: &str = r#"{
  "table": {"database": "shop", "schema": "public", "table": "orders"}, "key": [0], "replica_identity": "default",
  "columns": [
    {"name": "id", "optional": false, "type": {"oid": 20, "name": "int8", "modifier": -1, "kind": {"kind": "int8"}}},
    {"name": "state", "optional": true, "type": {"oid": 25, "name": "text", "modifier": -1, "kind": {"kind": "text"}}}
  ]}"#;

/// How many rows became visible; none where an earlier run has written them.
pub async fn run(lake: &str) -> Result<u64, Box<dyn Error>> {
    let table: Arc<TableSchema> = Arc::new(serde_json::from_str(TABLE)?);
    let lake = LakeConfig::new(lake);
    let (mut writer, _) = DirectWriter::open(lake, "example", Arc::default()).await?;
    let change = |op, ordinal, row| ChangeEvent {
        table: &table,
        op,
        before: OldRow::None,
        after: Some(row),
        key_change: KeyChange::None,
        source: Source {
            lsn: 16_000 + ordinal,
            tx_id: Some(700),
            commit_micros: 1_714_566_980_300_400,
            last_commit_lsn: None,
            snapshot: SnapshotMarker::False,
            xmin: None,
        },
        origin: None,
        position: ChangePosition::new(16_100, ordinal),
        transaction: None,
    };
    let new = [ColumnValue::Text(b"1"), ColumnValue::Text(b"new")];
    let paid = [ColumnValue::Text(b"1"), ColumnValue::Text(b"paid")];
    writer.append(&change(Operation::Create, 0, &new))?;
    writer.append(&change(Operation::Update, 1, &paid))?;
    // The position goes with the rows: who opens this lake again is told that all up to here is there.
    let position = DirectPosition {
        position: ChangePosition::new(16_100, 1),
        end_lsn: 16_200,
        last_commit_lsn: None,
        snapshot_completed: true,
        slot: String::new(),
    };
    Ok(writer.commit_open(position).await?.rows)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let lake = env::args().nth(1);
    let rows = run(lake.as_deref().unwrap_or("data/lake")).await?;
    println!("{rows} rows became visible");
    Ok(())
}
