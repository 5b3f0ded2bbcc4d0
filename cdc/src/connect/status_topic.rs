//! States of connectors and tasks in the status topic, in Kafka Connect's own format: for programs that read it there.
//!
//! Keys `status-connector-<name>` and `status-task-<name>-0`; value `{"state","trace","worker_id","generation"}`.

use serde_json::json;

use super::config_topic::TopicWriter;
use crate::kafka::OwnedRecord;

/// Writes the states of one worker's connectors.
#[derive(Clone)]
pub(super) struct StatusWriter {
    pub(super) writer: TopicWriter,
    pub(super) topic: String,
    pub(super) worker_id: String,
}

impl StatusWriter {
    /// Note a state; None removes both. What the topic says decides nothing, so a failure is only logged.
    pub(super) async fn write(&self, name: &str, state: Option<&'static str>, trace: Option<&str>) {
        if let Err(error) = self.writer.write(self.records(name, state, trace)).await {
            tracing::debug!(connector = name, %error, "the state was not written to the status topic");
        }
    }

    fn records(
        &self,
        name: &str,
        state: Option<&'static str>,
        trace: Option<&str>,
    ) -> Vec<OwnedRecord> {
        let record = |key: String, state: Option<&str>, trace: Option<&str>| {
            OwnedRecord {
            topic: self.topic.clone(),
            key: key.into_bytes(),
            value: state.map(|state| {
                json!({"state": state, "trace": trace, "worker_id": self.worker_id, "generation": 1})
                    .to_string()
                    .into_bytes()
            }),
        }
        };
        // A task fails; the connector that owns it goes on. A stopped connector has no task.
        let connector = state.map(|state| if state == "FAILED" { "RUNNING" } else { state });
        let task = state.filter(|state| *state != "STOPPED");
        vec![
            record(format!("status-connector-{name}"), connector, None),
            record(format!("status-task-{name}-0"), task, trace),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kafka::KafkaClient;

    #[test]
    fn records_are_connects() {
        let client = KafkaClient::new("nowhere:9092", &BTreeMap::new()).unwrap();
        let status = StatusWriter {
            writer: TopicWriter::new(client),
            topic: "t".to_owned(),
            worker_id: "w:8083".to_owned(),
        };
        let texts = |state, trace| -> Vec<(String, Option<String>)> {
            let utf8 = |bytes| String::from_utf8(bytes).unwrap();
            let records = status.records("n", state, trace).into_iter();
            records
                .map(|record| (utf8(record.key), record.value.map(utf8)))
                .collect()
        };
        let value = |state: &str, trace: &str| {
            Some(format!(
                r#"{{"state":"{state}","trace":{trace},"worker_id":"w:8083","generation":1}}"#
            ))
        };
        let (connector, task) = (
            "status-connector-n".to_owned(),
            "status-task-n-0".to_owned(),
        );
        assert_eq!(
            texts(Some("FAILED"), Some("why")),
            [
                (connector.clone(), value("RUNNING", "null")),
                (task.clone(), value("FAILED", "\"why\"")),
            ]
        );
        assert_eq!(
            texts(Some("STOPPED"), None),
            [
                (connector.clone(), value("STOPPED", "null")),
                (task.clone(), None)
            ]
        );
        assert_eq!(texts(None, None), [(connector, None), (task, None)]);
    }
}
