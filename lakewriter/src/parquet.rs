//! Record batches as Parquet files, and what Delta wants to know of them.

use std::{collections::HashSet, io::Write};

use arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use bytes::Bytes;
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::ParquetMetaData,
        properties::{EnabledStatistics, WriterProperties},
        statistics::Statistics,
    },
    schema::types::ColumnPath,
};
use serde_json::{Map, Value};

/// Level 1 costs half the CPU of 3 for 5 % more bytes.
const ZSTD_LEVEL: i32 = 1;
/// Rows in a row group. Smaller ones compress worse (8,192 rows: a fifth slower to write); memory is bounded by what is
/// staged at a time, not by this.
const ROWS_IN_ROW_GROUP: usize = 1_048_576;
/// Rows that are looked at to see whether a text column has few values.
const SAMPLE_ROWS: usize = 1_000;
/// A dictionary pays where a value stands in four rows or more.
const ROWS_PER_DISTINCT_VALUE: usize = 4;
/// Row columns that get minima and maxima, the first of the table: keys stand there, and every file's are in the log.
const STATISTICS_COLUMNS: usize = 8;
/// Metadata columns that get them too.
const STATISTICS_METADATA: [&str; 4] = ["_lsn", "_ts", "_offset", "_incarnation"];
/// Longer texts are no use for skipping files.
const LONGEST_STATISTICS_TEXT: usize = 64;

/// A finished file.
#[derive(Debug, Clone)]
pub struct ParquetFile {
    pub bytes: Bytes,
    pub rows: u64,
    /// The text of `stats` in Delta's Add action: `numRecords`, `minValues`, `maxValues`, `nullCount`.
    pub stats: String,
}

/// Writes batches of one schema into one file in memory. No batch at all gives a file without columns.
///
/// # Errors
/// The batches differ in their schema, or hold a type that Parquet does not have.
pub fn write_parquet(batches: &[RecordBatch]) -> Result<ParquetFile, ParquetError> {
    let Some(first) = batches.first() else {
        let empty = RecordBatch::new_empty(SchemaRef::new(Schema::empty()));
        return write_parquet(&[empty]);
    };
    let size = batches
        .iter()
        .map(RecordBatch::get_array_memory_size)
        .sum::<usize>();
    let mut bytes = Vec::with_capacity(size / 4);
    let mut encoder = ParquetEncoder::new(&mut bytes, first)?;
    for batch in batches {
        encoder.write(batch)?;
    }
    let (rows, stats) = encoder.finish()?;
    Ok(ParquetFile {
        bytes: bytes.into(),
        rows,
        stats,
    })
}

/// Writes batches of one schema one after the other, in the memory of a row group.
#[derive(Debug)]
pub struct ParquetEncoder<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
}

impl<W: Write + Send> ParquetEncoder<W> {
    /// `sample` has the schema of what follows, and decides the encodings; it is not written.
    ///
    /// # Errors
    /// The schema holds a type that Parquet does not have.
    pub fn new(out: W, sample: &RecordBatch) -> Result<Self, ParquetError> {
        let options = ArrowWriterOptions::new()
            .with_properties(writer_properties(sample)?)
            // A kilobyte in every file that nobody needs: the types are in Delta's log, and in Parquet's own schema.
            .with_skip_arrow_metadata(true);
        Ok(Self {
            writer: ArrowWriter::try_new_with_options(out, sample.schema(), options)?,
            schema: sample.schema(),
        })
    }

    /// # Errors
    /// The batch has another schema, or the output failed.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        self.writer.write(batch)
    }

    /// Bytes that the open row group would take in the file, about.
    pub fn open_bytes(&self) -> usize {
        self.writer.in_progress_size()
    }

    /// Write what is open, so that its memory is free again.
    ///
    /// # Errors
    /// The output failed.
    pub fn close_row_group(&mut self) -> Result<(), ParquetError> {
        self.writer.flush()
    }

    /// The number of rows, and the text of Delta's statistics. Everything is in the output then.
    ///
    /// # Errors
    /// The output failed.
    pub fn finish(mut self) -> Result<(u64, String), ParquetError> {
        let metadata = self.writer.finish()?;
        let rows = u64::try_from(metadata.file_metadata().num_rows())
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok((rows, delta_statistics(&self.schema, &metadata)))
    }
}

/// zstd; numbers as differences; dictionaries only for texts with few values, since building one for others is work
/// that is thrown away.
fn writer_properties(sample: &RecordBatch) -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(ROWS_IN_ROW_GROUP))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for (field, column) in sample.schema().fields().iter().zip(sample.columns()) {
        for (path, data_type) in leaves(field) {
            if is_integer(&data_type) {
                properties = properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            } else if data_type == DataType::Utf8 {
                properties = if has_few_values(column) {
                    properties.set_column_dictionary_enabled(path, true)
                } else {
                    properties.set_column_encoding(path, Encoding::DELTA_LENGTH_BYTE_ARRAY)
                };
            }
        }
    }
    Ok(properties.build())
}

/// The physical columns of a field.
fn leaves(field: &Field) -> Vec<(ColumnPath, DataType)> {
    fn walk(path: &mut Vec<String>, data_type: &DataType, out: &mut Vec<(ColumnPath, DataType)>) {
        let mut child = |names: &[&str], data_type: &DataType| {
            let depth = path.len();
            path.extend(names.iter().map(|&name| name.to_owned()));
            walk(path, data_type, out);
            path.truncate(depth);
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other types of Arrow are alike here"
        )]
        match data_type {
            DataType::List(item) => child(&["list", item.name()], item.data_type()),
            DataType::Map(entry, _) => child(&[entry.name()], entry.data_type()),
            DataType::Struct(fields) => {
                for field in fields {
                    child(&[field.name()], field.data_type());
                }
            }
            _ => out.push((ColumnPath::new(path.clone()), data_type.clone())),
        }
    }
    let mut out = Vec::with_capacity(1);
    walk(&mut vec![field.name().clone()], field.data_type(), &mut out);
    out
}

fn is_integer(data_type: &DataType) -> bool {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other types of Arrow are alike here"
    )]
    match data_type {
        // Wider ones are fixed-length bytes.
        DataType::Decimal128(precision, _) => *precision <= 18,
        _ => matches!(
            data_type,
            DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Timestamp(..)
        ),
    }
}

fn has_few_values(column: &dyn Array) -> bool {
    let Some(texts) = column.as_string_opt::<i32>() else {
        return false;
    };
    let rows = texts.len().min(SAMPLE_ROWS);
    let distinct: HashSet<_> = texts.iter().take(rows).flatten().collect();
    distinct.len() * ROWS_PER_DISTINCT_VALUE <= rows
}

/// Delta's file statistics, from those that the writer gathered anyway.
fn delta_statistics(schema: &Schema, metadata: &ParquetMetaData) -> String {
    let rows = metadata.file_metadata().num_rows();
    let mut minima = Map::new();
    let mut maxima = Map::new();
    let mut nulls = Map::new();
    let row_columns = schema
        .fields()
        .iter()
        .filter(|field| !field.name().starts_with('_'))
        .take(STATISTICS_COLUMNS);
    let metadata_columns = STATISTICS_METADATA
        .iter()
        .filter_map(|name| schema.field_with_name(name).ok());
    for field in row_columns.map(AsRef::as_ref).chain(metadata_columns) {
        let Some(bounds) = bounds(field, metadata) else {
            continue;
        };
        nulls.insert(field.name().clone(), bounds.nulls.into());
        if let (Some(min), Some(max)) = (bounds.min, bounds.max) {
            minima.insert(field.name().clone(), min);
            maxima.insert(field.name().clone(), max);
        }
    }
    serde_json::json!({
        "numRecords": rows,
        "minValues": minima,
        "maxValues": maxima,
        "nullCount": nulls,
    })
    .to_string()
}

struct Bounds {
    min: Option<Value>,
    max: Option<Value>,
    nulls: u64,
}

/// Over all row groups. None: the type gets no statistics, or a row group has none.
fn bounds(field: &Field, metadata: &ParquetMetaData) -> Option<Bounds> {
    let columns = metadata.file_metadata().schema_descr();
    let index = columns
        .columns()
        .iter()
        .position(|column| column.path().parts() == [field.name().as_str()])?;
    let mut nulls = 0;
    let mut integers: Option<(i64, i64)> = None;
    let mut texts: Option<(String, String)> = None;
    let mut useless = false;
    for group in metadata.row_groups() {
        let statistics = group.column(index).statistics()?;
        nulls += statistics.null_count_opt()?;
        match (field.data_type(), statistics) {
            (DataType::Int64 | DataType::Timestamp(..), Statistics::Int64(s)) => {
                if let (Some(&min), Some(&max)) = (s.min_opt(), s.max_opt()) {
                    integers = Some(widened(integers, (min, max)));
                }
            }
            (DataType::Date32, Statistics::Int32(s)) => {
                if let (Some(&min), Some(&max)) = (s.min_opt(), s.max_opt()) {
                    integers = Some(widened(integers, (i64::from(min), i64::from(max))));
                }
            }
            (DataType::Utf8, Statistics::ByteArray(s)) => {
                if let (Some(min), Some(max)) = (s.min_opt(), s.max_opt()) {
                    let text = |bytes: &[u8]| {
                        std::str::from_utf8(bytes)
                            .ok()
                            .filter(|text| text.len() <= LONGEST_STATISTICS_TEXT)
                            .map(str::to_owned)
                    };
                    match (text(min.data()), text(max.data())) {
                        (Some(min), Some(max))
                            if statistics.min_is_exact() && statistics.max_is_exact() =>
                        {
                            texts = Some(widened(texts, (min, max)));
                        }
                        _ => useless = true,
                    }
                }
            }
            _ => return None,
        }
    }
    let (min, max) = match (integers, texts) {
        _ if useless => (None, None),
        (Some((min, max)), _) => (
            number_value(field.data_type(), min),
            number_value(field.data_type(), max),
        ),
        (None, Some((min, max))) => (Some(min.into()), Some(max.into())),
        (None, None) => (None, None),
    };
    Some(Bounds { min, max, nulls })
}

fn widened<T: Ord>(old: Option<(T, T)>, (min, max): (T, T)) -> (T, T) {
    match old {
        None => (min, max),
        Some((old_min, old_max)) => (old_min.min(min), old_max.max(max)),
    }
}

/// As Delta writes it: timestamps and dates are texts. None: a year that ISO 8601 cannot tell in four digits, which not
/// every reader understands.
fn number_value(data_type: &DataType, number: i64) -> Option<Value> {
    let of_four_digits = |time: &chrono::NaiveDateTime| {
        use chrono::Datelike;
        (1..=9999).contains(&time.year())
    };
    let at = |micros| chrono::DateTime::from_timestamp_micros(micros).map(|time| time.naive_utc());
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other types of Arrow are alike here"
    )]
    match data_type {
        DataType::Timestamp(_, zone) => {
            let time = at(number).filter(of_four_digits)?;
            let zone = if zone.is_some() { "Z" } else { "" };
            Some(format!("{}{zone}", time.format("%Y-%m-%dT%H:%M:%S%.6f")).into())
        }
        DataType::Date32 => {
            let day = at(number.checked_mul(86_400_000_000)?).filter(of_four_digits)?;
            Some(day.format("%Y-%m-%d").to_string().into())
        }
        _ => Some(number.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListBuilder,
        StringArray, StringBuilder, StructArray, TimestampMicrosecondArray,
    };
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn batch() -> RecordBatch {
        let element = Arc::new(Field::new("element", DataType::Utf8, true));
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(element);
        lists.append_value([Some("a"), None]);
        lists.append_null();
        lists.append_value([Some("b")]);
        let x: Arc<dyn Array> = Arc::new(Float64Array::from(vec![1.5, 2.5, 3.5]));
        let columns: Vec<(&str, Arc<dyn Array>)> = vec![
            ("id", Arc::new(Int64Array::from(vec![3, 1, 2]))),
            (
                "name",
                Arc::new(StringArray::from(vec![Some("b"), None, Some("a")])),
            ),
            (
                "long",
                Arc::new(StringArray::from(vec![
                    "x".repeat(500),
                    "y".into(),
                    "z".into(),
                ])),
            ),
            (
                "born",
                Arc::new(Date32Array::from(vec![Some(0), Some(19_844), None])),
            ),
            (
                "at",
                Arc::new(TimestampMicrosecondArray::from(vec![0, 1_500_000, -1])),
            ),
            (
                "flag",
                Arc::new(BooleanArray::from(vec![true, false, true])),
            ),
            (
                "small",
                Arc::new(
                    Decimal128Array::from(vec![1, 2, 3])
                        .with_precision_and_scale(10, 2)
                        .expect("10 digits"),
                ),
            ),
            (
                "wide",
                Arc::new(
                    Decimal128Array::from(vec![1, 2, 3])
                        .with_precision_and_scale(38, 2)
                        .expect("38 digits"),
                ),
            ),
            ("tags", Arc::new(lists.finish())),
            (
                "point",
                Arc::new(StructArray::from(vec![(
                    Arc::new(Field::new("x", DataType::Float64, true)),
                    x,
                )])),
            ),
            ("_op", Arc::new(StringArray::from(vec!["c"; 3]))),
            (
                "_ts",
                Arc::new(TimestampMicrosecondArray::from(vec![0, 1, 2]).with_timezone("UTC")),
            ),
            ("_offset", Arc::new(Int64Array::from(vec![7, 8, 9]))),
        ];
        RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        )
        .expect("columns of one length")
    }

    #[test]
    fn rows_read_back() {
        let batch = batch();
        let file = write_parquet(&[batch.clone(), batch.clone()]).expect("a file");
        let read: Vec<_> = ParquetRecordBatchReaderBuilder::try_new(file.bytes)
            .and_then(|builder| builder.build())
            .expect("a Parquet file")
            .collect::<Result<_, _>>()
            .expect("rows");
        let whole = arrow::compute::concat_batches(&batch.schema(), [&batch, &batch]);
        assert_eq!(read, [whole.expect("one schema")]);
    }

    #[test]
    fn statistics_are_deltas() {
        let file = write_parquet(&[batch()]).expect("a file");
        let stats: Value = serde_json::from_str(&file.stats).expect("JSON");
        assert_eq!(
            stats,
            serde_json::json!({
                "numRecords": 3,
                "minValues": {
                    "id": 1, "name": "a", "born": "1970-01-01", "at": "1969-12-31T23:59:59.999999",
                    "_ts": "1970-01-01T00:00:00.000000Z", "_offset": 7,
                },
                "maxValues": {
                    "id": 3, "name": "b", "born": "2024-05-01", "at": "1970-01-01T00:00:01.500000",
                    "_ts": "1970-01-01T00:00:00.000002Z", "_offset": 9,
                },
                "nullCount": {
                    "id": 0, "name": 1, "long": 0, "born": 1, "at": 0, "_ts": 0, "_offset": 0,
                },
            })
        );
    }

    #[test]
    fn no_rows_make_a_file() {
        let file = write_parquet(&[batch().slice(0, 0)]).expect("a file");
        assert!(file.stats.contains("\"numRecords\":0"));
    }
}
