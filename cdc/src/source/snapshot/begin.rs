//! Opens the connections of a snapshot, which all see the same, and locks what they read.
//!
//! All connections are in read-only transactions at the same exported snapshot. A table that was altered between that
//! moment and its lock starts the snapshot over.

use std::collections::BTreeSet;

use debezium::{SnapshotMarker, Source};
use futures::future::try_join_all;
use pgoutput::Lsn;
use postgres_tls::LongestMessage;

use super::{
    PinnedConnection,
    plan::{Plan, Planned, join, plan},
    snapshot_tables,
};
use crate::{
    Error, Incarnation,
    followed::Followed,
    source::{Control, control::connect, later_tables::published},
};
use connector::{ConnectorConfig, SnapshotIsolation};

/// What a snapshot sees.
#[derive(Debug, Clone, Copy)]
pub enum SnapshotOf<'a> {
    /// The database as of a slot's consistent point, which the slot's connection exports under that name.
    ConsistentPoint { lsn: Lsn, exported: &'a str },
    /// The database as of now. Everything below `wal_end` is in it, and more may be: nothing can be streamed after it
    /// without repeating some.
    Now { wal_end: Lsn },
}

impl SnapshotOf<'_> {
    /// The snapshot's place in the WAL.
    pub const fn lsn(self) -> Lsn {
        match self {
            Self::ConsistentPoint { lsn, .. } | Self::Now { wal_end: lsn } => lsn,
        }
    }
}

/// Connections that all see the same, and what they are to read.
pub struct SnapshotStart {
    pub(super) connections: Vec<PinnedConnection>,
    pub(super) plan: Plan,
    /// Of every row's position.
    pub(super) incarnation: Incarnation,
    /// `source` of every row.
    pub(super) source: Source,
    /// Rows that a sink has of these tables are replaced.
    pub(super) replaces: bool,
    /// What is read, and the tables that were finished before, as far as the snapshot sees them published; empty where
    /// nobody copies later tables.
    published: Followed,
}

impl SnapshotStart {
    /// How many tables are read at the same time.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// The tables of which everything is delivered when the snapshot is, given those that were `before`.
    pub fn followed(&self, before: &Followed) -> Followed {
        let tables = self.plan.tables.iter().map(|planned| planned.table.oid);
        let read = self.published.clone().of(&tables.collect());
        before.still(&self.published).and(read)
    }

    /// Start of its transaction, microseconds since the Unix epoch.
    pub const fn started_micros(&self) -> i64 {
        self.source.commit_micros
    }
}

/// How a snapshot began.
pub(crate) enum Begun {
    Ready(SnapshotStart),
    /// That table was altered in a way that hides its rows as of the snapshot's moment: another moment is needed.
    Changed(String),
}

/// Open up to `snapshot.max.threads` connections, none without a table, all in read-only transactions that see the same,
/// and lock what they read, which are all captured tables but those that are `finished`. Afterwards the connection that exported a snapshot is no longer needed.
///
/// # Errors
/// The snapshot is gone, or a connection; a table cannot be read or locked.
pub(crate) async fn begin_snapshot(
    config: &ConnectorConfig,
    control: &mut Control,
    of: SnapshotOf<'_>,
    (incarnation, replaces): (Incarnation, bool),
    finished: &BTreeSet<u32>,
) -> Result<Begun, Error> {
    let first = control.reader().await?;
    let used = isolation(config.snapshot.isolation, of);
    if let Some(asked) = config.snapshot.isolation.filter(|asked| *asked != used) {
        tracing::info!(
            asked = asked.as_str(),
            used = used.as_str(),
            "snapshot.isolation.mode: {}",
            reason(asked)
        );
    }
    let first = match of {
        SnapshotOf::ConsistentPoint { exported, .. } => {
            PinnedConnection::import(first, exported).await?
        }
        SnapshotOf::Now { .. } if used == SnapshotIsolation::Serializable => {
            PinnedConnection::serializable(first, &config.database).await?
        }
        SnapshotOf::Now { .. } => PinnedConnection::repeatable_read(first).await?,
    };
    let (tx_id, started_micros) = first.transaction().await?;
    let mut tables = snapshot_tables(&first.client, config).await?;
    tables.retain(|table| !finished.contains(&table.oid));
    let mut seen = Followed::default();
    if config.snapshot.later_tables {
        seen = published(&first.client, config).await?;
        let published = seen.tables();
        tables.retain(|table| published.contains(&table.oid));
    }
    let plan = match plan(&first, tables, config, control).await? {
        Planned::Ready(plan) => plan,
        Planned::Changed(table) => return Ok(Begun::Changed(table)),
    };
    let count = config.snapshot.max_threads.get().min(plan.tables.len());
    let mut connections = Vec::new();
    if count > 1 {
        let own;
        let name = match of {
            SnapshotOf::ConsistentPoint { exported, .. } => exported,
            SnapshotOf::Now { .. } => {
                own = first.export().await?;
                &own
            }
        };
        let others = (1..count).map(|_| further(config, name, count, &plan));
        connections = try_join_all(others).await?.into_iter().flatten().collect();
    }
    connections.push(first);
    if connections.len() < count {
        tracing::warn!(
            connections = connections.len(),
            "the snapshot is read by fewer connections than `snapshot.max.threads`: somebody waits to alter a table"
        );
    }
    Ok(Begun::Ready(SnapshotStart {
        connections,
        plan,
        incarnation,
        replaces,
        published: seen,
        source: Source {
            lsn: of.lsn().0,
            tx_id: Some(tx_id),
            commit_micros: started_micros,
            last_commit_lsn: None,
            snapshot: SnapshotMarker::True,
            xmin: None,
        },
    }))
}

/// One more connection that sees the exported snapshot; None where it cannot lock the tables.
async fn further(
    config: &ConnectorConfig,
    snapshot_name: &str,
    count: usize,
    plan: &Plan,
) -> Result<Option<PinnedConnection>, Error> {
    let pinned = async {
        let connection = connect(&config.database, LongestMessage::Row).await?;
        let pinned = PinnedConnection::import(connection, snapshot_name).await?;
        Ok(join(&pinned, plan).await?.then_some(pinned))
    };
    pinned.await.map_err(|error: Error| {
        let hint = error.hint().to_owned();
        Error::new(
            error.kind(),
            format!("open {count} connections for the snapshot (`snapshot.max.threads`)"),
        )
        .with_hint(hint)
        .with_source(error)
    })
}

/// The isolation that is used. Where changes are streamed afterwards, rows and changes only fit together if the snapshot
/// is that of a slot, and only a REPEATABLE READ transaction can take over that. And whatever is read by statement after
/// statement, by connection beside connection, must see the same.
fn isolation(asked: Option<SnapshotIsolation>, of: SnapshotOf<'_>) -> SnapshotIsolation {
    match (of, asked.unwrap_or_default()) {
        (SnapshotOf::Now { .. }, SnapshotIsolation::Serializable) => {
            SnapshotIsolation::Serializable
        }
        _ => SnapshotIsolation::RepeatableRead,
    }
}

/// Why that one is not used.
const fn reason(asked: SnapshotIsolation) -> &'static str {
    match asked {
        SnapshotIsolation::Serializable => {
            "a serializable transaction cannot take over the snapshot of a slot, which alone fits the changes streamed after it"
        }
        SnapshotIsolation::RepeatableRead
        | SnapshotIsolation::ReadCommitted
        | SnapshotIsolation::ReadUncommitted => {
            "every table is read as of the same moment, so that no row is missing and none comes twice"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SnapshotIsolation::{ReadCommitted, ReadUncommitted, RepeatableRead, Serializable};

    #[test]
    fn nothing_weaker_than_exactness_needs_is_used() {
        let slot = SnapshotOf::ConsistentPoint {
            lsn: Lsn(1),
            exported: "s",
        };
        let now = SnapshotOf::Now { wal_end: Lsn(1) };
        for (asked, of_slot, of_now) in [
            (None, RepeatableRead, Serializable),
            (Some(Serializable), RepeatableRead, Serializable),
            (Some(RepeatableRead), RepeatableRead, RepeatableRead),
            (Some(ReadCommitted), RepeatableRead, RepeatableRead),
            (Some(ReadUncommitted), RepeatableRead, RepeatableRead),
        ] {
            assert_eq!(isolation(asked, slot), of_slot, "{asked:?}");
            assert_eq!(isolation(asked, now), of_now, "{asked:?}");
        }
    }
}
