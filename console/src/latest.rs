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
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::{DataType, Int32Type, SchemaRef},
};
use datafusion::{
    catalog::{Session, TableProvider},
    error::{DataFusionError, Result},
    execution::{SendableRecordBatchStream, TaskContext, memory_pool::MemoryConsumer},
    functions::expr_fn::coalesce,
    logical_expr::{Expr, TableType, ident, lit, try_cast},
    physical_plan::{
        ExecutionPlan,
        stream::RecordBatchStreamAdapter,
        streaming::{PartitionStream, StreamingTableExec},
    },
    prelude::{DataFrame, SessionContext},
};
use debezium::Operation;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use lakewriter::lake::{TABLE_VERSION_COLUMN, UNAVAILABLE_COLUMN};

use crate::{
    change::{Change, EraRule, Narrower, Row, Rule},
    doubt::{Doubt, Evidence, notices},
    eras::EraIdentity,
    fill::Donors,
    history::{History, version_number},
    identity::Parts,
    notices::Notices,
    places::{PLACE, PLACE_COLUMNS, POSITION_COLUMNS, Places, place_column},
    replay::Replay,
};

/// What a row of the table takes while the log is replayed, with a key of one or two numbers.
const BYTES_PER_ROW: usize = 220;

/// Column of the narrow reading: false for the old row of an UPDATE of the key.
const SECOND_HALF: &str = "second half";

/// A table's latest rows.
pub(crate) struct LatestRows {
    pub(crate) name: String,
    pub(crate) session: SessionContext,
    pub(crate) changes: Arc<dyn TableProvider>,
    pub(crate) history: Arc<History>,
    /// Rows of the log.
    pub(crate) rows: usize,
    /// Bytes that the rows of one part may take.
    pub(crate) part_bytes: usize,
    /// In the order of their beginning.
    pub(crate) doubts: Arc<[Doubt]>,
    pub(crate) notices: Notices,
}

impl fmt::Debug for LatestRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LatestRows({})", self.name)
    }
}

#[async_trait::async_trait]
impl TableProvider for LatestRows {
    fn schema(&self) -> SchemaRef {
        self.history.schema()
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
            None => (0..self.history.shown.len()).collect(),
        };
        let schema = Arc::new(self.history.schema().project(&shown)?);
        let reading = Reading {
            name: self.name.clone(),
            session: self.session.clone(),
            changes: Arc::clone(&self.changes),
            history: Arc::clone(&self.history),
            rows: self.rows,
            part_bytes: self.part_bytes,
            doubts: Arc::clone(&self.doubts),
            notices: self.notices.clone(),
            seen: Arc::default(),
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
    name: String,
    session: SessionContext,
    changes: Arc<dyn TableProvider>,
    history: Arc<History>,
    rows: usize,
    part_bytes: usize,
    doubts: Arc<[Doubt]>,
    notices: Notices,
    /// What the parts that were read show of the doubts.
    seen: Arc<Mutex<Seen>>,
    /// Into [`History::shown`].
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
        write!(f, "latest rows of {}", self.name)
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
    fn log(&self) -> Result<DataFrame> {
        self.session.read_table(Arc::clone(&self.changes))
    }

    fn has(&self, column: &str) -> bool {
        self.changes.schema().column_with_name(column).is_some()
    }

    /// Into how many parts the keys are divided. Only where each row has one key all the time: a row that moves to
    /// another key, or is told apart by other columns some day, may not lose its earlier part.
    async fn parts(&self) -> Result<u64> {
        let wanted = (self.rows.saturating_mul(BYTES_PER_ROW)).div_ceil(self.part_bytes.max(1));
        let one_key = matches!(
            self.history.eras.as_slice(),
            [era] if matches!(era.identity, EraIdentity::Key(_)) && era.narrower.is_empty()
        );
        if wanted <= 1 || !one_key {
            return Ok(1);
        }
        if self.has(UNAVAILABLE_COLUMN) {
            let moved = ident("_op")
                .eq(lit("c"))
                .and(ident(UNAVAILABLE_COLUMN).is_not_null());
            let moved = self.log()?.filter(moved)?.limit(0, Some(1))?;
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
        let memory = MemoryConsumer::new(format!("latest rows of {}", self.name))
            .register(context.memory_pool());
        let mut replay = Replay::new(self.rules());
        let mut changes = self.narrow()?.execute_stream().await?;
        while let Some(batch) = changes.next().await {
            self.replay(&batch?, part, parts, &mut replay)?;
            memory.try_resize(replay.bytes())?;
        }
        let (rows, evidence) = replay.finish();
        self.tell(&rows, &evidence);
        let rows = Arc::new(rows);
        memory.try_resize(rows.len() * size_of::<Row>())?;

        let columns = self
            .shown
            .iter()
            .filter_map(|at| self.history.shown.get(*at));
        let columns: Vec<_> = columns.collect();
        let values = columns.iter().map(|shown| self.history.expression(shown));
        let of_column: Vec<usize> = columns.iter().map(|shown| shown.column).collect();
        let values: Vec<Expr> = values.collect();
        let mut donors = Donors::needed(&rows, &of_column);
        if !donors.is_empty() {
            let mut log = self.wide(&values)?.execute_stream().await?;
            while let Some(batch) = log.next().await {
                let batch = batch?;
                let places = Places::of(&batch)?;
                memory.try_grow(donors.take(&batch, |row| places.at(row), PLACE_COLUMNS)?)?;
            }
            donors.finish()?;
        }
        let log = self.wide(&values)?.execute_stream().await?;
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
        seen.older.resize(self.doubts.len(), 0);
        for (older, doubt) in seen.older.iter_mut().zip(self.doubts.iter()) {
            let before = rows.partition_point(|row| row.place.position() < doubt.since);
            *older += u64::try_from(before).unwrap_or(u64::MAX);
        }
        let said = notices(&self.name, &self.doubts, &seen.older, &seen.evidence);
        self.notices.set(&self.name, said);
    }

    /// Columns of the identities of a [`Change`].
    fn identities(&self) -> Vec<&[usize]> {
        let eras = self.history.eras.iter();
        let of_eras = eras.clone().map(|era| match &era.identity {
            EraIdentity::Key(columns) | EraIdentity::WholeRow(columns) => columns.as_slice(),
            EraIdentity::Hidden => &[],
        });
        let narrower = eras.flat_map(|era| era.narrower.iter());
        let narrower = narrower.map(|rows| rows.columns.as_slice());
        of_eras.chain(narrower).collect()
    }

    fn rules(&self) -> Vec<EraRule> {
        let mut identities = self.history.eras.len();
        let eras = self.history.eras.iter();
        eras.map(|era| EraRule {
            since: era.since,
            narrower: era
                .narrower
                .iter()
                .map(|rows| {
                    identities += 1;
                    Narrower {
                        from: rows.from,
                        until: rows.until,
                        identity: identities - 1,
                    }
                })
                .collect(),
            rule: match era.identity {
                EraIdentity::Key(_) => Rule::Key,
                EraIdentity::WholeRow(_) => Rule::Bag,
                EraIdentity::Hidden => Rule::AddOnly,
            },
            new_table: era.new_table,
        })
        .collect()
    }

    fn place(&self) -> Vec<Expr> {
        let number = |(name, default): (&str, i64)| {
            let number = if self.has(name) {
                coalesce(vec![try_cast(ident(name), DataType::Int64), lit(default)])
            } else {
                lit(default)
            };
            number.alias(place_column(name))
        };
        PLACE.map(number).into()
    }

    /// Columns of the history that tell rows apart in any era.
    fn identifying(&self) -> Vec<usize> {
        // What is narrower has no columns but those of its era.
        let mut columns: Vec<usize> = self.identities().concat();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// The log without values, in the order of positions. The sort comes last: what the planner puts over a sort may be
    /// done in parallel, and then the batches come in any order.
    fn narrow(&self) -> Result<DataFrame> {
        let mut columns = self.place();
        columns.push(try_cast(ident("_op"), DataType::Utf8).alias("operation"));
        // The halves of an UPDATE of the key share a position: the old row goes first.
        columns.push(ident("_op").not_eq(lit("d")).alias(SECOND_HALF));
        columns.push(version_number(self.has(TABLE_VERSION_COLUMN)).alias("version"));
        if self.has(UNAVAILABLE_COLUMN) {
            columns.push(ident(UNAVAILABLE_COLUMN).alias("unsent"));
        } else {
            columns.push(lit(false).alias("unsent"));
        }
        for at in self.identifying() {
            let Some(column) = self.history.columns.get(at) else {
                continue;
            };
            // One type for all texts, however the reader of Parquet gives them.
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "all other types of Arrow are alike here"
            )]
            let value = match column.data_type {
                DataType::Utf8View | DataType::LargeUtf8 => {
                    try_cast(column.identity.clone(), DataType::Utf8)
                }
                _ => column.identity.clone(),
            };
            columns.push(value.alias(format!("value {at}")));
            let raw = column.raw.clone();
            let raw = raw.unwrap_or_else(|| lit(datafusion::scalar::ScalarValue::Utf8(None)));
            columns.push(try_cast(raw, DataType::Utf8).alias(format!("raw {at}")));
        }
        let mut order: Vec<String> = PLACE.iter().map(|(name, _)| place_column(name)).collect();
        order.insert(POSITION_COLUMNS, SECOND_HALF.to_owned());
        let order = order.iter().map(|name| ident(name).sort(true, false));
        self.log()?.select(columns)?.sort(order.collect())
    }

    /// The rows of the log with the wanted columns.
    fn wide(&self, values: &[Expr]) -> Result<DataFrame> {
        let values = values.iter().enumerate();
        let values = values.map(|(at, value)| value.clone().alias(format!("value {at}")));
        let rows = ident("_op").in_list(vec![lit("d"), lit("t")], true);
        self.log()?
            .filter(rows)?
            .select(self.place().into_iter().chain(values).collect::<Vec<_>>())
    }

    /// Applies the changes of a batch of [`Self::narrow`] that belong to this part.
    fn replay(
        &self,
        batch: &RecordBatch,
        part: u64,
        parts: u64,
        replay: &mut Replay,
    ) -> Result<()> {
        let places = Places::of(batch)?;
        let column = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| {
                DataFusionError::Internal(format!("the log was read without `{name}`"))
            })
        };
        let operations = column("operation")?.as_string::<i32>();
        let versions = column("version")?.as_primitive::<Int32Type>();
        let unsent = column("unsent")?.as_list_opt::<i32>();
        let mut identities = Vec::new();
        for of_identity in self.identities() {
            let mut columns: Vec<&ArrayRef> = Vec::with_capacity(2 * of_identity.len());
            for at in of_identity {
                columns.push(column(&format!("value {at}"))?);
                columns.push(column(&format!("raw {at}"))?);
            }
            identities.push(Parts::new(columns)?);
        }
        let mut scratch = Vec::new();
        for row in 0..batch.num_rows() {
            let letter = operations.value(row);
            let operation = match letter.as_bytes() {
                [code] => Operation::from_code(*code),
                _ => None,
            };
            let Some(operation) = operation else {
                return Err(DataFusionError::Execution(format!(
                    "a change of {} has the unknown operation `{letter}`",
                    self.name
                )));
            };
            let identities: Vec<_> = identities
                .iter()
                .map(|parts| parts.of(row, &mut scratch))
                .collect::<Result<_, _>>()?;
            let whole_table = matches!(operation, Operation::Truncate | Operation::Read);
            if parts > 1
                && !whole_table
                && identities.first().is_some_and(|id| !is_in(id, part, parts))
            {
                continue;
            }
            let mut change = Change {
                operation,
                place: places.at(row),
                identities,
                unsent: Vec::new(),
            };
            if let Some(unsent) = unsent
                && unsent.is_valid(row)
            {
                let version = versions.value(row);
                let names = arrow::compute::cast(&unsent.value(row), &DataType::Utf8)?;
                let names = names.as_string::<i32>().iter().flatten();
                let columns = names.filter_map(|name| self.history.column_of(version, name));
                change.unsent = columns.collect();
            }
            if parts > 1 && operation == Operation::Read {
                let mine = change
                    .identities
                    .first()
                    .is_some_and(|id| is_in(id, part, parts));
                replay.begin_snapshot(&change.place);
                if !mine {
                    continue;
                }
            }
            replay.apply(change).map_err(|error| {
                DataFusionError::Internal(format!("the log of {}: {error}", self.name))
            })?;
        }
        Ok(())
    }
}

fn is_in(identity: &[u8], part: u64, parts: u64) -> bool {
    let mut hasher = DefaultHasher::new();
    hasher.write(identity);
    hasher.finish() % parts == part
}
