//! Events made by hand, for tests of sinks that need no PostgreSQL.

use std::{ops::Range, sync::Arc};

use anyhow::Result;
use cdc::{EventSink, TransactionEnd};
use debezium::{
    ChangeEvent, ChangePosition, Column, ColumnValue, KeyChange, OldRow, Operation, PgType,
    PgTypeKind, ReplicaIdentity, SnapshotMarker, Source, TableId, TableSchema,
};
use pgoutput::Lsn;

/// `public.<name>(id bigint primary key, t text)`.
pub fn table(name: &str) -> Arc<TableSchema> {
    Arc::new(TableSchema {
        table: TableId {
            database: "d".to_owned(),
            schema: "public".to_owned(),
            table: name.to_owned(),
        },
        columns: vec![
            column("id", PgTypeKind::Int8, "int8", false),
            column("t", PgTypeKind::Text, "text", true),
        ],
        key: vec![0],
        replica_identity: ReplicaIdentity::Default,
        oid: None,
    })
}

/// One change of that table.
pub fn event<'a>(
    table: &'a Arc<TableSchema>,
    op: Operation,
    position: ChangePosition,
    before: OldRow<'a>,
    after: Option<&'a [ColumnValue<'a>]>,
) -> ChangeEvent<'a> {
    ChangeEvent {
        table,
        op,
        before,
        after,
        key_change: KeyChange::None,
        source: Source {
            lsn: position.commit_lsn,
            tx_id: Some(7),
            commit_micros: 1_700_000_000_000_000,
            last_commit_lsn: None,
            snapshot: SnapshotMarker::False,
            xmin: None,
        },
        position,
        transaction: None,
        origin: None,
    }
}

/// Inserts of these ids in a transaction that commits at `commit_lsn`. Its end is not written yet.
///
/// # Errors
/// As the sink.
pub fn inserts(
    sink: &mut impl EventSink,
    table: &Arc<TableSchema>,
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
        sink.write(&event(
            table,
            Operation::Create,
            position,
            OldRow::None,
            Some(&row),
        ))?;
    }
    Ok(TransactionEnd {
        position,
        end_lsn: Lsn(commit_lsn + 8),
    })
}

/// A place that belongs to no transaction, right before this LSN.
pub(crate) fn between(lsn: u64) -> ChangePosition {
    ChangePosition::new(lsn - 1, 0)
}

fn column(name: &str, kind: PgTypeKind, type_name: &str, optional: bool) -> Column {
    Column {
        name: name.to_owned(),
        pg_type: PgType {
            oid: 0,
            name: type_name.to_owned(),
            modifier: -1,
            kind,
        },
        optional,
        default_expression: None,
        generated: false,
        older_rows: None,
        number: None,
        rule: None,
    }
}
