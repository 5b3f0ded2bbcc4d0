//! Writes the changes of one version of a table as Debezium's keys and values.
//!
//! Whatever stays the same from change to change is put together once. An event that cannot be written leaves nothing
//! behind in the buffer.

use std::sync::Arc;

use super::{
    EncodeError,
    column::{PreparedColumn, row_columns},
    envelope::source_schema,
    envelope_schema,
    form::{Form, without_first_comma},
    key::{KeyEncoder, resolved},
    value_frame::ValueFrame,
};
use crate::{
    ChangeEvent, ColumnValue, ConnectSchema, ConnectType, ContractSettings, Format, KeyChange,
    OldRow, Operation, TableSchema, name::adjusted_schema_name,
};

/// Writes the events of one version of one table. All that is the same for every event is prepared once.
///
/// ```text
/// key    {"id":42}
/// value  {"before":null,"after":{...},"source":{...},"transaction":null,"op":"c","ts_ms":...,"ts_us":...,"ts_ns":...}
/// ```
#[derive(Debug)]
pub struct EventEncoder {
    table: Arc<TableSchema>,
    key: Option<KeyEncoder>,
    columns: Vec<PreparedColumn>,
    frame: ValueFrame,
    /// Per column of `columns`: values that became null since the last report.
    unconverted: Vec<u64>,
    value_schema: ConnectSchema,
}

/// Values of one column that their event type cannot hold: they were written as null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconverted {
    /// The column's name in PostgreSQL.
    pub column: String,
    /// How many values, since they were last asked for.
    pub count: u64,
}

impl EventEncoder {
    /// Prepares the events of `table`. `schema_name_base` is the table's topic before any routing
    /// ([`topic_name`](crate::topic_name)): transforms rename topics, not schemas.
    ///
    /// # Errors
    /// The table's key names a column that it does not have.
    pub fn new(
        table: Arc<TableSchema>,
        schema_name_base: &str,
        settings: &ContractSettings,
    ) -> Result<Self, EncodeError> {
        let name = |part: &str| {
            adjusted_schema_name(
                &format!("{schema_name_base}.{part}"),
                settings.schema_name_adjustment,
            )
            .into_owned()
        };
        let form = match settings.value_format {
            Format::Json | Format::CloudEvents => Form::Json,
            Format::Avro => Form::Avro,
            Format::Text => Form::Text,
        };
        let columns = row_columns(&table, settings, form)?;
        let fields = columns.iter().map(|column| column.field.clone()).collect();
        let mut row_schema = ConnectSchema::new(ConnectType::Struct(fields), true);
        row_schema.name = Some(name("Value"));
        let value_schema = envelope_schema(&name("Envelope"), &row_schema, settings.compat);
        Ok(Self {
            key: KeyEncoder::new(&table, &name("Key"), settings)?,
            frame: ValueFrame::new(
                &value_schema,
                &source_schema(settings.compat),
                &table.table,
                settings,
            ),
            unconverted: vec![0; columns.len()],
            table,
            columns,
            value_schema,
        })
    }

    /// The table version that this encoder is for.
    pub fn table(&self) -> &Arc<TableSchema> {
        &self.table
    }

    /// The schema of the event's value, whether or not it is embedded.
    pub fn value_schema(&self) -> &ConnectSchema {
        &self.value_schema
    }

    /// The schema of the key, if there is one.
    pub fn key_schema(&self) -> Option<&ConnectSchema> {
        self.key.as_ref().map(KeyEncoder::schema)
    }

    /// From now on Avro keys and values carry these ids of their schemas; before, they carry zeros. Other formats have
    /// no place for them.
    pub fn set_schema_ids(&mut self, key: u32, value: u32) {
        if let Some(encoder) = &mut self.key {
            encoder.set_schema_id(key);
        }
        self.frame.set_schema_id(value);
    }

    /// Whether records have a key; without one the Kafka key is null.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Appends the record key of a row: JSON, with its schema if `key.converter.schemas.enable`. Appends nothing if the
    /// table has no key, or on an error.
    ///
    /// # Errors
    /// The row does not carry a key column, or its value cannot be represented.
    #[inline]
    pub fn encode_key(
        &self,
        row: &[ColumnValue<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let Some(key) = &self.key else { return Ok(()) };
        let start = out.len();
        key.encode(&self.table, row, out)
            .inspect_err(|_| out.truncate(start))
    }

    /// Appends the record key of an event: of its new row, or of what is known of a deleted one. Prefer this to
    /// [`encode_key`](Self::encode_key): a key value that is TOASTed and did not change is only in the old row.
    ///
    /// # Errors
    /// As [`encode_key`](Self::encode_key).
    #[inline]
    pub fn encode_event_key(
        &self,
        event: &ChangeEvent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let (Some(key), Some(row)) = (&self.key, event.key_row()) else {
            return Ok(());
        };
        match key.completed(row, old_values(event)) {
            None => self.encode_key(row, out),
            Some(row) => self.encode_key(&row, out),
        }
    }

    /// Appends the text of the key header of a half of a key change: `__debezium.newkey` of the delete,
    /// `__debezium.oldkey` of the create. Appends nothing for other events. Prefer this to
    /// [`encode_key_header`](Self::encode_key_header) for the same reason as above.
    ///
    /// # Errors
    /// As [`encode_key`](Self::encode_key).
    pub fn encode_key_change(
        &self,
        event: &ChangeEvent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let (Some(key), KeyChange::NewKey(row) | KeyChange::OldKey(row)) =
            (&self.key, event.key_change)
        else {
            return Ok(());
        };
        match key.completed(row, event.before.columns()) {
            None => self.encode_key_header(row, out),
            Some(row) => self.encode_key_header(&row, out),
        }
    }

    /// Appends the text of the header `__debezium.oldkey` or `__debezium.newkey` for a row's key, as Connect's
    /// `SimpleHeaderConverter` prints it. Appends nothing if the table has no key, or on an error.
    ///
    /// # Errors
    /// As [`encode_key`](Self::encode_key).
    pub fn encode_key_header(
        &self,
        row: &[ColumnValue<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let Some(key) = &self.key else { return Ok(()) };
        let start = out.len();
        key.encode_header(&self.table, row, out)
            .inspect_err(|_| out.truncate(start))
    }

    /// Appends the record value of an event of this encoder's table; `now_nanos` is the time of writing, since the Unix
    /// epoch. Appends nothing on an error.
    ///
    /// # Errors
    /// A NOT NULL column has no value that could be written, or a row does not fit the table.
    #[inline]
    pub fn encode_value(
        &mut self,
        event: &ChangeEvent<'_>,
        now_nanos: i64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        self.write_value(event, now_nanos, out)
            .inspect_err(|_| out.truncate(start))
    }

    fn write_value(
        &mut self,
        event: &ChangeEvent<'_>,
        now_nanos: i64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let marks = self.frame.form().punctuation();
        self.frame.open(event, out);
        match event.before.columns() {
            Some(row) => {
                out.extend_from_slice(marks.before_open);
                self.write_row(row, None, false, out)?;
                out.extend_from_slice(marks.row_close);
            }
            None => out.extend_from_slice(marks.before_null),
        }
        match event.after {
            Some(row) => {
                out.extend_from_slice(marks.after_open);
                let is_snapshot = event.op == Operation::Read;
                self.write_row(row, old_values(event), is_snapshot, out)?;
                out.extend_from_slice(marks.row_close);
            }
            None => out.extend_from_slice(marks.after_null),
        }
        self.frame.close(event, now_nanos, out);
        Ok(())
    }

    /// Appends a row; unchanged TOAST values are taken from the old row if it has them.
    #[inline]
    fn write_row(
        &mut self,
        row: &[ColumnValue<'_>],
        old: Option<&[ColumnValue<'_>]>,
        is_snapshot: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if row.len() != self.table.columns.len() {
            return Err(EncodeError::RowWidth {
                table: self.table.table.clone(),
                expected: self.table.columns.len(),
                found: row.len(),
            });
        }
        let open = out.len();
        for (column, unconverted) in self.columns.iter().zip(&mut self.unconverted) {
            let mut value = row.get(column.index).copied().unwrap_or(ColumnValue::Null);
            if value == ColumnValue::Unchanged {
                value = resolved(column.index, old);
            }
            let substitute = match value {
                ColumnValue::Text(text) => {
                    let start = out.len();
                    out.extend_from_slice(&column.label);
                    let codec = match &column.of_snapshot {
                        Some(codec) if is_snapshot => codec,
                        _ => &column.codec,
                    };
                    match codec.write(text, column.style, out) {
                        Ok(()) => continue,
                        Err(_) => {
                            out.truncate(start);
                            *unconverted += 1;
                            &column.null
                        }
                    }
                }
                ColumnValue::Null => &column.missing,
                ColumnValue::Unchanged => &column.unavailable,
            };
            match substitute {
                Some(text) => out.extend_from_slice(text),
                None => return Err(no_substitute(&self.table, column, value)),
            }
        }
        if self.frame.form() == Form::Text {
            without_first_comma(out, open);
        }
        Ok(())
    }

    /// The columns whose unchanged TOAST value is neither in the event's new row nor in its old one: what stands there
    /// in the event is a placeholder. By their names in PostgreSQL.
    pub fn unavailable_columns<'e>(
        &'e self,
        event: &'e ChangeEvent<'_>,
    ) -> impl Iterator<Item = &'e str> {
        let old = old_values(event);
        event
            .after
            .unwrap_or(&[])
            .iter()
            .zip(&self.table.columns)
            .enumerate()
            .filter(move |(at, (value, _))| {
                **value == ColumnValue::Unchanged && resolved(*at, old) == ColumnValue::Unchanged
            })
            .map(|(_, (_, column))| column.name.as_str())
    }

    /// Which columns had values that became null because their event type cannot hold them, since the last call.
    pub fn take_unconverted(&mut self) -> Vec<Unconverted> {
        self.columns
            .iter()
            .zip(&mut self.unconverted)
            .filter(|(_, count)| **count > 0)
            .map(|(column, count)| Unconverted {
                column: column.field.name.clone(),
                count: std::mem::take(count),
            })
            .collect()
    }

    /// The fields of the key's schema, in key order.
    pub fn key_fields(&self) -> impl Iterator<Item = &crate::ConnectField> {
        self.key
            .iter()
            .flat_map(|key| key.columns().iter().map(|column| &column.field))
    }
}

/// The old row that may hold what the new one left out. Of a key change's create it is the row with the old key.
fn old_values<'a>(event: &ChangeEvent<'a>) -> Option<&'a [ColumnValue<'a>]> {
    match (event.before, event.key_change) {
        (OldRow::Full(old) | OldRow::Key(old), _) | (OldRow::None, KeyChange::OldKey(old)) => {
            Some(old)
        }
        (OldRow::None, KeyChange::None | KeyChange::NewKey(_)) => None,
    }
}

#[cold]
fn no_substitute(
    table: &TableSchema,
    column: &PreparedColumn,
    value: ColumnValue<'_>,
) -> EncodeError {
    let (table, column) = (table.table.clone(), column.field.name.clone());
    match value {
        ColumnValue::Unchanged => EncodeError::UnavailableValue { table, column },
        ColumnValue::Text(_) | ColumnValue::Null => EncodeError::RequiredValue { table, column },
    }
}
