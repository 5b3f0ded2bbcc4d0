//! States of connectors and tasks in the status topic, in Kafka Connect's own format: for programs that read it there.
//!
//! Keys `status-connector-<name>` and `status-task-<name>-0`; value `{"state","trace","worker_id","generation"}`.
//! Key `status-topic-<topic>:connector-<name>`; value `{"topic":{"name","connector","task","discoverTimestamp"}}`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::json;

use super::config_topic::TopicWriter;
use cdc::{
    Error,
    kafka::{KafkaClient, OwnedRecord, compacted::read_to_end},
};

/// The topics that connectors have written to, by connector. Blocks.
pub(super) fn read_topics(
    client: &KafkaClient,
    topic: &str,
) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    read_to_end(client, topic, |key, value| {
        let key = key.and_then(|key| std::str::from_utf8(key).ok());
        // A topic's name has no colon.
        let parts = key
            .and_then(|key| key.strip_prefix("status-topic-"))
            .and_then(|key| key.split_once(":connector-"));
        if let Some((topic, connector)) = parts {
            let topics = found.entry(connector.to_owned()).or_default();
            if value.is_some() {
                topics.insert(topic.to_owned());
            } else {
                topics.remove(topic);
            }
        }
        Ok(())
    })?;
    Ok(found)
}

fn topic_key(topic: &str, connector: &str) -> Vec<u8> {
    format!("status-topic-{topic}:connector-{connector}").into_bytes()
}

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

    /// Note topics that a connector writes to.
    pub(super) async fn write_topics(&self, name: &str, topics: Vec<String>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        let record = |topic: String| {
            OwnedRecord {
            topic: self.topic.clone(),
            key: topic_key(&topic, name),
            value: Some(
                json!({"topic": {"name": topic, "connector": name, "task": 0, "discoverTimestamp": now}})
                    .to_string()
                    .into_bytes(),
            ),
        }
        };
        self.write_all(name, topics.into_iter().map(record).collect())
            .await;
    }

    pub(super) async fn forget_topics(&self, name: &str, topics: Vec<String>) {
        let record = |topic: String| OwnedRecord {
            topic: self.topic.clone(),
            key: topic_key(&topic, name),
            value: None,
        };
        self.write_all(name, topics.into_iter().map(record).collect())
            .await;
    }

    async fn write_all(&self, name: &str, records: Vec<OwnedRecord>) {
        if let Err(error) = self.writer.write(records).await {
            tracing::debug!(connector = name, %error, "topics were not written to the status topic");
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
        // A task fails or restarts; the connector that owns it goes on. A stopped connector has no task.
        let connector = state.map(|state| match state {
            "FAILED" | "RESTARTING" => "RUNNING",
            other => other,
        });
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
    use cdc::kafka::KafkaClient;

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
        for state in ["FAILED", "RESTARTING"] {
            assert_eq!(
                texts(Some(state), Some("why")),
                [
                    (connector.clone(), value("RUNNING", "null")),
                    (task.clone(), value(state, "\"why\"")),
                ]
            );
        }
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
