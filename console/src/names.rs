//! Which SQL names the tables of a lake get.
//!
//! `public.tweets` is the latest rows of the table and `public.tweets_changes` its log. A source table's own name always
//! stands for its latest rows; where it is the name that the log of another one would have (`notes` and
//! `notes_changes`), that log gets one more underscore. Tables of several prefixes that have one name go by none without
//! the prefix; with it, every table does: `shop.public.orders`. The lake's own tables make way for those of the source.

use std::collections::{BTreeMap, BTreeSet};

/// The catalog of names without a prefix.
pub(crate) const CATALOG: &str = "lake";

/// The schema of unqualified names, as PostgreSQL's default search path has it.
pub(crate) const DEFAULT_SCHEMA: &str = "public";

/// A source table by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceName {
    pub(crate) namespace: String,
    pub(crate) schema: String,
    pub(crate) table: String,
}

/// Where a table stands in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlNames {
    /// The catalog of its prefix.
    pub(crate) catalog: String,
    /// Name of its log, in its schema.
    pub(crate) changes: String,
    /// No other prefix has a table of this name, so that it needs none.
    pub(crate) is_unique: bool,
}

/// Names for each of the tables, in their order.
pub(crate) fn sql_names(tables: &[SourceName]) -> Vec<SqlNames> {
    let mut prefixes: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for table in tables {
        let named = prefixes.entry((&table.schema, &table.table)).or_default();
        named.insert(&table.namespace);
    }
    let mut taken: BTreeSet<(&str, String)> = prefixes
        .keys()
        .map(|(schema, table)| (*schema, (*table).to_owned()))
        .collect();
    let mut logs: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for (schema, table) in prefixes.keys() {
        let mut changes = format!("{table}_changes");
        while !taken.insert((*schema, changes.clone())) {
            changes = format!(
                "{table}_{}",
                changes.strip_prefix(table).unwrap_or("_changes")
            );
        }
        logs.insert((*schema, *table), changes);
    }
    tables
        .iter()
        .map(|table| {
            let name = (table.schema.as_str(), table.table.as_str());
            SqlNames {
                catalog: match table.namespace.as_str() {
                    CATALOG => format!("{CATALOG}_"),
                    namespace => namespace.to_owned(),
                },
                changes: logs.get(&name).cloned().unwrap_or_default(),
                is_unique: prefixes.get(&name).is_some_and(|named| named.len() == 1),
            }
        })
        .collect()
}

/// The name in the default schema that a table of the lake itself gets. Tables of the source keep theirs: where one of them
/// has it, as its rows or as its log, the lake's own gets one more underscore before it, as often as needed.
pub(crate) fn own_name(wanted: &str, tables: &[SourceName], names: &[SqlNames]) -> String {
    let taken: BTreeSet<&str> = tables
        .iter()
        .zip(names)
        .filter(|(table, names)| table.schema == DEFAULT_SCHEMA && names.is_unique)
        .flat_map(|(table, names)| [table.table.as_str(), names.changes.as_str()])
        .collect();
    let mut name = wanted.to_owned();
    while taken.contains(name.as_str()) {
        name.insert(0, '_');
    }
    name
}

/// Quote an identifier for SQL.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(tables: &[(&str, &str)]) -> Vec<SourceName> {
        let tables = tables.iter().map(|(namespace, table)| SourceName {
            namespace: (*namespace).to_owned(),
            schema: "public".to_owned(),
            table: (*table).to_owned(),
        });
        tables.collect()
    }

    fn names(tables: &[(&str, &str)]) -> Vec<SqlNames> {
        sql_names(&sources(tables))
    }

    #[test]
    fn a_tables_name_never_stands_for_the_log_of_another() {
        let found = names(&[
            ("a", "notes"),
            ("a", "notes_changes"),
            ("a", "notes__changes"),
        ]);
        let logs: Vec<&str> = found.iter().map(|names| names.changes.as_str()).collect();
        assert_eq!(
            logs,
            [
                "notes___changes",
                "notes_changes_changes",
                "notes__changes_changes"
            ]
        );
    }

    #[test]
    fn tables_of_several_prefixes_need_theirs() {
        let found = names(&[("a", "t"), ("b", "t"), ("lake", "u")]);
        let shown: Vec<(&str, bool)> = found
            .iter()
            .map(|names| (names.catalog.as_str(), names.is_unique))
            .collect();
        assert_eq!(shown, [("a", false), ("b", false), ("lake_", true)]);
    }

    #[test]
    fn a_table_of_the_lake_itself_makes_way() {
        for (tables, own) in [
            (&[("a", "t")][..], "_dead_letters"),
            (&[("a", "_dead_letters")], "__dead_letters"),
            (
                &[("a", "_dead_letters"), ("a", "__dead_letters")],
                "___dead_letters",
            ),
            // Neither of these goes without its prefix.
            (
                &[("a", "_dead_letters"), ("b", "_dead_letters")],
                "_dead_letters",
            ),
        ] {
            let tables = sources(tables);
            let found = own_name("_dead_letters", &tables, &sql_names(&tables));
            assert_eq!(found, own, "{tables:?}");
        }
    }

    #[test]
    fn identifiers_are_quoted() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
    }
}
