use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use crate::table::{SnapshotTable, TableName};

/// How far a snapshot has come; shared with the faces that show it.
#[derive(Debug, Default)]
pub struct SnapshotProgress {
    pub tables: AtomicU64,
    pub tables_done: AtomicU64,
    pub rows: AtomicU64,
    /// The planner's guess for all tables.
    pub estimated_rows: AtomicU64,
    rows_by_table: RwLock<Vec<(TableName, Arc<AtomicU64>)>>,
}

impl SnapshotProgress {
    /// Rows read of each table, in the order of the snapshot.
    pub fn rows_by_table(&self) -> Vec<(TableName, u64)> {
        let rows = self
            .rows_by_table
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        rows.iter()
            .map(|(name, rows)| (name.clone(), rows.load(Ordering::Relaxed)))
            .collect()
    }

    /// A new snapshot starts. The counters of its tables, in their order.
    pub(crate) fn begin<'a>(
        &self,
        tables: impl Iterator<Item = &'a SnapshotTable>,
    ) -> Vec<Arc<AtomicU64>> {
        let tables: Vec<&SnapshotTable> = tables.collect();
        self.tables_done.store(0, Ordering::Relaxed);
        self.tables.store(tables.len() as u64, Ordering::Relaxed);
        self.rows.store(0, Ordering::Relaxed);
        self.estimated_rows.store(
            tables.iter().map(|table| table.estimated_rows).sum(),
            Ordering::Relaxed,
        );
        let by_table: Vec<_> = tables
            .iter()
            .map(|table| (table.name.clone(), Arc::default()))
            .collect();
        let counters = by_table.iter().map(|(_, rows)| Arc::clone(rows)).collect();
        *self
            .rows_by_table
            .write()
            .unwrap_or_else(PoisonError::into_inner) = by_table;
        counters
    }
}
