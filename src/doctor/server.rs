//! The server's settings, what the role may do, and who holds WAL back.

use cdc::{
    quote_identifier, quote_literal,
    source::look::{Holder, HolderKind, RoleFacts, ServerFacts},
};
use connector::ConnectorConfig;

use super::{
    finding::Finding,
    report::{Report, counted, one_line},
};

const RESTART: &str = "-- then restart the server";

/// What is proposed where slots or walsenders are used up.
const MORE: u64 = 10;

/// What is proposed where nothing limits a slot.
const LIMIT: &str = "alter system set max_slot_wal_keep_size = '50GB'; select pg_reload_conf();";

/// An idle slot that keeps more than this is told of.
const KEPT: u64 = 1 << 30;

pub fn look(server: &ServerFacts, connector: &ConnectorConfig, report: &mut Report) {
    report.fact(
        "server",
        format!(
            "PostgreSQL {}{}, wal_level {}, {} of {} slots and {} of {} walsenders in use, a slot keeps {}",
            server.version,
            if server.is_standby { ", a standby" } else { "" },
            server.wal_level,
            server.used_slots,
            server.max_slots,
            server.used_walsenders,
            server.max_walsenders,
            server.slot_limit_bytes.map_or_else(
                || "WAL without end".to_owned(),
                |bytes| format!("{} of WAL at most", shown(bytes))
            ),
        ),
    );
    if server.wal_level != "logical" {
        report.add(
            Finding::error(
                "wal-level",
                format!("The setting wal_level is `{}`.", server.wal_level),
            )
            .means("The WAL does not have what is needed to read changes of rows from it.")
            .sql([
                "alter system set wal_level = logical;".to_owned(),
                RESTART.to_owned(),
            ]),
        );
    }
    let streams = connector.snapshot_mode.streams();
    if streams && server.used_slots >= server.max_slots && server.max_slots > 0 {
        let idle: Vec<String> = server.idle_slots.iter().map(|it| it.name.clone()).collect();
        let idle_told = match idle.as_slice() {
            [] => String::new(),
            names => format!("; nobody reads {}", names.join(", ")),
        };
        report.add(
            Finding::warning(
                "slots-full",
                format!(
                    "All {} replication slots are in use{idle_told}.",
                    server.max_slots
                ),
            )
            .means("No slot can be made: a start without a slot of its own fails.")
            .on(idle)
            .sql([
                format!(
                    "alter system set max_replication_slots = {};",
                    server.max_slots + MORE
                ),
                RESTART.to_owned(),
            ]),
        );
    }
    if server.max_slots == 0 || server.max_walsenders == 0 {
        report.add(
            Finding::error(
                "no-slots",
                "The server may have no replication slots, or no walsenders.",
            )
            .means("No replication can be started on it.")
            .sql([
                format!("alter system set max_replication_slots = {MORE};"),
                format!("alter system set max_wal_senders = {MORE};"),
                RESTART.to_owned(),
            ]),
        );
    } else if server.used_walsenders >= server.max_walsenders {
        report.add(
            Finding::warning(
                "walsenders-full",
                format!("All {} walsenders are in use.", server.max_walsenders),
            )
            .means("Nobody else can begin to read changes, and a snapshot needs one more for a moment.")
            .sql([
                format!(
                    "alter system set max_wal_senders = {};",
                    server.max_walsenders + MORE
                ),
                RESTART.to_owned(),
            ]),
        );
    }
    if server.slot_limit_bytes.is_none() {
        report.add(
            Finding::note("no-slot-limit", "The setting max_slot_wal_keep_size is -1.")
                .means("A slot that nobody reads any more keeps WAL until the disk of the server is full.")
                .sql([LIMIT.to_owned()]),
        );
    }
    let large: Vec<_> = server
        .idle_slots
        .iter()
        .filter(|slot| slot.retained_bytes > KEPT)
        .collect();
    if !large.is_empty() {
        report.add(
            Finding::warning(
                "idle-slots",
                format!(
                    "Nobody reads {}, for which {} of WAL is kept.",
                    counted(large.len(), "other slot"),
                    shown(large.iter().map(|slot| slot.retained_bytes).sum())
                ),
            )
            .means("The WAL stays until somebody reads the slot or drops it; whoever read it loses its place when it is dropped.")
            .on(large.iter().map(|slot| slot.name.clone()))
            .sql(large.iter().map(|slot| {
                format!("select pg_drop_replication_slot({});", quote_literal(&slot.name))
            })),
        );
    }
}

pub fn rights(role: &RoleFacts, report: &mut Report) {
    if !role.may_replicate {
        report.add(
            Finding::error(
                "no-replication-right",
                format!("The role `{}` has no REPLICATION.", role.name),
            )
            .means("The server refuses to let it read changes.")
            .sql([format!(
                "alter role {} replication;",
                quote_identifier(&role.name)
            )]),
        );
    }
    if !role.sees_sessions {
        report.add(
            Finding::note(
                "sessions-unseen",
                format!(
                    "The role `{}` does not see what other roles' sessions do.",
                    role.name
                ),
            )
            .means(
                "Transactions that hold a slot back cannot be told of here, nor named in the log.",
            )
            .sql([format!(
                "grant pg_read_all_stats to {};",
                quote_identifier(&role.name)
            )]),
        );
    }
}

/// What came of a replication connection.
pub fn door(opened: Result<(), cdc::Error>, connector: &ConnectorConfig, report: &mut Report) {
    let Err(error) = opened else {
        return;
    };
    let told = service::render_error(&error, None);
    let told = one_line(told.trim_start_matches("error: "));
    let database = &connector.database;
    report.add(
        Finding::error(
            "replication-refused",
            format!("The server lets `{}` in, but not to replicate: {told}.", database.user),
        )
        .means("No changes can be read; pg_hba.conf, TLS or the role's limits treat this connection otherwise.")
        .words(format!(
            "let it in by a line of pg_hba.conf (`host {} {} ADDRESS scram-sha-256`), reload the server; a connection pooler cannot be replicated through",
            database.dbname, database.user
        )),
    );
}

pub fn holders(holders: &[Holder], report: &mut Report) {
    for Holder { kind, age, told } in holders {
        let (code, what, sql) = match kind {
            HolderKind::Session { pid } => (
                "long-transaction",
                format!(
                    "Process {pid} ({told}) has had a transaction open for {} s.",
                    age.as_secs()
                ),
                format!("select pg_terminate_backend({pid});"),
            ),
            HolderKind::Prepared { name, database } => (
                "prepared-transaction",
                format!(
                    "The prepared transaction {} ({told}) of database `{database}` has been open for {} s.",
                    quote_literal(name),
                    age.as_secs()
                ),
                format!("rollback prepared {};", quote_literal(name)),
            ),
        };
        report.add(
            Finding::warning(code, what)
                .means("A new slot waits until it has ended, and WAL since its beginning is kept.")
                .sql([sql]),
        );
    }
}

/// Bytes for people.
pub fn shown(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
