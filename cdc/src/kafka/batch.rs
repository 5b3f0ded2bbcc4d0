//! What is delivered in one step: the bytes of the events, where each goes, and what belongs into the same
//! transaction.
//!
//! Records are delivered in the order in which they stand here.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
};

use debezium::{ChangePosition, SchemaId};

use crate::{Error, error::defect};

/// Headers that are the same for all changes of rows in a run.
pub type ContextHeaders = Arc<[(&'static str, Vec<u8>)]>;

/// Where the records of one version of a table go, or those of one other kind.
#[derive(Debug)]
pub struct Target {
    pub topic: String,
    /// What the records are, for messages: `the change of table public.t`.
    pub what: String,
    /// Text of the `tributary.schema` header; none for records that are no change of a row.
    pub schema: Option<String>,
    /// Where it must be the same for all records, whatever their keys.
    pub partition: Option<i32>,
    pub context: ContextHeaders,
    /// How many partitions the topic has; 0 until the producer made sure of the topic.
    partitions: AtomicI32,
}

impl Target {
    /// Of the changes of `table` (`schema.table`) in the version `schema`.
    pub fn new(topic: String, table: &str, schema: SchemaId) -> Self {
        Self {
            topic,
            what: format!("the change of table `{table}`"),
            schema: Some(schema.to_string()),
            partition: None,
            context: ContextHeaders::default(),
            partitions: AtomicI32::new(0),
        }
    }

    /// Of records that are no change of a row; `what` names one of them.
    pub fn of_records(topic: String, what: &str, partition: Option<i32>) -> Self {
        Self {
            topic,
            what: what.to_owned(),
            schema: None,
            partition,
            context: ContextHeaders::default(),
            partitions: AtomicI32::new(0),
        }
    }

    /// The same with these headers on every record.
    pub fn with_context(self, context: &ContextHeaders) -> Self {
        let context = Arc::clone(context);
        Self { context, ..self }
    }

    pub(super) fn partitions(&self) -> i32 {
        self.partitions.load(Ordering::Relaxed)
    }

    pub(super) fn set_partitions(&self, partitions: i32) {
        self.partitions.store(partitions, Ordering::Relaxed);
    }
}

/// Which of the records that one change makes this is. Their order is the order they are written in, which the
/// at-least-once start needs: a crash may have come between two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangePart {
    /// A record that is no change of a row. A BEGIN has the position of the change that follows it.
    Record,
    /// The event, or the delete of a key change.
    Event,
    /// The tombstone after a delete.
    Tombstone,
    /// The create of a key change.
    Create,
}

/// The header that names the other key of a key change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyHeader {
    New(Range<usize>),
    Old(Range<usize>),
}

/// One record of a batch. Ranges are of the batch's bytes.
#[derive(Debug, Clone)]
pub struct RecordSlot {
    pub target: Arc<Target>,
    /// None for what is not sent again: a heartbeat.
    pub position: Option<ChangePosition>,
    pub part: ChangePart,
    pub key: Option<Range<usize>>,
    /// None is a tombstone.
    pub value: Option<Range<usize>>,
    pub key_header: Option<KeyHeader>,
    /// Names of the columns whose values PostgreSQL did not send, separated by commas.
    pub unavailable: Option<Range<usize>>,
    /// Of a row of a snapshot: how many its table has, where it is the last of them, otherwise 0.
    pub snapshot_rows: Option<u64>,
}

/// A record that owns its bytes: offsets, schemas, connector settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRecord {
    pub topic: String,
    pub key: Vec<u8>,
    /// None is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// What is delivered in one step: the events' bytes in one arena, and what belongs into the same transaction.
#[derive(Debug, Default)]
pub struct RecordBatch {
    pub bytes: Vec<u8>,
    pub records: Vec<RecordSlot>,
    /// Written before the events.
    pub schemas: Vec<OwnedRecord>,
    /// Written after the events.
    pub offset: Option<OwnedRecord>,
}

impl RecordBatch {
    /// The bytes of a range of this batch.
    ///
    /// # Errors
    /// It is a range of another batch: a record without its key or its value would be sent.
    pub fn slice(&self, range: &Range<usize>) -> Result<&[u8], Error> {
        self.bytes.get(range.clone()).ok_or_else(|| {
            let length = self.bytes.len();
            defect(
                "a record's bytes are in its batch",
                format!("{range:?} of {length}"),
            )
        })
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.schemas.is_empty() && self.offset.is_none()
    }

    /// How many bytes it holds in memory, about.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.records.len() * size_of::<RecordSlot>()
    }

    /// Empty it for the next use; its memory stays, unless one huge row made it huge.
    pub fn clear(&mut self, budget: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(budget.saturating_mul(2));
        self.records.clear();
        self.schemas.clear();
        self.offset = None;
    }
}
