//! Every metric of every process: the one place where its name, type, unit, labels and meaning stand.
//!
//! People have boards and alarms on these names: one that stands here keeps its name and its meaning. Whoever reads a
//! process's numbers for its page does so by a `match` over the metrics of its kind, so none can be forgotten.
//! `docs/operations.md` has the tables that a test compares with [`reference`].

use std::fmt::Write as _;

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows, and begins with 0 when the process starts.
    Counter,
    /// Counts of values by their size, which grow and can be added up over processes.
    Histogram,
}

impl Kind {
    /// Prometheus' word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// As Prometheus knows it.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// `bytes`, `seconds`, ..., or `1` for what is a yes or no. Times are seconds since 1970, LSNs their 64 bits as a number.
    pub unit: &'static str,
    /// Beside those that all metrics of its process have.
    pub labels: &'static [&'static str],
    /// One sentence, with a full stop.
    pub meaning: &'static str,
}

/// What tells about a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the meaning of each stands in the list below")]
pub enum OfConnector {
    Streaming,
    State,
    Lag,
    ReceivedLsn,
    ConfirmedLsn,
    ServerWalEnd,
    LastCommit,
    Events,
    EventsLeftOut,
    Restarts,
    SnapshotTables,
    SnapshotRows,
}

/// A label of every metric of a connector: its name. Those of `custom.metric.tags` follow it.
pub const CONNECTOR_LABEL: &str = "connector";

/// Every metric of a connector, in the order of the page.
pub static OF_CONNECTORS: [(OfConnector, Metric); 12] = [
    (
        OfConnector::Streaming,
        Metric {
            name: "tributary_cdc_streaming",
            kind: Kind::Gauge,
            unit: "1",
            labels: &[],
            meaning: "1 while the connector streams from its slot, else 0.",
        },
    ),
    (
        OfConnector::State,
        Metric {
            name: "tributary_cdc_connector_state",
            kind: Kind::Gauge,
            unit: "1",
            labels: &["state"],
            meaning: "1 for the state that the connector is in, 0 for the others: running, restarting, paused, stopped, failed.",
        },
    ),
    (
        OfConnector::Lag,
        Metric {
            name: "tributary_cdc_lag_bytes",
            kind: Kind::Gauge,
            unit: "bytes",
            labels: &[],
            meaning: "WAL that the server has written and that is not durable in Kafka.",
        },
    ),
    (
        OfConnector::ReceivedLsn,
        Metric {
            name: "tributary_cdc_received_lsn",
            kind: Kind::Gauge,
            unit: "LSN",
            labels: &[],
            meaning: "The highest WAL position seen in the stream.",
        },
    ),
    (
        OfConnector::ConfirmedLsn,
        Metric {
            name: "tributary_cdc_confirmed_lsn",
            kind: Kind::Gauge,
            unit: "LSN",
            labels: &[],
            meaning: "The WAL position that is confirmed to the slot: PostgreSQL keeps what comes after it.",
        },
    ),
    (
        OfConnector::ServerWalEnd,
        Metric {
            name: "tributary_cdc_server_wal_end_lsn",
            kind: Kind::Gauge,
            unit: "LSN",
            labels: &[],
            meaning: "The end of the server's WAL, as the stream told it last.",
        },
    ),
    (
        OfConnector::LastCommit,
        Metric {
            name: "tributary_cdc_last_commit_timestamp_seconds",
            kind: Kind::Gauge,
            unit: "seconds",
            labels: &[],
            meaning: "When the last transaction seen was committed in PostgreSQL; 0 before the first.",
        },
    ),
    (
        OfConnector::Events,
        Metric {
            name: "tributary_cdc_events_total",
            kind: Kind::Counter,
            unit: "events",
            labels: &["op"],
            meaning: "Events by operation: c, u, d and t are streamed changes, r is a row of a snapshot.",
        },
    ),
    (
        OfConnector::EventsLeftOut,
        Metric {
            name: "tributary_cdc_events_left_out_total",
            kind: Kind::Counter,
            unit: "events",
            labels: &[],
            meaning: "Events that could not be encoded and were left out, which happens only where event.processing.failure.handling.mode or errors.tolerance allows it.",
        },
    ),
    (
        OfConnector::Restarts,
        Metric {
            name: "tributary_cdc_restarts_total",
            kind: Kind::Counter,
            unit: "restarts",
            labels: &[],
            meaning: "How often the task started again after an error.",
        },
    ),
    (
        OfConnector::SnapshotTables,
        Metric {
            name: "tributary_cdc_snapshot_tables",
            kind: Kind::Gauge,
            unit: "tables",
            labels: &["kind"],
            meaning: "Tables of the last snapshot: total counts all of them, remaining those that are not read to their end.",
        },
    ),
    (
        OfConnector::SnapshotRows,
        Metric {
            name: "tributary_cdc_snapshot_rows",
            kind: Kind::Gauge,
            unit: "rows",
            labels: &["table"],
            meaning: "Rows of each table that the last snapshot has read.",
        },
    ),
];

/// What tells about a lakewriter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the meaning of each stands in the list below")]
pub enum OfLakewriter {
    Rows,
    Commits,
    DeadLetters,
    DuplicatesDropped,
    LastCommit,
    Freshness,
    FreshnessP50,
    FreshnessP99,
}

/// Every metric of a lakewriter, in the order of the page.
pub static OF_LAKEWRITER: [(OfLakewriter, Metric); 8] = [
    (
        OfLakewriter::Rows,
        Metric {
            name: "tributary_lakewriter_rows_total",
            kind: Kind::Counter,
            unit: "rows",
            labels: &[],
            meaning: "Rows made visible in the lake.",
        },
    ),
    (
        OfLakewriter::Commits,
        Metric {
            name: "tributary_lakewriter_commits_total",
            kind: Kind::Counter,
            unit: "commits",
            labels: &[],
            meaning: "Commits to tables of the lake.",
        },
    ),
    (
        OfLakewriter::DeadLetters,
        Metric {
            name: "tributary_lakewriter_dead_letters_total",
            kind: Kind::Counter,
            unit: "records",
            labels: &[],
            meaning: "Records that could not become rows and were set aside.",
        },
    ),
    (
        OfLakewriter::DuplicatesDropped,
        Metric {
            name: "tributary_lakewriter_duplicates_dropped_total",
            kind: Kind::Counter,
            unit: "records",
            labels: &[],
            meaning: "Records that the lake had already: after a restart, or of an at-least-once producer.",
        },
    ),
    (
        OfLakewriter::LastCommit,
        Metric {
            name: "tributary_lakewriter_last_commit_timestamp_seconds",
            kind: Kind::Gauge,
            unit: "seconds",
            labels: &[],
            meaning: "When rows last became visible; absent before the first time.",
        },
    ),
    (
        OfLakewriter::Freshness,
        Metric {
            name: "tributary_lakewriter_freshness_seconds",
            kind: Kind::Histogram,
            unit: "seconds",
            labels: &[],
            meaning: "Rows by the time from their commit in PostgreSQL to their being visible in the lake.",
        },
    ),
    (
        OfLakewriter::FreshnessP50,
        Metric {
            name: "tributary_lakewriter_freshness_p50_seconds",
            kind: Kind::Gauge,
            unit: "seconds",
            labels: &[],
            meaning: "The median of that time, of this process's rows of the last five minutes; absent where there were none.",
        },
    ),
    (
        OfLakewriter::FreshnessP99,
        Metric {
            name: "tributary_lakewriter_freshness_p99_seconds",
            kind: Kind::Gauge,
            unit: "seconds",
            labels: &[],
            meaning: "The time that 99 of 100 of these rows stayed under.",
        },
    ),
];

/// Upper bounds of the buckets of `tributary_lakewriter_freshness_seconds`, in seconds: fine where a lake that keeps up
/// lies, coarse up to an hour for one that catches up.
pub static FRESHNESS_BOUNDS: [f64; 12] = [
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
];

/// Names of labels that a connector's metrics have by themselves, so that no tag may bear them. `le` is a histogram's.
pub fn labels_of_connectors() -> impl Iterator<Item = &'static str> {
    let own = OF_CONNECTORS.iter().flat_map(|(_, metric)| metric.labels);
    [CONNECTOR_LABEL, "le"].into_iter().chain(own.copied())
}

/// The tables of `docs/operations.md`.
pub fn reference() -> String {
    let connectors = OF_CONNECTORS.iter().map(|(_, metric)| metric);
    let lakewriter = OF_LAKEWRITER.iter().map(|(_, metric)| metric);
    let mut text = "Every metric of a connector has the label `connector`, its name, and the labels of its `custom.metric.tags`.\n\n".to_owned();
    table(&mut text, connectors);
    text.push_str("\nThose of lakewriter are about the whole process.\n\n");
    table(&mut text, lakewriter);
    text
}

fn table(text: &mut String, metrics: impl Iterator<Item = &'static Metric>) {
    text.push_str("| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
    for metric in metrics {
        let labels: Vec<String> = metric.labels.iter().map(|it| format!("`{it}`")).collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            metric.name,
            metric.kind.as_str(),
            metric.unit,
            labels.join(", "),
            metric.meaning.trim_end_matches('.'),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_prometheus_customs() {
        let connectors = OF_CONNECTORS.iter().map(|(_, metric)| metric);
        let all: Vec<_> = connectors
            .chain(OF_LAKEWRITER.iter().map(|(_, metric)| metric))
            .collect();
        for (at, metric) in all.iter().enumerate() {
            let name = metric.name;
            assert!(
                name.starts_with("tributary_cdc_") || name.starts_with("tributary_lakewriter_")
            );
            assert_eq!(
                name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{name}"
            );
            for unit in ["seconds", "bytes"] {
                assert_eq!(
                    name.ends_with(&format!("_{unit}")),
                    metric.unit == unit,
                    "{name}"
                );
            }
            // The page writes it as it stands, and so does the table.
            let meaning = metric.meaning;
            assert!(meaning.ends_with('.'), "{name}");
            assert!(!meaning.contains(['\\', '\n', '|']), "{name}");
            assert!(all.iter().skip(at + 1).all(|it| it.name != name), "{name}");
        }
    }

    #[test]
    fn the_page_about_operation_has_this_list() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
        let page = std::fs::read_to_string(path).expect("the page");
        let (before, rest) = page.split_once("<!-- metrics -->\n").expect("its mark");
        let (found, after) = rest.split_once("<!-- /metrics -->\n").expect("its end");
        if std::env::var_os("TRIBUTARY_BLESS").is_some() {
            let blessed = format!(
                "{before}<!-- metrics -->\n{}<!-- /metrics -->\n{after}",
                reference()
            );
            std::fs::write(path, blessed).expect("a writable page");
            return;
        }
        assert!(
            found == reference(),
            "the metrics of docs/operations.md are not these: TRIBUTARY_BLESS=1 writes them"
        );
    }
}
