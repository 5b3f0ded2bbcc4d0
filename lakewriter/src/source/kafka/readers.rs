//! The open rows of each version of each table.

use std::{collections::BTreeSet, sync::Arc};

use debezium::TableSchema;

use super::assignment::Assignment;
use crate::{columns::ChangeColumns, lake::LakeTableName};

/// The reader of one version of one table, and its open rows.
pub(crate) struct VersionReader {
    pub(crate) name: LakeTableName,
    pub(crate) version: Arc<TableSchema>,
    /// Its table's number in the assignment.
    pub(crate) table: usize,
    pub(crate) columns: ChangeColumns,
    /// Numbers of the partitions that its open rows came from.
    pub(crate) partitions: BTreeSet<usize>,
}

/// All of them, known by their numbers.
#[derive(Default)]
pub(crate) struct Readers(Vec<VersionReader>);

impl Readers {
    /// The number of the reader of this version: the one there is, or a new one.
    pub(super) fn of_version(
        &mut self,
        assignment: &mut Assignment,
        namespace: String,
        version: Arc<TableSchema>,
    ) -> usize {
        let name = LakeTableName::new(namespace, &version.table);
        let known = self
            .0
            .iter()
            .position(|reader| reader.name == name && reader.version == version);
        known.unwrap_or_else(|| {
            self.0.push(VersionReader {
                table: assignment.table(&name.changes_path()),
                columns: ChangeColumns::new(Arc::clone(&version)),
                partitions: BTreeSet::new(),
                name,
                version,
            });
            self.0.len() - 1
        })
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut VersionReader> {
        self.0.get_mut(number)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut VersionReader> {
        self.0.iter_mut()
    }

    /// Memory of all open rows.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|reader| reader.columns.bytes()).sum()
    }
}
