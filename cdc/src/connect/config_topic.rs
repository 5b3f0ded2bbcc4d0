//! Connector settings in the config topic, in Kafka Connect's own format.
//!
//! | key | value |
//! |---|---|
//! | `connector-<name>` | `{"properties":{...}}` |
//! | `target-state-<name>` | `{"state":"PAUSED","state.v2":"STOPPED"}`; `state` is for workers before 3.5, which have no STOPPED |

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::connector::TargetState;
use crate::{
    Error, ErrorKind,
    kafka::{KafkaClient, OwnedRecord, RecordStore, compacted::read_to_end},
};

/// A connector as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredConnector {
    pub(super) properties: BTreeMap<String, String>,
    pub(super) target: TargetState,
}

#[derive(Serialize, Deserialize)]
struct StoredProperties {
    properties: BTreeMap<String, Option<String>>,
}

#[derive(Serialize, Deserialize)]
struct StoredTarget {
    state: String,
    #[serde(rename = "state.v2", default, skip_serializing_if = "Option::is_none")]
    state_v2: Option<String>,
}

/// All connectors of the topic. Blocks.
pub(super) fn read(
    client: &KafkaClient,
    topic: &str,
) -> Result<BTreeMap<String, StoredConnector>, Error> {
    let mut properties: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut targets: BTreeMap<String, TargetState> = BTreeMap::new();
    read_to_end(client, topic, |key, value| {
        let key = key
            .and_then(|key| std::str::from_utf8(key).ok())
            .unwrap_or_default();
        if let Some(name) = key.strip_prefix("connector-") {
            match value.map(serde_json::from_slice::<StoredProperties>) {
                None => {
                    properties.remove(name);
                }
                Some(Ok(stored)) => {
                    let set = stored.properties.into_iter();
                    let set = set.filter_map(|(name, value)| Some((name, value?)));
                    properties.insert(name.to_owned(), set.collect());
                }
                Some(Err(error)) => {
                    tracing::warn!(connector = name, %error, "the stored settings cannot be read");
                }
            }
        } else if let Some(name) = key.strip_prefix("target-state-") {
            let stored = value.and_then(|value| serde_json::from_slice::<StoredTarget>(value).ok());
            let target = stored.and_then(|stored| {
                TargetState::from_connect(stored.state_v2.as_deref().unwrap_or(&stored.state))
            });
            match target {
                Some(target) => targets.insert(name.to_owned(), target),
                None => targets.remove(name),
            };
        }
        Ok(())
    })?;
    Ok(properties
        .into_iter()
        .map(|(name, properties)| {
            let target = targets.get(&name).copied().unwrap_or_default();
            (name, StoredConnector { properties, target })
        })
        .collect())
}

/// Writes to the worker's compacted topics.
#[derive(Clone)]
pub(super) struct TopicWriter {
    store: Arc<Mutex<Option<RecordStore>>>,
    client: KafkaClient,
}

impl TopicWriter {
    pub(super) fn new(client: KafkaClient) -> Self {
        Self {
            store: Arc::default(),
            client,
        }
    }

    /// Write the records, all replicas having them on return.
    pub(super) async fn write(&self, records: Vec<OwnedRecord>) -> Result<(), Error> {
        let writer = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut store = writer.store.lock().unwrap_or_else(PoisonError::into_inner);
            let open = match store.take() {
                Some(open) => open,
                None => RecordStore::new(&writer.client)?,
            };
            // One that failed is not used again.
            open.write(&records)?;
            *store = Some(open);
            Ok::<_, Error>(())
        });
        written.await.map_err(|error| {
            Error::new(ErrorKind::Delivery, "write to the worker's topics").with_source(error)
        })?
    }
}

pub(super) fn properties_record(
    topic: &str,
    name: &str,
    properties: Option<&BTreeMap<String, String>>,
) -> Result<OwnedRecord, Error> {
    let value = properties.map(|properties| {
        let properties = properties.iter();
        let properties = properties.map(|(name, value)| (name.clone(), Some(value.clone())));
        serde_json::to_vec(&StoredProperties {
            properties: properties.collect(),
        })
    });
    record(topic, format!("connector-{name}"), value)
}

pub(super) fn target_record(
    topic: &str,
    name: &str,
    target: Option<TargetState>,
) -> Result<OwnedRecord, Error> {
    let value = target.map(|target| {
        serde_json::to_vec(&StoredTarget {
            state: match target {
                TargetState::Stopped => TargetState::Paused,
                other => other,
            }
            .as_connect()
            .to_owned(),
            state_v2: Some(target.as_connect().to_owned()),
        })
    });
    record(topic, format!("target-state-{name}"), value)
}

fn record(
    topic: &str,
    key: String,
    value: Option<serde_json::Result<Vec<u8>>>,
) -> Result<OwnedRecord, Error> {
    let value = value.transpose().map_err(|error| {
        Error::new(
            ErrorKind::Encode,
            format!("write `{key}` to the topic `{topic}`"),
        )
        .with_source(error)
    })?;
    Ok(OwnedRecord {
        topic: topic.to_owned(),
        key: key.into_bytes(),
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(record: OwnedRecord) -> (String, Option<String>) {
        let utf8 = |bytes| String::from_utf8(bytes).unwrap();
        (utf8(record.key), record.value.map(utf8))
    }

    #[test]
    fn records_are_connects() {
        let properties = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        assert_eq!(
            text(properties_record("t", "n", Some(&properties)).unwrap()),
            (
                "connector-n".to_owned(),
                Some(r#"{"properties":{"a":"1"}}"#.to_owned())
            )
        );
        for (target, want) in [
            (
                TargetState::Started,
                r#"{"state":"STARTED","state.v2":"STARTED"}"#,
            ),
            (
                TargetState::Paused,
                r#"{"state":"PAUSED","state.v2":"PAUSED"}"#,
            ),
            (
                TargetState::Stopped,
                r#"{"state":"PAUSED","state.v2":"STOPPED"}"#,
            ),
        ] {
            assert_eq!(
                text(target_record("t", "n", Some(target)).unwrap()),
                ("target-state-n".to_owned(), Some(want.to_owned()))
            );
        }
        assert_eq!(
            text(target_record("t", "n", None).unwrap()),
            ("target-state-n".to_owned(), None)
        );
    }
}
