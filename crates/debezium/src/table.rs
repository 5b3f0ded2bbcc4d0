//! A version of a captured table: its names, its columns, what tells its rows apart, and the settings by which its events are
//! made. What an event says depends on nothing else of its table, so equal content is one version, by one id, everywhere.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde::{Deserialize, Serialize};

use crate::{ColumnRule, ContractSettings, PgType};

/// Names one version of a table: a hash of everything that its events depend on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SchemaId(pub u64);

/// Sixteen hexadecimal digits: the text of the `tributary.schema` header.
impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SchemaId({self})")
    }
}

impl From<SchemaId> for String {
    fn from(id: SchemaId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for SchemaId {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&text, 16).map(SchemaId)
    }
}

/// A table by its PostgreSQL names. Topics get routed and renamed; this does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableId {
    /// The database that the connector reads.
    pub database: String,
    /// Its schema.
    pub schema: String,
    /// Its name within the schema.
    pub table: String,
}

/// `schema.table`, unquoted, as Debezium's filters and topics write it.
impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// What an UPDATE or DELETE says of the old row (`pg_class.relreplident`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaIdentity {
    /// The columns of the primary key.
    Default,
    /// Nothing.
    Nothing,
    /// The whole row.
    Full,
    /// The columns of an index that `REPLICA IDENTITY USING INDEX` named.
    Index,
}

/// One version of a captured table. Columns stand in the order of the tuples that refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TableSchema {
    /// Its names.
    pub table: TableId,
    /// In the order of the tuples.
    pub columns: Vec<Column>,
    /// Indexes into `columns`, in key order: the primary key, else the first usable unique index, else
    /// `message.key.columns`. Empty: events have no key.
    pub key: Vec<usize>,
    /// What an UPDATE or DELETE says of the old row.
    pub replica_identity: ReplicaIdentity,
    /// `pg_class.oid`: a table that was dropped and made again under its old name has another one. None where nobody
    /// asked the catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<u32>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Column {
    /// Its name in PostgreSQL.
    pub name: String,
    /// Domains are resolved to their base type.
    #[serde(rename = "type")]
    pub pg_type: PgType,
    /// The column may be NULL.
    pub optional: bool,
    /// `pg_get_expr` of the column's default, or of what a generated column is made from, as PostgreSQL prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_expression: Option<String>,
    /// The value is worked out from the expression, so that NULL is a value like others and never the default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
    /// Text of the value that rows have which are older than the column (`pg_attribute.attmissingval`): `ALTER TABLE ...
    /// ADD ... DEFAULT` of a constant writes no row anew. A default that was set later is another matter. None where they
    /// have NULL, or nobody told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_rows: Option<String>,
    /// `pg_attribute.attnum`: what stays the same when the column is renamed or gets another type, and is never used a
    /// second time in its table. None where nobody asked the catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i16>,
    /// What the connector's column properties make of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<ColumnRule>,
}

impl TableSchema {
    /// The id of this version as it is written with these settings: equal content gives an equal id, in every process
    /// and on every machine. The settings count because the same value stands differently in events of other modes.
    pub fn id(&self, settings: &ContractSettings) -> SchemaId {
        // DefaultHasher::new() has fixed keys; the id names content within one topic, so a later change of its
        // algorithm only publishes the same schema once more.
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        settings.hash(&mut hasher);
        SchemaId(hasher.finish())
    }

    /// The key as rows tell it, indexes into `columns`: empty where a column rule takes or hides a part of it.
    pub fn row_key(&self) -> &[usize] {
        let told = |index: &usize| {
            let rule = self.columns.get(*index).map(|column| &column.rule);
            matches!(
                rule,
                Some(None | Some(ColumnRule::SourceType { .. } | ColumnRule::Hash { .. }))
            )
        };
        if self.key.iter().all(told) {
            &self.key
        } else {
            &[]
        }
    }

    /// The columns of the key, in key order.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|&i| self.columns.get(i))
    }
}
