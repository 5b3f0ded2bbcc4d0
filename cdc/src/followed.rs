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
//! - A table that was dropped stays in the list until the next copy: its last changes are still delivered.
//! - Any other table leaves the list before anything is delivered that committed while it was not captured.
//! - A table enters it with the end of its copy at L, the consistent point of a slot that was made after the table was in
//!   the publication: changes of others that committed before L were delivered before its rows, its own are in its rows,
//!   and whatever commits from L on began when the table was published.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Tables by OID, each with its entry in the publication (the publication itself where that has all tables).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Followed(BTreeSet<(u32, u32)>);

impl Followed {
    /// Those of which the other list says the same.
    pub fn still(&self, now: &Self) -> Self {
        Self(self.0.intersection(&now.0).copied().collect())
    }

    /// Those that the other list does not have.
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).copied().collect())
    }

    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Those of these tables.
    pub fn of(mut self, tables: &BTreeSet<u32>) -> Self {
        self.0.retain(|(table, _)| tables.contains(table));
        self
    }

    pub fn tables(&self) -> BTreeSet<u32> {
        self.0.iter().map(|(table, _)| *table).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(u32, u32)> for Followed {
    fn from_iter<I: IntoIterator<Item = (u32, u32)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}
