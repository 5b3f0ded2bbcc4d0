//! What this process may write now: its partitions, and where each table of the lake stands in each of them.
//!
//! Seek rule: a partition is read from the lowest next offset that any table stores for it, and every table skips what
//! is below its own. A table that never stored one does so before a table beside it commits (see [`crate::progress`]), so
//! nothing that only it should have had can be passed over.
//!
//! A table that gets no rows stores nothing, and neither does the marker at the end of a Kafka transaction. Retention
//! would remove what such a table was shown long ago, and its position would look like a gap. So the pipeline stores a
//! floor for each partition in a table of its own: everything below it was handled by every table that the partition
//! feeds. It is written after the commits that make it true, so it may be too low and never too high.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::runtime::Handle;

use super::{
    consumer::{Assignments, RebalanceContext, Start},
    running::{Lease, Running},
    stored::{Assigned, read_positions},
    topic_id::topic_ids,
};
use crate::{
    Error, ErrorKind,
    lake::{Lake, LakeTables},
    progress::Positions,
};

/// How long the broker may take for one answer.
const ANSWER: Duration = Duration::from_secs(20);

/// Partitions, and the tables they feed.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) lease: Arc<Lease>,
    pub(crate) lake: Arc<LakeTables>,
    pub(crate) positions: Positions,
}

impl Assignment {
    /// Partition 0 of each topic, of a lake in memory.
    #[cfg(test)]
    pub(super) fn in_memory(topics: &[&str]) -> Self {
        let lake = Lake::connect(&crate::LakeConfig::new("memory:///")).expect("a lake in memory");
        Self {
            lease: Arc::default(),
            lake: Arc::new(LakeTables::new(lake, None)),
            positions: Positions::fresh(topics),
        }
    }
}

/// Answers the consumer's rebalances from the lake.
pub(crate) struct LakeAssignments {
    pub(crate) lake: Lake,
    pub(crate) pipeline: String,
    pub(crate) runtime: Handle,
    pub(crate) running: Arc<Running>,
    /// The newest assignment, until the loop takes it.
    current: Mutex<Option<Assignment>>,
    lease: Mutex<Arc<Lease>>,
}

impl LakeAssignments {
    pub(crate) fn new(lake: Lake, pipeline: &str, runtime: Handle) -> Self {
        Self {
            lake,
            pipeline: pipeline.to_owned(),
            runtime,
            running: Arc::default(),
            current: Mutex::default(),
            lease: Mutex::default(),
        }
    }

    /// The assignment that came with the last rebalance, once.
    pub(crate) fn take(&self) -> Option<Assignment> {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Read from the lake where every table stands in these partitions.
    async fn read(
        &self,
        places: &[(String, i32)],
        ids: &HashMap<String, String>,
    ) -> Result<Assignment, Error> {
        let lake = Arc::new(LakeTables::new(self.lake.clone(), Some(&self.pipeline)));
        let tables = self.lake.list_changes().await?;
        let mut assigned = Vec::with_capacity(places.len());
        for (topic, partition) in places {
            let id = ids.get(topic).ok_or_else(|| {
                Error::new(ErrorKind::Kafka, format!("ask for the id of topic `{topic}`: Kafka has none"))
                    .with_hint("topic ids need Kafka 2.8 or newer; a topic that was just deleted has none either")
            })?;
            assigned.push(Assigned {
                topic: topic.clone(),
                topic_id: id.clone(),
                partition: *partition,
            });
        }
        let positions = read_positions(&lake, tables, &self.pipeline, assigned).await?;
        Ok(Assignment {
            lease: Arc::default(),
            lake,
            positions,
        })
    }
}

impl Assignments for LakeAssignments {
    fn assigned(
        &self,
        consumer: &BaseConsumer<RebalanceContext<Self>>,
        places: &[(String, i32)],
    ) -> Result<Vec<Start>, Error> {
        let mut topics: Vec<String> = places.iter().map(|(topic, _)| topic.clone()).collect();
        topics.sort();
        topics.dedup();
        let ids = if topics.is_empty() {
            HashMap::new()
        } else {
            topic_ids(consumer.client(), &topics, ANSWER)?
        };
        let mut assignment = self.runtime.block_on(self.read(places, &ids))?;
        let mut starts = Vec::with_capacity(places.len());
        let mut nexts = Vec::with_capacity(places.len());
        for (topic, partition, offset) in assignment.positions.starts() {
            let (low, high) = consumer
                .fetch_watermarks(topic, partition, ANSWER)
                .map_err(|error| {
                    let attempted = format!("ask for the ends of `{topic}` [{partition}]");
                    Error::new(ErrorKind::Kafka, attempted).with_source(error)
                })?;
            check_start(topic, partition, offset, low, high)?;
            nexts.push(offset.unwrap_or(low));
            starts.push(Start {
                topic: topic.to_owned(),
                partition,
                offset,
            });
        }
        for (start, next) in starts.iter().zip(nexts) {
            let positions = &mut assignment.positions;
            positions.passed(&start.topic, start.partition, next);
        }
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&assignment.lease);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(assignment);
        Ok(starts)
    }

    fn revoked(&self) {
        self.lease
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .end();
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.running.wait_idle();
    }
}

/// Whether the topic still has everything from where the lake ends.
fn check_start(
    topic: &str,
    partition: i32,
    stored: Option<i64>,
    low: i64,
    high: i64,
) -> Result<(), Error> {
    let Some(stored) = stored else {
        return Ok(());
    };
    if stored > high {
        return Err(Error::new(
            ErrorKind::OffsetsLost,
            format!(
                "read `{topic}` [{partition}]: the lake has it up to offset {stored}, the topic ends at {high}"
            ),
        ));
    }
    if stored < low {
        return Err(Error::new(
            ErrorKind::OffsetsLost,
            format!(
                "read `{topic}` [{partition}]: the lake has it up to offset {stored}, the topic begins at {low}: {} offsets are gone",
                low - stored
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_between_lake_and_topic_halts() {
        for (stored, low, high, fine) in [
            (None, 5, 10, true),
            (Some(5), 5, 10, true),
            (Some(10), 5, 10, true),
            (Some(11), 5, 10, false),
            (Some(4), 5, 10, false),
            (Some(0), 0, 0, true),
        ] {
            let checked = check_start("t", 0, stored, low, high);
            assert_eq!(checked.is_ok(), fine, "{stored:?} in {low}..{high}");
            if let Err(error) = checked {
                assert_eq!(error.kind(), ErrorKind::OffsetsLost);
            }
        }
    }
}
