//! Hands the tables of a snapshot to the connections that are free, and reads each to its end.
//!
//! A table is read by one connection. Nothing is read that nobody has asked for.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use debezium::TableSchema;
use futures::{
    StreamExt,
    stream::{BoxStream, ReadyChunks, try_unfold},
};
use tokio_postgres::CopyOutStream;

use super::{
    PinnedConnection,
    plan::{Plan, PlannedTable, attempted, ensure_after, ensure_before},
};
use crate::SnapshotProgress;
use crate::{Error, source::server_error::control_error};
use connector::ConnectorConfig;

/// COPY rows taken from a connection at a time: enough that waiting between them costs nothing. Only rows that have
/// arrived are taken, and one socket's buffer is all that arrives unasked, so they are no memory.
const ROWS_AT_A_TIME: usize = 512;

/// The tables of a snapshot in their order, each read by the first connection that is free.
pub(super) struct TableQueue<'a> {
    plan: &'a Plan,
    next: AtomicUsize,
    /// Rows read of each.
    rows: Vec<Arc<AtomicU64>>,
    progress: &'a SnapshotProgress,
    config: &'a ConnectorConfig,
}

impl<'a> TableQueue<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        progress: &'a SnapshotProgress,
        config: &'a ConnectorConfig,
    ) -> Self {
        Self {
            plan,
            next: AtomicUsize::new(0),
            rows: progress.begin(plan.tables.iter().map(|planned| &planned.table)),
            progress,
            config,
        }
    }

    fn take(&self) -> Option<(usize, &'a PlannedTable)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        self.plan.tables.get(index).map(|table| (index, table))
    }

    fn count(&self, index: usize, count: u64) {
        if let Some(rows) = self.rows.get(index) {
            rows.fetch_add(count, Ordering::Relaxed);
        }
        self.progress.rows.fetch_add(count, Ordering::Relaxed);
    }

    fn counted(&self, index: usize) -> u64 {
        let rows = self.rows.get(index);
        rows.map_or(0, |rows| rows.load(Ordering::Relaxed))
    }
}

/// A table of which rows are read.
#[derive(Debug, Clone)]
pub(super) struct ReadTable {
    pub(super) oid: u32,
    pub(super) schema: Arc<TableSchema>,
}

/// What a connection reads, table after table.
pub(super) enum Piece {
    /// A table, by its place in the order of the snapshot.
    Begin(usize, ReadTable),
    /// Lines of COPY of the table that was begun last.
    Rows(Vec<Bytes>),
    /// That table has no more rows.
    End,
}

/// Everything that this connection reads of the queue, then the end of its transaction. Nothing is read that is not
/// asked for.
pub(super) fn pieces<'a>(
    connection: PinnedConnection,
    queue: &'a TableQueue<'a>,
) -> BoxStream<'a, Result<Piece, Error>> {
    let reader = TableReader {
        connection,
        queue,
        open: None,
    };
    try_unfold(reader, |mut reader| async move {
        Ok(match reader.next().await? {
            Some(piece) => Some((piece, reader)),
            None => {
                reader.connection.close().await?;
                None
            }
        })
    })
    .boxed()
}

struct TableReader<'a> {
    connection: PinnedConnection,
    queue: &'a TableQueue<'a>,
    open: Option<OpenTable<'a>>,
}

struct OpenTable<'a> {
    index: usize,
    planned: &'a PlannedTable,
    lines: Pin<Box<ReadyChunks<CopyOutStream>>>,
}

impl TableReader<'_> {
    async fn next(&mut self) -> Result<Option<Piece>, Error> {
        let Some(open) = &mut self.open else {
            return self.begin().await;
        };
        let (index, planned) = (open.index, open.planned);
        let Some(lines) = open.lines.next().await else {
            self.open = None;
            let queue = self.queue;
            let client = &self.connection.client;
            ensure_after(client, planned, &queue.plan.locked, queue.config).await?;
            let name = &planned.table.name;
            tracing::info!(
                table = %format_args!("{}.{}", name.schema, name.table),
                rows = queue.counted(index),
                "snapshot of table complete"
            );
            queue.progress.tables_done.fetch_add(1, Ordering::Relaxed);
            return Ok(Some(Piece::End));
        };
        let lines: Vec<Bytes> = lines
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| control_error(attempted(&planned.table), error))?;
        self.queue.count(index, lines.len() as u64);
        Ok(Some(Piece::Rows(lines)))
    }

    async fn begin(&mut self) -> Result<Option<Piece>, Error> {
        let queue = self.queue;
        let Some((index, planned)) = queue.take() else {
            return Ok(None);
        };
        let client = &self.connection.client;
        ensure_before(client, planned, &queue.plan.locked, queue.config).await?;
        let sql = format!("copy ({}) to stdout", planned.query);
        let lines = client
            .copy_out(sql.as_str())
            .await
            .map_err(|error| control_error(attempted(&planned.table), error))?;
        self.open = Some(OpenTable {
            index,
            planned,
            lines: Box::pin(lines.ready_chunks(ROWS_AT_A_TIME)),
        });
        let table = ReadTable {
            oid: planned.table.oid,
            schema: Arc::clone(&planned.schema),
        };
        Ok(Some(Piece::Begin(index, table)))
    }
}
