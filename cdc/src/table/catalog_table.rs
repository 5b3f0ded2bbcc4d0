use debezium::ReplicaIdentity;
use serde::Deserialize;

/// A table of the catalog, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogTable {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub replica_identity: ReplicaIdentity,
    /// By attribute number; dropped ones are left out.
    pub columns: Vec<CatalogColumn>,
    /// By attribute number, too.
    pub dropped: Vec<DroppedColumn>,
    /// What identifies its rows: the primary key, then the usable unique indexes by name.
    pub keys: Vec<CatalogKey>,
}

/// A primary key or unique index that identifies rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct CatalogKey {
    /// Names of its columns in key order, as Debezium counts them: those that an index only includes count too, but not
    /// to the primary key.
    pub columns: Vec<String>,
    /// Those that make it unique.
    pub unique: Vec<String>,
    pub primary: bool,
    /// It is the replica identity: a Relation message flags the columns of `unique`.
    pub identity: bool,
    /// See [`CatalogColumn::changed_by`].
    pub changed_by: Option<u32>,
}

impl CatalogTable {
    /// The primary key, else the first usable unique index; empty without either.
    pub fn key(&self) -> &[String] {
        self.keys.first().map_or(&[], |key| &key.columns)
    }
}

/// A column that a [`CatalogTable`] had: its number is never given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct DroppedColumn {
    /// `attnum`.
    pub number: i16,
    /// The transaction that dropped it, as in [`CatalogColumn::changed_by`]: None where that was before the one that was
    /// asked about.
    pub changed_by: Option<u32>,
}

/// A column of a [`CatalogTable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogColumn {
    pub name: String,
    /// `attnum`.
    pub number: i16,
    pub type_oid: u32,
    pub type_modifier: i32,
    /// By the column itself or by its domain.
    pub not_null: bool,
    /// Stored or virtual; pgoutput before version 18 never sends them.
    pub generated: bool,
    /// `pg_get_expr`: of a generated column what it is made from.
    pub default_expression: Option<String>,
    /// `attmissingval`: see [`debezium::Column::older_rows`].
    pub older_rows: Option<String>,
    /// The transaction that wrote this row of the catalog, where it began after the one that was asked about: then the
    /// row may tell of a later time.
    pub changed_by: Option<u32>,
}
