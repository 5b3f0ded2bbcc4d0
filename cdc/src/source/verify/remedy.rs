use crate::{checkpoint::Resume, source::slot::SystemIdentity};

/// A slot that is missing after a promotion was not one for failover.
pub(super) fn promoted(resume: &Resume, system: &SystemIdentity) -> &'static str {
    let stored = resume.slot.as_ref().map(|slot| slot.timeline);
    if stored.is_some_and(|stored| stored != system.timeline) {
        "a standby was promoted, which did not have the slot: on PostgreSQL 17 and later set `slot.failover=true`, and sync_replication_slots and synchronized_standby_slots on the servers; now "
    } else {
        ""
    }
}

/// What keeps a slot from being invalidated again for the reason that the server tells.
pub(super) fn avoided(reason: &str) -> &'static str {
    match reason {
        "wal_removed" => {
            "so that it does not happen again, raise max_slot_wal_keep_size on the server; now "
        }
        "idle_timeout" => {
            "so that it does not happen again, raise idle_replication_slot_timeout on the server; now "
        }
        "rows_removed" => {
            "so that it does not happen again, set hot_standby_feedback = on on the standby; now "
        }
        "wal_level_insufficient" => "set wal_level = logical on the primary; then ",
        // A reason of a later version.
        _ => "",
    }
}
