//! What a connector would stop at, found before it is started.

use std::error::Error as _;

use connector::ConnectorConfig;

use crate::{
    Error,
    source::{
        Control, ServerError, connection::ReplicationConnection, contradictions, slot::slot_room,
        snapshot::snapshot_tables, tables_with_policies, told_of_policies, wal_level,
    },
};

/// A setting that does not suit the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    pub property: &'static str,
    pub why: String,
}

/// Connect as the connector would. Answers what it would stop at then.
///
/// # Errors
/// The database cannot be reached or used at all: why, in the words of PostgreSQL's JDBC driver where it has some.
pub async fn preflight(config: &ConnectorConfig) -> Result<Vec<Unfit>, String> {
    let failed = |error| connection_message(&error, config);
    let mut control = Control::new(&config.database);
    let client = control.client().await.map_err(failed)?;
    let level = wal_level(client).await.map_err(failed)?;
    if level != "logical" {
        return Err(format!(
            "Postgres server wal_level property must be 'logical' but is: '{level}'. alter system set wal_level = logical; then restart the server"
        ));
    }
    let room = slot_room(client, &config.slot_name).await.map_err(failed)?;
    if config.snapshot_mode.streams() && !room.is_enough() {
        return Err(format!(
            "all {} replication slots of the server are in use, and '{}' is none of them: raise max_replication_slots, or drop a slot that nobody reads (pg_replication_slots)",
            room.max, config.slot_name
        ));
    }
    // A connector that runs has shown that it may replicate, and may hold the last walsender.
    if !room.active {
        let connection = ReplicationConnection::connect(&config.database).await;
        connection.map_err(failed)?.terminate().await;
    }
    let mode = config.snapshot_mode;
    // Where the slot is there, its connector may have taken its snapshot before.
    if mode.takes_snapshot(room.exists) {
        return unfit_for_snapshot(&mut control, config)
            .await
            .map_err(failed);
    }
    Ok(Vec::new())
}

/// Why the first snapshot would be refused: rows that are hidden from us, and a publication that does not publish what
/// the snapshot reads.
async fn unfit_for_snapshot(
    control: &mut Control,
    config: &ConnectorConfig,
) -> Result<Vec<Unfit>, Error> {
    let client = control.client().await?;
    let unfit = |property, why| Unfit { property, why };
    let mut findings = Vec::new();
    let tables = snapshot_tables(client, config).await?;
    let hidden = tables_with_policies(client, config, &tables).await?;
    if !hidden.is_empty() {
        let (told, hint) = told_of_policies(&hidden, &config.database.user);
        findings.push(unfit("database.user", format!("{told}: {hint}")));
    }
    if config.snapshot_mode.streams() {
        let told = contradictions(client, config).await?;
        findings.extend(told.into_iter().map(|told| unfit("publication.name", told)));
    }
    Ok(findings)
}

/// A wrong password, a database that does not exist.
const PLAIN: [&str; 2] = ["28P01", "3D000"];

/// In the words of PostgreSQL's JDBC driver where it has some, which tools look for.
fn connection_message(error: &Error, config: &ConnectorConfig) -> String {
    let mut source = error.source();
    let mut causes: Vec<String> = Vec::new();
    while let Some(cause) = source {
        if let Some(server) = cause.downcast_ref::<ServerError>() {
            let said = format!("{}: {}", server.severity, server.message);
            // What is wrong is plain there, and tools compare the text.
            return if PLAIN.contains(&server.code.as_str()) {
                said
            } else {
                format!("{said} ({error}): {}", error.hint())
            };
        }
        let refused = cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
        if refused {
            return format!(
                "Connection to {}:{} refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections.",
                config.database.hostname, config.database.port
            );
        }
        let told = cause.to_string();
        // Some errors repeat their cause's text.
        causes.retain(|before| !before.ends_with(&told));
        causes.push(told);
        source = cause.source();
    }
    let causes = causes.join(": ");
    format!(
        "The connection attempt failed: {causes} ({error}): {}",
        error.hint()
    )
}
