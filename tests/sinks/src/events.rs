//! Events made by hand.

use std::{ops::Range, sync::Arc};

use anyhow::Result;
use cdc::{EventSink, TransactionEnd};
use debezium::{
    ChangeEvent, ChangePosition, Column, ColumnValue, KeyChange, OldRow, Operation, PgType,
    PgTypeKind, ReplicaIdentity, SnapshotMarker, Source, TableId, TableSchema,
};
use pgoutput::Lsn;

/// `public.<name>(id bigint primary key, t text)`.
pub(crate) struct Table(Arc<TableSchema>);

impl Table {
    pub(crate) fn new(name: &str) -> Self {
        Self(Arc::new(TableSchema {
            table: TableId {
                database: "d".to_owned(),
                schema: "public".to_owned(),
                table: name.to_owned(),
            },
            columns: vec![
                column("id", 20, "int8", PgTypeKind::Int8),
                column("t", 25, "text", PgTypeKind::Text),
            ],
            key: vec![0],
            replica_identity: ReplicaIdentity::Default,
            oid: Some(16_400),
        }))
    }

    /// Rows with these ids in a transaction that commits at `commit_lsn`. Its end is not written yet.
    pub(crate) fn write(
        &self,
        sink: &mut impl EventSink,
        commit_lsn: u64,
        ids: Range<u64>,
    ) -> Result<TransactionEnd> {
        let mut position = ChangePosition::new(commit_lsn, 0);
        for (ordinal, id) in (0..).zip(ids) {
            position.ordinal = ordinal;
            let id = id.to_string();
            let row = [
                ColumnValue::Text(id.as_bytes()),
                ColumnValue::Text(b"text of a row"),
            ];
            sink.write(&ChangeEvent {
                table: &self.0,
                op: Operation::Create,
                before: OldRow::None,
                after: Some(&row),
                key_change: KeyChange::None,
                source: Source {
                    lsn: commit_lsn,
                    tx_id: Some(7),
                    commit_micros: 1_700_000_000_000_000,
                    last_commit_lsn: None,
                    snapshot: SnapshotMarker::False,
                    xmin: None,
                },
                position,
                transaction: None,
                origin: None,
            })?;
        }
        Ok(TransactionEnd {
            position,
            end_lsn: Lsn(commit_lsn + 8),
        })
    }
}

/// A place that belongs to no transaction, right before this LSN.
pub(crate) fn between(lsn: u64) -> ChangePosition {
    ChangePosition::new(lsn - 1, 0)
}

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
        number: None,
        rule: None,
    }
}
