//! Whether streaming may go on from a stored position: the slot is ours and stands where we left it, and the server's WAL
//! is the one that the position is of.

mod remedy;
mod standby;

use pgoutput::Lsn;

use remedy::{avoided, promoted};
pub use standby::verify_standby;

use super::{
    slot::{SlotState, SystemIdentity, drop_sql},
    timeline::Left,
};
use crate::{Error, ErrorKind, checkpoint::Resume, error::lsns_reused};

/// Whether the slot is ours to use: a pgoutput slot of this database, not invalidated.
///
/// # Errors
/// `Configuration` for a slot of another kind, `SlotLost` for an invalidated one.
pub fn verify_usable(
    name: &str,
    state: &SlotState,
    database: &str,
    resume: Option<&Resume>,
    system: &SystemIdentity,
) -> Result<(), Error> {
    if state.plugin.as_deref() != Some("pgoutput") || state.database.as_deref() != Some(database) {
        return Err(Error::new(
            ErrorKind::Configuration,
            format!(
                "use replication slot `{name}`: it is a {} slot of database `{}`, not a pgoutput slot of `{database}`",
                state.plugin.as_deref().unwrap_or("physical"),
                state.database.as_deref().unwrap_or("-"),
            ),
        )
        .with_hint("set another `slot.name`"));
    }
    if state.is_copy {
        // No loss: it is usable as soon as the standby is promoted, which may be under way.
        return Err(Error::new(
            ErrorKind::Connection,
            format!("use replication slot `{name}`: the server is a standby that copies it from its primary"),
        )
        .with_hint("promote the standby, or connect to the primary"));
    }
    if state.wal_status.as_deref() == Some("lost")
        || state.invalidation_reason.is_some()
        || state.restart_lsn.is_none()
    {
        let from = resume
            .and_then(|resume| resume.end_lsn)
            .map(Lsn)
            .or(state.confirmed_flush_lsn)
            .unwrap_or_default();
        let reason = state
            .invalidation_reason
            .as_deref()
            .unwrap_or("wal_removed");
        return Err(lost(
            format!("use replication slot `{name}`: the server invalidated it ({reason})"),
            from,
            system.wal_end,
            &format!("{}{};", avoided(reason), drop_sql(name)),
        ));
    }
    if state.wal_status.as_deref() == Some("unreserved") {
        tracing::warn!(
            slot = name,
            "the slot needs WAL above max_slot_wal_keep_size: the server may remove it at its next checkpoint"
        );
    }
    Ok(())
}

/// Whether the stored position can go on from the slot without a gap.
///
/// # Errors
/// With the loss window and what to do: `SlotLost` when the slot is missing, recreated or moved, or the cluster is
/// another; `LsnsReused` when the server continues an older state. `left` says where it left the timeline of the position.
pub fn verify_resume(
    name: &str,
    state: Option<&SlotState>,
    resume: &Resume,
    (system, left): (&SystemIdentity, Left),
    trust_slot: bool,
) -> Result<(), Error> {
    let position = Lsn(resume.end_lsn.unwrap_or(resume.position.commit_lsn));
    if let Some(stored) = &resume.slot
        && stored.system_id != system.system_id
    {
        return Err(lost(
            format!(
                "go on from the stored position: it is of cluster {}, this is cluster {}",
                stored.system_id, system.system_id
            ),
            position,
            system.wal_end,
            "connect to the cluster the position is of, or",
        ));
    }
    let reached = position.max(Lsn(resume.position.commit_lsn));
    let Some(state) = state else {
        return Err(lost(
            format!(
                "use replication slot `{name}`: it does not exist, but changes were already delivered from it"
            ),
            position.min(system.wal_end),
            system.wal_end.max(position),
            promoted(resume, system),
        ));
    };
    // What is stored has records at `lsn` or beyond.
    let beyond = |lsn: Lsn| position > lsn || resume.position.commit_lsn >= lsn.0;
    if beyond(system.wal_end) {
        return Err(lsns_reused(
            "go on from the stored position",
            &format!("the server's WAL ends at {}, before it", system.wal_end),
            (system.wal_end, reached),
        ));
    }
    let confirmed = state.confirmed_flush_lsn;
    let stored_timeline = resume
        .slot
        .as_ref()
        .map_or(system.timeline, |slot| slot.timeline);
    match left {
        Left::Never => {}
        // A slot that was confirmed beyond the end of the older timeline was confirmed on the newer one.
        Left::At(lsn) if !beyond(lsn) || confirmed > Some(lsn) => {
            tracing::info!(
                slot = name,
                before = stored_timeline,
                now = system.timeline,
                left_at = %lsn,
                "the server is on another timeline than the stored position, which is before their parting: it was promoted"
            );
        }
        Left::At(lsn) => {
            return Err(lsns_reused(
                "go on from the stored position",
                &format!(
                    "it is of timeline {stored_timeline}, which the server left at {lsn}, before it, for timeline {}",
                    system.timeline
                ),
                (lsn, reached),
            ));
        }
        Left::Unknown => {
            return Err(lsns_reused(
                "go on from the stored position",
                &format!(
                    "it is of timeline {stored_timeline}, which is not in the history of the server's timeline {}",
                    system.timeline
                ),
                (confirmed.unwrap_or_default(), reached),
            ));
        }
    }
    if let (Some(stored), Some(confirmed)) = (resume.end_lsn, state.confirmed_flush_lsn)
        && confirmed.0 > stored
    {
        if trust_slot {
            tracing::warn!(
                slot = name,
                stored = %Lsn(stored),
                %confirmed,
                "the slot stands beyond the stored position and is trusted (offset.mismatch.strategy): what committed in between is not delivered"
            );
            return Ok(());
        }
        let by = if resume.of_debezium {
            "Debezium"
        } else {
            "this connector"
        };
        return Err(lost(
            format!(
                "use replication slot `{name}`: it stands at {confirmed}, beyond everything {by} confirmed; it was recreated or moved"
            ),
            position,
            confirmed,
            &format!("{};", drop_sql(name)),
        ));
    }
    Ok(())
}

fn lost(attempted: String, from: Lsn, to: Lsn, first: &str) -> Error {
    let window = if from < to {
        format!("changes committed between {from} and {to} may be lost")
    } else {
        // An empty window says nothing; what comes until somebody acts is lost all the same.
        format!(
            "the server has nothing after {from} yet; what is committed from now on may be lost"
        )
    };
    Error::new(ErrorKind::SlotLost, format!("{attempted}; {window}"))
    .with_hint(
        format!("{first} delete the connector's stored position (offsets) and start again: it takes a new snapshot")
            .trim_start()
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use debezium::ChangePosition;

    use super::*;
    use crate::source::slot::identity;

    fn system() -> SystemIdentity {
        SystemIdentity {
            system_id: "7".to_owned(),
            timeline: 1,
            wal_end: Lsn(1000),
            is_standby: false,
        }
    }

    fn state() -> SlotState {
        SlotState {
            plugin: Some("pgoutput".to_owned()),
            database: Some("app".to_owned()),
            restart_lsn: Some(Lsn(400)),
            confirmed_flush_lsn: Some(Lsn(500)),
            wal_status: Some("reserved".to_owned()),
            invalidation_reason: None,
            is_copy: false,
        }
    }

    fn resume() -> Resume {
        Resume {
            position: ChangePosition::new(560, 3),
            last_commit_lsn: Some(600),
            last_commit_micros: None,
            end_lsn: Some(600),
            snapshot_completed: true,
            slot: Some(identity("s", &system(), Lsn(100))),
            ..Resume::default()
        }
    }

    #[test]
    fn a_slot_at_or_before_the_stored_position_goes_on() {
        for confirmed in [500, 600] {
            let slot = SlotState {
                confirmed_flush_lsn: Some(Lsn(confirmed)),
                ..state()
            };
            let server = (&system(), Left::Never);
            assert!(verify_resume("s", Some(&slot), &resume(), server, false).is_ok());
        }
    }

    #[test]
    fn a_slot_that_could_miss_changes_halts_with_the_window() {
        let beyond = SlotState {
            confirmed_flush_lsn: Some(Lsn(601)),
            ..state()
        };
        let other_cluster = SystemIdentity {
            system_id: "8".to_owned(),
            ..system()
        };
        let restored = SystemIdentity {
            wal_end: Lsn(300),
            ..system()
        };
        let (lost, reused) = (ErrorKind::SlotLost, ErrorKind::LsnsReused);
        let promoted = |lsn| Left::At(Lsn(lsn));
        let never = Left::Never;
        for (slot, system, left, kind, window) in [
            (None, system(), never, lost, "between 0/258 and 0/3E8"),
            (
                Some(beyond),
                system(),
                never,
                lost,
                "between 0/258 and 0/259",
            ),
            (
                Some(state()),
                other_cluster,
                never,
                lost,
                "between 0/258 and 0/3E8",
            ),
            (
                Some(state()),
                restored,
                never,
                reused,
                "between 0/12C and 0/258",
            ),
            (
                Some(state()),
                system(),
                promoted(599),
                reused,
                "between 0/257 and 0/258",
            ),
            (
                Some(state()),
                system(),
                Left::Unknown,
                reused,
                "between 0/1F4 and 0/258",
            ),
        ] {
            let error = verify_resume("s", slot.as_ref(), &resume(), (&system, left), false)
                .expect_err("halts");
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(window), "{error}");
            assert!(error.hint().contains("start again"), "{}", error.hint());
        }
    }

    #[test]
    fn a_promoted_standby_that_had_everything_goes_on() {
        for (confirmed, left_at) in [(500, 600), (500, 900), (600, 599)] {
            let slot = SlotState {
                confirmed_flush_lsn: Some(Lsn(confirmed)),
                ..state()
            };
            let server = (&system(), Left::At(Lsn(left_at)));
            let verified = verify_resume("s", Some(&slot), &resume(), server, false);
            assert!(verified.is_ok(), "{confirmed} {left_at}");
        }
    }

    #[test]
    fn an_empty_window_is_no_window() {
        let system = SystemIdentity {
            wal_end: Lsn(600),
            ..system()
        };
        let server = (&system, Left::Never);
        let error = verify_resume("s", None, &resume(), server, false).expect_err("halts");
        let text = error.to_string();
        assert!(
            text.contains("nothing after 0/258") && !text.contains("between"),
            "{text}"
        );
    }

    #[test]
    fn unusable_slots_say_why() {
        let check = |slot: &SlotState| {
            verify_usable("s", slot, "app", None, &system()).map_err(|error| error.kind())
        };
        assert_eq!(check(&state()), Ok(()));
        let of_other_database = SlotState {
            database: Some("other".to_owned()),
            ..state()
        };
        assert_eq!(check(&of_other_database), Err(ErrorKind::Configuration));
        for lost in [
            SlotState {
                wal_status: Some("lost".to_owned()),
                ..state()
            },
            SlotState {
                restart_lsn: None,
                ..state()
            },
        ] {
            assert_eq!(check(&lost), Err(ErrorKind::SlotLost));
        }
    }
}
