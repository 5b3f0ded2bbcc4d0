//! A shop's database: transactions whose rows can be told from their number.

use std::sync::Arc;

use anyhow::{Result, ensure};
use debezium::{
    ChangeEvent, ChangePosition, Column, ColumnValue, KeyChange, OldRow, Operation, PgType,
    PgTypeKind, ReplicaIdentity, SnapshotMarker, Source, TableId, TableSchema,
};
use lakewriter::{DirectPosition, DirectWriter, Lake};

use crate::rows;

pub const ORDERS: &str = "shop/public.orders/changes";
pub const LINES: &str = "shop/public.lines/changes";

pub fn column(name: &str, kind: PgTypeKind) -> Column {
    Column {
        name: name.to_owned(),
        pg_type: PgType {
            oid: 20,
            name: "int8".to_owned(),
            modifier: -1,
            kind,
        },
        optional: false,
        default_expression: None,
        generated: false,
        older_rows: None,
        number: None,
        rule: None,
    }
}

pub fn table(name: &str) -> Arc<TableSchema> {
    Arc::new(TableSchema {
        table: TableId {
            database: "shop".to_owned(),
            schema: "public".to_owned(),
            table: name.to_owned(),
        },
        columns: vec![column("id", PgTypeKind::Int8)],
        key: vec![0],
        replica_identity: ReplicaIdentity::Default,
        oid: None,
    })
}

/// A source of transactions: number `n` inserts order `n` and lines `2n` and `2n + 1`.
pub struct Shop {
    pub orders: Arc<TableSchema>,
    pub lines: Arc<TableSchema>,
    /// The first transaction of a second history of the WAL, whose LSNs are far below those of the first.
    pub restored_at: u64,
}

impl Shop {
    /// Another version of the orders: more columns, other types.
    pub fn with_orders(columns: Vec<Column>) -> Self {
        let mut orders = (*table("orders")).clone();
        orders.columns = columns;
        Self {
            orders: Arc::new(orders),
            lines: table("lines"),
            restored_at: u64::MAX,
        }
    }

    pub fn new() -> Self {
        Self {
            orders: table("orders"),
            lines: table("lines"),
            restored_at: u64::MAX,
        }
    }

    /// Where transaction `n` stands, its change `ordinal`.
    pub fn position(&self, n: u64, ordinal: u64) -> ChangePosition {
        if n < self.restored_at {
            ChangePosition::new(commit_lsn(n), ordinal)
        } else {
            let lsn = commit_lsn(n) - RESTORED_BELOW;
            ChangePosition::new(lsn, ordinal).in_incarnation(RESTORED)
        }
    }

    /// The end of transaction `n`.
    pub fn end(&self, n: u64) -> DirectPosition {
        let position = self.position(n, 2);
        DirectPosition {
            position,
            end_lsn: position.commit_lsn + 48,
            ..end(n)
        }
    }

    /// Give all events of transaction `n` to `take`.
    pub fn events(
        &self,
        n: u64,
        mut take: impl FnMut(&ChangeEvent<'_>) -> Result<()>,
    ) -> Result<()> {
        let rows = [
            (&self.orders, n),
            (&self.lines, 2 * n),
            (&self.lines, 2 * n + 1),
        ];
        for (ordinal, (table, id)) in rows.into_iter().enumerate() {
            let id = id.to_string();
            // Every column of a row shows the row's number.
            let row = vec![ColumnValue::Text(id.as_bytes()); table.columns.len()];
            take(&ChangeEvent {
                table,
                op: Operation::Create,
                before: OldRow::None,
                after: Some(&row),
                key_change: KeyChange::None,
                source: Source {
                    lsn: self.position(n, 0).commit_lsn - 50,
                    tx_id: Some(n),
                    commit_micros: 1_790_000_000_000_000,
                    last_commit_lsn: None,
                    snapshot: SnapshotMarker::False,
                    xmin: None,
                },
                position: self.position(n, ordinal as u64),
                transaction: None,
                origin: None,
            })?;
        }
        Ok(())
    }

    pub fn write(&self, writer: &mut DirectWriter, n: u64) -> Result<()> {
        self.events(n, |event| Ok(writer.append(event)?))
    }
}

/// Number of the second history, and how far its LSNs are below those of the first.
const RESTORED: u64 = 7;
const RESTORED_BELOW: u64 = 900_000;

pub fn commit_lsn(n: u64) -> u64 {
    1_000_000 + n * 100
}

/// The end of transaction `n`.
pub fn end(n: u64) -> DirectPosition {
    DirectPosition {
        position: ChangePosition::new(commit_lsn(n), 2),
        end_lsn: commit_lsn(n) + 48,
        last_commit_lsn: n.checked_sub(1).map(|n| commit_lsn(n) + 48),
        snapshot_completed: true,
        slot: "{}".to_owned(),
    }
}

/// The transaction after a stored position.
pub fn after(position: Option<&DirectPosition>) -> u64 {
    position.map_or(0, |DirectPosition { position, .. }| {
        let below = if position.incarnation == RESTORED {
            RESTORED_BELOW
        } else {
            0
        };
        (position.commit_lsn + below - 1_000_000) / 100 + 1
    })
}

/// The lake holds transactions 0 to `transactions`, each row once.
pub async fn verify(lake: &Lake, transactions: u64) -> Result<()> {
    let orders = rows::ids(lake, ORDERS).await?;
    let want: Vec<i64> = (0..transactions as i64).collect();
    ensure!(
        orders == want,
        "orders are {orders:?}, want 0..{transactions}"
    );
    let lines = rows::ids(lake, LINES).await?;
    let want: Vec<i64> = (0..2 * transactions as i64).collect();
    ensure!(
        lines == want,
        "lines are {lines:?}, want 0..{}",
        2 * transactions
    );
    Ok(())
}
