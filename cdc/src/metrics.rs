//! What `/metrics` shows of connectors; `service::metrics` has the list of metrics and writes the page.

use std::{
    iter,
    sync::{Arc, atomic::Ordering},
};

use service::metrics::{
    Page, Value,
    list::{CONNECTOR_LABEL, OF_CONNECTORS, OfConnector},
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

/// Render all metrics, as they are now.
pub fn render(connectors: &[ConnectorMetrics]) -> String {
    let mut page = Page::default();
    for (id, metric) in &OF_CONNECTORS {
        let samples = connectors.iter().flat_map(|it| {
            read(*id, it).into_iter().map(|(own, value)| {
                let labels = iter::once((CONNECTOR_LABEL.to_owned(), it.connector.clone()));
                let own = metric.labels.iter().map(|&name| name.to_owned()).zip(own);
                (
                    labels.chain(it.tags.iter().cloned()).chain(own).collect(),
                    value,
                )
            })
        });
        page.add(metric, samples);
    }
    page.render()
}

/// What a metric says of a connector, under each value of the label that it has of its own.
fn read(id: OfConnector, it: &ConnectorMetrics) -> Vec<(Option<String>, Value)> {
    let status = &it.status;
    let one = |value: Value| vec![(None, value)];
    match id {
        OfConnector::Streaming => one((status.phase() == Phase::Streaming).into()),
        OfConnector::State => ["RUNNING", "RESTARTING", "PAUSED", "STOPPED", "FAILED"]
            .map(|state| (Some(state.to_ascii_lowercase()), (it.state == state).into()))
            .to_vec(),
        OfConnector::Lag => one(status.lag_bytes().into()),
        OfConnector::ReceivedLsn => one(status.received().0.into()),
        OfConnector::ConfirmedLsn => one(status.confirmed().0.into()),
        OfConnector::ServerWalEnd => one(status.server_wal_end().0.into()),
        OfConnector::LastCommit => one((status.last_commit_micros() as f64 / 1e6).into()),
        OfConnector::Events => events(status),
        OfConnector::EventsLeftOut => one(status.counts().left_out.into()),
        OfConnector::Restarts => one(status.restarts().into()),
        OfConnector::SnapshotTables => tables(status),
        OfConnector::SnapshotRows => {
            let rows = status.snapshot.rows_by_table().into_iter();
            rows.map(|(name, rows)| (Some(name.full()), rows.into()))
                .collect()
        }
    }
}

fn events(status: &PipelineStatus) -> Vec<(Option<String>, Value)> {
    let counts = status.counts();
    [
        ("r", status.rows_snapshotted()),
        ("c", counts.creates),
        ("u", counts.updates),
        ("d", counts.deletes),
        ("t", counts.truncates),
    ]
    .map(|(op, count)| (Some(op.to_owned()), count.into()))
    .to_vec()
}

fn tables(status: &PipelineStatus) -> Vec<(Option<String>, Value)> {
    let total = status.snapshot.tables.load(Ordering::Relaxed);
    let done = status.snapshot.tables_done.load(Ordering::Relaxed);
    [("total", total), ("remaining", total.saturating_sub(done))]
        .map(|(kind, count)| (Some(kind.to_owned()), count.into()))
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{SnapshotTable, TableName};

    fn connector(name: &str, tags: &[(&str, &str)]) -> ConnectorMetrics {
        let status = Arc::new(PipelineStatus::default());
        let table = SnapshotTable {
            oid: 1,
            name: TableName {
                schema: "public".to_owned(),
                table: "a\"b".to_owned(),
            },
            estimated_rows: 0,
        };
        status.snapshot.begin(iter::once(&table));
        ConnectorMetrics {
            connector: name.to_owned(),
            tags: tags
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            state: "RUNNING",
            status,
        }
    }

    #[test]
    fn tags_are_labels_of_every_metric() {
        let text = render(&[connector("c", &[("env", "a\"b")])]);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.contains("{connector=\"c\",env=\"a\\\"b\""), "{line}");
        }
    }

    #[test]
    fn every_metric_has_help_type_and_the_labels_of_the_list() {
        let text = render(&[connector("a\"b", &[]), connector("second", &[])]);
        assert!(text.contains(
            "# TYPE tributary_cdc_lag_bytes gauge\n\
             tributary_cdc_lag_bytes{connector=\"a\\\"b\"} 0\n\
             tributary_cdc_lag_bytes{connector=\"second\"} 0\n"
        ));
        for line in [
            "tributary_cdc_connector_state{connector=\"a\\\"b\",state=\"running\"} 1\n",
            "tributary_cdc_connector_state{connector=\"a\\\"b\",state=\"failed\"} 0\n",
            "tributary_cdc_events_total{connector=\"a\\\"b\",op=\"r\"} 0\n",
            "tributary_cdc_snapshot_tables{connector=\"second\",kind=\"remaining\"} 1\n",
            "tributary_cdc_snapshot_rows{connector=\"second\",table=\"public.a\\\"b\"} 0\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        for (_, metric) in &OF_CONNECTORS {
            let name = metric.name;
            let kind = metric.kind.as_str();
            assert!(text.contains(&format!(
                "# HELP {name} {}\n# TYPE {name} {kind}\n",
                metric.meaning
            )));
            for label in metric.labels {
                let begin = format!("{name}{{connector=\"second\",{label}=\"");
                assert!(text.contains(&begin), "{name}");
            }
        }
    }
}
