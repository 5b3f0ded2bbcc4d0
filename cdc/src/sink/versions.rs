//! What a sink keeps for each version of a table: how its events are written and where they go.

use std::{collections::HashMap, sync::Arc};

use debezium::{EventEncoder, TableSchema};

/// Columns that are kept before the first look for versions that nobody can write to any more: what is kept for a version
/// grows with its columns.
const FIRST_SWEEP: usize = 4096;

/// What is kept for one version.
pub(super) trait OfVersion {
    /// The version. This must be the only reference to it that is held here: see [`Versions`].
    fn version(&self) -> &Arc<TableSchema>;

    /// It is needed although no event of the version can come any more.
    fn is_busy(&self) -> bool;
}

impl OfVersion for EventEncoder {
    fn version(&self) -> &Arc<TableSchema> {
        self.table()
    }

    fn is_busy(&self) -> bool {
        false
    }
}

/// Entries by the address of their version, which each entry keeps alive, so that the address stands for nothing else.
///
/// Invariant: an entry whose version nobody else holds is let go. No event of it can come, because an event borrows the
/// version from its holder. The look for such entries runs whenever the columns of all have doubled: at most twice as much
/// is kept as is in use, and a new version costs the same however many there are.
#[derive(Debug)]
pub(super) struct Versions<R> {
    entries: Vec<Option<R>>,
    free: Vec<usize>,
    by_address: HashMap<usize, usize>,
    /// Most changes are of the same table as the one before.
    last: Option<(usize, usize)>,
    /// Columns of all entries.
    columns: usize,
    sweep_at: usize,
}

impl<R: OfVersion> Versions<R> {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            by_address: HashMap::new(),
            last: None,
            columns: 0,
            sweep_at: FIRST_SWEEP,
        }
    }

    /// The index of a version's entry.
    #[inline]
    pub(super) fn find(&mut self, version: &Arc<TableSchema>) -> Option<usize> {
        let address = Arc::as_ptr(version).addr();
        if let Some((last, index)) = self.last
            && last == address
        {
            return Some(index);
        }
        let index = *self.by_address.get(&address)?;
        self.last = Some((address, index));
        Some(index)
    }

    pub(super) fn get(&self, index: usize) -> Option<&R> {
        self.entries.get(index)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut R> {
        self.entries.get_mut(index)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &R> {
        self.entries.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut R> {
        self.entries.iter_mut().flatten()
    }

    /// Where the next entry will stand.
    pub(super) fn next_index(&mut self) -> usize {
        if self.columns >= self.sweep_at {
            self.sweep();
            self.sweep_at = (self.columns * 2).max(FIRST_SWEEP);
        }
        self.free.last().copied().unwrap_or(self.entries.len())
    }

    /// Keeps an entry at `next_index`.
    pub(super) fn add(&mut self, entry: R) -> usize {
        let address = Arc::as_ptr(entry.version()).addr();
        let index = self.next_index();
        self.columns += weight(&entry);
        match self.entries.get_mut(index) {
            Some(place) => {
                *place = Some(entry);
                self.free.pop();
            }
            None => self.entries.push(Some(entry)),
        }
        self.by_address.insert(address, index);
        index
    }

    fn sweep(&mut self) {
        let Self {
            entries,
            free,
            by_address,
            columns,
            ..
        } = self;
        *columns = 0;
        by_address.retain(|_, index| {
            let Some(place) = entries.get_mut(*index) else {
                return false;
            };
            let used = place
                .as_ref()
                .filter(|entry| entry.is_busy() || Arc::strong_count(entry.version()) > 1);
            if let Some(entry) = used {
                *columns += weight(entry);
                return true;
            }
            *place = None;
            free.push(*index);
            false
        });
        self.last = None;
    }
}

fn weight<R: OfVersion>(entry: &R) -> usize {
    entry.version().columns.len() + 1
}

#[cfg(test)]
mod tests {
    use debezium::{ReplicaIdentity, TableId};

    use super::*;

    struct Entry(Arc<TableSchema>, bool);

    impl OfVersion for Entry {
        fn version(&self) -> &Arc<TableSchema> {
            &self.0
        }

        fn is_busy(&self) -> bool {
            self.1
        }
    }

    fn version(name: usize) -> Arc<TableSchema> {
        Arc::new(TableSchema {
            table: TableId {
                database: "d".to_owned(),
                schema: "public".to_owned(),
                table: name.to_string(),
            },
            columns: Vec::new(),
            key: Vec::new(),
            replica_identity: ReplicaIdentity::Default,
            oid: None,
        })
    }

    #[test]
    fn only_versions_in_use_are_kept() {
        let mut versions = Versions::new();
        let (kept, busy) = (version(0), version(1));
        versions.add(Entry(Arc::clone(&kept), false));
        let busy_index = versions.add(Entry(busy, true));
        for name in 2..100_000 {
            let passing = version(name);
            let index = versions.add(Entry(Arc::clone(&passing), false));
            assert_eq!(versions.find(&passing), Some(index));
            assert!(versions.entries.len() <= FIRST_SWEEP, "{name}");
        }
        let index = versions.find(&kept).expect("is kept");
        let name = |entry: &Entry| entry.0.table.table.clone();
        assert_eq!(versions.get(index).map(name).as_deref(), Some("0"));
        assert_eq!(versions.get(busy_index).map(name).as_deref(), Some("1"));
    }

    #[test]
    fn all_versions_in_use_are_kept() {
        let mut versions = Versions::new();
        let tables: Vec<_> = (0..10_000).map(version).collect();
        for table in &tables {
            versions.add(Entry(Arc::clone(table), false));
        }
        for (name, table) in tables.iter().enumerate() {
            let index = versions.find(table).expect("is kept");
            let entry = versions.get(index).expect("is kept");
            assert_eq!(entry.0.table.table, name.to_string());
        }
    }
}
