//! The keys of records: the columns of a table's key, or `message.key.columns`, as their own schema.

use std::sync::Arc;

use super::{
    EncodeError,
    column::{PreparedColumn, key_columns},
    form::{Form, avro_prefix, without_first_comma},
};
use crate::{
    ColumnValue, ConnectSchema, ConnectType, ContractSettings, DecimalFormat, Format, HeaderFormat,
    TableSchema,
};

/// Writes the keys of one table version, in records and in the headers of a key change.
#[derive(Debug)]
pub(super) struct KeyEncoder {
    schema: ConnectSchema,
    record: KeyForm,
    /// None where the header converter takes bytes only.
    header: Option<KeyForm>,
}

/// A key in one form.
#[derive(Debug)]
struct KeyForm {
    form: Form,
    columns: Vec<PreparedColumn>,
    /// `{"schema":...,"payload":{`, or only the last part.
    prefix: Vec<u8>,
    suffix: Vec<u8>,
}

impl KeyEncoder {
    /// None if events of the table have no key.
    pub(super) fn new(
        table: &Arc<TableSchema>,
        schema_name: &str,
        settings: &ContractSettings,
    ) -> Result<Option<Self>, EncodeError> {
        let mut key = Vec::with_capacity(table.key.len());
        for &index in &table.key {
            let column = table
                .columns
                .get(index)
                .ok_or_else(|| EncodeError::UnknownKeyColumn {
                    table: table.table.clone(),
                    column: index,
                })?;
            key.push((index, column));
        }
        let prepared = |form, decimal_format, replace_null_with_default| {
            let settings = ContractSettings {
                decimal_format,
                replace_null_with_default,
                ..settings.clone()
            };
            key_columns(&table.table, key.iter().copied(), &settings, form)
        };
        let form = match settings.key_format {
            Format::Json | Format::CloudEvents => Form::Json,
            Format::Avro => Form::Avro,
            Format::Text => Form::Text,
        };
        let columns = prepared(
            form,
            settings.key_decimal_format,
            settings.key_replace_null_with_default,
        )?;
        if columns.is_empty() {
            return Ok(None);
        }
        let fields = columns.iter().map(|column| column.field.clone()).collect();
        let mut schema = ConnectSchema::new(ConnectType::Struct(fields), false);
        schema.name = Some(schema_name.to_owned());
        let embedded = settings.key_schemas_enable && form == Form::Json;
        let record = KeyForm::new(form, columns, embedded.then_some(&schema));
        let header = match settings.header_format {
            HeaderFormat::Simple => Some((Form::Header, DecimalFormat::Base64, false)),
            HeaderFormat::Json {
                schemas,
                decimal_format,
            } => Some((Form::Json, decimal_format, schemas)),
            HeaderFormat::Text => Some((Form::Text, DecimalFormat::Base64, false)),
            HeaderFormat::Bytes => None,
        };
        let header = match header {
            Some((form, decimal_format, embedded)) => {
                let columns = prepared(form, decimal_format, true)?;
                let embedded = embedded.then_some(&schema);
                Some(KeyForm::new(form, columns, embedded))
            }
            None => None,
        };
        Ok(Some(Self {
            schema,
            record,
            header,
        }))
    }

    pub(super) const fn schema(&self) -> &ConnectSchema {
        &self.schema
    }

    pub(super) fn set_schema_id(&mut self, id: u32) {
        if self.record.form == Form::Avro {
            self.record.prefix = avro_prefix(id).to_vec();
        }
    }

    pub(super) fn columns(&self) -> &[PreparedColumn] {
        &self.record.columns
    }

    /// The row with the key values that it left out, as unchanged TOAST values, taken from the old row; None if it has
    /// its whole key.
    pub(super) fn completed<'a>(
        &self,
        row: &[ColumnValue<'a>],
        old: Option<&[ColumnValue<'a>]>,
    ) -> Option<Vec<ColumnValue<'a>>> {
        let left_out =
            |column: &PreparedColumn| row.get(column.index) == Some(&ColumnValue::Unchanged);
        if !self.columns().iter().any(left_out) {
            return None;
        }
        let values = row.iter().enumerate().map(|(at, value)| match value {
            ColumnValue::Unchanged => resolved(at, old),
            ColumnValue::Null | ColumnValue::Text(_) => *value,
        });
        Some(values.collect())
    }

    /// Appends the key of a record.
    #[inline]
    pub(super) fn encode(
        &self,
        table: &TableSchema,
        row: &[ColumnValue<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.record.write(table, row, out)
    }

    /// Appends the key as a header has it.
    pub(super) fn encode_header(
        &self,
        table: &TableSchema,
        row: &[ColumnValue<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match &self.header {
            Some(header) => header.write(table, row, out),
            None => Err(EncodeError::HeaderOfBytes {
                table: table.table.clone(),
            }),
        }
    }
}

impl KeyForm {
    /// With the schema beside the key if one is given.
    fn new(form: Form, columns: Vec<PreparedColumn>, embedded: Option<&ConnectSchema>) -> Self {
        let punctuation = form.punctuation();
        let (mut prefix, mut suffix) = (Vec::new(), punctuation.key_close.to_vec());
        if form == Form::Avro {
            prefix.extend_from_slice(&avro_prefix(0));
        }
        if let Some(schema) = embedded {
            prefix.extend_from_slice(b"{\"schema\":");
            schema.write_json(&mut prefix);
            prefix.extend_from_slice(b",\"payload\":");
            suffix.push(b'}');
        }
        prefix.extend_from_slice(punctuation.key_open);
        Self {
            form,
            columns,
            prefix,
            suffix,
        }
    }

    fn write(
        &self,
        table: &TableSchema,
        row: &[ColumnValue<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        out.extend_from_slice(&self.prefix);
        let open = out.len();
        for column in &self.columns {
            let required = || EncodeError::RequiredValue {
                table: table.table.clone(),
                column: column.field.name.clone(),
            };
            match row.get(column.index) {
                Some(ColumnValue::Text(text)) => {
                    let start = out.len();
                    out.extend_from_slice(&column.label);
                    if column.codec.write(text, column.style, out).is_err() {
                        out.truncate(start);
                        out.extend_from_slice(column.null.as_ref().ok_or_else(required)?);
                    }
                }
                // A required column is null only where PostgreSQL did not send it: a zero would be a wrong key.
                Some(ColumnValue::Null) if column.nullable => {
                    out.extend_from_slice(column.null.as_ref().ok_or_else(required)?);
                }
                Some(ColumnValue::Null | ColumnValue::Unchanged) => {
                    return Err(EncodeError::MissingKeyColumn {
                        table: table.table.clone(),
                        column: column.field.name.clone(),
                    });
                }
                None => {
                    return Err(EncodeError::RowWidth {
                        table: table.table.clone(),
                        expected: table.columns.len(),
                        found: row.len(),
                    });
                }
            }
        }
        if self.form == Form::Text {
            without_first_comma(out, open);
        }
        out.extend_from_slice(&self.suffix);
        Ok(())
    }
}

/// The value of a column that the new row left out. A TOASTed value is never null: where the old row says so, it does
/// not carry the column.
pub(super) fn resolved<'a>(index: usize, old: Option<&[ColumnValue<'a>]>) -> ColumnValue<'a> {
    match old.and_then(|old| old.get(index)) {
        Some(ColumnValue::Text(text)) => ColumnValue::Text(text),
        _ => ColumnValue::Unchanged,
    }
}
