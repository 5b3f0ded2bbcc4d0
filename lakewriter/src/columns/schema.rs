use std::{collections::HashSet, sync::Arc};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use debezium::TableSchema;

use super::{
    lake_type::LakeType,
    metadata::{MetadataColumns, OWN_COLUMNS},
};

/// A column of the lake and where its values come from.
#[derive(Debug, Clone)]
pub(crate) struct LakeColumn {
    /// Of the column in the table.
    pub index: usize,
    pub name: String,
    /// Of the text column for values that the type cannot tell.
    pub raw_name: String,
    pub(super) lake_type: LakeType,
}

/// The columns of a table that are in the lake. Delta ignores case in names, so a name that is taken gets a number:
/// `id`, `ID__2`.
pub(crate) fn lake_columns(table: &TableSchema) -> Vec<LakeColumn> {
    let mut taken: HashSet<String> = OWN_COLUMNS.map(str::to_owned).into();
    let mut free = |name: &str| {
        let mut free = name.to_owned();
        let mut number = 2;
        while !taken.insert(free.to_lowercase()) {
            free = format!("{name}__{number}");
            number += 1;
        }
        free
    };
    let mut columns: Vec<_> = table
        .columns
        .iter()
        .enumerate()
        .filter_map(|(index, column)| {
            Some(LakeColumn {
                index,
                lake_type: LakeType::of(&column.pg_type)?,
                name: free(&column.name),
                raw_name: String::new(),
            })
        })
        .collect();
    for column in &mut columns {
        column.raw_name = free(&format!("{}_raw", column.name));
    }
    columns
}

/// The Arrow schema of a table's `changes`: the row's columns, then the metadata. Batches with values that a column's
/// type cannot tell (infinities, NaN, arrays of several dimensions) have `<column>_raw` text columns behind these.
///
/// Everything is nullable but `_op`, `_lsn` and `_seq`: a delete knows only its key, and columns come and go.
pub fn lake_schema(table: &TableSchema) -> SchemaRef {
    let row = lake_columns(table)
        .into_iter()
        .map(|column| Field::new(column.name, column.lake_type.arrow(), true));
    Arc::new(Schema::new(
        row.chain(MetadataColumns::fields()).collect::<Vec<_>>(),
    ))
}

/// The schema with the `_raw` columns of these names behind it.
pub(super) fn with_raw_columns(schema: &Schema, names: &[&str]) -> SchemaRef {
    let raw = names
        .iter()
        .map(|name| Arc::new(Field::new(*name, DataType::Utf8, true)));
    Arc::new(Schema::new(
        schema
            .fields()
            .iter()
            .cloned()
            .chain(raw)
            .collect::<Vec<_>>(),
    ))
}
