//! The latest rows of a table, by the shorter road: `current` with what was committed after it, or a replay of the whole
//! log where `current` cannot tell them.

use std::{fmt, sync::Arc};

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    compute::cast,
    datatypes::{DataType, SchemaRef},
};
use datafusion::{
    catalog::{Session, TableProvider},
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{
        Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, ident, lit,
        try_cast,
    },
    physical_plan::{
        ExecutionPlan, ExecutionPlanProperties as _,
        stream::RecordBatchStreamAdapter,
        streaming::{PartitionStream, StreamingTableExec},
    },
    prelude::DataFrame,
    scalar::ScalarValue,
};
use futures::StreamExt as _;
use lakewriter::lake::Lake;
use tokio::sync::OnceCell;

use crate::{
    doubt::notices,
    kept::SourceLog,
    kept_table::{KeptTable, files_behind, hashed_shape},
    latest::LatestRows,
    overlay::Overlay,
    tables::Boxed,
};

/// A table's latest rows.
pub(crate) struct Now {
    replay: LatestRows,
    kept: Kept,
    /// Found when the first query asks for it; None inside: the replay tells.
    overlay: OnceCell<Option<Overlay>>,
}

/// `current`, and the log at a version that is not before it.
pub(crate) struct Kept {
    pub(crate) lake: Lake,
    pub(crate) changes: String,
    pub(crate) table: KeptTable,
    pub(crate) log: SourceLog,
}

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Now({:?})", self.replay)
    }
}

impl Now {
    /// The latest rows by `current`, where it can tell them: what is in doubt about rows, or seen in changes, is for the
    /// replay to say unless `current` knows it.
    pub(crate) fn of(replay: LatestRows, kept: Option<Kept>) -> Arc<dyn TableProvider> {
        let kept = kept.filter(|kept| {
            replay.doubts.is_empty()
                && kept.table.progress.evidence.is_some()
                && kept.table.shape == hashed_shape(kept.log.shape())
        });
        match kept {
            None => Arc::new(replay),
            Some(kept) => Arc::new(Self {
                replay,
                kept,
                overlay: OnceCell::new(),
            }),
        }
    }

    async fn overlay(&self) -> Result<Option<Overlay>, Boxed> {
        let Kept { table, log, .. } = &self.kept;
        let progress = &table.progress;
        let Some(evidence) = &progress.evidence else {
            return Ok(None);
        };
        let store = self.kept.lake.log_store(&self.kept.changes)?;
        let files = files_behind(&store, progress.changes_version, log.version()).await?;
        match files {
            None => Ok(None),
            Some(files) if files.is_empty() => Ok(Some(Overlay::none(evidence.clone()))),
            Some(files) => Overlay::of(log, files, progress, evidence, &self.rows()?).await,
        }
    }

    /// `current` in the schema of kept rows.
    fn rows(&self) -> Result<DataFrame> {
        let Kept { table, log, .. } = &self.kept;
        let read = table.rows.schema();
        let columns = log.schema().fields().iter().map(|field| {
            let value = ident(field.name());
            match read.field_with_name(field.name()) {
                Ok(read) if read.data_type() == field.data_type() => value,
                _ => try_cast(value, field.data_type().clone()).alias(field.name()),
            }
        });
        let rows = log.session().read_table(Arc::clone(&table.rows))?;
        rows.select(columns.collect::<Vec<_>>())
    }

    /// The rows of now, in the schema of the latest rows: filters and projections go through it to the files.
    fn plan(&self, overlay: &Overlay) -> Result<LogicalPlan> {
        let log = &self.kept.log;
        let rows = overlay.over(log, self.rows()?)?;
        let shown = self.schema();
        let columns = shown.fields().iter().zip(log.schema().fields());
        let columns = columns.map(|(shown, kept)| {
            let value = ident(kept.name());
            let value = if *shown.data_type() == DataType::Null {
                lit(ScalarValue::Null)
            } else if shown.data_type() == kept.data_type() {
                value
            } else {
                try_cast(value, shown.data_type().clone())
            };
            value.alias(shown.name())
        });
        Ok(rows
            .select(columns.collect::<Vec<_>>())?
            .into_unoptimized_plan())
    }
}

#[async_trait::async_trait]
impl TableProvider for Now {
    fn schema(&self) -> SchemaRef {
        self.replay.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // A replay passes on all rows.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let overlay = self.overlay.get_or_try_init(|| self.overlay());
        // Whatever `current` lacks, the log has it all.
        let Ok(Some(overlay)) = overlay.await else {
            return self.replay.scan(state, projection, filters, limit).await;
        };
        let name = self.kept.log.name();
        let said = notices(name, &[], &[], &overlay.evidence);
        self.replay.notices.set(name, said);
        let mut plan = LogicalPlanBuilder::from(self.plan(overlay)?);
        if let Some(filter) = filters.iter().cloned().reduce(Expr::and) {
            plan = plan.filter(filter)?;
        }
        let mut schema = self.schema();
        if let Some(projection) = projection {
            let names = projection.iter().map(|at| ident(schema.field(*at).name()));
            plan = plan.project(names.collect::<Vec<_>>())?;
            schema = Arc::new(schema.project(projection)?);
        }
        plan = plan.limit(0, limit)?;
        let plan = state.create_physical_plan(&plan.build()?).await?;
        let parts = 0..plan.output_partitioning().partition_count();
        let parts = parts.map(|part| {
            let part = Part {
                plan: Arc::clone(&plan),
                part,
                schema: Arc::clone(&schema),
            };
            Arc::new(part) as Arc<dyn PartitionStream>
        });
        let parts = parts.collect();
        let exec = StreamingTableExec::try_new(schema, parts, None, [], false, limit)?;
        Ok(Arc::new(exec))
    }
}

/// One partition of the rows, in exactly the schema that a replay has.
#[derive(Debug)]
struct Part {
    plan: Arc<dyn ExecutionPlan>,
    part: usize,
    schema: SchemaRef,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let plan = Arc::clone(&self.plan);
        let part = self.part;
        let rows = futures::stream::once(async move { plan.execute(part, context) });
        let rows = rows.map(|rows| match rows {
            Ok(rows) => rows.left_stream(),
            Err(error) => futures::stream::once(async { Err(error) }).right_stream(),
        });
        let rows = rows.flatten().map(move |batch| {
            let batch = batch?;
            let columns = batch.columns().iter().zip(schema.fields());
            let columns = columns.map(|(column, field)| Ok(cast(column, field.data_type())?));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let schema = Arc::clone(&schema);
            Ok(RecordBatch::try_new_with_options(schema, columns, &count)?)
        });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        ))
    }
}
