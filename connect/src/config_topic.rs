//! Connector settings in the config topic, in Kafka Connect's own format.
//!
//! | key | value |
//! |---|---|
//! | `connector-<name>` | `{"properties":{...}}` |
//! | `task-<name>-0` | `{"properties":{...}}`, with `task.class` |
//! | `commit-<name>` | `{"tasks":1}`: the task records before it hold; 0 while stopped |
//! | `target-state-<name>` | `{"state":"PAUSED","state.v2":"STOPPED"}`; `state` is for workers before 3.5, which have no STOPPED |

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::state::TargetState;
use cdc::{
    Error, ErrorKind,
    blocking::blocking,
    kafka::{KafkaClient, OwnedRecord, RecordStore, compacted::read_to_end},
};
use connector::shown;

/// A connector as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct StoredConnector {
    pub(super) properties: BTreeMap<String, String>,
    pub(super) target: TargetState,
    pub(super) has_task: bool,
}

impl fmt::Debug for StoredConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredConnector")
            .field("properties", &shown(&self.properties))
            .field("target", &self.target)
            .field("has_task", &self.has_task)
            .finish()
    }
}

/// Beside the settings in what Kafka Connect stores and shows of a task.
pub(super) const TASK_CLASS: &str = "io.debezium.connector.postgresql.PostgresConnectorTask";

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

#[derive(Deserialize)]
struct StoredTasks {
    tasks: u32,
}

/// All connectors of the topic. Blocks.
pub(super) fn read(
    client: &KafkaClient,
    topic: &str,
) -> Result<BTreeMap<String, StoredConnector>, Error> {
    let mut log = ConfigLog::default();
    read_to_end(client, topic, |key, value| {
        log.take(key, value);
        Ok(())
    })?;
    Ok(log.connectors())
}

/// What the records so far say. Those that cannot be read are left out, with a line in the log.
#[derive(Default)]
struct ConfigLog {
    properties: BTreeMap<String, BTreeMap<String, String>>,
    targets: BTreeMap<String, TargetState>,
    /// Those that have a task.
    tasks: BTreeSet<String>,
}

impl ConfigLog {
    fn take(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let Some(key) = key.and_then(|key| std::str::from_utf8(key).ok()) else {
            return tracing::warn!(
                "a record of the config topic has no key in UTF-8: it is left out"
            );
        };
        if let Some(name) = key.strip_prefix("connector-") {
            match value.map(serde_json::from_slice::<StoredProperties>) {
                None => {
                    self.properties.remove(name);
                }
                Some(Ok(stored)) => {
                    let set = stored.properties.into_iter();
                    let set = set.filter_map(|(name, value)| Some((name, value?)));
                    self.properties.insert(name.to_owned(), set.collect());
                }
                Some(Err(error)) => {
                    tracing::warn!(connector = name, %error, "the stored settings cannot be read");
                }
            }
        } else if let Some(name) = key.strip_prefix("target-state-") {
            match value.map(target) {
                None => {
                    self.targets.remove(name);
                }
                Some(Some(target)) => {
                    self.targets.insert(name.to_owned(), target);
                }
                Some(None) => {
                    tracing::warn!(connector = name, "the stored target state cannot be read");
                }
            }
        } else if let Some(name) = key.strip_prefix("commit-") {
            let committed = value.map(serde_json::from_slice::<StoredTasks>);
            if committed.is_some_and(|committed| committed.is_ok_and(|stored| stored.tasks > 0)) {
                self.tasks.insert(name.to_owned());
            } else {
                self.tasks.remove(name);
            }
        } else {
            // Tasks follow from their connectors; the session key and restart requests are of Connect's workers.
            tracing::debug!(key, "a record of the config topic has no effect");
        }
    }

    fn connectors(self) -> BTreeMap<String, StoredConnector> {
        let Self {
            properties,
            targets,
            tasks,
        } = self;
        properties
            .into_iter()
            .map(|(name, properties)| {
                let target = targets.get(&name).copied().unwrap_or_default();
                let has_task = target.has_task(tasks.contains(&name));
                let connector = StoredConnector {
                    properties,
                    target,
                    has_task,
                };
                (name, connector)
            })
            .collect()
    }
}

fn target(value: &[u8]) -> Option<TargetState> {
    let stored: StoredTarget = serde_json::from_slice(value).ok()?;
    TargetState::from_connect(stored.state_v2.as_deref().unwrap_or(&stored.state))
}

/// Writes to the worker's compacted topics.
#[derive(Clone)]
pub(super) struct TopicWriter {
    /// Whoever waits for it longest has it next, and keeps it until its records are written even where its caller is
    /// dropped: so records are written in the order in which they were given.
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
        let mut store = Arc::clone(&self.store).lock_owned().await;
        let client = self.client.clone();
        blocking("write to the worker's topics", move || {
            let open = match store.take() {
                Some(open) => open,
                None => RecordStore::new(&client)?,
            };
            // One that failed is not used again.
            open.write(&records)?;
            *store = Some(open);
            Ok(())
        })
        .await
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
                other @ (TargetState::Started | TargetState::Paused) => other,
            }
            .as_connect()
            .to_owned(),
            state_v2: Some(target.as_connect().to_owned()),
        })
    });
    record(topic, format!("target-state-{name}"), value)
}

/// The task of a connector, or that it has none.
pub(super) fn task_records(
    topic: &str,
    name: &str,
    properties: Option<&BTreeMap<String, String>>,
) -> Result<Vec<OwnedRecord>, Error> {
    let mut records = Vec::new();
    if let Some(properties) = properties {
        let mut task = properties.clone();
        task.insert("task.class".to_owned(), TASK_CLASS.to_owned());
        let mut record = properties_record(topic, name, Some(&task))?;
        record.key = format!("task-{name}-0").into_bytes();
        records.push(record);
    }
    let count = serde_json::json!({"tasks": records.len()});
    let count = serde_json::to_vec(&count);
    records.push(record(topic, format!("commit-{name}"), Some(count))?);
    Ok(records)
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_records_are_left_out(
            prefix in prop::sample::select(vec!["", "connector-", "target-state-", "task-", "commit-"]),
            key in prop::collection::vec(any::<u8>(), 0..12),
            value in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        ) {
            let mut log = ConfigLog::default();
            log.take(Some(b"connector-a"), Some(br#"{"properties":{"x":"1","y":null}}"#));
            log.take(Some(b"target-state-a"), Some(br#"{"state":"PAUSED"}"#));
            let key = [prefix.as_bytes(), &key].concat();
            prop_assume!(!key.ends_with(b"-a"));
            log.take(Some(&key), value.as_deref());
            log.take(None, value.as_deref());
            let stored = log.connectors();
            prop_assert_eq!(stored["a"].target, TargetState::Paused);
            prop_assert_eq!(stored["a"].properties.len(), 1);
        }
    }

    #[test]
    fn tasks_are_connects() {
        let properties = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        let texts = |properties| -> Vec<(String, Option<String>)> {
            task_records("t", "n", properties)
                .unwrap()
                .into_iter()
                .map(text)
                .collect()
        };
        let commit = |tasks: u8| {
            (
                "commit-n".to_owned(),
                Some(format!(r#"{{"tasks":{tasks}}}"#)),
            )
        };
        let task = format!(r#"{{"properties":{{"a":"1","task.class":"{TASK_CLASS}"}}}}"#);
        assert_eq!(
            texts(Some(&properties)),
            [("task-n-0".to_owned(), Some(task)), commit(1)]
        );
        assert_eq!(texts(None), [commit(0)]);
    }

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
