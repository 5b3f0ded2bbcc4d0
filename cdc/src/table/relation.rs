use debezium::{ReplicaIdentity, TableSchema};
use pgoutput::{Relation, Type};

/// A Relation message, kept beyond its frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationDescription {
    /// OID of the table.
    pub id: u32,
    pub namespace: String,
    pub name: String,
    pub replica_identity: ReplicaIdentity,
    /// In the order of the tuples.
    pub columns: Vec<RelationColumn>,
}

/// A column of a [`RelationDescription`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationColumn {
    pub name: String,
    pub type_oid: u32,
    pub type_modifier: i32,
    /// What a Type message told of it: PostgreSQL sends one for every type that is not its own.
    pub type_name: Option<TypeName>,
    /// Part of the replica identity.
    pub part_of_key: bool,
}

/// The name of a type as it was where its Type message stands in the WAL; of a domain, that of its base type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName {
    pub namespace: String,
    pub name: String,
}

impl From<&Type<'_>> for TypeName {
    fn from(told: &Type<'_>) -> Self {
        Self {
            namespace: namespace(told.namespace),
            name: told.name.to_owned(),
        }
    }
}

/// The protocol abbreviates this one schema.
fn namespace(sent: &str) -> String {
    match sent {
        "" => "pg_catalog",
        other => other,
    }
    .to_owned()
}

impl From<&Relation<'_>> for RelationDescription {
    fn from(relation: &Relation<'_>) -> Self {
        Self {
            id: relation.relation_id,
            namespace: namespace(relation.namespace),
            name: relation.name.to_owned(),
            replica_identity: match relation.replica_identity {
                pgoutput::ReplicaIdentity::Default => ReplicaIdentity::Default,
                pgoutput::ReplicaIdentity::Nothing => ReplicaIdentity::Nothing,
                pgoutput::ReplicaIdentity::Full => ReplicaIdentity::Full,
                pgoutput::ReplicaIdentity::Index => ReplicaIdentity::Index,
            },
            columns: relation
                .columns
                .iter()
                .map(|column| RelationColumn {
                    name: column.name.to_owned(),
                    type_oid: column.type_oid,
                    type_modifier: column.type_modifier,
                    type_name: None,
                    part_of_key: column.part_of_key,
                })
                .collect(),
        }
    }
}

/// Columns of the key of events that do not belong to the replica identity: the old row of a DELETE comes without them.
/// Where nothing belongs to it, the server refuses to delete.
pub(crate) fn not_in_old_rows<'s>(
    relation: &RelationDescription,
    schema: &'s TableSchema,
) -> Vec<&'s str> {
    let sent = |name: &str| {
        let mut identity = relation.columns.iter().filter(|column| column.part_of_key);
        identity.any(|column| column.name == name)
    };
    if relation.columns.iter().all(|column| !column.part_of_key) {
        return Vec::new();
    }
    let names = schema.key_columns().map(|column| column.name.as_str());
    names.filter(|name| !sent(name)).collect()
}
