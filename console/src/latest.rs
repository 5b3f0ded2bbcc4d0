//! The latest rows of a table, over its log of changes.
//!
//! First the log is read without its values: what identifies rows, and where they stand, in the order of positions
//! (sorted with spill to disk). [`Replay`] finds the places of the rows that are in the table. Then the log is read once
//! more with the columns that the query wants, and the rows at those places are passed on as they come, so that a LIMIT
//! ends the reading. Values that PostgreSQL did not send are taken from the rows that have them.
//!
//! The places must be in memory. Where a table has more changes than the memory limit allows for, the keys are divided
//! into parts, and the log is read for one part after another.

use std::{
    fmt,
    hash::{DefaultHasher, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::SchemaRef,
};
use datafusion::{
    catalog::{Session, TableProvider},
    error::{DataFusionError, Result},
    execution::{SendableRecordBatchStream, TaskContext, memory_pool::MemoryConsumer},
    logical_expr::{Expr, TableType, ident, lit},
    physical_plan::{
        ExecutionPlan,
        stream::RecordBatchStreamAdapter,
        streaming::{PartitionStream, StreamingTableExec},
    },
};
use debezium::Operation;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use lakewriter::lake::UNAVAILABLE_COLUMN;

use crate::{
    change::Row,
    doubt::{Doubt, Evidence, notices},
    eras::EraIdentity,
    fill::Donors,
    log::Log,
    notices::Notices,
    places::{PLACE_COLUMNS, Places},
    replay::Replay,
};

/// What a row of the table takes while the log is replayed, with a key of one or two numbers.
const BYTES_PER_ROW: usize = 220;

/// A table's latest rows.
pub(crate) struct LatestRows {
    pub(crate) log: Log,
    /// Rows of the log.
    pub(crate) rows: usize,
    /// Bytes that the rows of one part may take.
    pub(crate) part_bytes: usize,
    /// In the order of their beginning.
    pub(crate) doubts: Arc<[Doubt]>,
    pub(crate) notices: Notices,
    /// Where each row's last change stands is shown, behind its columns.
    pub(crate) positions: bool,
    pub(crate) told: Told,
}

/// What the log showed beside the rows: whole once they were read.
#[derive(Debug, Clone, Default)]
pub struct Told(Arc<Mutex<Evidence>>);

impl Told {
    pub fn evidence(&self) -> Evidence {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, evidence: &Evidence) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = evidence.clone();
    }
}

impl fmt::Debug for LatestRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LatestRows({})", self.log.name)
    }
}

#[async_trait::async_trait]
impl TableProvider for LatestRows {
    fn schema(&self) -> SchemaRef {
        match self.positions {
            false => self.log.history.schema(),
            true => self.log.positioned_schema(),
        }
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let shown: Vec<usize> = match projection {
            Some(wanted) => wanted.clone(),
            None => (0..self.schema().fields().len()).collect(),
        };
        let schema = Arc::new(self.schema().project(&shown)?);
        let reading = Reading {
            log: self.log.clone(),
            rows: self.rows,
            part_bytes: self.part_bytes,
            doubts: Arc::clone(&self.doubts),
            notices: self.notices.clone(),
            seen: Arc::default(),
            told: self.told.clone(),
            shown,
            schema: Arc::clone(&schema),
        };
        let exec =
            StreamingTableExec::try_new(schema, vec![Arc::new(reading)], None, [], false, limit)?;
        Ok(Arc::new(exec))
    }
}

/// One query's reading of the latest rows.
#[derive(Clone)]
struct Reading {
    log: Log,
    rows: usize,
    part_bytes: usize,
    doubts: Arc<[Doubt]>,
    notices: Notices,
    /// What the parts that were read show of the doubts.
    seen: Arc<Mutex<Seen>>,
    told: Told,
    /// Into the schema of the latest rows.
    shown: Vec<usize>,
    schema: SchemaRef,
}

/// Rows from before each of the doubts, and what the log showed.
#[derive(Default)]
struct Seen {
    older: Vec<u64>,
    evidence: Evidence,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "latest rows of {}", self.log.name)
    }
}

impl PartitionStream for Reading {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let reading = self.clone();
        let stream = futures::stream::once(async move {
            let parts = reading.parts().await?;
            let parts = futures::stream::iter(
                (0..parts).map(move |part| Ok::<_, DataFusionError>((part, parts))),
            );
            Ok::<_, DataFusionError>(parts.and_then(move |(part, parts)| {
                let reading = reading.clone();
                let context = Arc::clone(&context);
                async move { reading.part(part, parts, &context).await }
            }))
        });
        let stream = stream.try_flatten().try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            stream,
        ))
    }
}

impl Reading {
    /// Into how many parts the keys are divided. Only where each row has one key all the time: a row that moves to
    /// another key, or is told apart by other columns some day, may not lose its earlier part.
    async fn parts(&self) -> Result<u64> {
        let wanted = (self.rows.saturating_mul(BYTES_PER_ROW)).div_ceil(self.part_bytes.max(1));
        let one_key = matches!(
            self.log.history.eras.as_slice(),
            [era] if matches!(era.identity, EraIdentity::Key(_)) && era.narrower.is_empty()
        );
        if wanted <= 1 || !one_key {
            return Ok(1);
        }
        if self.log.has(UNAVAILABLE_COLUMN) {
            let moved = ident("_op")
                .eq(lit("c"))
                .and(ident(UNAVAILABLE_COLUMN).is_not_null());
            let moved = self.log.rows()?.filter(moved)?.limit(0, Some(1))?;
            if moved.count().await? > 0 {
                return Ok(1);
            }
        }
        Ok(u64::try_from(wanted).unwrap_or(u64::MAX))
    }

    /// The latest rows of one part of the keys.
    async fn part(
        &self,
        part: u64,
        parts: u64,
        context: &TaskContext,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let memory = MemoryConsumer::new(format!("latest rows of {}", self.log.name))
            .register(context.memory_pool());
        let mut replay = Replay::new(self.log.rules());
        let mut changes = self.log.narrow()?.execute_stream().await?;
        while let Some(batch) = changes.next().await {
            self.replay(&batch?, part, parts, &mut replay)?;
            memory.try_resize(replay.bytes())?;
        }
        let (rows, evidence) = replay.finish();
        self.tell(&rows, &evidence);
        let rows = Arc::new(rows);
        memory.try_resize(rows.len() * size_of::<Row>())?;

        let (values, of_column) = self.log.columns(&self.shown);
        let mut donors = Donors::needed(&rows, &of_column);
        if !donors.is_empty() {
            let mut log = self.log.wide(&values)?.execute_stream().await?;
            while let Some(batch) = log.next().await {
                let batch = batch?;
                let places = Places::of(&batch)?;
                memory.try_grow(donors.take(&batch, |row| places.at(row), PLACE_COLUMNS)?)?;
            }
            donors.finish()?;
        }
        let log = self.log.wide(&values)?.execute_stream().await?;
        let schema = Arc::clone(&self.schema);
        let rows = log.map(move |batch| {
            // The places stay accounted for as long as the rows are read.
            let _held = &memory;
            let batch = batch?;
            let places = Places::of(&batch)?;
            let mut wanted = Vec::new();
            let mask: BooleanArray = (0..batch.num_rows())
                .map(|row| {
                    let found = rows.binary_search_by_key(&places.at(row), |row| row.place);
                    wanted.extend(found.ok().and_then(|at| rows.get(at)));
                    Some(found.is_ok())
                })
                .collect();
            let left = filter_record_batch(&batch, &mask)?;
            let columns = left.columns().iter().skip(PLACE_COLUMNS).cloned().collect();
            let columns = donors.fill(columns, &wanted, &of_column)?;
            let count = arrow::array::RecordBatchOptions::new().with_row_count(Some(wanted.len()));
            Ok(RecordBatch::try_new_with_options(
                Arc::clone(&schema),
                columns,
                &count,
            )?)
        });
        Ok(rows.boxed())
    }

    /// Says with the query what the latest rows may not be. `rows` in the order of their places.
    fn tell(&self, rows: &[Row], evidence: &Evidence) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.evidence.join(evidence);
        self.told.set(&seen.evidence);
        seen.older.resize(self.doubts.len(), 0);
        for (older, doubt) in seen.older.iter_mut().zip(self.doubts.iter()) {
            let before = rows.partition_point(|row| row.place.position() < doubt.since);
            *older += u64::try_from(before).unwrap_or(u64::MAX);
        }
        let said = notices(&self.log.name, &self.doubts, &seen.older, &seen.evidence);
        self.notices.set(&self.log.name, said);
    }

    /// Applies the changes of a batch of [`Log::narrow`] that belong to this part.
    fn replay(
        &self,
        batch: &RecordBatch,
        part: u64,
        parts: u64,
        replay: &mut Replay,
    ) -> Result<()> {
        self.log.changes_of(batch, &mut |change| {
            let whole_table = change.operation == Operation::Truncate;
            let mut identities = change.identities.iter();
            let mine = parts == 1 || identities.next().is_some_and(|id| is_in(id, part, parts));
            if change.operation == Operation::Read && !mine {
                // A snapshot takes rows of every part.
                replay.begin_snapshot(&change.place);
            }
            if !mine && !whole_table {
                return Ok(());
            }
            replay.apply(change).map_err(|error| {
                DataFusionError::Internal(format!("the log of {}: {error}", self.log.name))
            })
        })
    }
}

fn is_in(identity: &[u8], part: u64, parts: u64) -> bool {
    let mut hasher = DefaultHasher::new();
    hasher.write(identity);
    hasher.finish() % parts == part
}
