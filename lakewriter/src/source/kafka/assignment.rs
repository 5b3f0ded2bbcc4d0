//! What this process may write now: its partitions, and where each table of the lake stands in each of them.
//!
//! Seek rule: a partition is read from the lowest next offset that any table stores for it, and every table skips what
//! is below its own. A table that never stored one commits before those that did (see [`crate::publish`]), so nothing
//! that only it should have had can be passed over.

use std::{
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::runtime::Handle;

use super::{
    consumer::{Assignments, RebalanceContext, Start},
    topic_id::topic_ids,
};
use crate::{
    Error, ErrorKind,
    lake::{DEAD_LETTERS, Lake, LakeTables},
};

/// How long the broker may take for one answer.
const ANSWER: Duration = Duration::from_secs(20);

/// How long a running commit may hold up a rebalance.
const LAST_COMMIT: Duration = Duration::from_secs(10);

/// The right to commit for an assignment. Ends when its partitions are taken away.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    ended: AtomicBool,
}

impl Lease {
    pub(crate) fn is_held(&self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

/// Order of two records of one table in one partition: commit LSN, then twice the ordinal, plus one for the second half
/// of a change of the key.
pub(crate) type RecordOrder = (u64, u64);

/// How far one table is in one partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableProgress {
    /// Next offset that the lake (or the commit in flight) has for it; None: the table has nothing of the partition.
    pub(crate) committed: Option<i64>,
    /// Of the last row that was taken, appended or committed.
    pub(crate) last: Option<RecordOrder>,
    pub(crate) last_committed: Option<RecordOrder>,
    pub(crate) advanced: Option<Instant>,
}

/// One partition that this process reads.
#[derive(Debug)]
pub(crate) struct PartitionState {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// `tributary/<pipeline>/<topic id>/<partition>`.
    pub(crate) app_id: String,
    /// Everything below was handled: appended, set aside, or skipped for a reason.
    pub(crate) next: i64,
    /// By the number of the table in [`Assignment::tables`].
    pub(crate) tables: Vec<TableProgress>,
    /// Next offset that the dead-letter table has.
    pub(crate) dead_letters: Option<i64>,
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
}

/// Commits that run now, so that a rebalance can wait for them.
#[derive(Debug, Default)]
pub(crate) struct Running {
    count: AtomicUsize,
    gate: Mutex<()>,
    idle: Condvar,
}

/// Counts as running until it is dropped.
#[derive(Debug)]
pub(crate) struct RunningCommit(Arc<Running>);

impl Running {
    pub(crate) fn begin(self: &Arc<Self>) -> RunningCommit {
        self.count.fetch_add(1, Ordering::AcqRel);
        RunningCommit(Arc::clone(self))
    }

    fn wait_idle(&self, timeout: Duration) {
        let guard = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self
            .idle
            .wait_timeout_while(guard, timeout, |()| self.count.load(Ordering::Acquire) > 0);
    }
}

impl Drop for RunningCommit {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        let _guard = self.0.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.idle.notify_all();
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
        let lake = Arc::new(LakeTables::new(self.lake.clone()));
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
                app_id: format!("tributary/{}/{id}/{partition}", self.pipeline),
                next: 0,
                tables: Vec::new(),
                dead_letters: None,
            });
        }
        for (number, relative) in assignment.tables.clone().into_iter().enumerate() {
            let Some(table) = lake.get(&relative).await? else {
                continue;
            };
            let mut table = table.lock().await;
            // Each txn costs a GET per commit since the last checkpoint: one checkpoint makes them all cheap.
            table.checkpoint_if_behind().await?;
            for partition in &mut assignment.partitions {
                let committed = table.txn(&partition.app_id).await?;
                if committed.is_none() {
                    continue;
                }
                let lsn = table.txn(&lsn_app_id(&partition.app_id)).await?;
                let ordinal = table.txn(&ordinal_app_id(&partition.app_id)).await?;
                let order = |lsn: i64, ordinal: i64| {
                    Some((u64::try_from(lsn).ok()?, u64::try_from(ordinal).ok()?))
                };
                let last = lsn
                    .zip(ordinal)
                    .and_then(|(lsn, ordinal)| order(lsn, ordinal));
                *partition.progress(number) = TableProgress {
                    committed,
                    last,
                    last_committed: last,
                    advanced: None,
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

/// The commit LSN of the last row of a partition.
pub(crate) fn lsn_app_id(app_id: &str) -> String {
    format!("{app_id}/lsn")
}

/// Its place within the transaction.
pub(crate) fn ordinal_app_id(app_id: &str) -> String {
    format!("{app_id}/ordinal")
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
        self.running.wait_idle(LAST_COMMIT);
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
                "read `{topic}` [{partition}]: the lake has it up to offset {stored}, the topic begins at {low}"
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
