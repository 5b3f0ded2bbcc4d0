//! What comes before the stream: the publication, the slot, the check that the server's WAL goes on from the stored
//! position, and the snapshot where one is due.
//!
//! Nothing is delivered before all of it holds. What is lost halts, or is mended by a snapshot where `snapshot.mode`
//! says so; nothing is passed over.

use std::{collections::BTreeSet, sync::Arc};

use pgoutput::Lsn;

use super::{
    Snapshots,
    slot_creation::create,
    snapshot::{Snapshot, SnapshotPoint},
    start_streaming::selection,
    stream_start::{Prepared, StreamStart},
    unreadable,
};
use crate::PipelineStatus;
use crate::{
    Error, ErrorKind, EventSink, Incarnation,
    assemble::History,
    checkpoint::{Resume, SlotIdentity, TablesRead},
    followed::Followed,
    incarnation::Delivered,
    source::{
        Control, MatchingTables,
        catalog::CatalogMemory,
        check_publication,
        connection::ReplicationConnection,
        keep_guardrail,
        later_tables::{gone, oids, published},
        prepare_publication, require_publication,
        server::{require_logical_wal, server_version},
        set_replica_identities,
        slot::{SlotState, SystemIdentity, drop_slot, find_slot, identify_system, identity},
        tell_unmatched,
        timeline::{Left, left},
        verify::{verify_resume, verify_standby, verify_usable},
    },
};
use connector::{ConnectorConfig, SnapshotMode};

/// The first version that has failover slots.
const FAILOVER_SERVER_VERSION: u32 = 170_000;

/// Publication, slot and, where asked for, the snapshot. A stored position that is `given_up` is only surpassed.
pub(super) async fn prepare<S: EventSink>(
    config: &ConnectorConfig,
    (resume, given_up): (Option<&Resume>, bool),
    (control, memory): (&mut Control, &mut CatalogMemory),
    (sink, status): (&mut S, &Arc<PipelineStatus>),
    snapshots: &mut Snapshots,
) -> Result<Prepared, Error> {
    let mut replication = ReplicationConnection::connect(&config.database).await?;
    let system = identify_system(&mut replication).await?;
    let client = control.client().await?;
    require_logical_wal(client).await?;
    tell_unmatched(client, config).await?;
    let mode = config.snapshot_mode;
    let completed = resume.filter(|resume| resume.snapshot_completed);
    let due = match snapshots {
        Snapshots::Delivered if completed.is_some() => false,
        Snapshots::None | Snapshots::Delivered => mode.takes_snapshot(completed.is_some()),
    };
    let name = &config.slot_name;
    // Only who goes on from a stored position stays in its incarnation.
    let incarnation = Incarnation::begin(resume.map(|resume| resume.position));
    if !mode.streams() {
        if due {
            let found = find_slot(client, name).await?;
            let point = match found {
                // Who keeps a slot may go on from it, after what was snapshotted.
                Some(slot) => SnapshotPoint::beside(&slot),
                None => SnapshotPoint::Now,
            };
            let take = Snapshot {
                config,
                system: &system,
                point,
                incarnation,
                go_on: None,
                streams_before: None,
                replaces: false,
                status,
            };
            return take
                .run(replication, (control, memory), sink, snapshots)
                .await;
        }
        tracing::info!("nothing is streamed: snapshot.mode");
        return Ok(Prepared::Idle);
    }
    // What is only surpassed, or read again, needs no WAL up to there.
    let surpassed = given_up || due && completed.is_some();
    let needed = resume.filter(|_| !surpassed);
    verify_standby(name, &system, server_version(client).await?, needed)?;
    keep_guardrail(client, config).await?;
    let before = published(client, config).await?;
    if config.snapshot.later_tables && completed.is_some() && !surpassed {
        require_publication(client, config).await?;
    }
    prepare_publication(client, config).await?;
    set_replica_identities(client, config).await?;
    let mut slot = find_slot(client, name).await?;
    let unusable = match &slot {
        Some(slot) => {
            let usable = verify_usable(name, slot, &config.database.dbname, resume, &system);
            mended_by_snapshot(mode, usable)?
        }
        None => None,
    };
    let left_at = match resume.and_then(|resume| resume.slot.as_ref()) {
        Some(stored) => left(&mut replication, &system, stored.timeline).await?,
        None => Left::Never,
    };
    let mut lost = unusable.is_some() || given_up;
    if let Some(error) = unusable {
        tracing::warn!(slot = %name, error = %error, "the slot is made anew, and a snapshot taken");
        drop_slot(client, name).await?;
        slot = None;
    } else if let Some(resume) = completed.filter(|_| !lost && !due) {
        let server = (&system, left_at);
        let verified = verify_resume(name, slot.as_ref(), resume, server, config.trust_slot);
        if let Some(error) = mended_by_snapshot(mode, verified)? {
            tracing::warn!(slot = %name, error = %error, "a snapshot is taken: snapshot.mode");
            lost = true;
        }
    }
    let takes = lost || due;
    let client = control.client().await?;
    check_publication(client, config, takes).await?;
    let selection = selection(config, server_version(client).await?);
    let followed = match config.snapshot.later_tables {
        true => Some(followed(control, config, (completed, takes), before, status).await?),
        false => None,
    };
    let later = followed
        .as_ref()
        .is_some_and(|(followed, wanted)| !wanted.without(followed).is_empty());
    if let Some((followed, wanted)) = &followed {
        // Nothing is copied at a start that takes no snapshot, and nothing is kept of one that does.
        let begins = completed.is_none() && !takes;
        status.set_followed(if begins { wanted } else { followed }.clone());
    }
    if let Some(resume) = completed.filter(|_| !takes && !later) {
        let confirmed = slot
            .and_then(|slot| slot.confirmed_flush_lsn)
            .unwrap_or_default();
        let start = StreamStart {
            tables: status.followed().map(|followed| followed.tables()),
            ..resumed(resume, incarnation, confirmed, &selection)?
        };
        status.set_slot(match &resume.slot {
            // The position was found to be of the history that the server's timeline continues.
            Some(stored) => SlotIdentity {
                timeline: system.timeline,
                ..stored.clone()
            },
            None => identity(name, &system, confirmed),
        });
        status.set_selection(selection);
        tracing::info!(
            slot = %name,
            position = %resume.position,
            confirmed = %confirmed,
            "going on from the stored position"
        );
        return Ok(Prepared::Stream(start, None));
    }
    status.set_selection(selection.clone());
    let failover = failover(config, control).await?;
    if !takes && completed.is_none() {
        let adopted = slot.and_then(|slot| slot.confirmed_flush_lsn);
        let from = match adopted {
            Some(confirmed) => confirmed,
            None => {
                create(
                    config,
                    (&mut replication, control),
                    name,
                    false,
                    false,
                    failover,
                )
                .await?
                .consistent_point
            }
        };
        status.set_slot(identity(name, &system, from));
        tracing::info!(slot = %name, from = %from, adopted = adopted.is_some(), "streaming without a snapshot");
        let start = StreamStart {
            incarnation,
            delivered: None,
            tables: status.followed().map(|followed| followed.tables()),
            last_commit_lsn: None,
            from,
            confirmed: from,
            history: History::default(),
            after_snapshot: false,
            last_commit_micros: None,
        };
        return Ok(Prepared::Stream(start, None));
    }
    let read;
    let mut streams_before = None;
    let go_on = match (completed, &followed) {
        (Some(resume), Some((followed, _))) if !takes => {
            tracing::info!("tables that are not in the sink yet are copied");
            let confirmed = slot.as_ref().and_then(|slot| slot.confirmed_flush_lsn);
            let start = resumed(
                resume,
                incarnation,
                confirmed.unwrap_or_default(),
                &selection,
            )?;
            streams_before = Some(StreamStart {
                tables: Some(followed.tables()),
                ..start
            });
            read = Resume {
                tables_read: Some(TablesRead {
                    finished: followed.tables(),
                    begun: BTreeSet::new(),
                }),
                ..resume.clone()
            };
            Some(&read)
        }
        _ => unfinished(config, slot.as_ref(), resume, (&system, left_at)),
    };
    let take = Snapshot {
        config,
        system: &system,
        point: match slot {
            Some(slot) => SnapshotPoint::beside(&slot),
            None => SnapshotPoint::NewSlot { failover },
        },
        incarnation: go_on.map_or(incarnation, |resume| Incarnation::of(resume.position)),
        go_on,
        streams_before,
        replaces: config.snapshot.later_tables && resume.is_some(),
        status,
    };
    take.run(replication, (control, memory), sink, snapshots)
        .await
}

/// The tables of which everything up to the stored position is delivered, and those of which everything is to be: the
/// captured ones that are published. Tells of those that are not.
async fn followed(
    control: &mut Control,
    config: &ConnectorConfig,
    (completed, takes): (Option<&Resume>, bool),
    before: Followed,
    status: &PipelineStatus,
) -> Result<(Followed, Followed), Error> {
    let client: &_ = control.client().await?;
    let matching = MatchingTables::read(client, config).await?;
    let captured = oids(&matching.captured(config));
    let published = published(client, config).await?;
    unreadable::tell(&matching.unreadable(config), config, status);
    let there = published.tables();
    status.set_unpublishable(captured.difference(&there).copied().collect());
    let wanted = published.of(&captured);
    let delivered = match completed.filter(|_| !takes) {
        // A version that did not store them has followed what was published when it stopped.
        Some(resume) => resume.followed.clone().unwrap_or(before),
        None => Followed::default(),
    };
    let gone = gone(client, &delivered).await?;
    Ok((delivered.still(&wanted).and(gone), wanted))
}

/// The earlier life that the snapshot goes on from: where the slot has everything since.
fn unfinished<'a>(
    config: &ConnectorConfig,
    slot: Option<&SlotState>,
    resume: Option<&'a Resume>,
    server: (&SystemIdentity, Left),
) -> Option<&'a Resume> {
    let resume = resume.filter(|resume| resume.tables_read.is_some())?;
    // A slot that moved on by somebody else's hand has lost changes for good, whether the slot or the offset is trusted.
    match verify_resume(&config.slot_name, slot, resume, server, false) {
        Ok(()) => Some(resume),
        Err(error) => {
            tracing::warn!(error = %error, "the snapshot does not go on where it was: it starts from scratch");
            None
        }
    }
}

/// Where streaming goes on from a stored position.
///
/// The server is asked for the last delivered transaction once more, so that its WAL is recognised; where the slot stands
/// beyond it, for everything beyond the slot.
///
/// # Errors
/// `Configuration`: a part of a transaction was delivered, and the rest is asked for in another way.
fn resumed(
    resume: &Resume,
    begun: Incarnation,
    confirmed: Lsn,
    selection: &str,
) -> Result<StreamStart, Error> {
    let incarnation = if resume.of_debezium {
        begun
    } else {
        Incarnation::of(resume.position)
    };
    let position = incarnation.adopt(resume.position);
    let delivered = Delivered::of(position, resume.end_lsn.map(Lsn));
    let stored = resume.selection.as_deref();
    if let (Some(within), Some(stored)) = (delivered.within, stored.filter(|own| *own != selection))
    {
        return Err(Error::new(
            ErrorKind::Configuration,
            format!(
                "go on within the transaction that commits at {within}: the part before was asked for with {stored}, now it is {selection}, and its changes would be counted differently"
            ),
        )
        .with_hint("set `publication.name` and `slot.stream.params` as they were, start the connector until that transaction is delivered, and change them then"));
    }
    // A position that was set by hand may be before the transaction that was delivered last.
    let resent = confirmed.0..=delivered.position.commit_lsn;
    let witness = resume
        .witness
        .filter(|witness| resent.contains(&witness.commit_lsn));
    Ok(StreamStart {
        incarnation,
        delivered: Some(delivered.position),
        tables: None,
        last_commit_lsn: resume.last_commit_lsn,
        from: witness.map_or(confirmed, |witness| Lsn(witness.commit_lsn)),
        confirmed,
        history: History {
            witness,
            witness_comes: stored == Some(selection),
            read_micros: resume.read_micros,
            common: confirmed,
        },
        after_snapshot: false,
        last_commit_micros: resume.last_commit_micros,
    })
}

/// The loss of changes that `snapshot.mode` mends by a snapshot, if that is what was found.
///
/// # Errors
/// Whatever else was found.
fn mended_by_snapshot(
    mode: SnapshotMode,
    verified: Result<(), Error>,
) -> Result<Option<Error>, Error> {
    match verified {
        Ok(()) => Ok(None),
        Err(error) if is_loss(&error) && mode.takes_snapshot_when_lost() => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// Whether a new snapshot, and nothing less, makes the connector's output whole again.
pub(super) fn is_loss(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::SlotLost | ErrorKind::LsnsReused)
}

/// Whether a new slot is one for failover: only servers from version 17 on know it.
async fn failover(config: &ConnectorConfig, control: &mut Control) -> Result<bool, Error> {
    if !config.slot_failover {
        return Ok(false);
    }
    let version = server_version(control.client().await?).await?;
    if version < FAILOVER_SERVER_VERSION {
        tracing::warn!(
            version,
            "slot.failover has no effect: only servers from version 17 on have failover slots"
        );
    }
    Ok(version >= FAILOVER_SERVER_VERSION)
}
