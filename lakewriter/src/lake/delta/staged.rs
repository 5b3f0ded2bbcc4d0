//! Rows -> Parquet files that lie in the table's folder and that no reader sees yet.

use std::collections::HashMap;

use arrow::{
    array::{Array, AsArray, BooleanArray},
    compute::filter_record_batch,
    datatypes::Date32Type,
    record_batch::RecordBatch,
};
use deltalake_core::kernel::Add;
use object_store::{ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};

use super::create::PARTITION_COLUMN;
use crate::{
    Error, ErrorKind,
    error::{defect, storage_error, task_ended},
    lake::Lake,
    parquet::{ParquetFile, write_parquet},
};

/// Uploaded and invisible; becomes part of the table with the commit that names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagedFile {
    pub add: Add,
    pub rows: u64,
}

/// Write and upload a batch whose columns already have the table's names, one file for each day. `name` makes the file
/// unique: an attempt that is repeated writes the same rows to the same path.
pub(crate) async fn stage(
    lake: &Lake,
    relative: &str,
    batch: RecordBatch,
    name: &str,
) -> Result<Vec<StagedFile>, Error> {
    let mut staged = Vec::new();
    for (date, rows) in split_by_date(&batch)? {
        let path = format!("{PARTITION_COLUMN}={date}/{name}.parquet");
        let written = tokio::task::spawn_blocking(move || write_parquet(&[rows]))
            .await
            .map_err(|error| task_ended(format!("write `{relative}/{path}`"), error))?;
        let ParquetFile { bytes, rows, stats } = written.map_err(|error| {
            Error::new(ErrorKind::Encode, format!("write `{relative}/{path}`")).with_source(error)
        })?;
        let size = i64::try_from(bytes.len()).map_err(|error| {
            defect("a file in memory has less than 2^63 bytes", &path).with_source(error)
        })?;
        let key = lake.path(&format!("{relative}/{path}"));
        lake.store()
            .put(&key, PutPayload::from(bytes))
            .await
            .map_err(|error| storage_error(format!("upload `{key}`"), error))?;
        staged.push(StagedFile {
            add: Add {
                path,
                partition_values: HashMap::from([(
                    PARTITION_COLUMN.to_owned(),
                    Some(date.clone()),
                )]),
                size,
                modification_time: crate::counters::now_micros() / 1000,
                data_change: true,
                stats: Some(stats),
                ..Add::default()
            },
            rows,
        });
    }
    Ok(staged)
}

/// The rows of each day, without the partition column.
fn split_by_date(batch: &RecordBatch) -> Result<Vec<(String, RecordBatch)>, Error> {
    let failed = |error: arrow::error::ArrowError| {
        Error::new(ErrorKind::Encode, "split rows by their date").with_source(error)
    };
    let mut rows = batch.clone();
    let index = batch.schema().index_of(PARTITION_COLUMN).map_err(failed)?;
    let dates = rows.remove_column(index);
    let Some(dates) = dates.as_primitive_opt::<Date32Type>() else {
        return Err(Error::new(
            ErrorKind::Encode,
            format!("split rows by their date: `{PARTITION_COLUMN}` is no date"),
        ));
    };
    // A row without a date would be in none of the parts.
    if dates.null_count() > 0 {
        return Err(defect("every row has a date", PARTITION_COLUMN));
    }
    let mut days: Vec<i32> = dates.values().to_vec();
    days.sort_unstable();
    days.dedup();
    let mut parts = Vec::with_capacity(days.len());
    for &day in &days {
        let part = if days.len() == 1 {
            rows.clone()
        } else {
            let wanted: BooleanArray = dates.iter().map(|date| Some(date == Some(day))).collect();
            filter_record_batch(&rows, &wanted).map_err(failed)?
        };
        parts.push((date_text(day)?, part));
    }
    Ok(parts)
}

/// Days since the Unix epoch as Delta writes a date: `2026-11-21`.
fn date_text(day: i32) -> Result<String, Error> {
    chrono::DateTime::from_timestamp(i64::from(day) * 86_400, 0)
        .map(|time| time.date_naive().to_string())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Encode,
                format!("split rows by their date: day {day} is out of range"),
            )
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{Date32Array, Int64Array},
        datatypes::{DataType, Field, Schema},
    };

    use super::*;

    #[test]
    fn each_day_gets_its_rows() {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("_date", DataType::Date32, true),
        ]);
        let batch = RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(Int64Array::from(vec![1, 2, 3])),
                Arc::new(Date32Array::from(vec![20_000, 20_001, 20_000])),
            ],
        )
        .expect("columns of one length");
        let parts = split_by_date(&batch).expect("dates");
        let shown: Vec<(&str, Vec<i64>)> = parts
            .iter()
            .map(|(date, rows)| {
                let ids = rows.column(0).as_primitive::<arrow::datatypes::Int64Type>();
                (date.as_str(), ids.values().to_vec())
            })
            .collect();
        assert_eq!(shown, [("2024-10-04", vec![1, 3]), ("2024-10-05", vec![2])]);
    }
}
