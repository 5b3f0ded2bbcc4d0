//! The open rows of each version of each table.

use std::sync::Arc;

use debezium::TableSchema;

use crate::{
    columns::ChangeColumns,
    lake::{CountedSnapshots, LakeTableName},
    progress::Positions,
};

/// The reader of one version of one table, and its open rows.
pub(crate) struct VersionReader {
    pub(crate) name: LakeTableName,
    pub(crate) version: Arc<TableSchema>,
    /// Its table's number among the positions.
    pub(crate) table: usize,
    pub(crate) columns: ChangeColumns,
    /// That its open rows are of.
    pub(crate) snapshots: CountedSnapshots,
}

/// All of them, known by their numbers.
#[derive(Default)]
pub(crate) struct Readers(Vec<VersionReader>);

impl Readers {
    /// The number of the reader of this version: the one there is, or a new one.
    pub(super) fn of_version(
        &mut self,
        positions: &mut Positions,
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
                table: positions.table(&name.changes_path()),
                columns: ChangeColumns::new(Arc::clone(&version)),
                snapshots: CountedSnapshots::default(),
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
