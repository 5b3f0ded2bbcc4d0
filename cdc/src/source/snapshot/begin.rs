use debezium::{SnapshotMarker, Source};
use futures::future::try_join_all;
use pgoutput::Lsn;

use super::{PinnedConnection, SnapshotTable, snapshot_tables};
use crate::{
    Error, Incarnation,
    config::{ConnectorConfig, SnapshotIsolation},
    source::control::{OrdinaryConnection, connect},
};

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
    pub(super) tables: Vec<SnapshotTable>,
    /// Of every row's position.
    pub(super) incarnation: Incarnation,
    /// `source` of every row.
    pub(super) source: Source,
}

impl SnapshotStart {
    /// How many tables are read at the same time.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Start of its transaction, microseconds since the Unix epoch.
    pub const fn started_micros(&self) -> i64 {
        self.source.commit_micros
    }
}

/// Open `snapshot.max.threads` connections, `first` among them and none without a table, all in read-only transactions
/// that see the same. Afterwards the connection that exported a snapshot is no longer needed.
///
/// # Errors
/// The snapshot is gone, or a connection, or the list of tables cannot be read.
pub(crate) async fn begin_snapshot(
    config: &ConnectorConfig,
    first: OrdinaryConnection,
    of: SnapshotOf<'_>,
    incarnation: Incarnation,
) -> Result<SnapshotStart, Error> {
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
    let tables = snapshot_tables(&first.client, config).await?;
    let count = config.snapshot.max_threads.get().min(tables.len());
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
        let others = (1..count).map(|_| further(config, name, count));
        connections = try_join_all(others).await?;
    }
    connections.push(first);
    Ok(SnapshotStart {
        connections,
        tables,
        incarnation,
        source: Source {
            lsn: of.lsn().0,
            tx_id: Some(tx_id),
            commit_micros: started_micros,
            last_commit_lsn: None,
            snapshot: SnapshotMarker::True,
            xmin: None,
        },
    })
}

/// One more connection that sees the exported snapshot.
async fn further(
    config: &ConnectorConfig,
    snapshot_name: &str,
    count: usize,
) -> Result<PinnedConnection, Error> {
    let pinned =
        async { PinnedConnection::import(connect(&config.database).await?, snapshot_name).await };
    pinned.await.map_err(|error| {
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
        _ => {
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
