//! What `/metrics` shows, in Prometheus' text format.

use std::{
    fmt::Write as _,
    sync::{Arc, atomic::Ordering},
};

use crate::{Phase, PipelineStatus};

/// One connector's numbers.
#[derive(Debug, Clone)]
pub struct ConnectorMetrics {
    pub connector: String,
    /// Names and values of further labels (`custom.metric.tags`).
    pub tags: Vec<(String, String)>,
    /// In Kafka Connect's words.
    pub state: &'static str,
    pub status: Arc<PipelineStatus>,
}

type Read = fn(&PipelineStatus) -> f64;

/// Name, type, help and value of the metrics that have no label but the connector.
const METRICS: &[(&str, &str, &str, Read)] = &[
    (
        "tributary_cdc_streaming",
        "gauge",
        "1 while the connector streams from its slot.",
        |status| f64::from(u8::from(status.phase() == Phase::Streaming)),
    ),
    (
        "tributary_cdc_lag_bytes",
        "gauge",
        "WAL that the server has written and that is not durable in Kafka.",
        |status| status.lag_bytes() as f64,
    ),
    (
        "tributary_cdc_received_lsn",
        "gauge",
        "Highest WAL position seen in the stream.",
        |status| status.received().0 as f64,
    ),
    (
        "tributary_cdc_confirmed_lsn",
        "gauge",
        "WAL position confirmed to the slot.",
        |status| status.confirmed().0 as f64,
    ),
    (
        "tributary_cdc_server_wal_end_lsn",
        "gauge",
        "End of the server's WAL.",
        |status| status.server_wal_end().0 as f64,
    ),
    (
        "tributary_cdc_last_commit_timestamp_seconds",
        "gauge",
        "Commit time of the last transaction seen.",
        |status| status.last_commit_micros() as f64 / 1e6,
    ),
    (
        "tributary_cdc_events_left_out_total",
        "counter",
        "Events that could not be encoded and were left out (event.processing.failure.handling.mode).",
        |status| status.counts().left_out as f64,
    ),
    (
        "tributary_cdc_restarts_total",
        "counter",
        "How often the pipeline started again after an error.",
        |status| status.restarts() as f64,
    ),
];

/// Render all metrics.
pub fn render(connectors: &[ConnectorMetrics]) -> String {
    let mut text = String::new();
    for (name, kind, help, read) in METRICS {
        head(&mut text, name, kind, help);
        for it in connectors {
            let value = read(&it.status);
            let _ = writeln!(text, "{name}{{{}}} {value}", labels(it));
        }
    }
    const STATE: &str = "tributary_cdc_connector_state";
    head(
        &mut text,
        STATE,
        "gauge",
        "1 for the state that the connector is in.",
    );
    for it in connectors {
        for state in ["RUNNING", "RESTARTING", "PAUSED", "STOPPED", "FAILED"] {
            let on = u8::from(it.state == state);
            let _ = writeln!(
                text,
                "{STATE}{{{},state=\"{}\"}} {on}",
                labels(it),
                state.to_ascii_lowercase()
            );
        }
    }
    const EVENTS: &str = "tributary_cdc_events_total";
    head(
        &mut text,
        EVENTS,
        "counter",
        "Events by operation: r is a row of a snapshot.",
    );
    for it in connectors {
        let counts = it.status.counts();
        for (op, count) in [
            ("r", it.status.rows_snapshotted()),
            ("c", counts.creates),
            ("u", counts.updates),
            ("d", counts.deletes),
            ("t", counts.truncates),
        ] {
            let _ = writeln!(text, "{EVENTS}{{{},op=\"{op}\"}} {count}", labels(it));
        }
    }
    snapshots(&mut text, connectors);
    text
}

/// How far the last snapshot came.
fn snapshots(text: &mut String, connectors: &[ConnectorMetrics]) {
    const TABLES: &str = "tributary_cdc_snapshot_tables";
    head(
        text,
        TABLES,
        "gauge",
        "Tables of the last snapshot, and those of them that are not read to their end.",
    );
    for it in connectors {
        let progress = &it.status.snapshot;
        let total = progress.tables.load(Ordering::Relaxed);
        let done = progress.tables_done.load(Ordering::Relaxed);
        for (kind, count) in [("total", total), ("remaining", total.saturating_sub(done))] {
            let _ = writeln!(text, "{TABLES}{{{},kind=\"{kind}\"}} {count}", labels(it));
        }
    }
    const ROWS: &str = "tributary_cdc_snapshot_rows";
    head(
        text,
        ROWS,
        "gauge",
        "Rows of each table that the last snapshot has read.",
    );
    for it in connectors {
        for (name, rows) in it.status.snapshot.rows_by_table() {
            let table = escaped(&format!("{}.{}", name.schema, name.table));
            let _ = writeln!(text, "{ROWS}{{{},table=\"{table}\"}} {rows}", labels(it));
        }
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// The labels that all metrics of a connector have.
fn labels(it: &ConnectorMetrics) -> String {
    let mut text = format!("connector=\"{}\"", escaped(&it.connector));
    for (name, value) in &it.tags {
        let _ = write!(text, ",{name}=\"{}\"", escaped(value));
    }
    text
}

/// A label value.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_labels_of_every_metric() {
        let text = render(&[ConnectorMetrics {
            connector: "c".to_owned(),
            tags: vec![("env".to_owned(), "a\"b".to_owned())],
            state: "RUNNING",
            status: Arc::default(),
        }]);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.contains("{connector=\"c\",env=\"a\\\"b\""), "{line}");
        }
    }

    #[test]
    fn every_metric_has_help_type_and_the_connector() {
        let text = render(&[ConnectorMetrics {
            connector: "a\"b".to_owned(),
            tags: Vec::new(),
            state: "RUNNING",
            status: Arc::default(),
        }]);
        assert!(text.contains("# TYPE tributary_cdc_lag_bytes gauge\ntributary_cdc_lag_bytes{connector=\"a\\\"b\"} 0\n"));
        assert!(
            text.contains(
                "tributary_cdc_connector_state{connector=\"a\\\"b\",state=\"running\"} 1\n"
            )
        );
        assert!(text.contains("tributary_cdc_events_total{connector=\"a\\\"b\",op=\"r\"} 0\n"));
        for line in text.lines() {
            assert!(
                line.starts_with("# ") || line.starts_with("tributary_cdc_"),
                "{line}"
            );
        }
    }

    #[test]
    fn the_page_about_operation_has_every_metric() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
        let page = std::fs::read_to_string(path).expect("the page");
        let text = render(&[]);
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        for name in names.filter_map(|line| line.split(' ').next()) {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
