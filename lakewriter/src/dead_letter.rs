//! Records that cannot become rows: they are kept as they came, with the reason, and the stream goes on.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryArray, Date32Array, Int32Array, Int64Array, StringArray,
        TimestampMicrosecondArray,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    error::ArrowError,
    record_batch::RecordBatch,
};

/// One record that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeadLetter {
    pub(crate) reason: String,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// The record's own timestamp, milliseconds since the Unix epoch.
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

impl DeadLetter {
    /// Memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.reason.len()
            + self.topic.len()
            + self.key.as_ref().map_or(0, Vec::len)
            + self.value.as_ref().map_or(0, Vec::len)
            + 64
    }
}

const MILLIS_PER_DAY: i64 = 86_400_000;

fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Columns of the dead-letter table.
pub fn dead_letter_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("reason", DataType::Utf8, true),
        Field::new("topic", DataType::Utf8, true),
        Field::new("partition", DataType::Int32, true),
        Field::new("offset", DataType::Int64, true),
        Field::new("timestamp", utc(), true),
        Field::new("key", DataType::Binary, true),
        Field::new("value", DataType::Binary, true),
        Field::new("_ingest_ts", utc(), true),
        Field::new("_date", DataType::Date32, true),
    ]))
}

/// Rows of the dead-letter table; `now_ms` is when they were set aside.
pub(crate) fn dead_letter_rows(
    letters: &[DeadLetter],
    now_ms: i64,
) -> Result<RecordBatch, ArrowError> {
    // A clock that is millions of years ahead: the partition is wrong then, nothing else.
    let today = i32::try_from(now_ms.div_euclid(MILLIS_PER_DAY)).unwrap_or(0);
    let texts = |of: fn(&DeadLetter) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(letters.iter().map(of)))
    };
    let bytes = |of: fn(&DeadLetter) -> Option<&[u8]>| -> ArrayRef {
        Arc::new(letters.iter().map(of).collect::<BinaryArray>())
    };
    let times = |times: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
    };
    RecordBatch::try_new(
        dead_letter_schema(),
        vec![
            texts(|letter| &letter.reason),
            texts(|letter| &letter.topic),
            Arc::new(Int32Array::from_iter_values(
                letters.iter().map(|letter| letter.partition),
            )),
            Arc::new(Int64Array::from_iter_values(
                letters.iter().map(|letter| letter.offset),
            )),
            times(
                letters
                    .iter()
                    .map(|letter| letter.timestamp_ms.map(|ms| ms.saturating_mul(1000)))
                    .collect(),
            ),
            bytes(|letter| letter.key.as_deref()),
            bytes(|letter| letter.value.as_deref()),
            times(vec![Some(now_ms.saturating_mul(1000)); letters.len()]),
            Arc::new(Date32Array::from(vec![today; letters.len()])),
        ],
    )
}
