//! What this process may write now: its partitions, and where each table of the lake stands in each of them.
//!
//! Seek rule: a partition is read from the lowest next offset that any table stores for it, and every table skips what
//! is below its own. A table that never stored one commits before those that did (see [`crate::publish`]), so nothing
//! that only it should have had can be passed over.
//!
//! A table that gets no rows stores nothing, and neither does the marker at the end of a Kafka transaction. Retention
//! would remove what such a table was shown long ago, and its position would look like a gap. So the pipeline stores a
//! floor for each partition in a table of its own: everything below it was handled by every table that the partition
//! feeds. It is written after the commits that make it true (see [`crate::publish`]), so it may be too low and never
//! too high.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::runtime::Handle;

use super::{
    consumer::{Assignments, RebalanceContext, Start},
    running::{Lease, Running},
    topic_id::topic_ids,
};
use crate::{
    Error, ErrorKind,
    error::defect,
    lake::{DEAD_LETTERS, Lake, LakeTables, POSITIONS},
    progress::RecordOrder,
};

/// A floor that has risen in memory is stored after this long: far below any retention, and one commit for all
/// partitions of the process.
const FLOOR_ADVANCE: Duration = Duration::from_secs(60);

/// How long the broker may take for one answer.
const ANSWER: Duration = Duration::from_secs(20);

/// How far one table is in one partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableProgress {
    /// Next offset that the table itself stores (or the commit in flight will): what its next commit must find.
    pub(crate) stored: Option<i64>,
    /// Everything below is in it, by its own word or by the floor; None: the table has nothing of the partition.
    pub(crate) committed: Option<i64>,
    /// Of the last row that was taken, appended or committed.
    pub(crate) last: Option<RecordOrder>,
    pub(crate) last_committed: Option<RecordOrder>,
}

/// One partition that this process reads.
#[derive(Debug)]
pub(crate) struct PartitionState {
    pub(crate) topic: String,
    topic_id: String,
    pub(crate) partition: i32,
    /// `tributary/<pipeline>/<topic id>/<partition>`.
    pub(crate) app_id: String,
    /// Everything below was handled: appended, set aside, or skipped for a reason.
    pub(crate) next: i64,
    /// By the number of the table in [`Assignment::tables`].
    pub(crate) tables: Vec<TableProgress>,
    /// Next offset that the dead-letter table has.
    pub(crate) dead_letters: Option<i64>,
    /// Next offset that the table of positions has.
    pub(crate) floor: Option<i64>,
    pub(crate) floor_stored: Instant,
}

/// Partitions, and the tables they feed.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) lease: Arc<Lease>,
    pub(crate) lake: Arc<LakeTables>,
    pub(crate) partitions: Vec<PartitionState>,
    by_place: HashMap<String, HashMap<i32, usize>>,
    /// Folders of the tables by their number.
    pub(crate) tables: Vec<String>,
}

impl Assignment {
    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Option<usize> {
        self.by_place.get(topic)?.get(&partition).copied()
    }

    /// Partition 0 of each topic, of a lake in memory.
    #[cfg(test)]
    pub(super) fn in_memory(topics: &[&str]) -> Self {
        let lake = Lake::connect(&crate::LakeConfig::new("memory:///")).expect("a lake in memory");
        let mut assignment = Self {
            lease: Arc::default(),
            lake: Arc::new(LakeTables::new(lake, None)),
            partitions: Vec::new(),
            by_place: HashMap::new(),
            tables: Vec::new(),
        };
        for topic in topics {
            assignment.add(PartitionState {
                topic: (*topic).to_owned(),
                topic_id: String::new(),
                partition: 0,
                app_id: (*topic).to_owned(),
                next: 0,
                tables: Vec::new(),
                dead_letters: None,
                floor: None,
                floor_stored: Instant::now(),
            });
        }
        assignment
    }

    /// The partition with this number.
    ///
    /// # Errors
    /// `Defect`: there is none, and the record at `position` would be lost.
    pub(crate) fn state_mut(
        &mut self,
        number: usize,
        position: &str,
    ) -> Result<&mut PartitionState, Error> {
        self.partitions
            .get_mut(number)
            .ok_or_else(|| defect("an assigned partition has a state", position))
    }

    /// The consumer stands at `next`: everything below was given to us or is no record (a marker, a record of a
    /// transaction that was aborted, an offset that compaction left empty).
    pub(crate) fn passed(&mut self, topic: &str, partition: i32, next: i64) {
        if let Some(state) = self
            .partition(topic, partition)
            .and_then(|number| self.partitions.get_mut(number))
        {
            state.next = state.next.max(next);
        }
    }

    /// The number of the table in this folder.
    pub(crate) fn table(&mut self, relative: &str) -> usize {
        if let Some(number) = self.tables.iter().position(|known| known == relative) {
            return number;
        }
        self.tables.push(relative.to_owned());
        self.tables.len() - 1
    }

    fn add(&mut self, partition: PartitionState) {
        self.by_place
            .entry(partition.topic.clone())
            .or_default()
            .insert(partition.partition, self.partitions.len());
        self.partitions.push(partition);
    }
}

impl PartitionState {
    /// The progress of a table, made where there is none.
    #[expect(clippy::indexing_slicing, reason = "it was just made long enough")]
    pub(crate) fn progress(&mut self, table: usize) -> &mut TableProgress {
        if self.tables.len() <= table {
            self.tables.resize_with(table + 1, TableProgress::default);
        }
        // Just made long enough.
        &mut self.tables[table]
    }

    /// Where to start reading: the lowest that any table stores.
    fn start(&self) -> Option<i64> {
        self.tables.iter().filter_map(|table| table.committed).min()
    }

    /// Whether the lake should be told how far this partition was handled though no row of it is open.
    pub(crate) fn floor_is_due(&self, at_once: bool) -> bool {
        self.start().is_some_and(|start| start < self.next)
            && (at_once || self.floor_stored.elapsed() >= FLOOR_ADVANCE)
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
        let mut assignment = Assignment {
            lease: Arc::default(),
            lake: Arc::clone(&lake),
            partitions: Vec::new(),
            by_place: HashMap::new(),
            tables: self.lake.list_changes().await?,
        };
        for (topic, partition) in places {
            let id = ids.get(topic).ok_or_else(|| {
                Error::new(ErrorKind::Kafka, format!("ask for the id of topic `{topic}`: Kafka has none"))
                    .with_hint("topic ids need Kafka 2.8 or newer; a topic that was just deleted has none either")
            })?;
            assignment.add(PartitionState {
                topic: topic.clone(),
                partition: *partition,
                app_id: app_id(&self.pipeline, id, *partition),
                topic_id: id.clone(),
                next: 0,
                tables: Vec::new(),
                dead_letters: None,
                floor: None,
                floor_stored: Instant::now(),
            });
        }
        if let Some(table) = lake.get(POSITIONS).await? {
            let mut table = table.lock().await;
            table.checkpoint_if_behind().await?;
            for partition in &mut assignment.partitions {
                partition.floor = table.txn(&partition.app_id).await?;
            }
        }
        for (number, relative) in assignment.tables.clone().into_iter().enumerate() {
            let Some(table) = lake.get(&relative).await? else {
                continue;
            };
            let mut table = table.lock().await;
            // Each txn costs a GET per commit since the last checkpoint: one checkpoint makes them all cheap.
            table.checkpoint_if_behind().await?;
            let mut others = table.pipelines()?;
            others.retain(|other| *other != self.pipeline);
            for partition in &mut assignment.partitions {
                let Some(stored) = table.txn(&partition.app_id).await? else {
                    for other in &others {
                        let app_id = app_id(other, &partition.topic_id, partition.partition);
                        if let Some(next) = table.txn(&app_id).await? {
                            return Err(written_by(
                                other,
                                &self.pipeline,
                                &relative,
                                partition,
                                next,
                            ));
                        }
                    }
                    continue;
                };
                let last = RecordOrder::read(&mut table, &partition.app_id).await?;
                let committed = partition.floor.map_or(stored, |floor| floor.max(stored));
                *partition.progress(number) = TableProgress {
                    stored: Some(stored),
                    committed: Some(committed),
                    last,
                    last_committed: last,
                };
            }
        }
        if let Some(table) = lake.get(DEAD_LETTERS).await? {
            let mut table = table.lock().await;
            for partition in &mut assignment.partitions {
                partition.dead_letters = table.txn(&partition.app_id).await?;
            }
        }
        Ok(assignment)
    }
}

fn app_id(pipeline: &str, topic_id: &str, partition: i32) -> String {
    format!("tributary/{pipeline}/{topic_id}/{partition}")
}

/// The same records would come into the same table once for each name.
fn written_by(
    other: &str,
    pipeline: &str,
    table: &str,
    state: &PartitionState,
    next: i64,
) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!(
            "write `{}` [{}] to `{table}` as pipeline `{pipeline}`: pipeline `{other}` has written it up to offset {next}, and every change would come in a second time",
            state.topic, state.partition
        ),
    )
    .with_hint(format!(
        "set lakewriter.pipeline to `{other}`, or write to another lake (lake.url)"
    ))
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
        for state in &mut assignment.partitions {
            let (low, high) = consumer
                .fetch_watermarks(&state.topic, state.partition, ANSWER)
                .map_err(|error| {
                    Error::new(
                        ErrorKind::Kafka,
                        format!(
                            "ask for the ends of `{}` [{}]",
                            state.topic, state.partition
                        ),
                    )
                    .with_source(error)
                })?;
            let offset = state.start();
            check_start(&state.topic, state.partition, offset, low, high)?;
            state.next = offset.unwrap_or(low);
            starts.push(Start {
                topic: state.topic.clone(),
                partition: state.partition,
                offset,
            });
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
    fn the_floor_is_due_where_a_table_lags_behind_what_was_seen() {
        let state = |committed: &[Option<i64>], next, age: Duration| PartitionState {
            topic: "t".to_owned(),
            topic_id: "id".to_owned(),
            partition: 0,
            app_id: String::new(),
            next,
            tables: committed
                .iter()
                .map(|&committed| TableProgress {
                    stored: committed,
                    committed,
                    ..TableProgress::default()
                })
                .collect(),
            dead_letters: None,
            floor: None,
            floor_stored: Instant::now().checked_sub(age).expect("the clock runs"),
        };
        let (young, old) = (Duration::ZERO, FLOOR_ADVANCE);
        for (committed, next, age, at_once, due) in [
            // Nothing is stored of it: it is read from its beginning, wherever that is.
            (vec![], 9, old, true, false),
            (vec![None], 9, old, true, false),
            (vec![Some(9)], 9, old, true, false),
            // A marker.
            (vec![Some(8)], 9, young, false, false),
            (vec![Some(8)], 9, young, true, true),
            (vec![Some(8)], 9, old, false, true),
            // A table that others' records passed by.
            (vec![Some(2), None, Some(9)], 9, old, false, true),
        ] {
            let state = state(&committed, next, age);
            assert_eq!(state.floor_is_due(at_once), due, "{committed:?} of {next}");
        }
    }

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
