//! Rows that no commit has taken yet, one set of columns per table version.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use debezium::{ChangeEvent, ChangePosition, ColumnValue, Operation, TableSchema};
use tokio::task::JoinHandle;

use super::{STAGE_ALL_BYTES, STAGE_BYTES, Shared};
use crate::{
    Error, ErrorKind,
    columns::{ChangeColumns, RowMeta},
    counters::{CommitTimes, now_micros},
    error::defect,
    lake::{CountedSnapshots, LakeTableName, delta::StagedFile},
    progress::OpenRows,
};

/// What a row takes beside the text of its values: numbers and lengths of its columns.
const BYTES_OF_COLUMN: usize = 16;
const BYTES_OF_ROW: usize = 128;

/// An upload that runs ahead of the commit.
pub(super) type Upload = JoinHandle<Result<Vec<StagedFile>, Error>>;

#[derive(Debug, Default)]
pub(super) struct OpenBatch {
    tables: Vec<OpenTable>,
    /// By the address of the schema, which the table keeps alive.
    by_version: HashMap<usize, usize>,
    last: usize,
    bytes: usize,
    rows: usize,
    /// Where the rows stand.
    positions: Option<OpenRows<ChangePosition>>,
    times: CommitTimes,
    /// Wall clock of the rows of this batch, microseconds; read once per transaction.
    clock: (u64, i64),
}

/// What a commit takes over from the open batch.
#[derive(Debug)]
pub(super) struct TakenBatch {
    pub(super) tables: Vec<TakenTable>,
    /// Where the rows stand; None: there are none.
    pub(super) rows: Option<OpenRows<ChangePosition>>,
    pub(super) times: CommitTimes,
}

#[derive(Debug)]
pub(super) struct TakenTable {
    pub(super) name: LakeTableName,
    pub(super) uploads: Vec<Upload>,
}

struct OpenTable {
    name: LakeTableName,
    version: Arc<TableSchema>,
    columns: ChangeColumns,
    bytes: usize,
    /// Commit LSN of the first and the last of the open rows.
    range: (u64, u64),
    uploads: Vec<Upload>,
}

impl std::fmt::Debug for OpenTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenTable({}: {} rows)", self.name, self.columns.rows())
    }
}

impl OpenBatch {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn append(
        &mut self,
        shared: &Arc<Shared>,
        event: &ChangeEvent<'_>,
    ) -> Result<(), Error> {
        if self.clock.1 == 0 || self.clock.0 != event.position.commit_lsn {
            self.clock = (event.position.commit_lsn, now_micros());
        }
        let meta = RowMeta {
            ingest_micros: self.clock.1,
            partition: -1,
            offset: -1,
        };
        let index = self.index_of(shared, event.table);
        let table = self.tables.get_mut(index).ok_or_else(|| {
            defect(
                "a version that was looked up has open columns",
                event.position,
            )
        })?;
        table.columns.append_event(event, meta).map_err(|error| {
            Error::new(
                ErrorKind::Encode,
                format!("append a change of `{}` at {}", table.name, event.position),
            )
            .with_source(error)
        })?;
        if table.columns.rows() == 1 {
            table.range.0 = event.position.commit_lsn;
        }
        table.range.1 = event.position.commit_lsn;
        OpenRows::add(&mut self.positions, event.position);
        self.rows += 1;
        if event.op != Operation::Read {
            self.times.add(event.source.commit_micros);
        }
        let bytes = text_bytes(event);
        table.bytes += bytes;
        self.bytes += bytes;
        if table.bytes >= STAGE_BYTES {
            // The text of numbers may be longer than they are; asking the columns costs more than a row.
            let measured = table.columns.bytes();
            self.bytes = self
                .bytes
                .saturating_sub(table.bytes - measured.min(table.bytes));
            table.bytes = measured.min(table.bytes);
            if table.bytes >= STAGE_BYTES - STAGE_BYTES / 8 {
                self.bytes = self.bytes.saturating_sub(table.bytes);
                table.upload(shared)?;
            }
        }
        if self.bytes >= STAGE_ALL_BYTES {
            self.upload_largest(shared)?;
        }
        Ok(())
    }

    /// Many tables, none of them large: one has to make room.
    fn upload_largest(&mut self, shared: &Arc<Shared>) -> Result<(), Error> {
        if let Some(table) = self.tables.iter_mut().max_by_key(|table| table.bytes) {
            self.bytes = self.bytes.saturating_sub(table.bytes);
            table.upload(shared)?;
        }
        Ok(())
    }

    /// Everything open, on its way to the store.
    pub(super) fn take(&mut self, shared: &Arc<Shared>) -> Result<TakenBatch, Error> {
        let taken = std::mem::take(self);
        let mut tables = Vec::with_capacity(taken.tables.len());
        for mut table in taken.tables {
            if table.columns.rows() > 0 {
                table.upload(shared)?;
            }
            tables.push(TakenTable {
                name: table.name,
                uploads: table.uploads,
            });
        }
        Ok(TakenBatch {
            tables,
            rows: taken.positions,
            times: taken.times,
        })
    }

    fn index_of(&mut self, shared: &Shared, version: &Arc<TableSchema>) -> usize {
        if let Some(table) = self.tables.get(self.last)
            && Arc::ptr_eq(&table.version, version)
        {
            return self.last;
        }
        let address = Arc::as_ptr(version) as usize;
        let index = *self.by_version.entry(address).or_insert_with(|| {
            let namespace = shared
                .namespace
                .clone()
                .unwrap_or_else(|| version.table.database.clone());
            self.tables.push(OpenTable {
                name: LakeTableName::new(namespace, &version.table),
                version: Arc::clone(version),
                columns: ChangeColumns::new(Arc::clone(version)),
                bytes: 0,
                range: (0, 0),
                uploads: Vec::new(),
            });
            self.tables.len() - 1
        });
        self.last = index;
        index
    }
}

/// Not less than the columns grow by a change: a value is no longer than its text, or than a column's number.
fn text_bytes(event: &ChangeEvent<'_>) -> usize {
    let of_row = |row: &[ColumnValue<'_>]| -> usize {
        row.iter()
            .map(|value| match value {
                ColumnValue::Text(text) => BYTES_OF_COLUMN + text.len(),
                ColumnValue::Null | ColumnValue::Unchanged => BYTES_OF_COLUMN,
            })
            .sum()
    };
    let before = event.before.columns().map_or(0, of_row);
    BYTES_OF_ROW + before.max(event.after.map_or(0, of_row))
}

impl OpenTable {
    /// Hand the rows that are open to a task that encodes and uploads them.
    fn upload(&mut self, shared: &Arc<Shared>) -> Result<(), Error> {
        let held = shared.staging.hold(self.columns.bytes());
        self.bytes = 0;
        let rows = self.columns.finish().map_err(|error| {
            Error::new(
                ErrorKind::Encode,
                format!("finish columns of `{}`", self.name),
            )
            .with_source(error)
        })?;
        let number = shared.files.fetch_add(1, Ordering::Relaxed);
        let file = format!(
            "lsn-{:x}-{:x}-{}-{number}",
            self.range.0, self.range.1, shared.writer
        );
        let shared = Arc::clone(shared);
        let name = self.name.clone();
        let version = Arc::clone(&self.version);
        self.uploads.push(tokio::spawn(async move {
            // All rows that a snapshot has of a table come with one commit: they need not be counted.
            let staged = shared
                .tables
                .stage_changes(&name, &version, (rows, &CountedSnapshots::default()), &file)
                .await;
            drop(held);
            staged
        }));
        Ok(())
    }
}
