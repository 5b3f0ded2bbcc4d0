//! The versions of tables that are in force in the stream, by OID.
//!
//! A Relation message that changes nothing gives the same version, to the address. Versions that a streamed
//! transaction made belong to it until it has committed.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use debezium::TableSchema;

use crate::table::{RelationDescription, StreamedTable};

/// One version of a table in the stream.
#[derive(Debug)]
pub(super) struct RelationVersion {
    pub(super) description: RelationDescription,
    pub(super) capture: Capture,
}

impl RelationVersion {
    /// The same, but that these columns of its table may be NULL: a row says so, whatever the catalog says by now.
    pub(super) fn with_nulls(&self, table: &StreamedTable, nulls: &[usize]) -> Self {
        let mut schema = TableSchema::clone(&table.schema);
        for index in nulls {
            if let Some(column) = schema.columns.get_mut(*index) {
                column.optional = true;
            }
        }
        Self {
            description: self.description.clone(),
            capture: Capture::Yes(StreamedTable {
                schema: Arc::new(schema),
                ..table.clone()
            }),
        }
    }

    fn is(&self, description: &RelationDescription, table: &StreamedTable) -> bool {
        self.description == *description
            && matches!(&self.capture, Capture::Yes(known) if known == table)
    }
}

/// What becomes of a table's changes.
#[derive(Debug)]
pub(super) enum Capture {
    /// They are counted.
    No,
    /// They are emitted.
    Yes(StreamedTable),
    /// They will be emitted: a transaction that is still open may have made the table, so the catalog is asked when it
    /// has committed.
    AtCommit,
}

/// The versions in force outside of stream blocks, by OID.
#[derive(Debug, Default)]
pub(super) struct Relations {
    versions: ByOid<Arc<RelationVersion>>,
    /// Those that the catalog has changed since, with the transaction that did it.
    changed: ByOid<u32>,
}

/// Looked up for every change, so the hash is one multiplication: OIDs come from the server's counter, not from a user who
/// could choose colliding ones.
pub(super) type ByOid<V> = HashMap<u32, V, BuildHasherDefault<OidHasher>>;

/// See [`ByOid`].
#[derive(Debug, Default)]
pub(super) struct OidHasher(u64);

impl Hasher for OidHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    #[inline]
    fn write_u32(&mut self, oid: u32) {
        // Fibonacci hashing: the golden ratio spreads neighbouring numbers over the high bits that the table uses.
        self.0 = (self.0 ^ u64::from(oid)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Relations {
    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&Arc<RelationVersion>> {
        self.versions.get(&id)
    }

    pub(super) fn insert(&mut self, version: Arc<RelationVersion>) {
        let id = version.description.id;
        let changed_by = match &version.capture {
            Capture::Yes(table) => table.changed_by,
            Capture::No | Capture::AtCommit => None,
        };
        match changed_by {
            Some(xid) => self.changed.insert(id, xid),
            None => self.changed.remove(&id),
        };
        self.versions.insert(id, version);
    }

    /// No version has to be asked for again.
    #[inline]
    pub(super) fn all_hold(&self) -> bool {
        self.changed.is_empty()
    }

    /// Whether the catalog had changed already when transaction `xid` began.
    pub(super) fn has_changed(&self, id: u32, xid: u32) -> bool {
        // Transaction ids go round: the nearer way is meant.
        let is_before = |changed_by: u32| (1..1 << 31).contains(&xid.wrapping_sub(changed_by));
        self.changed.get(&id).copied().is_some_and(is_before)
    }

    pub(super) fn extend(&mut self, versions: impl IntoIterator<Item = Arc<RelationVersion>>) {
        for version in versions {
            self.insert(version);
        }
    }

    /// A Relation message and what the catalog made of it. Invariant: an unchanged relation is the same version, to the
    /// address. PostgreSQL sends Relation messages again whenever something like an ANALYZE touches a table, and
    /// everything that is prepared for a version would be prepared again.
    pub(super) fn version(
        &self,
        description: RelationDescription,
        table: StreamedTable,
    ) -> Arc<RelationVersion> {
        match self.get(description.id) {
            Some(known) if known.is(&description, &table) => Arc::clone(known),
            known => {
                let mut table = table;
                // Equal content under another message (flags, say) is written by the same encoder.
                if let Some(Capture::Yes(known)) = known.map(|known| &known.capture)
                    && known.schema == table.schema
                {
                    table.schema = Arc::clone(&known.schema);
                }
                Arc::new(RelationVersion {
                    description,
                    capture: Capture::Yes(table),
                })
            }
        }
    }
}
