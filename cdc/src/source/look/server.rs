use super::{Look, column, count};
use crate::{Error, source::server_error::control_error};

/// The server's settings that decide about replication, and what of them is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// As the server calls itself, `15.18`.
    pub version: String,
    pub wal_level: String,
    pub max_slots: u64,
    pub used_slots: u64,
    /// Slots that nobody reads, other than the connector's.
    pub idle_slots: Vec<IdleSlot>,
    pub max_walsenders: u64,
    pub used_walsenders: u64,
    /// None: a slot keeps WAL without end.
    pub slot_limit_bytes: Option<u64>,
    pub is_standby: bool,
}

/// A slot that nobody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdleSlot {
    pub name: String,
    /// WAL that is kept for it.
    pub retained_bytes: u64,
}

// Whoever may connect sees all of it: the view of replication shows the processes of others without their details.
const SETTINGS: &str = "
select pg_catalog.current_setting('server_version'), pg_catalog.current_setting('wal_level'),
       pg_catalog.current_setting('max_replication_slots')::int8,
       (select count(*) from pg_catalog.pg_replication_slots),
       pg_catalog.current_setting('max_wal_senders')::int8,
       (select count(*) from pg_catalog.pg_stat_replication),
       (select setting::int8 from pg_catalog.pg_settings where name = 'max_slot_wal_keep_size'),
       pg_catalog.pg_is_in_recovery()";

const IDLE: &str = "
select s.slot_name::text, greatest(coalesce((case when pg_catalog.pg_is_in_recovery()
           then pg_catalog.pg_last_wal_replay_lsn() else pg_catalog.pg_current_wal_flush_lsn() end) - s.restart_lsn, 0), 0)::int8
from pg_catalog.pg_replication_slots s where not s.active and s.slot_name <> $1 order by 2 desc, 1";

const MEGABYTE: u64 = 1 << 20;

impl Look {
    /// The server's settings, and what is in use.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub async fn server(&self) -> Result<ServerFacts, Error> {
        const ATTEMPTED: &str = "read the server's settings of replication";
        let failed = |error| control_error(ATTEMPTED, error);
        let row = self.client.query_one(SETTINGS, &[]).await.map_err(failed)?;
        let limit: Option<i64> = column(&row, 6, ATTEMPTED)?;
        let idle = self.client.query(IDLE, &[&self.config.slot_name]).await;
        let mut idle_slots = Vec::new();
        for row in idle.map_err(failed)? {
            idle_slots.push(IdleSlot {
                name: column(&row, 0, ATTEMPTED)?,
                retained_bytes: count(&row, 1, ATTEMPTED)?,
            });
        }
        Ok(ServerFacts {
            version: column(&row, 0, ATTEMPTED)?,
            wal_level: column(&row, 1, ATTEMPTED)?,
            max_slots: count(&row, 2, ATTEMPTED)?,
            used_slots: count(&row, 3, ATTEMPTED)?,
            idle_slots,
            max_walsenders: count(&row, 4, ATTEMPTED)?,
            used_walsenders: count(&row, 5, ATTEMPTED)?,
            slot_limit_bytes: limit
                .and_then(|megabytes| u64::try_from(megabytes).ok())
                .map(|megabytes| megabytes.saturating_mul(MEGABYTE)),
            is_standby: column(&row, 7, ATTEMPTED)?,
        })
    }
}
