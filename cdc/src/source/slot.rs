//! Who the server is, and the replication slot: found, made, dropped.

use pgoutput::Lsn;
use tokio_postgres::Client;

use super::{connection::ReplicationConnection, server_error::control_error};
use crate::quoting::{quote_identifier, quote_literal};
use crate::{Error, ErrorKind, checkpoint::SlotIdentity};

/// `IDENTIFY_SYSTEM`; PostgreSQL manual, "Streaming Replication Protocol".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemIdentity {
    pub system_id: String,
    pub timeline: u32,
    /// End of the flushed WAL; of a standby, of what it received or replayed.
    pub wal_end: Lsn,
    /// It was in recovery before the rest was asked. Where it was not, the rest is of a server that takes writes.
    pub is_standby: bool,
}

/// What `pg_replication_slots` says of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotState {
    pub plugin: Option<String>,
    pub database: Option<String>,
    /// None: it was invalidated, or never got so far as to be usable.
    pub restart_lsn: Option<Lsn>,
    pub confirmed_flush_lsn: Option<Lsn>,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
    /// Why it was invalidated (PostgreSQL 17 and later).
    pub invalidation_reason: Option<String>,
    /// The server is a standby that copies it from its primary (PostgreSQL 17 and later): nobody may read it here.
    pub is_copy: bool,
}

/// A slot that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub consistent_point: Lsn,
    /// For SET TRANSACTION SNAPSHOT, until the next command on the replication connection.
    pub snapshot_name: Option<String>,
}

/// Ask the server who it is.
///
/// # Errors
/// The command fails or answers something else.
pub async fn identify_system(
    connection: &mut ReplicationConnection,
) -> Result<SystemIdentity, Error> {
    const STANDBY: &str = "select pg_catalog.pg_is_in_recovery()";
    // Asked first: a promotion in between makes a standby of a primary that has everything, which is asked again.
    let answer = connection.simple_query(STANDBY).await?;
    let is_standby = match answer.first().and_then(|row| row.first()?.as_deref()) {
        Some("t") => true,
        Some("f") => false,
        _ => {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("run `{STANDBY}`: the answer is not true or false"),
            ));
        }
    };
    let rows = connection.simple_query("IDENTIFY_SYSTEM").await?;
    let field = |index: usize| rows.first()?.get(index)?.as_deref();
    let identity = (|| {
        Some(SystemIdentity {
            system_id: field(0)?.to_owned(),
            timeline: field(1)?.parse().ok()?,
            wal_end: field(2)?.parse().ok()?,
            is_standby,
        })
    })();
    identity.ok_or_else(|| {
        Error::new(
            ErrorKind::Protocol,
            "run `IDENTIFY_SYSTEM`: the answer is not systemid, timeline, xlogpos, dbname",
        )
    })
}

/// Look the slot up by name.
///
/// # Errors
/// The catalog cannot be read.
pub async fn find_slot(client: &Client, name: &str) -> Result<Option<SlotState>, Error> {
    let failed = |error| control_error(format!("read replication slot `{name}`"), error);
    let row = client
        .query_opt(
            "select s.plugin::text, s.database::text, s.restart_lsn::text, s.confirmed_flush_lsn::text,
                    s.wal_status, to_jsonb(s) ->> 'invalidation_reason',
                    pg_catalog.pg_is_in_recovery() and coalesce((to_jsonb(s) ->> 'synced')::bool, false)
             from pg_catalog.pg_replication_slots s where s.slot_name = $1",
            &[&name],
        )
        .await
        .map_err(failed)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let lsn = |index: usize| -> Result<Option<Lsn>, Error> {
        let text: Option<String> = row.try_get(index).map_err(failed)?;
        Ok(text.and_then(|text| text.parse().ok()))
    };
    Ok(Some(SlotState {
        plugin: row.try_get(0).map_err(failed)?,
        database: row.try_get(1).map_err(failed)?,
        restart_lsn: lsn(2)?,
        confirmed_flush_lsn: lsn(3)?,
        wal_status: row.try_get(4).map_err(failed)?,
        invalidation_reason: row.try_get(5).map_err(failed)?,
        is_copy: row.try_get(6).map_err(failed)?,
    }))
}

/// What a new connector finds of the server's slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRoom {
    /// `max_replication_slots`.
    pub max: u64,
    pub used: u64,
    /// The slot asked for is there.
    pub exists: bool,
    /// Somebody reads it now.
    pub active: bool,
}

impl SlotRoom {
    /// Whether the slot is there or can be made.
    pub const fn is_enough(self) -> bool {
        self.exists || self.used < self.max
    }
}

/// Ask whether there is room for a slot.
///
/// # Errors
/// The catalog cannot be read.
pub async fn slot_room(client: &Client, name: &str) -> Result<SlotRoom, Error> {
    let failed = |error| control_error("count the replication slots", error);
    let row = client
        .query_one(
            "select current_setting('max_replication_slots')::int8, count(*),
                    count(*) filter (where slot_name = $1) > 0,
                    count(*) filter (where slot_name = $1 and active) > 0
             from pg_catalog.pg_replication_slots",
            &[&name],
        )
        .await
        .map_err(failed)?;
    let number = |index: usize| -> Result<u64, Error> {
        let number: i64 = row.try_get(index).map_err(failed)?;
        Ok(u64::try_from(number).unwrap_or_default())
    };
    Ok(SlotRoom {
        max: number(0)?,
        used: number(1)?,
        exists: row.try_get(2).map_err(failed)?,
        active: row.try_get(3).map_err(failed)?,
    })
}

/// Make a pgoutput slot; with `export_snapshot` its snapshot can be read until the connection's next command. A
/// temporary one is gone with the connection. One for `failover` is copied to standbys, by servers from version 17 on.
///
/// # Errors
/// The server's error as source.
pub async fn create_slot(
    connection: &mut ReplicationConnection,
    name: &str,
    temporary: bool,
    export_snapshot: bool,
    failover: bool,
) -> Result<Slot, Error> {
    let options = match (failover, export_snapshot) {
        // This form of the options is the one that every version from 14 to 18 reads.
        (false, true) => "EXPORT_SNAPSHOT",
        (false, false) => "NOEXPORT_SNAPSHOT",
        // Only the newer form, of 15 and later, has this option, of 17 and later.
        (true, true) => "(SNAPSHOT 'export', FAILOVER true)",
        (true, false) => "(SNAPSHOT 'nothing', FAILOVER true)",
    };
    let command = format!(
        "CREATE_REPLICATION_SLOT {}{} LOGICAL pgoutput {options}",
        quote_identifier(name),
        if temporary { " TEMPORARY" } else { "" },
    );
    let rows = connection.simple_query(&command).await?;
    let field = |index: usize| rows.first()?.get(index)?.as_deref();
    let consistent_point = field(1).and_then(|text| text.parse().ok()).ok_or_else(|| {
        Error::new(
            ErrorKind::Protocol,
            format!("run `{command}`: the answer has no consistent point"),
        )
    })?;
    Ok(Slot {
        consistent_point,
        snapshot_name: field(2).map(str::to_owned),
    })
}

/// Drop a temporary slot by the connection that made it, which goes on.
///
/// # Errors
/// The server's error as source.
pub(crate) async fn drop_temporary_slot(
    connection: &mut ReplicationConnection,
    name: &str,
) -> Result<(), Error> {
    let command = format!("DROP_REPLICATION_SLOT {}", quote_identifier(name));
    connection.simple_query(&command).await.map(drop)
}

/// Drop the slot.
///
/// # Errors
/// The server's error as source.
pub async fn drop_slot(client: &Client, name: &str) -> Result<(), Error> {
    let sql = drop_sql(name);
    client
        .execute(sql.as_str(), &[])
        .await
        .map(drop)
        .map_err(|error| control_error(format!("run `{sql}`"), error))
}

pub(super) fn drop_sql(name: &str) -> String {
    format!("select pg_drop_replication_slot({})", quote_literal(name))
}

/// The slot's `catalog_xmin`, below which rows of the catalog may be removed.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn slot_xmin(client: &Client, name: &str) -> Result<Option<u64>, Error> {
    let row = client
        .query_opt(
            "select catalog_xmin::text::int8 from pg_catalog.pg_replication_slots where slot_name = $1",
            &[&name],
        )
        .await;
    let xmin = row.and_then(|row| match row {
        Some(row) => row.try_get::<_, Option<i64>>(0),
        None => Ok(None),
    });
    let xmin =
        xmin.map_err(|error| control_error(format!("read replication slot `{name}`"), error))?;
    Ok(xmin.and_then(|xmin| u64::try_from(xmin).ok()))
}

/// The identity to store with positions of this slot.
pub fn identity(name: &str, system: &SystemIdentity, created: Lsn) -> SlotIdentity {
    SlotIdentity {
        system_id: system.system_id.clone(),
        timeline: system.timeline,
        name: name.to_owned(),
        created_lsn: created.0,
    }
}
