use crate::quoting::quote_identifier;

/// A table's name in PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    pub schema: String,
    pub table: String,
}

impl TableName {
    /// `schema.table`, as filters and properties have it.
    pub fn full(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    /// As SQL wants it.
    pub fn quoted(&self) -> String {
        format!(
            "{}.{}",
            quote_identifier(&self.schema),
            quote_identifier(&self.table)
        )
    }
}

/// A captured table.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotTable {
    pub oid: u32,
    pub name: TableName,
    /// The planner's guess (`reltuples`); 0 where it has none.
    pub estimated_rows: u64,
}
