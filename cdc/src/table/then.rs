//! What was true of a table where its Relation message stands in the WAL.
//!
//! The message itself is exact for its place: names, types, modifiers, the replica identity, and which columns belong to
//! it. Those are never asked of the catalog. The rest (nullability, defaults, the order of the key) is the catalog's where
//! it was written by a transaction that began before the one that is read, else that of the version that was in force
//! last. What neither knows is a [`Doubt`], which is logged.

use std::fmt;

use debezium::{Column, PgType, PgTypeKind, ReplicaIdentity, TableSchema};

use super::{
    CatalogKey, CatalogTable, KnownColumns, RelationColumn, RelationDescription, TypeCatalog,
    numbers::{find, number_then},
    past::Past,
    schema::default_of,
    types::FIRST_OID_OF_USERS,
};

/// Something that was true then and that nobody knows any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The type of a column is gone, and no version tells of it: its values stand in events as this one.
    Type { column: String, taken_for: String },
    /// The columns have changed since or are gone: whether they could be null, and their defaults, are those of now.
    Columns(Vec<String>),
    /// The key was another one then: which columns these events have as their key.
    Key(Vec<String>),
    /// The columns of the key are known, their order is not.
    KeyOrder(Vec<String>),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { column, taken_for } => write!(
                f,
                "the type of column `{column}` is gone: its values are written as {taken_for}"
            ),
            Self::Columns(columns) => write!(
                f,
                "nullability and defaults of `{}` at that time are not known: written as the catalog has them now, or as nullable without a default",
                columns.join("`, `")
            ),
            Self::Key(columns) if columns.is_empty() => f.write_str(
                "the key of that time is not known: events have none until the table is described again",
            ),
            Self::Key(columns) => write!(
                f,
                "the key of that time is not known: events have `{}`",
                columns.join("`, `")
            ),
            Self::KeyOrder(columns) => write!(
                f,
                "the order of the key's columns at that time is not known: events have `{}`",
                columns.join("`, `")
            ),
        }
    }
}

/// Completes the Relation message of transaction `xid`.
pub fn known_then(
    relation: &RelationDescription,
    xid: u32,
    table: Option<&CatalogTable>,
    types: &TypeCatalog,
    past: &Past,
) -> (KnownColumns, Vec<Doubt>) {
    let then = past.table(relation.id, &relation.namespace, &relation.name);
    let then = then.map(AsRef::as_ref);
    let (mut doubts, mut unknown) = (Vec::new(), Vec::new());
    let mut columns = Vec::with_capacity(relation.columns.len());
    for sent in &relation.columns {
        let now = table.and_then(|table| find(&table.columns, sent));
        let then = then.and_then(|then| {
            let mut columns = then.columns.iter();
            columns.find(|column| column.name == sent.name && column.pg_type.oid == sent.type_oid)
        });
        let is_of_now = now.is_some_and(|now| now.changed_by.is_none());
        let (pg_type, doubt) = type_then(sent, types, past);
        doubts.extend(doubt);
        let identifies = sent.part_of_key
            && matches!(
                relation.replica_identity,
                ReplicaIdentity::Default | ReplicaIdentity::Index
            );
        let mut column = Column {
            name: sent.name.clone(),
            pg_type,
            optional: now.is_none_or(|now| !now.not_null),
            default_expression: now.and_then(|now| default_of(now, types)),
            generated: now.is_some_and(|now| now.generated),
            older_rows: None,
            number: number_then(relation, sent, table, then, is_of_now),
            rule: None,
        };
        match then {
            Some(then) if !is_of_now => {
                column.optional = then.optional;
                column
                    .default_expression
                    .clone_from(&then.default_expression);
                column.generated = then.generated;
            }
            // The expression could not be read, see `GeneratedExpressions`.
            Some(then) if column.generated && column.default_expression.is_none() => {
                column
                    .default_expression
                    .clone_from(&then.default_expression);
            }
            None if !is_of_now && !identifies => unknown.push(sent.name.clone()),
            Some(_) | None => {}
        }
        // A column keeps it as long as it is the same one, or the table is written anew.
        column.older_rows = column.number.and_then(|number| {
            let now = now.filter(|now| now.number == number);
            let then = then.filter(|then| then.number == Some(number));
            let now = now.and_then(|now| now.older_rows.clone());
            now.or_else(|| then.and_then(|then| then.older_rows.clone()))
        });
        // PostgreSQL takes nullable columns neither in primary keys nor as a replica identity.
        column.optional &= !identifies;
        columns.push(column);
    }
    if !unknown.is_empty() {
        doubts.push(Doubt::Columns(unknown));
    }
    let (key, doubt) = key_then(relation, table, then);
    doubts.extend(doubt);
    let known = KnownColumns {
        columns,
        key,
        generated: table.map_or_else(Vec::new, |table| {
            let generated = table.columns.iter().filter(|column| column.generated);
            generated.map(|column| column.name.clone()).collect()
        }),
        changed_by: changed_by(xid, table),
    };
    (known, doubts)
}

/// The first of the transactions after `xid` that changed what the catalog has of a table.
fn changed_by(xid: u32, table: Option<&CatalogTable>) -> Option<u32> {
    let table = table?;
    let columns = table.columns.iter().filter_map(|column| column.changed_by);
    let keys = table.keys.iter().filter_map(|key| key.changed_by);
    columns
        .chain(keys)
        .min_by_key(|later| later.wrapping_sub(xid))
}

fn type_then(sent: &RelationColumn, types: &TypeCatalog, past: &Past) -> (PgType, Option<Doubt>) {
    let now = types.pg_type(sent.type_oid, sent.type_modifier);
    if types.has(sent.type_oid) || sent.type_oid < FIRST_OID_OF_USERS {
        return (now, None);
    }
    if let Some(then) = past.pg_type(sent.type_oid, sent.type_modifier) {
        return (then, None);
    }
    let told = sent.type_name.as_ref();
    let base = told
        .filter(|told| told.namespace == "pg_catalog")
        .and_then(|told| types.built_in(&told.name));
    let kind = match (base, told) {
        (Some(base), _) => types.pg_type(base, -1).kind,
        (None, Some(told)) => PgTypeKind::of_extension(&told.name).unwrap_or(PgTypeKind::Text),
        (None, None) => PgTypeKind::Text,
    };
    let name = told.map_or("", |told| told.name.as_str());
    let taken_for = match base {
        Some(_) => format!("those of `{name}`"),
        None => "text".to_owned(),
    };
    let doubt = Doubt::Type {
        column: sent.name.clone(),
        taken_for,
    };
    let pg_type = PgType {
        name: name.to_owned(),
        kind,
        ..now
    };
    (pg_type, Some(doubt))
}

/// The names of the key's columns in key order.
fn key_then(
    relation: &RelationDescription,
    table: Option<&CatalogTable>,
    then: Option<&TableSchema>,
) -> (Vec<String>, Option<Doubt>) {
    let key = Key {
        relation,
        table,
        flagged: names(relation.columns.iter().filter(|column| column.part_of_key)),
        then: then.map(|then| {
            let columns = then.key_columns();
            columns.map(|column| column.name.clone()).collect()
        }),
    };
    match relation.replica_identity {
        ReplicaIdentity::Default if !key.flagged.is_empty() => key.primary(),
        ReplicaIdentity::Default => key.without_primary(),
        ReplicaIdentity::Index => key.of_index(),
        // The flags say nothing of the key.
        ReplicaIdentity::Full | ReplicaIdentity::Nothing => key.of_catalog(),
    }
}

/// What is known of a key.
struct Key<'a> {
    relation: &'a RelationDescription,
    table: Option<&'a CatalogTable>,
    /// The flagged columns, in the order of the table.
    flagged: Vec<String>,
    /// The key of the version in force before.
    then: Option<Vec<String>>,
}

impl<'a> Key<'a> {
    fn catalog_keys(&self) -> &'a [CatalogKey] {
        self.table
            .map(|table| table.keys.as_slice())
            .unwrap_or_default()
    }

    /// The flagged columns are the primary key of then; only their order is not told.
    fn primary(self) -> (Vec<String>, Option<Doubt>) {
        let keys = self.catalog_keys();
        let now = keys.iter().find(|key| self.is_flagged(&key.columns));
        if let Some(now) = now.filter(|key| key.primary && key.changed_by.is_none()) {
            return (now.columns.clone(), None);
        }
        if let Some(then) = self.then.as_ref().filter(|then| self.is_flagged(then)) {
            return (then.clone(), None);
        }
        let columns = now.map_or_else(|| self.flagged.clone(), |key| key.columns.clone());
        let doubt = (columns.len() > 1).then(|| Doubt::KeyOrder(columns.clone()));
        (columns, doubt)
    }

    /// There was no primary key, or a deferrable one: it may have been a unique index.
    fn without_primary(self) -> (Vec<String>, Option<Doubt>) {
        if self.agrees() {
            return self.of_catalog();
        }
        let keys = self.catalog_keys();
        let unchanged = keys
            .iter()
            .find(|key| !key.primary && key.changed_by.is_none());
        match (self.then, unchanged) {
            (Some(then), _) => (then, None),
            (None, Some(key)) => (key.columns.clone(), None),
            (None, None) => (Vec::new(), Some(Doubt::Key(Vec::new()))),
        }
    }

    /// The old row of a change has the flagged columns only, so that another key could not be told by a delete.
    fn of_index(self) -> (Vec<String>, Option<Doubt>) {
        let now = self.table.map(CatalogTable::key).unwrap_or_default();
        if self.agrees() || self.then.as_deref().is_some_and(|then| then == now) {
            return self.of_catalog();
        }
        let told = |columns: &[String]| {
            !columns.is_empty() && columns.iter().all(|name| self.flagged.contains(name))
        };
        match &self.then {
            Some(then) if told(then) => (then.clone(), None),
            _ if told(now) => (now.to_vec(), Some(Doubt::Key(now.to_vec()))),
            _ => {
                let doubt = Doubt::Key(self.flagged.clone());
                (self.flagged, Some(doubt))
            }
        }
    }

    /// The catalog's key, unless it was made since.
    fn of_catalog(self) -> (Vec<String>, Option<Doubt>) {
        let Some(table) = self.table else {
            return match self.then {
                Some(then) => (then, None),
                None => (Vec::new(), Some(Doubt::Key(Vec::new()))),
            };
        };
        let is_of_now = table
            .keys
            .first()
            .is_none_or(|key| key.changed_by.is_none());
        let now = table.key().to_vec();
        match self.then.clone() {
            Some(then) if !is_of_now => (then, None),
            // It was dropped at some time, and the catalog does not say when.
            Some(then) if self.was_dropped(&then, table) => {
                let doubt = Doubt::Key(now.clone());
                (now, Some(doubt))
            }
            None if !is_of_now => {
                let doubt = Doubt::Key(now.clone());
                (now, Some(doubt))
            }
            Some(_) | None => (now, None),
        }
    }

    fn was_dropped(&self, then: &[String], table: &CatalogTable) -> bool {
        !then.is_empty()
            && then.iter().all(|name| self.sends(name))
            && table.keys.iter().all(|key| key.columns != then)
    }

    /// Whether the columns are the flagged ones, but for those that are never sent.
    fn is_flagged(&self, columns: &[String]) -> bool {
        let sent: Vec<_> = columns
            .iter()
            .filter(|name| !self.is_unsent(name))
            .collect();
        sent.len() == self.flagged.len() && sent.iter().all(|name| self.flagged.contains(name))
    }

    fn is_unsent(&self, name: &str) -> bool {
        let mut columns = self.table.iter().flat_map(|table| &table.columns);
        let is_generated = columns.any(|column| column.name == *name && column.generated);
        !self.sends(name) && is_generated
    }

    /// Whether the catalog's replica identity of now would flag the same columns.
    fn agrees(&self) -> bool {
        let Some(table) = self.table else {
            return false;
        };
        if table.replica_identity != self.relation.replica_identity {
            return false;
        }
        let identity = table.keys.iter().find(|key| key.identity);
        let unique = identity.iter().flat_map(|key| &key.unique);
        let flagged: Vec<_> = unique.filter(|name| self.sends(name)).collect();
        flagged.len() == self.flagged.len()
            && flagged.iter().all(|name| self.flagged.contains(name))
    }

    fn sends(&self, name: &str) -> bool {
        let mut columns = self.relation.columns.iter();
        columns.any(|sent| sent.name == *name)
    }
}

fn names<'a>(columns: impl Iterator<Item = &'a RelationColumn>) -> Vec<String> {
    columns.map(|column| column.name.clone()).collect()
}

#[cfg(test)]
#[path = "then_tests.rs"]
mod tests;
