use std::{collections::HashMap, sync::Arc};

use debezium::{PgType, TableSchema};

use super::types::FIRST_OID_OF_USERS;

/// What was true of tables and types before: the versions that were published in earlier lives, then those of this one.
/// The catalog tells only of now, and now may be hours after the place in the WAL that is read.
#[derive(Debug, Default)]
pub struct Past {
    /// The versions in force, by the OID of their table.
    tables: HashMap<u32, Arc<TableSchema>>,
    /// Those of earlier lives whose table was not met yet in this one, by its names: `(schema, table)`.
    published: HashMap<(String, String), Arc<TableSchema>>,
    /// Types that users made, by OID, whether or not they still exist.
    types: HashMap<u32, PgType>,
}

impl Past {
    /// Versions in the order in which they came in force: of each table the last one holds.
    pub fn extend(&mut self, published: Vec<Arc<TableSchema>>) {
        for version in published {
            self.learn_types(&version);
            let table = &version.table;
            let names = (table.schema.clone(), table.table.clone());
            self.published.insert(names, version);
        }
    }

    /// The version that was in force last for a table.
    pub(super) fn table(&self, oid: u32, schema: &str, name: &str) -> Option<&Arc<TableSchema>> {
        let published = || self.published.get(&(schema.to_owned(), name.to_owned()));
        self.tables.get(&oid).or_else(published)
    }

    /// A type as it was when it was met last.
    pub(super) fn pg_type(&self, oid: u32, modifier: i32) -> Option<PgType> {
        let mut known = self.types.get(&oid)?.clone();
        // Columns of domains have none: theirs is the domain's.
        if modifier >= 0 {
            known.modifier = modifier;
        }
        Some(known)
    }

    /// A version is in force from here on. Answers it, or the same one as it was known before; and whether it is new.
    pub(crate) fn learn(
        &mut self,
        oid: u32,
        version: Arc<TableSchema>,
    ) -> (Arc<TableSchema>, bool) {
        let table = &version.table;
        self.published
            .remove(&(table.schema.clone(), table.table.clone()));
        self.learn_types(&version);
        match self.tables.get(&oid) {
            Some(known) if *known == version => (Arc::clone(known), false),
            _ => {
                self.tables.insert(oid, Arc::clone(&version));
                (version, true)
            }
        }
    }

    fn learn_types(&mut self, version: &TableSchema) {
        for column in &version.columns {
            let told = &column.pg_type;
            if told.oid >= FIRST_OID_OF_USERS && self.types.get(&told.oid) != Some(told) {
                self.types.insert(told.oid, told.clone());
            }
        }
    }
}
