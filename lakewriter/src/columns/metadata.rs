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

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What is said of each change beside its row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    op: &'static str,
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
            lsn: signed("commit LSN", position.commit_lsn)?,
            sequence: signed("ordinal", position.ordinal)?,
            tx_id: tx_id.map(|id| signed("transaction id", id)).transpose()?,
            commit_micros,
            commit_days: commit_micros.div_euclid(MICROS_PER_DAY),
            meta,
        })
    }
}

/// `_op _lsn _seq _tx_id _ts _ingest_ts _partition _offset _unavailable _date`.
#[derive(Debug)]
pub(super) struct MetadataColumns {
    columns: [ColumnBuffer; 10],
}

impl MetadataColumns {
    pub fn new() -> Self {
        Self {
            columns: Self::fields().map(|field| ColumnBuffer::new(field.data_type())),
        }
    }

    /// `_date` is the UTC date of `_ts`, by which the table is partitioned.
    pub fn fields() -> [Field; 10] {
        [
            Field::new("_op", DataType::Utf8, false),
            Field::new("_lsn", DataType::Int64, false),
            Field::new("_seq", DataType::Int64, false),
            Field::new("_tx_id", DataType::Int64, true),
            Field::new("_ts", timestamp_utc(), true),
            Field::new("_ingest_ts", timestamp_utc(), true),
            Field::new("_partition", DataType::Int32, true),
            Field::new("_offset", DataType::Int64, true),
            Field::new("_unavailable", list_of(DataType::Utf8), true),
            Field::new("_date", DataType::Date32, true),
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
        date.push_i64(change.commit_days)
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
