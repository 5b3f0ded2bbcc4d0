//! The tables of which everything is delivered.
//!
//! Invariant, kept by `pipeline/prepare.rs` and `pipeline/snapshot.rs` for connectors that copy tables that come later:
//! of a table that a durable position names here, everything is delivered that committed up to that position, its rows at
//! a moment of the WAL and every change since; of all other tables nothing is delivered before all their
//! rows are copied. So:
//!
//! - The list is stored with each position, in the same step as the rows before it. A kill leaves the old list with the
//!   old position, and what was copied meanwhile was never visible.
//! - A table is known by its OID, so that one of the same name that was made anew is another one, and by its entry in the
//!   publication: PostgreSQL gives a table that was taken out and put back a new one, and its changes in between are in no
//!   stream.
//! - Its name belongs to it, because the rows that were delivered stand under the name that it had; and so do the tables that
//!   were attached to it as partitions, because the rows that those had come in no stream. Where one of the two changes it
//!   is another table, and copied anew.
//! - A table that was dropped stays in the list until the next copy: its last changes are still delivered.
//! - Any other table leaves the list before anything is delivered that committed while it was not captured.
//! - A table enters it with the end of its copy at L, the consistent point of a slot that was made after the table was in
//!   the publication: changes of others that committed before L were delivered before its rows, its own are in its rows,
//!   and whatever commits from L on began when the table was published.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Tables by OID, each with its entry in the publication (the publication itself where that has all tables).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Stored>", into = "Vec<Stored>")]
pub struct Followed(BTreeMap<(u32, u32), Option<String>>);

/// How an entry is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Whole(u32, u32, String),
    /// By versions that did not know what else belongs to a table: it is taken to be what it is now.
    Bare(u32, u32),
}

impl From<Vec<Stored>> for Followed {
    fn from(entries: Vec<Stored>) -> Self {
        let entries = entries.into_iter().map(|entry| match entry {
            Stored::Whole(table, entry, is) => ((table, entry), Some(is)),
            Stored::Bare(table, entry) => ((table, entry), None),
        });
        Self(entries.collect())
    }
}

impl From<Followed> for Vec<Stored> {
    fn from(followed: Followed) -> Self {
        let entries = followed.0.into_iter().map(|((table, entry), is)| match is {
            Some(is) => Stored::Whole(table, entry, is),
            None => Stored::Bare(table, entry),
        });
        entries.collect()
    }
}

impl Followed {
    /// Those of which the other list says the same, as that says it.
    pub fn still(&self, now: &Self) -> Self {
        let same = now.0.iter().filter(|(table, is)| self.says(table, is));
        Self(same.map(|(table, is)| (*table, is.clone())).collect())
    }

    /// Those of which the other list does not say the same.
    pub fn without(&self, other: &Self) -> Self {
        let others = self.0.iter().filter(|(table, is)| !other.says(table, is));
        Self(others.map(|(table, is)| (*table, is.clone())).collect())
    }

    fn says(&self, table: &(u32, u32), now: &Option<String>) -> bool {
        match (self.0.get(table), now) {
            (Some(Some(was)), Some(now)) => was == now,
            (Some(_), _) => true,
            (None, _) => false,
        }
    }

    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Those of these tables.
    pub fn of(mut self, tables: &BTreeSet<u32>) -> Self {
        self.0.retain(|(table, _), _| tables.contains(table));
        self
    }

    pub fn tables(&self) -> BTreeSet<u32> {
        self.0.keys().map(|(table, _)| *table).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// OID, entry in the publication, and what else belongs to the table.
impl FromIterator<(u32, u32, String)> for Followed {
    fn from_iter<I: IntoIterator<Item = (u32, u32, String)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        Self(
            entries
                .map(|(table, entry, is)| ((table, entry), Some(is)))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_another_name_is_another_one() {
        let list = |name: &str| -> Followed { [(1, 7, name.to_owned())].into_iter().collect() };
        let (before, now) = (list("public.a"), list("public.b"));
        assert_eq!(before.still(&before), before);
        assert!(before.still(&now).is_empty());
        assert_eq!(now.without(&before), now);
    }

    #[test]
    fn lists_of_earlier_versions_are_read() {
        let stored: Followed = serde_json::from_str("[[1,7],[2,7]]").unwrap();
        let now: Followed = [(1, 7, "public.a".to_owned())].into_iter().collect();
        assert_eq!(stored.still(&now), now);
        assert!(now.without(&stored).is_empty());
        let text = serde_json::to_string(&now).unwrap();
        assert_eq!(text, r#"[[1,7,"public.a"]]"#);
        assert_eq!(serde_json::from_str::<Followed>(&text).unwrap(), now);
    }
}
