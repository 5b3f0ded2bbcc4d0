//! Where tables lie below the lake's root: `<namespace>/<schema>.<table>/changes`.
//!
//! PostgreSQL names may hold any character; folders hold `[A-Za-z0-9_-]` as they are and every other byte as `_xHH_`.
//! The table's own configuration (`tributary.*`) tells its true names, so a folder never has to be read back.

use std::fmt;

use debezium::TableId;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::ObjectStore;

use super::Lake;
use crate::{Error, error::storage_error};

/// The folder of a table's append-only log of changes.
pub const CHANGES: &str = "changes";

/// The folder of a table's rows as they are now, beside [`CHANGES`].
pub const CURRENT: &str = "current";

/// The table of records that could not become rows, directly below the root.
pub const DEAD_LETTERS: &str = "_dead_letters";

/// The table of how far each partition was handled, directly below the root: no rows, only `txn` versions.
pub const POSITIONS: &str = "_kafka_positions";

/// Names longer than this (a PostgreSQL name has up to 63 bytes) are cut and end in a hash: file systems allow 255.
const MAX_ENCODED_NAME: usize = 120;

/// Folders that are looked into at the same time.
const LOOKS_AT_ONCE: usize = 16;

/// A source table's place in the lake.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LakeTableName {
    /// The topic prefix or the database.
    pub namespace: String,
    pub schema: String,
    pub table: String,
}

impl LakeTableName {
    pub fn new(namespace: impl Into<String>, table: &TableId) -> Self {
        Self {
            namespace: namespace.into(),
            schema: table.schema.clone(),
            table: table.table.clone(),
        }
    }

    /// The folder of the `changes` table, relative to the lake's root.
    pub fn changes_path(&self) -> String {
        format!(
            "{}/{}.{}/{CHANGES}",
            encode(&self.namespace),
            encode(&self.schema),
            encode(&self.table)
        )
    }
}

impl fmt::Display for LakeTableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.namespace, self.schema, self.table)
    }
}

/// One name as a folder. Different names give different folders.
pub(super) fn encode(name: &str) -> String {
    let mut folder = String::with_capacity(name.len());
    let bytes = name.as_bytes();
    for (i, &byte) in bytes.iter().enumerate() {
        // A name that starts with `_` would be hidden from readers, and one with `_x` would look encoded.
        let plain = byte.is_ascii_alphanumeric()
            || byte == b'-'
            || (byte == b'_' && i > 0 && bytes.get(i + 1) != Some(&b'x'));
        if plain {
            folder.push(char::from(byte));
        } else {
            folder.push_str(&format!("_x{byte:02X}_"));
        }
    }
    if folder.len() > MAX_ENCODED_NAME {
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        folder.truncate(MAX_ENCODED_NAME - 18);
        folder.push_str(&format!("_h{hash:016x}"));
    }
    folder
}

/// Whether a table's folder is that of a name. A name's parts may hold dots.
fn is_meant(relative: &str, name: &str) -> bool {
    let mut parts = relative.trim_end_matches('/').split('/');
    let (Some(namespace), Some(folder)) = (parts.next(), parts.next()) else {
        return false;
    };
    let is_table = |name: &str| {
        name.match_indices('.').any(|(dot, _)| {
            let (schema, table) = (name.get(..dot), name.get(dot + 1..));
            schema.zip(table).is_some_and(|(schema, table)| {
                format!("{}.{}", encode(schema), encode(table)) == folder
            })
        })
    };
    let in_namespace = |(dot, _): (usize, &str)| {
        let (first, rest) = (name.get(..dot), name.get(dot + 1..));
        first
            .zip(rest)
            .is_some_and(|(first, rest)| encode(first) == namespace && is_table(rest))
    };
    relative == name || is_table(name) || name.match_indices('.').any(in_namespace)
}

impl Lake {
    /// The folders, relative to the root, that hold a `changes` table.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_changes(&self) -> Result<Vec<String>, Error> {
        let mut tables = Vec::new();
        for namespace in self.folders("").await? {
            tables.extend(self.folders(&namespace).await?);
        }
        let looks = tables.into_iter().map(|table| async move {
            let changes = format!("{table}/{CHANGES}");
            let is_there = self.is_delta_table(&changes).await?;
            Ok::<_, Error>(is_there.then_some(changes))
        });
        let mut found: Vec<String> = stream::iter(looks)
            .buffer_unordered(LOOKS_AT_ONCE)
            .try_filter_map(|table| async { Ok(table) })
            .try_collect()
            .await?;
        found.sort();
        Ok(found)
    }

    /// The folders of the tables that people mean by a name: `schema.table`, with the first folder before it where several
    /// have one name (`shop.public.orders`), or the folder itself.
    ///
    /// # Errors
    /// The store's.
    pub async fn find_tables(&self, name: &str) -> Result<Vec<String>, Error> {
        let mut found = self.list_changes().await?;
        found.retain(|relative| is_meant(relative, name));
        if found.is_empty() && self.is_delta_table(name).await? {
            found.push(name.to_owned());
        }
        Ok(found)
    }

    /// Whether a Delta log lies in this folder.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_delta_table(&self, relative: &str) -> Result<bool, Error> {
        let log = self.path(&format!("{relative}/_delta_log"));
        let first = self.store().list(Some(&log)).try_next().await;
        first
            .map(|object| object.is_some())
            .map_err(|error| storage_error(format!("look for a table in `{log}`"), error))
    }

    /// The folders directly below one, relative to the root, without those of our own that begin with `_`.
    async fn folders(&self, relative: &str) -> Result<Vec<String>, Error> {
        let parent = self.path(relative);
        let listed = self
            .store()
            .list_with_delimiter(Some(&parent))
            .await
            .map_err(|error| storage_error(format!("list `{parent}`"), error))?;
        Ok(listed
            .common_prefixes
            .iter()
            .filter_map(|folder| folder.filename())
            .filter(|name| {
                !name.starts_with('.') && (!name.starts_with('_') || name.starts_with("_x"))
            })
            .map(|name| {
                if relative.is_empty() {
                    name.to_owned()
                } else {
                    format!("{relative}/{name}")
                }
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_folders() {
        for (name, folder) in [
            ("tweets", "tweets"),
            ("Order-Lines_2", "Order-Lines_2"),
            ("a.b", "a_x2E_b"),
            ("a_x2E_b", "a_x5F_x2E_b"),
            ("_hidden", "_x5F_hidden"),
            ("with space", "with_x20_space"),
            ("..", "_x2E__x2E_"),
            ("表", "_xE8__xA1__xA8_"),
        ] {
            assert_eq!(encode(name), folder);
        }
    }

    #[test]
    fn people_name_tables_as_postgresql_does() {
        for (relative, name, meant) in [
            ("shop/public.orders/changes", "public.orders", true),
            ("shop/public.orders/changes", "shop.public.orders", true),
            (
                "shop/public.orders/changes",
                "shop/public.orders/changes",
                true,
            ),
            ("shop/public.orders/changes", "orders", false),
            ("shop/public.orders/changes", "other.public.orders", false),
            ("shop/public.a_x2E_b/changes", "public.a.b", true),
            ("a_x2E_b/public.t/changes", "a.b.public.t", true),
        ] {
            assert_eq!(is_meant(relative, name), meant, "{relative} {name}");
        }
    }

    #[test]
    fn long_names_stay_apart_and_short() {
        let one = encode(&format!("{}1", "é".repeat(31)));
        let two = encode(&format!("{}2", "é".repeat(31)));
        assert!(one.len() <= MAX_ENCODED_NAME, "{}", one.len());
        assert_ne!(one, two);
    }
}
