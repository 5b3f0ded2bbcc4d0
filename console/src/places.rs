//! Where the rows of a batch stand in the log.

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::Int64Type,
};
use datafusion::error::{DataFusionError, Result};

use crate::change::Place;

/// Where a row stands, by the lake's columns and what they are taken for where a row has no value: the first columns of
/// either reading. The first three of them are the position of the change.
pub(crate) const PLACE: [(&str, i64); 6] = [
    ("_incarnation", 0),
    ("_lsn", 0),
    ("_seq", 0),
    ("_offset", -1),
    ("_partition", -1),
    ("_ingest_ts", 0),
];
pub(crate) const PLACE_COLUMNS: usize = PLACE.len();
pub(crate) const POSITION_COLUMNS: usize = 3;

/// Name of such a column in either reading.
pub(crate) fn place_column(name: &str) -> String {
    format!("place {name}")
}

/// The places of a batch's rows.
pub(crate) struct Places<'a> {
    columns: [&'a [i64]; PLACE_COLUMNS],
}

impl<'a> Places<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self> {
        let mut columns: [&[i64]; PLACE_COLUMNS] = [&[]; PLACE_COLUMNS];
        for (column, values) in batch.columns().iter().zip(&mut columns) {
            let numbers = column.as_primitive_opt::<Int64Type>().ok_or_else(|| {
                DataFusionError::Internal("a place is told by whole numbers".to_owned())
            })?;
            *values = numbers.values();
        }
        Ok(Self { columns })
    }

    pub(crate) fn at(&self, row: usize) -> Place {
        let [incarnation, lsn, ordinal, offset, partition, ingested] = self
            .columns
            .map(|column| column.get(row).copied().unwrap_or_default());
        Place {
            incarnation,
            lsn,
            ordinal,
            offset,
            partition,
            ingested,
        }
    }
}
