//! What was seen, for people.

use std::fmt::Write as _;

use super::{
    Seen, Told,
    lake::LakeTables,
    service::{Connector, Lakewriter, Service},
};

/// Tables that a screen has; the document has all.
const TABLES: usize = 30;

/// All of it on one screen.
pub fn screen(seen: &Seen) -> String {
    let mut text = String::new();
    for service in &seen.services {
        of_service(&mut text, service);
    }
    match &seen.kafka {
        None => {}
        Some(Told::Unreached(why)) => {
            let _ = writeln!(text, "kafka  cannot be reached: {why}");
        }
        Some(Told::Reached(lags)) => {
            let behind: u64 = lags.iter().map(|lag| lag.records).sum();
            let _ = writeln!(
                text,
                "kafka  {behind} records behind in {} topics that are read",
                lags.len()
            );
            for lag in lags.iter().filter(|lag| lag.records > 0).take(TABLES) {
                let _ = writeln!(text, "  {:<40} {} behind", lag.topic, lag.records);
            }
        }
    }
    match &seen.lake {
        None => {}
        Some(Told::Unreached(why)) => {
            let _ = writeln!(text, "lake  cannot be reached: {why}");
        }
        Some(Told::Reached(lake)) => of_lake(&mut text, lake),
    }
    if seen.failed.is_empty() {
        text.push_str("nothing is failed");
    } else {
        let _ = write!(text, "FAILED: {}", seen.failed.join(", "));
    }
    text
}

fn of_service(text: &mut String, service: &Service) {
    if let Some(why) = &service.unreached {
        let _ = writeln!(text, "{}  cannot be reached: {why}", service.endpoint);
    }
    if let Some(writer) = &service.lakewriter {
        of_lakewriter(text, &service.endpoint, writer);
    } else if service.is_reached() {
        let _ = writeln!(
            text,
            "{}  {} connectors",
            service.endpoint,
            service.connectors.len()
        );
    }
    for connector in &service.connectors {
        of_connector(text, connector);
    }
}

fn of_connector(text: &mut String, connector: &Connector) {
    let _ = write!(text, "  {:<24} {:<10}", connector.name, connector.state);
    if let Some(bytes) = connector.lag_bytes {
        let _ = write!(text, " lag {}", indicatif::BinaryBytes(bytes));
    }
    if let Some(events) = connector.events {
        let _ = write!(text, ", {events} events");
    }
    if let Some(left) = connector.snapshot_tables_left.filter(|left| *left > 0) {
        let _ = write!(text, ", snapshot: {left} tables left");
    }
    if let Some(seconds) = connector.last_commit_seconds {
        let _ = write!(text, ", last commit {} ago", shown(seconds));
    }
    if let Some(restarts) = connector.restarts.filter(|restarts| *restarts > 0) {
        let _ = write!(text, ", started again {restarts} times");
    }
    if let Some(left_out) = connector.events_left_out.filter(|events| *events > 0) {
        let _ = write!(text, ", {left_out} events left out");
    }
    text.push('\n');
    for task in &connector.tasks {
        if task.state != connector.state || task.trace.is_some() {
            let trace = task.trace.as_deref().unwrap_or_default();
            let _ = writeln!(text, "    task {} {} {trace}", task.id, task.state);
        }
    }
}

fn of_lakewriter(text: &mut String, endpoint: &str, writer: &Lakewriter) {
    let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let time = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), shown);
    let _ = writeln!(
        text,
        "{endpoint}  lakewriter: {} rows in {} commits, last {} ago, fresh p50 {} p99 {}, {} dead letters",
        number(writer.rows),
        number(writer.commits),
        time(writer.last_commit_seconds),
        time(writer.freshness_p50_seconds),
        time(writer.freshness_p99_seconds),
        number(writer.dead_letters),
    );
    if let Some(why) = &writer.not_ready {
        let _ = writeln!(text, "  not ready: {why}");
    }
}

fn of_lake(text: &mut String, lake: &LakeTables) {
    let _ = writeln!(text, "lake {}  {} tables", lake.place, lake.tables.len());
    for table in lake.tables.iter().take(TABLES) {
        let changes = table
            .changes
            .map_or_else(|| "-".to_owned(), |rows| rows.to_string());
        let age = table.last_commit_seconds.map_or_else(
            || "-".to_owned(),
            |seconds| format!("{} ago", shown(seconds)),
        );
        let _ = writeln!(
            text,
            "  {:<32} {changes:>12} changes {:>10} in {} files, version {}, last commit {age}",
            table.name,
            indicatif::BinaryBytes(table.bytes).to_string(),
            table.files,
            table.version
        );
    }
    if lake.tables.len() > TABLES {
        let _ = writeln!(text, "  ... and {} more", lake.tables.len() - TABLES);
    }
    if let Some(letters) = lake.dead_letters.filter(|letters| *letters > 0) {
        let _ = writeln!(
            text,
            "  {letters} dead letters: tributary sql 'select reason, count(*) from _dead_letters group by reason'"
        );
    }
}

/// A time as people read it.
fn shown(seconds: f64) -> String {
    match seconds {
        short if short < 1.0 => format!("{:.0} ms", short * 1000.0),
        short if short < 120.0 => format!("{short:.1} s"),
        long if long < 7200.0 => format!("{:.0} min", long / 60.0),
        long => format!("{:.0} h", long / 3600.0),
    }
}
