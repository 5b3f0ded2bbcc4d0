use debezium::ReplicaIdentity;
use pgoutput::Relation;

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
    /// Part of the replica identity.
    pub part_of_key: bool,
}

impl From<&Relation<'_>> for RelationDescription {
    fn from(relation: &Relation<'_>) -> Self {
        Self {
            id: relation.relation_id,
            // The protocol abbreviates this one schema.
            namespace: match relation.namespace {
                "" => "pg_catalog",
                other => other,
            }
            .to_owned(),
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
                    part_of_key: column.part_of_key,
                })
                .collect(),
        }
    }
}
