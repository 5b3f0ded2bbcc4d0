use std::{collections::HashMap, sync::Arc};

use crate::source::catalog::{RelationDescription, StreamedTable};

/// One version of a table in the stream.
#[derive(Debug)]
pub(super) struct RelationVersion {
    pub(super) description: RelationDescription,
    pub(super) capture: Capture,
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
    versions: HashMap<u32, Arc<RelationVersion>>,
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
}
