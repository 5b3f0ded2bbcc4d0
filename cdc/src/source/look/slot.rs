use super::{Look, column};
use crate::{
    Error,
    source::{
        server_error::control_error,
        slot::{SlotState, find_slot},
    },
};

/// The connector's slot, and who reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotFacts {
    pub state: SlotState,
    /// The database that the connector reads.
    pub database: String,
    pub reader: Option<String>,
}

/// How much WAL stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    /// The end of the server's WAL, in bytes.
    pub wal_end: u64,
    /// WAL that is kept for the slot.
    pub bytes: u64,
    /// What may still be written before the slot is invalidated; None where nothing limits it.
    pub until_lost: Option<i64>,
}

const READER: &str = "
select concat_ws(', ', 'process ' || s.active_pid, 'of ' || a.usename, 'application ' || nullif(a.application_name, ''),
                 'from ' || host(a.client_addr))
from pg_catalog.pg_replication_slots s left join pg_catalog.pg_stat_activity a on a.pid = s.active_pid
where s.slot_name = $1 and s.active";

const RETAINED: &str = "
select (e.wal_end - '0/0')::int8, greatest(coalesce(e.wal_end - s.restart_lsn, 0), 0)::int8, s.safe_wal_size
from pg_catalog.pg_replication_slots s, (select case when pg_catalog.pg_is_in_recovery()
    then pg_catalog.pg_last_wal_replay_lsn() else pg_catalog.pg_current_wal_flush_lsn() end as wal_end) e
where s.slot_name = $1";

impl Look {
    /// The connector's slot; None where there is none.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn slot(&self) -> Result<Option<SlotFacts>, Error> {
        const ATTEMPTED: &str = "read who reads the slot";
        let name = &self.config.slot_name;
        let Some(state) = find_slot(&self.client, name).await? else {
            return Ok(None);
        };
        let row = self.client.query_opt(READER, &[name]).await;
        let row = row.map_err(|error| control_error(ATTEMPTED, error))?;
        Ok(Some(SlotFacts {
            state,
            database: self.config.database.dbname.clone(),
            reader: row.map(|row| column(&row, 0, ATTEMPTED)).transpose()?,
        }))
    }

    /// How much WAL is kept for the slot now; None where there is no such slot.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn retained(&self) -> Result<Option<Retained>, Error> {
        const ATTEMPTED: &str = "read how much WAL is kept for the slot";
        let row = self
            .client
            .query_opt(RETAINED, &[&self.config.slot_name])
            .await;
        let Some(row) = row.map_err(|error| control_error(ATTEMPTED, error))? else {
            return Ok(None);
        };
        Ok(Some(Retained {
            wal_end: super::count(&row, 0, ATTEMPTED)?,
            bytes: super::count(&row, 1, ATTEMPTED)?,
            until_lost: column(&row, 2, ATTEMPTED)?,
        }))
    }
}
