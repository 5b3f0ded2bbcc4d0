//! What a table does with rows of another shape.
//!
//! New columns are added in a commit of their own, before the data. A column that is gone stays and holds nulls. A
//! column whose type changed goes on under a new name, `name__v2`: old rows keep their values, nothing is cast.
//! Delta's names ignore case, PostgreSQL's do not: of two that differ only in case the later also takes a new name.

use std::sync::Arc;

use arrow::{
    datatypes::{Field, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use deltalake_core::kernel::{
    DataType, StructField, StructType, engine::arrow_conversion::TryIntoKernel as _,
};

use super::{
    LakeTable, TableProperties,
    commit::is_metadata_conflict,
    create::{PARTITION_COLUMN, quiet},
    property,
};
use crate::{
    Error, ErrorKind,
    columns::{OWN_COLUMNS, TABLE_VERSION_COLUMN},
    error::delta_error,
    lake::table_version::{
        Since, TableShape, TableVersion, before_versions, place, read_versions, version_at,
        versions_property,
    },
};

/// How columns of one shape stand in the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evolution {
    /// Name in the table of each incoming column, in their order.
    pub(crate) names: Vec<String>,
    /// Columns that the table lacks.
    pub(crate) additions: Vec<StructField>,
}

impl Evolution {
    /// Place `incoming` in `current`. Pure.
    pub(crate) fn plan(current: &StructType, incoming: &StructType) -> Self {
        let mut additions: Vec<StructField> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for field in incoming.fields() {
            let mut number = 1;
            let name = loop {
                let candidate = match number {
                    1 => field.name().clone(),
                    number => format!("{}__v{number}", field.name()),
                };
                number += 1;
                if names
                    .iter()
                    .any(|taken| taken.eq_ignore_ascii_case(&candidate))
                {
                    continue;
                }
                let known = current
                    .fields()
                    .chain(&additions)
                    .find(|known| known.name().eq_ignore_ascii_case(&candidate));
                match known {
                    None => {
                        additions
                            .push(StructField::nullable(&candidate, field.data_type().clone()));
                        break candidate;
                    }
                    Some(known)
                        if *known.name() == candidate
                            && same_type(known.data_type(), field.data_type()) =>
                    {
                        break candidate;
                    }
                    Some(_) => {}
                }
            };
            names.push(name);
        }
        Self { names, additions }
    }

    /// The batch under the table's names.
    pub(crate) fn rename(&self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        let schema = batch.schema();
        if schema
            .fields()
            .iter()
            .map(|field| field.name())
            .eq(&self.names)
        {
            return Ok(batch.clone());
        }
        let fields: Vec<Field> = schema
            .fields()
            .iter()
            .zip(&self.names)
            .map(|(field, name)| field.as_ref().clone().with_name(name))
            .collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), batch.columns().to_vec()).map_err(
            |error| {
                Error::new(ErrorKind::Encode, "name columns as the lake table does")
                    .with_source(error)
            },
        )
    }
}

/// Whether nothing but nullability differs.
fn same_type(left: &DataType, right: &DataType) -> bool {
    match (left, right) {
        (DataType::Array(left), DataType::Array(right)) => {
            same_type(left.element_type(), right.element_type())
        }
        (DataType::Map(left), DataType::Map(right)) => {
            same_type(left.key_type(), right.key_type())
                && same_type(left.value_type(), right.value_type())
        }
        (left, right) => left == right,
    }
}

/// An Arrow schema as Delta's.
pub(crate) fn kernel_schema(schema: &SchemaRef) -> Result<StructType, Error> {
    schema.as_ref().try_into_kernel().map_err(|error| {
        Error::new(ErrorKind::Encode, "express the columns as Delta types").with_source(error)
    })
}

/// An Arrow schema as Delta's, with the partition column.
pub(crate) fn delta_schema(schema: &SchemaRef) -> Result<StructType, Error> {
    let converted = kernel_schema(schema)?;
    if converted.field(PARTITION_COLUMN).is_some() {
        return Ok(converted);
    }
    StructType::try_new(
        converted
            .fields()
            .cloned()
            .chain([StructField::nullable(PARTITION_COLUMN, DataType::DATE)]),
    )
    .map_err(|error| {
        Error::new(ErrorKind::Encode, "express the columns as Delta types").with_source(error)
    })
}

impl LakeTable {
    /// Make room for rows of this shape and say under which names its columns go. A commit of its own where columns
    /// are new; safe to repeat.
    ///
    /// # Errors
    /// The store's, or `Encode` if a type has no place in Delta.
    pub(crate) async fn evolve(&mut self, incoming: &SchemaRef) -> Result<Evolution, Error> {
        let incoming = kernel_schema(incoming)?;
        let mut attempts = 0;
        loop {
            let plan = Evolution::plan(&self.schema(), &incoming);
            if plan.additions.is_empty() {
                return Ok(plan);
            }
            attempts += 1;
            let table = self.handle().await?;
            let added = table
                .add_columns()
                .with_fields(plan.additions.clone())
                .with_commit_properties(quiet())
                .await;
            // Whatever the answer was, the table tells whether the columns are there now.
            self.reload().await?;
            match added {
                Ok(_) => {
                    tracing::info!(
                        table = self.relative,
                        columns = ?plan.additions.iter().map(StructField::name).collect::<Vec<_>>(),
                        "columns added"
                    );
                }
                Err(error) if attempts < 5 => {
                    let conflict = is_metadata_conflict(&error);
                    tracing::warn!(%error, conflict, table = self.relative, "adding columns again");
                }
                Err(error) => {
                    return Err(delta_error(
                        format!("add columns to `{}`", self.relative),
                        error,
                    ));
                }
            }
        }
    }

    /// Write the wanted values into the table's configuration where they differ.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn keep_properties(&mut self, wanted: &TableProperties) -> Result<(), Error> {
        self.configure(|_| Ok((wanted.0.clone(), ()))).await
    }

    /// The versions of the source table that are recorded here, by their beginning.
    pub(super) fn source_versions(&self) -> Result<Vec<TableVersion>, Error> {
        read_versions(self.property(property::VERSIONS)).map_err(|error| {
            Error::new(
                ErrorKind::Table,
                format!("read the versions of `{}`", self.relative),
            )
            .with_source(error)
        })
    }

    /// The number of the table's version that has this shape at the position of its first row. A new version is
    /// recorded in the table's configuration, before any of its rows is committed.
    ///
    /// # Errors
    /// The store's; `Table` if the recorded versions cannot be read.
    pub(crate) async fn keep_version(
        &mut self,
        wanted: &TableProperties,
        shape: &TableShape,
        first: Since,
    ) -> Result<i32, Error> {
        self.configure(|table| {
            let mut versions = table.source_versions()?;
            // A truncate of which nothing else was told says nothing about the table: it belongs to the version there is.
            if shape.columns.is_empty() {
                return Ok((wanted.0.clone(), version_at(&versions, first)));
            }
            if versions.is_empty() {
                table.refuse_foreign_columns()?;
                versions.push(before_versions(
                    &table.schema(),
                    table.property(property::KEY),
                ));
            }
            let (id, changed) = place(&mut versions, shape.clone(), first);
            let mut wanted = wanted.0.clone();
            if changed {
                wanted.push(versions_property(&versions));
            }
            Ok((wanted, id))
        })
        .await
    }

    /// A table that was written before it kept versions may have a column of the source under a name that is the lake's
    /// own by now: its values would be taken for the lake's.
    fn refuse_foreign_columns(&self) -> Result<(), Error> {
        let schema = self.schema();
        let added = |name: &&&str| matches!(**name, "_incarnation" | TABLE_VERSION_COLUMN);
        let foreign = OWN_COLUMNS.iter().filter(added).find(|name| {
            let holds = |field: &&StructField| field.name().eq_ignore_ascii_case(name);
            // What this program added a moment ago has this spelling and this type, and no rows yet.
            let own_type = match **name {
                TABLE_VERSION_COLUMN => DataType::INTEGER,
                _ => DataType::LONG,
            };
            let mut fields = schema.fields();
            fields
                .find(holds)
                .is_some_and(|field| *field.name() != **name || *field.data_type() != own_type)
        });
        match foreign {
            None => Ok(()),
            Some(name) => Err(Error::new(
                ErrorKind::Table,
                format!(
                    "write to `{}`: its column `{name}` is the source table's, and the lake needs the name",
                    self.relative
                ),
            )
            .with_hint("move the lake's table away and take a new snapshot: a new table calls that column otherwise")),
        }
    }

    /// Bring the configuration to what `wanted` says of it. Another writer of the table may do the same at the same
    /// moment: then `wanted` is asked again.
    async fn configure<T>(
        &mut self,
        wanted: impl Fn(&Self) -> Result<(Vec<(String, String)>, T), Error>,
    ) -> Result<T, Error> {
        let mut attempts = 0;
        loop {
            let (properties, answer) = wanted(self)?;
            let changed: std::collections::HashMap<String, String> = properties
                .into_iter()
                .filter(|(key, value)| self.property(key) != Some(value))
                .collect();
            if changed.is_empty() {
                return Ok(answer);
            }
            attempts += 1;
            let table = self.handle().await?;
            let set = table
                .set_tbl_properties()
                .with_properties(changed)
                .with_raise_if_not_exists(false)
                .with_commit_properties(quiet())
                .await;
            // Whatever the answer was, the table tells what its configuration is now.
            self.reload().await?;
            if let Err(error) = set {
                if attempts == 5 {
                    return Err(delta_error(
                        format!("set properties of `{}`", self.relative),
                        error,
                    ));
                }
                let conflict = is_metadata_conflict(&error);
                tracing::warn!(%error, conflict, table = self.relative, "setting properties again");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(fields: &[(&str, DataType)]) -> StructType {
        StructType::try_new(
            fields
                .iter()
                .map(|(name, data_type)| StructField::nullable(*name, data_type.clone())),
        )
        .expect("distinct names")
    }

    #[test]
    fn shapes_find_their_columns() {
        let current = columns(&[
            ("id", DataType::LONG),
            ("name", DataType::STRING),
            ("size", DataType::LONG),
            ("size__v2", DataType::STRING),
        ]);
        for (incoming, names, additions) in [
            // A dropped column is no matter.
            (columns(&[("id", DataType::LONG)]), vec!["id"], vec![]),
            // A new one is added.
            (
                columns(&[("id", DataType::LONG), ("age", DataType::LONG)]),
                vec!["id", "age"],
                vec!["age"],
            ),
            // A changed type takes the next free name, or the one it had before.
            (
                columns(&[("name", DataType::BINARY), ("size", DataType::STRING)]),
                vec!["name__v2", "size__v2"],
                vec!["name__v2"],
            ),
            (
                columns(&[("size", DataType::DOUBLE)]),
                vec!["size__v3"],
                vec!["size__v3"],
            ),
            // Only the case differs.
            (
                columns(&[("ID", DataType::LONG)]),
                vec!["ID__v2"],
                vec!["ID__v2"],
            ),
        ] {
            let plan = Evolution::plan(&current, &incoming);
            assert_eq!(plan.names, names);
            let added: Vec<&str> = plan.additions.iter().map(|f| f.name().as_str()).collect();
            assert_eq!(added, additions);
        }
    }
}
