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

use super::{PinnedConnection, SnapshotProgress, SnapshotTable};
use crate::{
    Error, ErrorKind,
    config::ConnectorConfig,
    source::{catalog::current_schema, quote_identifier, server_error::control_error},
};

/// COPY rows taken from a connection at a time: enough that waiting between them costs nothing. Only rows that have
/// arrived are taken, and one socket's buffer is all that arrives unasked, so they are no memory.
const ROWS_AT_A_TIME: usize = 512;

/// The tables of a snapshot in their order, each read by the first connection that is free.
pub(super) struct TableQueue<'a> {
    tables: &'a [SnapshotTable],
    next: AtomicUsize,
    /// Rows read of each.
    rows: Vec<Arc<AtomicU64>>,
    progress: &'a SnapshotProgress,
    config: &'a ConnectorConfig,
}

impl<'a> TableQueue<'a> {
    pub(super) fn new(
        tables: &'a [SnapshotTable],
        progress: &'a SnapshotProgress,
        config: &'a ConnectorConfig,
    ) -> Self {
        Self {
            tables,
            next: AtomicUsize::new(0),
            rows: progress.begin(tables),
            progress,
            config,
        }
    }

    fn take(&self) -> Option<(usize, &'a SnapshotTable)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        self.tables.get(index).map(|table| (index, table))
    }
}

/// What a connection reads, table after table.
pub(super) enum Piece {
    /// A table, by its place in the order of the snapshot.
    Begin(usize, Arc<TableSchema>),
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
    table: &'a SnapshotTable,
    lines: Pin<Box<ReadyChunks<CopyOutStream>>>,
    rows: &'a AtomicU64,
}

impl TableReader<'_> {
    async fn next(&mut self) -> Result<Option<Piece>, Error> {
        let Some(open) = &mut self.open else {
            return self.begin().await;
        };
        let name = &open.table.name;
        let Some(lines) = open.lines.next().await else {
            tracing::info!(
                table = %format_args!("{}.{}", name.schema, name.table),
                rows = open.rows.load(Ordering::Relaxed),
                "snapshot of table complete"
            );
            self.queue
                .progress
                .tables_done
                .fetch_add(1, Ordering::Relaxed);
            self.open = None;
            return Ok(Some(Piece::End));
        };
        let lines: Vec<Bytes> = lines
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| control_error(attempted(open.table), error))?;
        let count = lines.len() as u64;
        open.rows.fetch_add(count, Ordering::Relaxed);
        self.queue.progress.rows.fetch_add(count, Ordering::Relaxed);
        Ok(Some(Piece::Rows(lines)))
    }

    /// The next table that is still there.
    async fn begin(&mut self) -> Result<Option<Piece>, Error> {
        let queue = self.queue;
        while let Some((index, table)) = queue.take() {
            let client = &self.connection.client;
            let schema = current_schema(client, table.oid, queue.config)
                .await
                .map_err(|error| within(error, table))?;
            let (Some(schema), Some(rows)) = (schema, queue.rows.get(index)) else {
                tracing::info!(table = %table.name.quoted(), "the table is gone: nothing of it is in the snapshot");
                queue.progress.tables_done.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let sql = copy_statement(table, &schema, queue.config);
            let lines = client
                .copy_out(sql.as_str())
                .await
                .map_err(|error| control_error(attempted(table), error))?;
            self.open = Some(OpenTable {
                table,
                lines: Box::pin(lines.ready_chunks(ROWS_AT_A_TIME)),
                rows,
            });
            return Ok(Some(Piece::Begin(index, schema)));
        }
        Ok(None)
    }
}

/// The captured columns of the table, or of the query that stands in its place.
fn copy_statement(table: &SnapshotTable, schema: &TableSchema, config: &ConnectorConfig) -> String {
    let columns: Vec<String> = schema
        .columns
        .iter()
        .map(|column| quote_identifier(&column.name))
        .collect();
    let full_name = format!("{}.{}", table.name.schema, table.name.table);
    let from = match config.snapshot.select_overrides.get(&full_name) {
        Some(query) => format!("({query}) as override"),
        None => table.name.quoted(),
    };
    format!("copy (select {} from {from}) to stdout", columns.join(", "))
}

fn attempted(table: &SnapshotTable) -> String {
    format!("read table {} for the snapshot", table.name.quoted())
}

/// The same failure, of this table.
fn within(error: Error, table: &SnapshotTable) -> Error {
    let (kind, hint): (ErrorKind, _) = (error.kind(), error.hint().to_owned());
    Error::new(kind, attempted(table))
        .with_hint(hint)
        .with_source(error)
}
