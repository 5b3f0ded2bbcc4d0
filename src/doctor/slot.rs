//! The connector's slot: whether it can be read on, by whom it is, and how long that stays so.

use std::time::Duration;

use cdc::{
    quote_literal,
    source::look::{Look, Retained, ServerFacts, SlotFacts},
};
use connector::ConnectorConfig;

use super::{finding::Finding, report::Report, server::shown};

/// Sooner than this a slot that nobody reads is told of.
const SOON: u64 = 24 * 3600;

/// What was measured of a slot's WAL.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub now: Retained,
    /// WAL that the server writes in a second.
    pub rate: u64,
}

impl Measured {
    /// Seconds until the slot is invalidated if nobody reads it from now on; None where nothing limits it or nothing is
    /// written.
    pub fn seconds_left(&self) -> Option<u64> {
        let left = u64::try_from(self.now.until_lost?.max(0)).ok()?;
        (self.rate > 0).then(|| left / self.rate)
    }
}

/// Look twice.
pub async fn measure(session: &Look, over: Duration, report: &mut Report) -> Option<Measured> {
    let first = report.seen(session.retained().await)??;
    tokio::time::sleep(over).await;
    let now = report.seen(session.retained().await)??;
    let written = now.wal_end.saturating_sub(first.wal_end) as f64;
    let rate = (written / over.as_secs_f64().max(0.001)) as u64;
    Some(Measured { now, rate })
}

pub fn look(
    slot: Option<&SlotFacts>,
    measured: Option<Measured>,
    server: Option<&ServerFacts>,
    connector: &ConnectorConfig,
    report: &mut Report,
) {
    let name = &connector.slot_name;
    let Some(slot) = slot else {
        report.fact(
            "slot",
            format!("`{name}` is not there yet: the first start makes it"),
        );
        return;
    };
    let state = &slot.state;
    report.fact("slot", told(name, slot, measured));
    let drop = format!("select pg_drop_replication_slot({});", quote_literal(name));
    if state.plugin.as_deref() != Some("pgoutput") {
        let plugin = state
            .plugin
            .as_deref()
            .unwrap_or("none, it is a physical slot");
        report.add(
            Finding::error(
                "slot-other-plugin",
                format!("The slot `{name}` has another output plugin: {plugin}."),
            )
            .means("It cannot be read here; pgoutput is what is read.")
            .sql([drop]),
        );
        return;
    }
    if let Some(database) = state.database.as_deref().filter(|it| *it != slot.database) {
        report.add(
            Finding::error(
                "slot-other-database",
                format!("The slot `{name}` is of database `{database}`."),
            )
            .means(format!("It has no changes of `{}`: take another name (--slot, slot.name), or drop it where nobody needs it.", slot.database))
            .sql([drop]),
        );
        return;
    }
    let is_lost = state.wal_status.as_deref() == Some("lost")
        || state.restart_lsn.is_none()
        || state.invalidation_reason.is_some();
    if is_lost {
        let why = state.invalidation_reason.as_deref();
        report.add(
            Finding::error(
                "slot-lost",
                format!(
                    "The slot `{name}` is lost: {}.",
                    why.unwrap_or("its WAL was removed, for it was more than max_slot_wal_keep_size")
                ),
            )
            .means("Changes that were not read are gone from the server. Only a new snapshot tells them: drop the slot, and start with what was stored of the position removed.")
            .sql([drop]),
        );
        return;
    }
    if state.is_copy {
        report.add(
            Finding::error(
                "slot-is-copy",
                format!("The slot `{name}` is a copy of the primary's."),
            )
            .means("Nobody may read it on a standby before that is promoted.")
            .words("read from the primary"),
        );
    }
    near_its_end(name, slot, measured, server, report);
}

fn near_its_end(
    name: &str,
    slot: &SlotFacts,
    measured: Option<Measured>,
    server: Option<&ServerFacts>,
    report: &mut Report,
) {
    let status = slot.state.wal_status.as_deref();
    let limit = server.and_then(|server| server.slot_limit_bytes);
    let more = limit.map_or_else(
        || "-- raise max_slot_wal_keep_size".to_owned(),
        |bytes| {
            format!(
                "alter system set max_slot_wal_keep_size = '{}MB'; select pg_reload_conf();",
                (bytes >> 20).max(512) * 4
            )
        },
    );
    if status == Some("unreserved") {
        report.add(
            Finding::error(
                "slot-about-to-be-lost",
                format!("The slot `{name}` needs WAL that the next checkpoint may remove."),
            )
            .means("It is beyond max_slot_wal_keep_size: when it is lost, only a new snapshot helps. Start its reader at once.")
            .sql([more]),
        );
        return;
    }
    let Some(left) = measured.and_then(|measured| measured.seconds_left()) else {
        return;
    };
    if slot.reader.is_none() && left < SOON {
        report.add(
            Finding::warning(
                "slot-runs-out",
                format!(
                    "Nobody reads the slot `{name}`, and at the present rate of WAL it is lost in {left} s."
                ),
            )
            .means("When it is beyond max_slot_wal_keep_size only a new snapshot helps. Start its reader, or let the server keep more.")
            .sql([more]),
        );
    }
}

fn told(name: &str, slot: &SlotFacts, measured: Option<Measured>) -> String {
    let reader = match &slot.reader {
        Some(reader) => format!("read by {reader}"),
        None => "nobody reads it".to_owned(),
    };
    let status = slot.state.wal_status.as_deref().unwrap_or("unknown");
    let mut text = format!("`{name}`, {reader}, WAL {status}");
    if let Some(measured) = measured {
        text.push_str(&format!(
            ", {} kept, {}/s written",
            shown(measured.now.bytes),
            shown(measured.rate)
        ));
        if let Some(left) = measured.now.until_lost {
            let left = u64::try_from(left.max(0)).unwrap_or(0);
            text.push_str(&format!(", {} until it is lost", shown(left)));
        }
        if let Some(seconds) = measured.seconds_left() {
            text.push_str(&format!(" ({seconds} s if nobody reads)"));
        }
    }
    text
}
