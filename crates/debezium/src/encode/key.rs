use std::sync::Arc;

use super::{
    EncodeError,
    column::{PreparedColumn, key_columns},
};
use crate::{ColumnValue, ConnectSchema, ConnectType, ContractSettings, TableSchema};

/// Writes the keys of one table version.
#[derive(Debug)]
pub(super) struct KeyEncoder {
    columns: Vec<PreparedColumn>,
    /// `{"schema":...,"payload":`, or nothing.
    prefix: Vec<u8>,
    suffix: &'static [u8],
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
        let columns = key_columns(key.into_iter(), settings);
        if columns.is_empty() {
            return Ok(None);
        }
        let (mut prefix, mut suffix) = (Vec::new(), &b""[..]);
        if settings.key_schemas_enable {
            let fields = columns.iter().map(|column| column.field.clone()).collect();
            let mut schema = ConnectSchema::new(ConnectType::Struct(fields), false);
            schema.name = Some(schema_name.to_owned());
            prefix.extend_from_slice(b"{\"schema\":");
            schema.write_json(&mut prefix);
            prefix.extend_from_slice(b",\"payload\":");
            suffix = b"}";
        }
        Ok(Some(Self {
            columns,
            prefix,
            suffix,
        }))
    }

    pub(super) fn columns(&self) -> &[PreparedColumn] {
        &self.columns
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
        if !self.columns.iter().any(left_out) {
            return None;
        }
        let values = row.iter().enumerate().map(|(at, value)| match value {
            ColumnValue::Unchanged => resolved(at, old),
            other => *other,
        });
        Some(values.collect())
    }

    #[inline]
    pub(super) fn encode(
        &self,
        table: &TableSchema,
        row: &[ColumnValue<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        out.extend_from_slice(&self.prefix);
        self.write(table, row, false, out)?;
        out.extend_from_slice(self.suffix);
        Ok(())
    }

    pub(super) fn write(
        &self,
        table: &TableSchema,
        row: &[ColumnValue<'_>],
        header: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        out.push(b'{');
        for column in &self.columns {
            let (label, style) = if header {
                (&column.header_label, column.header_style)
            } else {
                (&column.label, crate::value::Style::Json)
            };
            out.extend_from_slice(label);
            let column_name = || column.field.name.clone();
            match row.get(column.index) {
                Some(ColumnValue::Text(text)) => {
                    if column.codec.write(text, style, out).is_err() {
                        let null =
                            column
                                .null
                                .as_ref()
                                .ok_or_else(|| EncodeError::RequiredValue {
                                    table: table.table.clone(),
                                    column: column_name(),
                                })?;
                        out.extend_from_slice(null);
                    }
                }
                // A required column is null only where PostgreSQL did not send it: a zero would be a wrong key.
                Some(ColumnValue::Null) if column.field.schema.optional => {
                    out.extend_from_slice(column.null.as_deref().unwrap_or(b"null"));
                }
                Some(ColumnValue::Null | ColumnValue::Unchanged) => {
                    return Err(EncodeError::MissingKeyColumn {
                        table: table.table.clone(),
                        column: column_name(),
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
        out.push(b'}');
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
