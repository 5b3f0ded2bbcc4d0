//! Rows of a log in memory, read by the expressions of [`Log`] without the plan of a query: to plan one takes longer than
//! to read a few rows.

use std::sync::Arc;

use arrow::{
    array::{AsArray as _, RecordBatch},
    compute::filter_record_batch,
    datatypes::{Field, Schema, SchemaRef},
};
use datafusion::{
    common::DFSchema,
    error::{DataFusionError, Result},
    logical_expr::{Expr, simplify::SimplifyContext},
    optimizer::simplify_expressions::ExprSimplifier,
    physical_expr::PhysicalExpr,
    prelude::SessionContext,
};

use crate::log::Log;

/// Columns that are made of others, ready to be evaluated.
struct Projection(Vec<(String, Arc<dyn PhysicalExpr>)>);

impl Projection {
    fn new(session: &SessionContext, of: &SchemaRef, columns: Vec<Expr>) -> Result<Self> {
        let schema = Arc::new(DFSchema::try_from(of.as_ref().clone())?);
        let state = session.state();
        let context = SimplifyContext::builder()
            .with_schema(Arc::clone(&schema))
            .with_config_options(Arc::clone(state.config_options()))
            .build();
        let simplifier = ExprSimplifier::new(context);
        let columns = columns.into_iter().map(|column| {
            let name = column.schema_name().to_string();
            // Some functions are nothing but the expression that they are simplified to.
            let column = simplifier.simplify(simplifier.coerce(column, &schema)?)?;
            Ok((name, state.create_physical_expr(column, &schema)?))
        });
        Ok(Self(columns.collect::<Result<_>>()?))
    }

    fn of(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut fields = Vec::with_capacity(self.0.len());
        let mut columns = Vec::with_capacity(self.0.len());
        for (name, value) in &self.0 {
            let column = value.evaluate(batch)?.into_array(batch.num_rows())?;
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        }
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }
}

/// What is read of the rows of a log, made ready once for a description of the table.
pub(crate) struct Reading {
    narrow: Projection,
    has_values: Projection,
    wide: Projection,
}

impl Reading {
    /// `columns`: how many the kept rows have.
    pub(crate) fn of(log: &Log, columns: usize) -> Result<Self> {
        let schema = log.changes.schema();
        let all: Vec<usize> = (0..columns).collect();
        let (values, _) = log.columns(&all);
        let ready = |columns| Projection::new(&log.session, &schema, columns);
        Ok(Self {
            narrow: ready(log.narrow_columns())?,
            has_values: ready(vec![Log::has_values()])?,
            wide: ready(log.wide_columns(&values))?,
        })
    }
}

/// Some rows of a log, with its columns.
#[derive(Clone)]
pub(crate) struct InMemory {
    pub(crate) reading: Arc<Reading>,
    pub(crate) rows: Vec<RecordBatch>,
}

impl InMemory {
    /// As [`Log::narrow`] has them, but in the order of the rows.
    pub(crate) fn narrow(&self) -> impl Iterator<Item = Result<RecordBatch>> {
        self.rows.iter().map(|batch| self.reading.narrow.of(batch))
    }

    /// As [`Log::wide`] has them, with the values of all columns of kept rows.
    pub(crate) fn wide(&self) -> Result<Vec<RecordBatch>> {
        let batches = self.rows.iter().map(|batch| {
            let mask = self.reading.has_values.of(batch)?;
            let mask = mask
                .columns()
                .first()
                .and_then(|mask| mask.as_boolean_opt());
            let mask = mask.ok_or_else(|| {
                DataFusionError::Internal("whether a row has values is yes or no".to_owned())
            })?;
            self.reading.wide.of(&filter_record_batch(batch, mask)?)
        });
        batches.collect()
    }
}
