use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use crate::source::catalog::{RelationDescription, StreamedTable};

/// One version of a table in the stream.
#[derive(Debug)]
pub(super) struct RelationVersion {
    pub(super) description: RelationDescription,
    pub(super) capture: Capture,
}

impl RelationVersion {
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
        self.versions.insert(version.description.id, version);
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
