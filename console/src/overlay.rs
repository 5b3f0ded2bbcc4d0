//! What changes that were committed after `current` make of it: keys whose rows are no more, and rows that come.
//!
//! Invariant: `current` without the rows of those keys, with the rows that come, is what a replay of the whole log shows.
//! That holds where the changes stand behind everything that was folded; where one does not, or begins all anew, there is
//! no overlay, and the log is replayed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    datatypes::DataType,
};
use datafusion::{
    error::{DataFusionError, Result},
    logical_expr::{ColumnarValue, Expr, Volatility, create_udf, ident},
    prelude::DataFrame,
};
use debezium::Operation;
use futures::StreamExt as _;

use crate::{
    change::is_unknown,
    doubt::Evidence,
    fold::{LoggedChanges, RowKey},
    kept::{Keeping, SourceLog},
    kept_table::Progress,
    tables::Boxed,
};

/// What is between `current` and the newest version of the log.
pub(crate) struct Overlay {
    gone: Arc<HashSet<RowKey>>,
    /// In the schema of kept rows.
    come: Option<RecordBatch>,
    /// Of the folded changes and of these.
    pub(crate) evidence: Evidence,
}

impl Overlay {
    /// Nothing came after `current`.
    pub(crate) fn none(evidence: Evidence) -> Self {
        Self {
            gone: Arc::default(),
            come: None,
            evidence,
        }
    }

    /// What these files of the log make of `current`, whose rows are `kept`, in the schema of kept rows; None where only a
    /// replay tells.
    pub(crate) async fn of(
        log: &SourceLog,
        files: Vec<String>,
        progress: &Progress,
        evidence: &Evidence,
        kept: &DataFrame,
    ) -> Result<Option<Self>, Boxed> {
        if log.keeping() != (Keeping::ByKey { since: None }) {
            return Ok(None);
        }
        let changes = log.changes(files).await?;
        let wanted: HashSet<RowKey> = changes.iter().map(|change| change.key.clone()).collect();
        if !stand_behind(&changes, progress) || wanted.iter().any(|key| is_unknown(key)) {
            return Ok(None);
        }
        let wanted = Arc::new(wanted);
        let Some(numbers) = find(log, &wanted, kept).await? else {
            return Ok(None);
        };
        // A snapshot reads two rows of one key where the key is not unique in PostgreSQL. Which of them is shown depends on
        // where both stand in the log, and `current` does not tell that of the one it has.
        let read_again = changes.iter().any(|change| {
            change.operation == Operation::Read
                && change.position.0 > 0
                && numbers.contains_key(change.key)
        });
        let folded = changes.replay(&numbers, progress.snapshot)?;
        if read_again || folded.lacking().next().is_some() {
            return Ok(None);
        }
        let mut evidence = evidence.clone();
        evidence.join(&folded.evidence);
        let key_of: HashMap<u64, &RowKey> = numbers.iter().map(|(key, at)| (*at, key)).collect();
        let keys_of = |rows: &[u64]| -> Arc<HashSet<RowKey>> {
            let keys = rows.iter().filter_map(|at| key_of.get(at));
            Arc::new(keys.map(|key| (*key).clone()).collect())
        };
        let gone = keys_of(&folded.gone);
        let needed = folded.needed();
        let old = match needed.is_empty() {
            true => None,
            false => {
                let rows = kept.clone().filter(has_key(log, &keys_of(&needed))?)?;
                let rows = rows.collect().await?;
                Some(in_order(log, &rows, &needed, &numbers)?)
            }
        };
        let come = match folded.rows() {
            0 => None,
            _ => Some(folded.values(old).await?),
        };
        Ok(Some(Self {
            gone,
            come,
            evidence,
        }))
    }

    /// `kept` as it is by now.
    pub(crate) fn over(&self, log: &SourceLog, kept: DataFrame) -> Result<DataFrame> {
        let rows = match self.gone.is_empty() {
            true => kept,
            false => kept.filter(!has_key(log, &self.gone)?)?,
        };
        match &self.come {
            None => Ok(rows),
            Some(come) => {
                let session = log.session();
                rows.union(session.read_batch(come.clone())?)
            }
        }
    }
}

/// Whether a replay that goes on from what was folded sees what one of the whole log sees.
fn stand_behind(changes: &LoggedChanges, progress: &Progress) -> bool {
    let through = (progress.through.0, progress.through.1);
    changes.iter().all(|change| {
        let moment = (change.position.0, change.position.1);
        let begins_anew = match change.operation {
            Operation::Truncate => true,
            Operation::Read => change.position.0 > 0 && Some(moment) > progress.snapshot,
            Operation::Delete => progress.open_halves.contains(&moment),
            Operation::Create | Operation::Update => false,
        };
        moment > through && !begins_anew
    })
}

/// Numbers for the rows of these keys that are there. None: two of them have one key.
async fn find(
    log: &SourceLog,
    wanted: &Arc<HashSet<RowKey>>,
    kept: &DataFrame,
) -> Result<Option<HashMap<RowKey, u64>>> {
    let keys = log.keys()?;
    let columns = keys.columns.iter();
    let columns = columns.map(|at| ident(log.schema().field(*at).name()));
    let rows = kept.clone().filter(has_key(log, wanted)?)?;
    let mut rows = rows
        .select(columns.collect::<Vec<_>>())?
        .execute_stream()
        .await?;
    let mut found = HashMap::new();
    while let Some(batch) = rows.next().await {
        for key in keys.of(&batch?)? {
            let number = u64::try_from(found.len()).unwrap_or(u64::MAX);
            if found.insert(key, number).is_some() {
                return Ok(None);
            }
        }
    }
    Ok(Some(found))
}

/// Rows in the order of their numbers.
fn in_order(
    log: &SourceLog,
    rows: &[RecordBatch],
    needed: &[u64],
    numbers: &HashMap<RowKey, u64>,
) -> Result<RecordBatch> {
    let keys = log.keys()?;
    let rows = arrow::compute::concat_batches(log.schema(), rows)?;
    let of_rows = keys.of(&rows.project(&keys.columns)?)?;
    let at: HashMap<u64, u64> = of_rows
        .iter()
        .zip(0..)
        .filter_map(|(key, row)| Some((*numbers.get(key)?, row)))
        .collect();
    let order: Option<Vec<u64>> = needed
        .iter()
        .map(|number| at.get(number).copied())
        .collect();
    let order = order.ok_or_else(|| {
        DataFusionError::Internal(format!(
            "rows of {} were found and then not read",
            log.name()
        ))
    })?;
    let order = arrow::array::UInt64Array::from(order);
    Ok(arrow::compute::take_record_batch(&rows, &order)?)
}

/// Whether a kept row has one of these keys.
fn has_key(log: &SourceLog, wanted: &Arc<HashSet<RowKey>>) -> Result<Expr> {
    let keys = log.keys()?;
    let schema = Arc::new(log.schema().project(&keys.columns)?);
    let types = schema
        .fields()
        .iter()
        .map(|field| field.data_type().clone());
    let columns = schema.fields().iter().map(|field| ident(field.name()));
    let (types, columns): (Vec<DataType>, Vec<Expr>) = (types.collect(), columns.collect());
    let wanted = Arc::clone(wanted);
    let tell = move |values: &[ColumnarValue]| {
        let values: Vec<ArrayRef> = ColumnarValue::values_to_arrays(values)?;
        let rows = RecordBatch::try_new(Arc::clone(&schema), values)?;
        let keys = keys.of(&rows)?;
        let has = keys.iter().map(|key| Some(wanted.contains(key)));
        Ok(ColumnarValue::Array(Arc::new(
            has.collect::<BooleanArray>(),
        )))
    };
    let tell = create_udf(
        "has_key",
        types,
        DataType::Boolean,
        Volatility::Stable,
        Arc::new(tell),
    );
    Ok(tell.call(columns))
}
