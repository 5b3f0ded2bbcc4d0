use std::{collections::HashMap, path::Path, sync::Arc};

use debezium::{Column, ReplicaIdentity, TableSchema};
use pgoutput::Relation;
use serde::Deserialize;

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
        let versions = serde_json::from_str(&text).expect("parse catalog.json");
        Self {
            versions,
            current: HashMap::new(),
        }
    }

    /// The table that a Relation message describes: the first version, not older than the last one, with its columns.
    pub fn table(&mut self, relation: &Relation<'_>) -> Arc<TableSchema> {
        let name = format!("{}.{}", relation.namespace, relation.name);
        let start = self.current.get(&name).copied().unwrap_or(0);
        let found = self
            .versions
            .iter()
            .enumerate()
            .skip(start)
            .find(|(_, version)| version.is_of(relation))
            .map(|(at, _)| at);
        let Some(found) = found else {
            panic!("no catalog version of {name} has the columns of its Relation message");
        };
        self.current.insert(name, found);
        Arc::new(self.versions[found].without_generated_columns())
    }
}

impl Version {
    fn names(&self, relation: &Relation<'_>) -> bool {
        self.table.table.schema == relation.namespace && self.table.table.table == relation.name
    }

    fn streamed(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.table
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| !self.generated.contains(&column.name))
    }

    fn is_of(&self, relation: &Relation<'_>) -> bool {
        let identity = match relation.replica_identity {
            pgoutput::ReplicaIdentity::Default => ReplicaIdentity::Default,
            pgoutput::ReplicaIdentity::Nothing => ReplicaIdentity::Nothing,
            pgoutput::ReplicaIdentity::Full => ReplicaIdentity::Full,
            pgoutput::ReplicaIdentity::Index => ReplicaIdentity::Index,
        };
        // Under the default identity the flagged columns are the primary key.
        let flagged = |at: usize| {
            relation
                .columns
                .get(at)
                .is_some_and(|column| column.part_of_key)
        };
        let primary_key_differs = identity == ReplicaIdentity::Default
            && relation.columns.iter().any(|column| column.part_of_key)
            && (0..relation.columns.len())
                .any(|at| flagged(at) != self.without_generated_columns().key.contains(&at));
        self.names(relation)
            && !primary_key_differs
            && self.table.replica_identity == identity
            && self.streamed().count() == relation.columns.len()
            && self
                .streamed()
                .zip(&relation.columns)
                .all(|((_, column), sent)| {
                    // The oids of types that the scenario made differ from server to server.
                    column.name == sent.name
                        && (sent.type_oid >= 16_384 || column.pg_type.oid == sent.type_oid)
                })
    }

    fn without_generated_columns(&self) -> TableSchema {
        let position = |wanted: &usize| self.streamed().position(|(at, _)| at == *wanted);
        let key: Option<Vec<usize>> = self.table.key.iter().map(position).collect();
        TableSchema {
            columns: self.streamed().map(|(_, column)| column.clone()).collect(),
            key: key.unwrap_or_default(),
            ..self.table.clone()
        }
    }
}
