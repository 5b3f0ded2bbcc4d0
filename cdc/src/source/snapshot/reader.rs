use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use debezium::{
    ChangeEvent, ChangePosition, ColumnValue, KeyChange, OldRow, Operation, Source, TableSchema,
};
use futures::StreamExt;
use pgoutput::Lsn;
use tokio_postgres::{Client, IsolationLevel, Transaction};
use tokio_util::sync::CancellationToken;

use super::{
    CopyRow, SnapshotTable,
    held_row::{HeldRow, Next},
    snapshot_tables,
};
use crate::{
    Error, ErrorKind,
    config::ConnectorConfig,
    sink::{EventSink, TransactionEnd},
    source::{
        catalog::current_schema, quote_identifier, quote_literal, server_error::control_error,
    },
};

/// COPY rows taken from the connection at a time: enough that waiting between them costs nothing, few enough that they
/// are no memory.
const ROWS_AT_A_TIME: usize = 512;

/// How far a snapshot has come; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct SnapshotProgress {
    pub tables: AtomicU64,
    pub tables_done: AtomicU64,
    pub rows: AtomicU64,
    /// The planner's guess for all tables.
    pub estimated_rows: AtomicU64,
}

/// A transaction that sees the database as of the slot's consistent point.
pub struct SnapshotStart<'a> {
    transaction: Transaction<'a>,
    consistent_point: Lsn,
    tx_id: u64,
    started_micros: i64,
}

impl SnapshotStart<'_> {
    /// Start of its transaction, microseconds since the Unix epoch.
    pub const fn started_micros(&self) -> i64 {
        self.started_micros
    }
}

/// How a snapshot ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotEnd {
    /// Everything was written to the sink, the transaction end too.
    Complete,
    /// Asked to stop: it starts again from scratch.
    Stopped,
}

/// Take over the exported snapshot. Afterwards the connection that exported it is no longer needed.
///
/// # Errors
/// The snapshot is gone, or the connection.
pub async fn begin_snapshot<'a>(
    client: &'a mut Client,
    snapshot_name: &str,
    consistent_point: Lsn,
) -> Result<SnapshotStart<'a>, Error> {
    let failed = |error| {
        control_error(
            format!("read the exported snapshot `{snapshot_name}`"),
            error,
        )
    };
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .await
        .map_err(failed)?;
    transaction
        // A table takes as long as it takes.
        .batch_execute(&format!(
            "set transaction snapshot {}; set local statement_timeout = 0",
            quote_literal(snapshot_name)
        ))
        .await
        .map_err(failed)?;
    let row = transaction
        .query_one(
            "select pg_catalog.txid_current(), (extract(epoch from transaction_timestamp()) * 1000000)::int8",
            &[],
        )
        .await
        .map_err(failed)?;
    let tx_id: i64 = row.try_get(0).map_err(failed)?;
    Ok(SnapshotStart {
        transaction,
        consistent_point,
        tx_id: tx_id.cast_unsigned(),
        started_micros: row.try_get(1).map_err(failed)?,
    })
}

/// Write every row of every captured table to the sink, then the end of the snapshot.
///
/// # Errors
/// A table cannot be read, or the sink fails.
pub async fn read_snapshot<S: EventSink>(
    start: SnapshotStart<'_>,
    config: &ConnectorConfig,
    sink: &mut S,
    progress: &SnapshotProgress,
    stop: &CancellationToken,
) -> Result<SnapshotEnd, Error> {
    let tables = snapshot_tables(start.transaction.client(), config).await?;
    if let Some(timeout) = config.snapshot.lock_timeout {
        lock_tables(&start, &tables, timeout).await?;
    }
    sink.begin_snapshot();
    progress
        .tables
        .store(tables.len() as u64, Ordering::Relaxed);
    progress.tables_done.store(0, Ordering::Relaxed);
    progress.rows.store(0, Ordering::Relaxed);
    progress.estimated_rows.store(
        tables.iter().map(|table| table.estimated_rows).sum(),
        Ordering::Relaxed,
    );
    let mut rows = Rows::new(&start, sink);
    for (index, table) in tables.iter().enumerate() {
        let before = rows.count;
        let end = copy_table(&start, table, index, config, &mut rows, progress, stop).await?;
        if end == SnapshotEnd::Stopped {
            return Ok(end);
        }
        progress.tables_done.fetch_add(1, Ordering::Relaxed);
        tracing::info!(
            table = %format_args!("{}.{}", table.name.schema, table.name.table),
            rows = rows.count - before,
            "snapshot of table complete"
        );
    }
    rows.finish()?;
    start
        .transaction
        .commit()
        .await
        .map_err(|error| control_error("end the snapshot's transaction", error))?;
    Ok(SnapshotEnd::Complete)
}

/// `snapshot.locking.mode=shared`: nobody may alter or drop the tables meanwhile.
async fn lock_tables(
    start: &SnapshotStart<'_>,
    tables: &[SnapshotTable],
    timeout: Duration,
) -> Result<(), Error> {
    let run = async |sql: String| {
        start
            .transaction
            .batch_execute(&sql)
            .await
            .map_err(|error| control_error(format!("run `{sql}`"), error))
    };
    run(format!("set local lock_timeout = {}", timeout.as_millis())).await?;
    for table in tables {
        run(format!(
            "lock table {} in access share mode",
            table.name.quoted()
        ))
        .await?;
    }
    Ok(())
}

async fn copy_table<S: EventSink>(
    start: &SnapshotStart<'_>,
    table: &SnapshotTable,
    index: usize,
    config: &ConnectorConfig,
    rows: &mut Rows<'_, S>,
    progress: &SnapshotProgress,
    stop: &CancellationToken,
) -> Result<SnapshotEnd, Error> {
    let name = table.name.quoted();
    let failed = |error| control_error(format!("read table {name} for the snapshot"), error);
    let Some(schema) = current_schema(start.transaction.client(), table.oid, config).await? else {
        return Ok(SnapshotEnd::Complete);
    };
    let columns: Vec<String> = schema
        .columns
        .iter()
        .map(|column| quote_identifier(&column.name))
        .collect();
    let full_name = format!("{}.{}", table.name.schema, table.name.table);
    let from = match config.snapshot.select_overrides.get(&full_name) {
        Some(query) => format!("({query}) as override"),
        None => name.clone(),
    };
    let sql = format!("copy (select {} from {from}) to stdout", columns.join(", "));
    let stream = start
        .transaction
        .copy_out(sql.as_str())
        .await
        .map_err(failed)?;
    let mut chunks = pin!(stream.ready_chunks(ROWS_AT_A_TIME));
    let mut first = true;
    loop {
        // In this order: a stop is not kept waiting, what is durable is noticed before more is read, and nothing is
        // read while the sink is full.
        let lines = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(SnapshotEnd::Stopped),
            step = rows.sink.progress() => {
                step?;
                rows.sink.dispatch()?;
                continue;
            }
            lines = chunks.next(), if rows.sink.has_room() => lines,
        };
        let Some(lines) = lines else {
            return Ok(SnapshotEnd::Complete);
        };
        progress
            .rows
            .fetch_add(lines.len() as u64, Ordering::Relaxed);
        for line in lines {
            let line = line.map_err(failed)?;
            while !rows.sink.has_room() {
                rows.sink.dispatch()?;
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(SnapshotEnd::Stopped),
                    step = rows.sink.progress() => step?,
                };
            }
            rows.push(&line, &schema, index, first)?;
            first = false;
        }
        rows.sink.dispatch()?;
    }
}

/// Rows on their way to the sink, one held back.
struct Rows<'a, S> {
    sink: &'a mut S,
    source: Source,
    position: ChangePosition,
    /// Rows written or held.
    count: u64,
    held: Option<(HeldRow, Arc<TableSchema>)>,
    held_row: CopyRow,
    next_row: CopyRow,
    values: Vec<ColumnValue<'static>>,
}

impl<'a, S: EventSink> Rows<'a, S> {
    fn new(start: &SnapshotStart<'_>, sink: &'a mut S) -> Self {
        Self {
            sink,
            source: Source {
                lsn: start.consistent_point.0,
                tx_id: Some(start.tx_id),
                commit_micros: start.started_micros,
                last_commit_lsn: None,
                snapshot: debezium::SnapshotMarker::True,
                xmin: None,
            },
            // Below every transaction that is streamed afterwards; see `ChangePosition`.
            position: ChangePosition::new(start.consistent_point.0.saturating_sub(1), 0),
            count: 0,
            held: None,
            held_row: CopyRow::default(),
            next_row: CopyRow::default(),
            values: Vec::new(),
        }
    }

    fn push(
        &mut self,
        line: &[u8],
        schema: &Arc<TableSchema>,
        table: usize,
        first: bool,
    ) -> Result<(), Error> {
        self.next_row
            .read(line, schema.columns.len())
            .map_err(|error| {
                Error::new(
                    ErrorKind::Protocol,
                    format!("read a row of table {} for the snapshot", schema.table),
                )
                .with_source(error)
            })?;
        self.release(Next::RowOfTable(table))?;
        std::mem::swap(&mut self.held_row, &mut self.next_row);
        self.held = Some((HeldRow::new(table, first), Arc::clone(schema)));
        self.count += 1;
        Ok(())
    }

    /// Write the held row, if there is one.
    fn release(&mut self, next: Next) -> Result<(), Error> {
        let Some((held, schema)) = self.held.take() else {
            return Ok(());
        };
        let mut values: Vec<ColumnValue<'_>> = std::mem::take(&mut self.values);
        values.extend(self.held_row.values());
        let written = self.sink.write(&ChangeEvent {
            table: &schema,
            op: Operation::Read,
            before: OldRow::None,
            after: Some(&values),
            key_change: KeyChange::None,
            source: Source {
                snapshot: held.marker(next),
                ..self.source
            },
            position: self.position,
            transaction: None,
            origin: None,
        });
        self.values = crate::assemble::recycle(values);
        self.position.ordinal += 1;
        written
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.release(Next::End)?;
        self.sink.end_transaction(TransactionEnd {
            position: ChangePosition::new(
                self.position.commit_lsn,
                self.position.ordinal.saturating_sub(1),
            ),
            end_lsn: Lsn(self.source.lsn),
        })?;
        self.sink.dispatch()
    }
}
