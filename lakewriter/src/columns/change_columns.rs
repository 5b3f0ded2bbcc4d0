//! Gathers the changes of one version of one table, and makes record batches of them.
//!
//! Both roads give the same row for the same change. An append that fails leaves nothing behind.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{DataType, SchemaRef},
    error::ArrowError,
};
use debezium::{
    ChangeEvent, ColumnValue, KeyChange, OldRow, Operation, TableSchema,
    decode::{DecodedEvent, DecodedOldRow, DecodedRow},
    halves, whole_row_halves,
};

use super::{
    RowMeta,
    buffer::ColumnBuffer,
    error::{ColumnError, ValueError},
    from_json, from_text,
    metadata::{Change, MetadataColumns},
    schema::{LakeColumn, lake_columns, lake_schema, with_raw_columns},
};

/// Gathers the changes of one version of one table, and makes record batches of them.
///
/// A row is the row after the change; for deletes the row before, of which only the key columns are kept unless the
/// table's replica identity is FULL; for truncates nothing. Rows without a key are told apart by all their values: an
/// update is the delete of the whole old row and the creation of the new one, two rows at one position. Columns that Debezium leaves out of its events are not in
/// the lake, whichever road a change comes by. An append that fails leaves nothing behind.
#[derive(Debug)]
pub struct ChangeColumns {
    table: Arc<TableSchema>,
    schema: SchemaRef,
    row: Vec<RowColumn>,
    metadata: MetadataColumns,
    rows: usize,
}

#[derive(Debug)]
struct RowColumn {
    lake: LakeColumn,
    is_key: bool,
    data_type: DataType,
    values: ColumnBuffer,
    /// From the first row whose value the type could not tell.
    raw: Option<ColumnBuffer>,
}

/// What was found for a column.
enum Found {
    Value(Option<String>),
    Unavailable,
}

impl ChangeColumns {
    /// Empty columns for a version of a table.
    pub fn new(table: Arc<TableSchema>) -> Self {
        let row = lake_columns(&table)
            .into_iter()
            .map(|lake| {
                let data_type = lake.lake_type.arrow();
                RowColumn {
                    is_key: table.row_key().contains(&lake.index),
                    values: ColumnBuffer::new(&data_type),
                    raw: None,
                    data_type,
                    lake,
                }
            })
            .collect();
        Self {
            schema: lake_schema(&table),
            row,
            metadata: MetadataColumns::new(),
            rows: 0,
            table,
        }
    }

    /// Changes gathered since the last [`finish`](Self::finish).
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Memory of the gathered values, in bytes.
    pub fn bytes(&self) -> usize {
        let row = self.row.iter().map(|column| {
            column.values.bytes() + column.raw.as_ref().map_or(0, ColumnBuffer::bytes)
        });
        row.sum::<usize>() + self.metadata.bytes()
    }

    /// Appends a change as PostgreSQL told it. An update that changes the key becomes two rows, the delete of the old
    /// key and the creation of the new one, as in Kafka.
    ///
    /// # Errors
    /// A value is not what PostgreSQL prints for its type, or the event is of another table.
    pub fn append_event(
        &mut self,
        event: &ChangeEvent<'_>,
        meta: RowMeta,
    ) -> Result<(), ColumnError> {
        let rows = self.rows;
        let appended = self.append_halves(event, meta);
        if appended.is_err() {
            self.truncate(rows);
        }
        appended
    }

    fn append_halves(&mut self, event: &ChangeEvent<'_>, meta: RowMeta) -> Result<(), ColumnError> {
        let (first, second) = if self.table.row_key().is_empty() {
            whole_row_halves(*event)
        } else {
            halves(*event)
        };
        self.append_one(&first, meta)?;
        match second {
            Some(create) => self.append_one(&create, meta),
            None => Ok(()),
        }
    }

    fn append_one(&mut self, event: &ChangeEvent<'_>, meta: RowMeta) -> Result<(), ColumnError> {
        let (source, op) = (&event.source, event.op);
        let change = Change::new(op, event.position, source.tx_id, source.commit_micros, meta)?;
        let width = self.table.columns.len();
        let rows = [event.before.columns(), event.after];
        if let Some(row) = rows.into_iter().flatten().find(|row| row.len() != width) {
            return Err(ColumnError::Width {
                table: self.table.table.to_string(),
                expected: width,
                found: row.len(),
            });
        }
        let value = |row: Option<&[ColumnValue<'_>]>, column: &mut RowColumn| {
            let value = row.and_then(|row| row.get(column.lake.index));
            match value {
                Some(ColumnValue::Text(text)) => {
                    from_text::append(&mut column.values, &column.lake.lake_type, text)
                        .map(Found::Value)
                }
                Some(ColumnValue::Unchanged) => {
                    column.values.push_null();
                    Ok(Found::Unavailable)
                }
                Some(ColumnValue::Null) | None => {
                    column.values.push_null();
                    Ok(Found::Value(None))
                }
            }
        };
        match (op, event.before) {
            (Operation::Truncate, _) | (Operation::Delete, OldRow::None) => {
                self.append_row(&change, |column| value(None, column))
            }
            (Operation::Delete, OldRow::Key(row)) => self.append_row(&change, |column| {
                value(column.is_key.then_some(row), column)
            }),
            (Operation::Delete, OldRow::Full(row)) => {
                self.append_row(&change, |column| value(Some(row), column))
            }
            (_, before) => {
                // A TOASTed value that the new row lacks may stand in the old one.
                let old = match event.key_change {
                    KeyChange::OldKey(old) => Some(old),
                    KeyChange::None | KeyChange::NewKey(_) => before.columns(),
                };
                self.append_row(&change, |column| {
                    let index = column.lake.index;
                    let new = event.after.and_then(|row| row.get(index));
                    match (new, old.and_then(|row| row.get(index))) {
                        (Some(ColumnValue::Unchanged), Some(ColumnValue::Text(_))) => {
                            value(old, column)
                        }
                        _ => value(event.after, column),
                    }
                })
            }
        }
    }

    /// Appends a change read back from its event.
    ///
    /// # Errors
    /// A value is not what Debezium writes for its type.
    pub fn append_decoded(
        &mut self,
        event: &DecodedEvent<'_>,
        meta: RowMeta,
    ) -> Result<(), ColumnError> {
        let DecodedOldRow::Full(old) = event.before else {
            return self.append_decoded_one(event, meta);
        };
        if event.op != Operation::Update || !self.table.row_key().is_empty() {
            return self.append_decoded_one(event, meta);
        }
        // As `whole_row_halves`.
        let rows = self.rows;
        let delete = DecodedEvent {
            op: Operation::Delete,
            after: None,
            unavailable: &[],
            ..*event
        };
        let create = DecodedEvent {
            op: Operation::Create,
            before: DecodedOldRow::Full(old),
            ..*event
        };
        let appended = self
            .append_decoded_one(&delete, meta)
            .and_then(|()| self.append_decoded_one(&create, meta));
        if appended.is_err() {
            self.truncate(rows);
        }
        appended
    }

    fn append_decoded_one(
        &mut self,
        event: &DecodedEvent<'_>,
        meta: RowMeta,
    ) -> Result<(), ColumnError> {
        let tx_id = event.source.tx_id.and_then(|id| u64::try_from(id).ok());
        let commit_micros = event.source.commit_micros;
        let change = Change::new(event.op, event.position, tx_id, commit_micros, meta)?;
        let value = |row: Option<DecodedRow<'_>>, column: &mut RowColumn| {
            let index = column.lake.index;
            let representation = event.representations.get(index).and_then(Option::as_ref);
            let (Some(row), Some(representation)) = (row, representation) else {
                column.values.push_null();
                return Ok(Found::Value(None));
            };
            let lake_type = &column.lake.lake_type;
            from_json::append(
                &mut column.values,
                lake_type,
                representation,
                row.column(index),
            )
            .map(Found::Value)
        };
        match (event.op, event.before) {
            (Operation::Truncate, _) | (Operation::Delete, DecodedOldRow::None) => {
                self.append_row(&change, |column| value(None, column))
            }
            (Operation::Delete, DecodedOldRow::Key(row)) => self.append_row(&change, |column| {
                value(column.is_key.then_some(row), column)
            }),
            (Operation::Delete, DecodedOldRow::Full(row)) => {
                self.append_row(&change, |column| value(Some(row), column))
            }
            (_, before) => self.append_row(&change, |column| {
                if event.unavailable.binary_search(&column.lake.index).is_ok() {
                    // A TOASTed value that the new row lacks may stand in the old one.
                    if let DecodedOldRow::Full(old) = before {
                        return value(Some(old), column);
                    }
                    column.values.push_null();
                    return Ok(Found::Unavailable);
                }
                value(event.after, column)
            }),
        }
    }

    /// One row; cut back if a column cannot take its value.
    fn append_row(
        &mut self,
        change: &Change,
        mut value: impl FnMut(&mut RowColumn) -> Result<Found, ValueError>,
    ) -> Result<(), ColumnError> {
        let rows = self.rows;
        let mut unavailable = Vec::new();
        let mut failed = None;
        for (i, column) in self.row.iter_mut().enumerate() {
            let appended = value(column).and_then(|found| match found {
                Found::Value(raw) => column.append_raw(rows, raw),
                Found::Unavailable => {
                    unavailable.push(i);
                    column.append_raw(rows, None)
                }
            });
            if let Err(reason) = appended {
                failed = Some((column.lake.name.clone(), reason));
                break;
            }
        }
        if failed.is_none() {
            let names: Vec<_> = unavailable
                .into_iter()
                .filter_map(|i| self.row.get(i).map(|column| column.lake.name.as_str()))
                .collect();
            failed = self
                .metadata
                .append(change, &names)
                .err()
                .map(|reason| ("_ts".to_owned(), reason));
        }
        match failed {
            None => {
                self.rows += 1;
                Ok(())
            }
            Some((column, reason)) => {
                self.truncate(rows);
                Err(ColumnError::Value { column, reason })
            }
        }
    }

    fn truncate(&mut self, rows: usize) {
        for column in &mut self.row {
            column.values.truncate(rows);
            if let Some(raw) = &mut column.raw {
                raw.truncate(rows);
            }
        }
        self.metadata.truncate(rows);
        self.rows = rows;
    }

    /// Everything gathered as one batch; nothing is left afterwards.
    ///
    /// # Errors
    /// Arrow refuses the columns, which would be a defect of this module.
    pub fn finish(&mut self) -> Result<RecordBatch, ColumnError> {
        self.rows = 0;
        self.batch().map_err(|source| ColumnError::Batch {
            table: self.table.table.to_string(),
            source,
        })
    }

    fn batch(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for column in &mut self.row {
            arrays.push(column.values.finish(&column.data_type)?);
        }
        arrays.extend(self.metadata.finish()?);
        let mut names = Vec::new();
        for column in &mut self.row {
            if let Some(mut raw) = column.raw.take()
                && raw.has_values()
            {
                arrays.push(raw.finish(&DataType::Utf8)?);
                names.push(column.lake.raw_name.as_str());
            }
        }
        let schema = if names.is_empty() {
            Arc::clone(&self.schema)
        } else {
            with_raw_columns(&self.schema, &names)
        };
        RecordBatch::try_new(schema, arrays)
    }
}

impl RowColumn {
    /// Keeps the `_raw` column, once there is one, as long as the values: `rows` came before this one.
    fn append_raw(&mut self, rows: usize, raw: Option<String>) -> Result<(), ValueError> {
        match (&mut self.raw, raw) {
            (None, None) => Ok(()),
            (Some(column), None) => {
                column.push_null();
                Ok(())
            }
            (column, Some(raw)) => {
                let column = column.get_or_insert_with(|| {
                    let mut column = ColumnBuffer::new(&DataType::Utf8);
                    (0..rows).for_each(|_| column.push_null());
                    column
                });
                column.push_bytes(raw.as_bytes())
            }
        }
    }
}
