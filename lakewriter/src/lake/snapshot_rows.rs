//! What tells that a snapshot is whole: how many rows it has of a table, in the configuration of the table.
//!
//! Invariant: before a row of a snapshot whose rows are counted is committed, the table says that they are counted; before
//! the last of them is committed, it says how many there are. Neither says that they are there: whoever shows the snapshot
//! counts the rows that are. So it does not matter through which partitions they come, in what order, who died in
//! between, and that a property and a row are two commits.
//!
//! Each snapshot has properties of its own, which no writer changes once they are there: of two writers that share a
//! table none undoes what the other one has told.

use super::delta::property;

/// A snapshot that rows of a batch are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SnapshotRows {
    /// Incarnation and LSN.
    pub(crate) snapshot: (i64, i64),
    /// How many rows it has of the table; known from the last one.
    pub(crate) rows: Option<u64>,
}

/// What a table says of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldRows {
    /// Nothing: the rows are of a connector that does not count them.
    Nothing,
    /// They are counted, and the last one has not come.
    More,
    /// So many.
    Whole(u64),
}

impl ToldRows {
    /// Of the snapshot of this incarnation and LSN.
    pub fn of<'a>(get: impl Fn(&str) -> Option<&'a str>, snapshot: (i64, i64)) -> Self {
        match get(&rows_key(snapshot)).and_then(|rows| rows.parse().ok()) {
            Some(rows) => Self::Whole(rows),
            None if get(&key(snapshot)).is_some() => Self::More,
            None => Self::Nothing,
        }
    }
}

/// What a batch tells of snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CountedSnapshots(Vec<SnapshotRows>);

impl CountedSnapshots {
    /// A row of a snapshot is in the batch. `rows`: what it says of the number of them, which is 0 but for the last one.
    pub(crate) fn add(&mut self, snapshot: (i64, i64), rows: u64) {
        let rows = Some(rows).filter(|rows| *rows > 0);
        match self.0.last_mut() {
            Some(last) if last.snapshot == snapshot => last.rows = last.rows.or(rows),
            _ => self.0.push(SnapshotRows { snapshot, rows }),
        }
    }

    /// For the configuration of the table.
    pub(crate) fn properties(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().flat_map(|SnapshotRows { snapshot, rows }| {
            let counted = (key(*snapshot), "counted".to_owned());
            let rows = rows.map(|rows| (rows_key(*snapshot), rows.to_string()));
            std::iter::once(counted).chain(rows)
        })
    }
}

fn key((incarnation, lsn): (i64, i64)) -> String {
    format!("{}.{incarnation}.{lsn}", property::SNAPSHOT)
}

fn rows_key(snapshot: (i64, i64)) -> String {
    format!("{}.rows", key(snapshot))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_number_is_told_with_the_last_row() {
        let mut properties: HashMap<String, String> = HashMap::new();
        let told = |properties: &HashMap<String, String>, snapshot| {
            ToldRows::of(|key| properties.get(key).map(String::as_str), snapshot)
        };
        assert_eq!(told(&properties, (7, 99)), ToldRows::Nothing);
        let mut batch = CountedSnapshots::default();
        batch.add((7, 99), 0);
        batch.add((7, 99), 0);
        properties.extend(batch.properties());
        assert_eq!(properties.len(), 1);
        assert_eq!(told(&properties, (7, 99)), ToldRows::More);
        // The last row is in one partition, another one lags behind; then the next snapshot begins.
        let mut batch = CountedSnapshots::default();
        batch.add((7, 99), 3);
        batch.add((7, 99), 0);
        batch.add((8, 15), 0);
        properties.extend(batch.properties());
        assert_eq!(told(&properties, (7, 99)), ToldRows::Whole(3));
        assert_eq!(told(&properties, (8, 15)), ToldRows::More);
        assert_eq!(told(&properties, (7, 15)), ToldRows::Nothing);
        // A table of one row: it is the first and the last one.
        let mut batch = CountedSnapshots::default();
        batch.add((8, 15), 1);
        properties.extend(batch.properties());
        assert_eq!(told(&properties, (8, 15)), ToldRows::Whole(1));
    }
}
