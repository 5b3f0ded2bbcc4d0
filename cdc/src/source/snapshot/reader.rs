//! Reads the tables of a snapshot over several connections and writes their rows to the sink.
//!
//! No connection is read while the sink is full. Rows of one table stay in their order.

use bytes::Bytes;
use debezium::{ChangeEvent, ColumnValue, KeyChange, OldRow, Operation, Source};
use futures::{StreamExt, stream::select_all};
use pgoutput::Lsn;

use super::{
    CopyRow, SnapshotStart,
    edges::{Edges, Marked},
    table_reader::{Piece, ReadTable, TableQueue, pieces},
};
use crate::SnapshotProgress;
use crate::{Error, ErrorKind, EventSink, Incarnation, TransactionEnd};
use connector::ConnectorConfig;

/// Write every row of every table of the snapshot, which the sink was told of, then its end. All connections are closed
/// afterwards, each as soon as no table is left for it. Whoever drops it midway stops it: the next life goes on with the
/// tables that were not finished.
///
/// # Errors
/// A table cannot be read, or the sink fails.
pub async fn read_snapshot<S: EventSink>(
    start: SnapshotStart,
    config: &ConnectorConfig,
    sink: &mut S,
    progress: &SnapshotProgress,
) -> Result<(), Error> {
    let SnapshotStart {
        connections,
        plan,
        incarnation,
        source,
        replaces,
        ..
    } = start;
    let queue = TableQueue::new(&plan, progress, config);
    let mut rows = Rows::new((incarnation, source), connections.len(), sink);
    let connections = connections.into_iter().enumerate();
    let mut pieces =
        select_all(connections.map(|(place, connection)| {
            pieces(connection, &queue).map(move |piece| (place, piece))
        }));
    loop {
        // In this order: what is durable is noticed before more is read, and nothing is read while the sink is full.
        let piece = tokio::select! {
            biased;
            step = rows.sink.progress() => {
                step?;
                rows.sink.dispatch()?;
                continue;
            }
            piece = pieces.next(), if rows.sink.has_room() => piece,
        };
        let Some((place, piece)) = piece else {
            break;
        };
        match piece? {
            Piece::Begin(index, table) => {
                if replaces {
                    rows.clear(&table)?;
                }
                rows.edges.open(place, index, table);
            }
            Piece::End => rows.end_table(place)?,
            Piece::Rows(lines) => {
                for line in lines {
                    while !rows.sink.has_room() {
                        rows.sink.dispatch()?;
                        rows.sink.progress().await?;
                    }
                    rows.push(place, line)?;
                }
            }
        }
        rows.sink.dispatch()?;
    }
    rows.finish()
}

/// Rows on their way to the sink, one of each open table held back.
struct Rows<'a, S> {
    sink: &'a mut S,
    source: Source,
    incarnation: Incarnation,
    /// Rows that went.
    written: u64,
    edges: Edges<ReadTable, Bytes>,
    row: CopyRow,
    values: Vec<ColumnValue<'static>>,
}

impl<'a, S: EventSink> Rows<'a, S> {
    fn new((incarnation, source): (Incarnation, Source), places: usize, sink: &'a mut S) -> Self {
        Self {
            sink,
            source,
            incarnation,
            written: 0,
            edges: Edges::new(places),
            row: CopyRow::default(),
            values: Vec::new(),
        }
    }

    /// What a sink has of the table goes before the rows of now come: also where there are none.
    fn clear(&mut self, table: &ReadTable) -> Result<(), Error> {
        let position = self
            .incarnation
            .snapshot_row(Lsn(self.source.lsn), self.written);
        self.written += 1;
        self.sink.write(&ChangeEvent {
            table: &table.schema,
            op: Operation::Truncate,
            before: OldRow::None,
            after: None,
            key_change: KeyChange::None,
            source: self.source,
            position,
            transaction: None,
            origin: None,
        })
    }

    fn push(&mut self, place: usize, line: Bytes) -> Result<(), Error> {
        match self.edges.row(place, line) {
            Some(marked) => self.write(&marked),
            None => Ok(()),
        }
    }

    fn end_table(&mut self, place: usize) -> Result<(), Error> {
        if let Some(table) = self.edges.empty(place) {
            self.sink.finish_table(table.oid);
        }
        match self.edges.close(place) {
            Some(marked) => self.write(&marked),
            None => Ok(()),
        }
    }

    fn write(&mut self, marked: &Marked<ReadTable, Bytes>) -> Result<(), Error> {
        let ReadTable { oid, schema } = &marked.table;
        self.row
            .read(&marked.row, schema.columns.len())
            .map_err(|error| {
                Error::new(
                    ErrorKind::Protocol,
                    format!("read a row of table {} for the snapshot", schema.table),
                )
                .with_source(error)
            })?;
        let mut values: Vec<ColumnValue<'_>> = std::mem::take(&mut self.values);
        for value in self.row.values() {
            values.push(value?);
        }
        if marked.number == 1 {
            self.sink.begin_table(*oid);
        }
        let event = ChangeEvent {
            table: schema,
            op: Operation::Read,
            before: OldRow::None,
            after: Some(&values),
            key_change: KeyChange::None,
            source: Source {
                snapshot: marked.marker,
                ..self.source
            },
            position: self
                .incarnation
                .snapshot_row(Lsn(self.source.lsn), self.written),
            transaction: None,
            origin: None,
        };
        let written = if marked.last_of_table {
            self.sink.write_last(&event, marked.number)
        } else {
            self.sink.write(&event)
        };
        self.values = crate::row_values::recycle(values);
        self.written += 1;
        if marked.last_of_table {
            self.sink.finish_table(*oid);
        }
        written
    }

    fn finish(&mut self) -> Result<(), Error> {
        if let Some(marked) = self.edges.finish() {
            self.write(&marked)?;
        }
        self.sink.end_snapshot(TransactionEnd {
            position: self.incarnation.up_to(Lsn(self.source.lsn)),
            end_lsn: Lsn(self.source.lsn),
        })?;
        self.sink.dispatch()
    }
}
