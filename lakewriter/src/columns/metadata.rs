//! What each row has beside the columns of its source: operation, position, times and origin.

use arrow::{
    array::ArrayRef,
    datatypes::{DataType, Field},
    error::ArrowError,
};
use debezium::{ChangePosition, Operation};

use super::{
    RowMeta,
    buffer::ColumnBuffer,
    error::{ColumnError, ValueError},
    lake_type::{list_of, timestamp_utc},
};

/// Every column that the lake adds to a source table's own, in the order of the table. A column of the source that has
/// one of these names, in whatever case, goes by another one in the lake: `_lsn__2`.
pub const OWN_COLUMNS: [&str; 12] = [
    "_op",
    "_lsn",
    "_seq",
    "_tx_id",
    "_ts",
    "_ingest_ts",
    "_partition",
    "_offset",
    "_unavailable",
    "_date",
    "_incarnation",
    TABLE_VERSION_COLUMN,
];

/// Which version of the source table a row was written under: the `id` of one of the table's recorded versions. It is
/// filled when the rows are staged, because only the lake's table knows its versions.
pub const TABLE_VERSION_COLUMN: &str = "_table_version";

/// The lake's names of the columns whose values PostgreSQL did not send.
pub const UNAVAILABLE_COLUMN: &str = "_unavailable";

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What is said of each change beside its row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    op: &'static str,
    incarnation: i64,
    lsn: i64,
    sequence: i64,
    tx_id: Option<i64>,
    commit_micros: i64,
    commit_days: i64,
    meta: RowMeta,
}

impl Change {
    pub fn new(
        op: Operation,
        position: ChangePosition,
        tx_id: Option<u64>,
        commit_micros: i64,
        meta: RowMeta,
    ) -> Result<Self, ColumnError> {
        let signed =
            |what, value| i64::try_from(value).map_err(|_| ColumnError::Metadata { what, value });
        Ok(Self {
            op: match op {
                Operation::Read => "r",
                Operation::Create => "c",
                Operation::Update => "u",
                Operation::Delete => "d",
                Operation::Truncate => "t",
            },
            incarnation: signed("incarnation", position.incarnation)?,
            lsn: signed("commit LSN", position.commit_lsn)?,
            sequence: signed("ordinal", position.ordinal)?,
            tx_id: tx_id.map(|id| signed("transaction id", id)).transpose()?,
            commit_micros,
            commit_days: commit_micros.div_euclid(MICROS_PER_DAY),
            meta,
        })
    }
}

/// What each row has beside the source's columns: [`OWN_COLUMNS`] without the last.
#[derive(Debug)]
pub(super) struct MetadataColumns {
    columns: [ColumnBuffer; 11],
}

impl MetadataColumns {
    pub fn new() -> Self {
        Self {
            columns: Self::fields().map(|field| ColumnBuffer::new(field.data_type())),
        }
    }

    /// `_date` is the UTC date of `_ts`, by which the table is partitioned.
    pub fn fields() -> [Field; 11] {
        [
            Field::new("_op", DataType::Utf8, false),
            Field::new("_lsn", DataType::Int64, false),
            Field::new("_seq", DataType::Int64, false),
            Field::new("_tx_id", DataType::Int64, true),
            Field::new("_ts", timestamp_utc(), true),
            Field::new("_ingest_ts", timestamp_utc(), true),
            Field::new("_partition", DataType::Int32, true),
            Field::new("_offset", DataType::Int64, true),
            Field::new(UNAVAILABLE_COLUMN, list_of(DataType::Utf8), true),
            Field::new("_date", DataType::Date32, true),
            // Of rows that were written before there was one it is null, which stands for 0.
            Field::new("_incarnation", DataType::Int64, true),
        ]
    }

    /// `unavailable`: the lake's names of the columns whose values PostgreSQL did not send.
    pub fn append(&mut self, change: &Change, unavailable: &[&str]) -> Result<(), ValueError> {
        let [
            op,
            lsn,
            sequence,
            tx_id,
            ts,
            ingest_ts,
            partition,
            offset,
            names,
            date,
            incarnation,
        ] = &mut self.columns;
        op.push_bytes(change.op.as_bytes())?;
        lsn.push_i64(change.lsn)?;
        sequence.push_i64(change.sequence)?;
        match change.tx_id {
            Some(id) => tx_id.push_i64(id)?,
            None => tx_id.push_null(),
        }
        ts.push_i64(change.commit_micros)?;
        ingest_ts.push_i64(change.meta.ingest_micros)?;
        partition.push_i64(i64::from(change.meta.partition))?;
        offset.push_i64(change.meta.offset)?;
        if unavailable.is_empty() {
            names.push_null();
        } else {
            for name in unavailable {
                names.list_items()?.push_bytes(name.as_bytes())?;
            }
            names.end_list()?;
        }
        date.push_i64(change.commit_days)?;
        incarnation.push_i64(change.incarnation)
    }

    pub fn bytes(&self) -> usize {
        self.columns.iter().map(ColumnBuffer::bytes).sum()
    }

    pub fn truncate(&mut self, rows: usize) {
        self.columns
            .iter_mut()
            .for_each(|column| column.truncate(rows));
    }

    pub fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.columns
            .iter_mut()
            .zip(Self::fields())
            .map(|(column, field)| column.finish(field.data_type()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_own_columns_is_complete() {
        let fields = MetadataColumns::fields();
        let names = fields.iter().map(|field| field.name().as_str());
        assert!(names.chain([TABLE_VERSION_COLUMN]).eq(OWN_COLUMNS));
    }
}
