//! Rows of one version of a source table, on their way to the lake's table.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int32Array, ListArray, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
    error::ArrowError,
};
use debezium::TableSchema;
use deltalake_core::kernel::StructType;

use super::{
    delta::{Evolution, TableProperties, kernel_schema},
    table_version::{Since, TableShape, TableVersion, UNNUMBERED, versions_property},
};
use crate::{
    Error, ErrorKind,
    columns::{TABLE_VERSION_COLUMN, UNAVAILABLE_COLUMN, lake_columns},
};

/// A batch that does not have its table version's number yet.
pub(super) struct VersionedRows<'t> {
    table: &'t TableSchema,
    rows: RecordBatch,
    /// Of the rows with the column of the number behind them.
    schema: SchemaRef,
    first: Since,
}

impl<'t> VersionedRows<'t> {
    pub(super) fn new(table: &'t TableSchema, rows: RecordBatch) -> Result<Self, Error> {
        let first = first_position(&rows).ok_or_else(|| {
            Error::new(
                ErrorKind::Encode,
                format!(
                    "find the position of the first of {} rows of `{}`",
                    rows.num_rows(),
                    table.table
                ),
            )
        })?;
        let own = Field::new(TABLE_VERSION_COLUMN, DataType::Int32, true);
        let of_rows = rows.schema();
        let fields = of_rows.fields().iter().cloned().chain([Arc::new(own)]);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self {
            table,
            rows,
            schema,
            first,
        })
    }

    pub(super) const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(super) const fn first_position(&self) -> Since {
        self.first
    }

    /// How this version stands in a table that has these columns already.
    pub(super) fn shape(&self, current: &StructType) -> Result<TableShape, Error> {
        let columns = lake_columns(self.table);
        // Also the text columns that no row needed so far: where they will be.
        let known = |name: &String| self.schema.column_with_name(name).is_some();
        let later = columns.iter().map(|column| &column.raw_name);
        let later = later.filter(|name| !known(name));
        let later = later.map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
        let fields = self.schema.fields().iter().cloned().chain(later);
        let all: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let plan = Evolution::plan(current, &kernel_schema(&all)?);
        let mut shape = TableShape::of(self.table, &plan.names);
        for (column, lake) in shape.columns.iter_mut().zip(&columns) {
            let at = all.index_of(&lake.raw_name).ok();
            column.raw = at.and_then(|at| plan.names.get(at)).cloned();
        }
        Ok(shape)
    }

    /// The properties of a table that these rows are the first of.
    pub(super) fn properties_at_first(
        &self,
        properties: &TableProperties,
    ) -> Result<TableProperties, Error> {
        let nothing = StructType::try_new([]).map_err(|error| {
            Error::new(ErrorKind::Encode, "express no columns as Delta types").with_source(error)
        })?;
        let version = TableVersion {
            id: UNNUMBERED + 1,
            since: self.first,
            shape: self.shape(&nothing)?,
        };
        let mut properties = properties.clone();
        if version.shape.columns.is_empty() {
            return Ok(properties);
        }
        properties.0.push(versions_property(&[version]));
        Ok(properties)
    }

    /// The rows with their version's number. Columns that go by another name in the lake are called so among the
    /// unavailable ones, too.
    pub(super) fn numbered(&self, id: i32, evolution: &Evolution) -> Result<RecordBatch, Error> {
        self.try_numbered(id, evolution).map_err(|error| {
            Error::new(
                ErrorKind::Encode,
                format!("number the rows of `{}`", self.table.table),
            )
            .with_source(error)
        })
    }

    fn try_numbered(&self, id: i32, evolution: &Evolution) -> Result<RecordBatch, ArrowError> {
        let schema = self.rows.schema();
        let mut columns = self.rows.columns().to_vec();
        let renamed: Vec<(&str, &str)> = schema
            .fields()
            .iter()
            .zip(&evolution.names)
            .map(|(field, name)| (field.name().as_str(), name.as_str()))
            .filter(|(old, new)| old != new)
            .collect();
        if !renamed.is_empty()
            && let Some(unavailable) = columns.get_mut(schema.index_of(UNAVAILABLE_COLUMN)?)
        {
            *unavailable = rename_items(unavailable, &renamed)?;
        }
        columns.push(Arc::new(Int32Array::from_value(id, self.rows.num_rows())));
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

fn rename_items(lists: &ArrayRef, renamed: &[(&str, &str)]) -> Result<ArrayRef, ArrowError> {
    let lists = lists.as_list::<i32>();
    let DataType::List(item) = lists.data_type() else {
        return Err(ArrowError::SchemaError(format!(
            "`{UNAVAILABLE_COLUMN}` is no list"
        )));
    };
    let names = cast(lists.values(), &DataType::Utf8)?;
    let names: StringArray = names
        .as_string::<i32>()
        .iter()
        .map(|name| {
            let name = name?;
            let new = renamed.iter().find(|(old, _)| *old == name);
            Some(new.map_or(name, |(_, new)| *new))
        })
        .collect();
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(item),
        lists.offsets().clone(),
        Arc::new(names),
        lists.nulls().cloned(),
    )?))
}

/// The lowest position of the rows; None where there is none.
fn first_position(rows: &RecordBatch) -> Option<Since> {
    let column = |name| {
        let column = rows.column_by_name(name)?;
        column.as_primitive_opt::<Int64Type>()
    };
    let (incarnation, lsn, ordinal) = (column("_incarnation")?, column("_lsn")?, column("_seq")?);
    (0..rows.num_rows())
        .map(|row| (incarnation.value(row), lsn.value(row), ordinal.value(row)))
        .min()
}
