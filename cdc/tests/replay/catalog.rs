//! What `catalog.json` tells of a table, in place of a server's catalog.

use std::{collections::HashMap, path::Path};

use cdc::table::{KnownColumns, RelationDescription, StreamedTable, TypeCatalog, streamed_table};
use connector::ConnectorConfig;
use debezium::{Column, PgTypeKind, ReplicaIdentity, TableSchema};
use serde::Deserialize;

/// `FirstNormalObjectId`: types that a scenario made have this one or a later one.
const FIRST_OID_OF_USERS: u32 = 16_384;

/// One version of a table, as `record_catalog.py` found it.
#[derive(Deserialize)]
struct Version {
    table: TableSchema,
    /// Names of generated columns: they are not in the tuples.
    generated: Vec<String>,
}

/// The versions of all tables of a scenario, in the order in which DDL made them.
pub struct Catalog {
    versions: Vec<Version>,
    /// Per table name, the version that the last Relation message was taken for.
    current: HashMap<String, usize>,
}

impl Catalog {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("read catalog.json");
        Self {
            versions: serde_json::from_str(&text).expect("parse catalog.json"),
            current: HashMap::new(),
        }
    }

    /// The first version, not older than the last one, that has a Relation message's columns; the newest one where
    /// labels were added to an enum, which no message tells.
    pub fn table(
        &mut self,
        relation: &RelationDescription,
        labels_were_added: bool,
        config: &ConnectorConfig,
    ) -> Result<StreamedTable, String> {
        let name = format!("{}.{}", relation.namespace, relation.name);
        let start = self.current.get(&name).copied().unwrap_or(0);
        let is_it = |(_, version): &(usize, &Version)| version.is_of(relation);
        let mut found = self.versions.iter().enumerate().skip(start).filter(is_it);
        let version = if labels_were_added {
            found.next_back()
        } else {
            found.next()
        };
        let (at, version) =
            version.ok_or_else(|| format!("no catalog version is that of {name}"))?;
        self.current.insert(name, at);
        let key = version.table.key.iter();
        let key = key.filter_map(|index| version.table.columns.get(*index));
        let known = KnownColumns {
            columns: version.streamed().map(known_since).collect(),
            key: key.map(|column| column.name.clone()).collect(),
            generated: version.generated.clone(),
            changed_by: None,
        };
        Ok(streamed_table(relation, known, |oid| oid, config))
    }
}

/// A column whose built-in type was unknown when the catalog was recorded.
fn known_since(column: &Column) -> Column {
    let mut column = column.clone();
    let pg_type = &mut column.pg_type;
    if pg_type.kind == PgTypeKind::Unknown && pg_type.oid < FIRST_OID_OF_USERS {
        pg_type.kind = TypeCatalog::default()
            .pg_type(pg_type.oid, pg_type.modifier)
            .kind;
    }
    column
}

impl Version {
    fn streamed(&self) -> impl Iterator<Item = &Column> {
        let columns = self.table.columns.iter();
        columns.filter(|column| !self.generated.contains(&column.name))
    }

    fn is_of(&self, relation: &RelationDescription) -> bool {
        let id = &self.table.table;
        let is_key = |column: &Column| {
            let keys = self.table.key.iter();
            let mut keys = keys.filter_map(|index| self.table.columns.get(*index));
            keys.any(|key| key.name == column.name)
        };
        // Under the default identity the flagged columns are the primary key.
        let tells_key = self.table.replica_identity == ReplicaIdentity::Default
            && relation.columns.iter().any(|column| column.part_of_key);
        id.schema == relation.namespace
            && id.table == relation.name
            && self.table.replica_identity == relation.replica_identity
            && self.streamed().count() == relation.columns.len()
            && self
                .streamed()
                .zip(&relation.columns)
                .all(|(column, sent)| {
                    // The oids of types that the scenario made differ from server to server.
                    column.name == sent.name
                        && (sent.type_oid >= FIRST_OID_OF_USERS
                            || column.pg_type.oid == sent.type_oid)
                        && (!tells_key || sent.part_of_key == is_key(column))
                })
    }
}
