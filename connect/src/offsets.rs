//! A connector's stored positions, shown and changed by hand.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    instance::Connector,
    state::{TargetState, TaskState},
    worker::{RefusedRequest, Worker},
};
use cdc::{
    blocking::blocking,
    kafka::{OwnedRecord, offsets::read_offsets},
};

/// How long changing offsets waits for the task to end.
const TASK_END: Duration = Duration::from_secs(30);

impl Worker {
    /// The stored offsets: partition and offset of each.
    ///
    /// # Errors
    /// The connector does not exist, or Kafka does not answer.
    pub async fn offsets(&self, name: &str) -> Result<Vec<(Value, Value)>, RefusedRequest> {
        self.view(name).ok_or(RefusedRequest::NotFound)?;
        let (kafka, topic) = (self.kafka.clone(), self.config.offset_topic.clone());
        let connector = name.to_owned();
        let offsets = blocking("read the connector's offsets", move || {
            read_offsets(&kafka, &topic, &connector)
        });
        Ok(offsets.await?)
    }

    /// Write offsets by hand: pairs of partition and offset, None removes. Without pairs all of the connector's are
    /// removed.
    ///
    /// # Errors
    /// The connector does not exist or is not stopped, or Kafka does not answer.
    pub async fn alter_offsets(
        &self,
        name: &str,
        offsets: Option<Vec<(Value, Option<Value>)>>,
    ) -> Result<(), RefusedRequest> {
        let _change = self.changes.lock().await;
        let view = self.view(name).ok_or(RefusedRequest::NotFound)?;
        if view.target != TargetState::Stopped {
            return Err(RefusedRequest::NotStopped);
        }
        let task = self.connectors().get(name).map(Connector::watch_task);
        if let Some(mut task) = task {
            let ended = task.wait_for(|state| *state != TaskState::Running);
            if tokio::time::timeout(TASK_END, ended).await.is_err() {
                return Err(RefusedRequest::NotStopped);
            }
        }
        let offsets = match offsets {
            Some(offsets) => offsets,
            None => {
                let stored = self.offsets(name).await?.into_iter();
                stored.map(|(partition, _)| (partition, None)).collect()
            }
        };
        let records = offsets
            .into_iter()
            .map(|(partition, offset)| OwnedRecord {
                topic: self.config.offset_topic.clone(),
                key: json!([name, partition]).to_string().into_bytes(),
                value: offset.map(|offset| offset.to_string().into_bytes()),
            })
            .collect();
        self.writer.write(records).await?;
        Ok(())
    }
}
