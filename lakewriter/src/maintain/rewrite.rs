//! Files of a table -> the same rows in fewer files, in bounded memory: one batch of rows, one open row group and the part
//! of a file that is being uploaded.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{BooleanArray, RecordBatch, new_null_array},
    compute::{CastOptions, cast_with_options, filter_record_batch},
    datatypes::SchemaRef,
    error::ArrowError,
};
use bytes::Bytes;
use deltalake_core::kernel::Add;
use futures::TryStreamExt as _;
use object_store::{buffered::BufWriter, path::Path};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, ErrorKind,
    error::{defect, storage_error},
    lake::{Lake, StoredParquet},
    parquet::ParquetEncoder,
};

/// Rows that are read at a time.
const BATCH_ROWS: usize = 8192;
/// A row group is closed when its encoded columns take this much memory.
const ROW_GROUP_BYTES: usize = 32 << 20;
/// Bytes of a part of an upload. S3 takes 10,000 parts of at least 5 MiB.
const PART_BYTES: usize = 8 << 20;

/// A file to read.
#[derive(Debug, Clone)]
pub(super) struct Input {
    /// Within the store.
    pub(super) path: Path,
    pub(super) bytes: u64,
    /// Deleted ones among them; None where its statistics do not tell.
    pub(super) rows: Option<u64>,
    /// Places of the rows that a deletion vector hides, in their order.
    pub(super) deleted: Vec<u64>,
}

/// What is written.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) lake: &'a Lake,
    pub(super) relative: &'a str,
    /// Folder of the partition within the table, empty or with a slash at its end.
    pub(super) folder: String,
    /// The columns that stand in files: those of the table without its partition columns.
    pub(super) schema: SchemaRef,
    pub(super) target_bytes: u64,
}

/// An uploaded file that no reader sees yet.
#[derive(Debug, Clone)]
pub(super) struct Output {
    /// Path, size and statistics; the partition is the caller's to add.
    pub(super) add: Add,
    pub(super) rows: u64,
}

/// How it ended.
pub(super) enum Rewritten {
    Done(Vec<Output>),
    /// The stop signal came first; nothing is left behind.
    Stopped,
}

/// Read the inputs one after the other and write their rows in that order.
///
/// # Errors
/// `Storage`, `Permission`: the store's. `Encode`: a column cannot be read as the table's type, and the file stays as it
/// is. `Defect`: other rows were read than the files are said to have. What was uploaded is deleted again.
pub(super) async fn rewrite(
    target: &Target<'_>,
    inputs: &[Input],
    stop: &CancellationToken,
) -> Result<Rewritten, Error> {
    let mut done = Vec::new();
    let written = write_all(target, inputs, stop, &mut done).await;
    match written {
        Ok(true) => Ok(Rewritten::Done(done)),
        Ok(false) => {
            forget(target, &done).await;
            Ok(Rewritten::Stopped)
        }
        Err(error) => {
            forget(target, &done).await;
            Err(error)
        }
    }
}

/// Delete files that no commit will name. One that stays behind is found by a later vacuum.
pub(super) async fn forget(target: &Target<'_>, outputs: &[Output]) {
    use object_store::ObjectStoreExt as _;
    for output in outputs {
        let key = target
            .lake
            .path(&format!("{}/{}", target.relative, output.add.path));
        if let Err(error) = target.lake.store().delete(&key).await {
            tracing::debug!(%error, %key, "a file that no commit names stays behind");
        }
    }
}

async fn write_all(
    target: &Target<'_>,
    inputs: &[Input],
    stop: &CancellationToken,
    done: &mut Vec<Output>,
) -> Result<bool, Error> {
    let mut open: Option<OpenFile> = None;
    let mut read = 0;
    for input in inputs {
        let attempted = || format!("read `{}`", input.path);
        let failed = |error: parquet::errors::ParquetError| {
            Error::new(ErrorKind::Storage, attempted()).with_source(error)
        };
        let reader = StoredParquet {
            store: Arc::clone(target.lake.store()),
            path: input.path.clone(),
            bytes: input.bytes,
        };
        let mut batches = ParquetRecordBatchStreamBuilder::new(reader)
            .await
            .and_then(|builder| builder.with_batch_size(BATCH_ROWS).build())
            .map_err(failed)?;
        let mut rows_of_input = 0;
        while let Some(batch) = batches.try_next().await.map_err(failed)? {
            if stop.is_cancelled() {
                if let Some(open) = open {
                    open.abandon().await;
                }
                return Ok(false);
            }
            let first = rows_of_input;
            rows_of_input += batch.num_rows() as u64;
            let batch = without(&batch, first, &input.deleted)
                .and_then(|batch| adapt(&batch, &target.schema))
                .map_err(|error| Error::new(ErrorKind::Encode, attempted()).with_source(error))?;
            if batch.num_rows() == 0 {
                continue;
            }
            let file = match &mut open {
                Some(file) => file,
                None => open.insert(OpenFile::create(target, &batch)?),
            };
            file.write(&batch).await?;
            if file.bytes() >= target.target_bytes
                && let Some(file) = open.take()
            {
                done.push(file.finish().await?);
            }
        }
        if input.rows.is_some_and(|rows| rows != rows_of_input) {
            return Err(defect(
                "a file has as many rows as its table says",
                format!(
                    "`{}`: {rows_of_input} instead of {:?}",
                    input.path, input.rows
                ),
            ));
        }
        let hidden = input.deleted.len() as u64;
        read += rows_of_input.checked_sub(hidden).ok_or_else(|| {
            defect(
                "a file has no more deleted rows than rows",
                format!("`{}`: {hidden} of {rows_of_input}", input.path),
            )
        })?;
    }
    if let Some(file) = open {
        done.push(file.finish().await?);
    }
    let written: u64 = done.iter().map(|output| output.rows).sum();
    if written == read {
        Ok(true)
    } else {
        Err(defect(
            "every row that was read is written",
            format!("`{}`: {written} of {read}", target.relative),
        ))
    }
}

/// The rows of a batch, whose first is row `first` of its file, without the deleted ones.
fn without(batch: &RecordBatch, first: u64, deleted: &[u64]) -> Result<RecordBatch, ArrowError> {
    let end = first + batch.num_rows() as u64;
    let hidden = deleted
        .get(deleted.partition_point(|&row| row < first)..)
        .unwrap_or_default();
    let mut hidden = hidden
        .iter()
        .copied()
        .take_while(|&row| row < end)
        .peekable();
    if hidden.peek().is_none() {
        return Ok(batch.clone());
    }
    let keep: BooleanArray = (first..end)
        .map(|row| Some(hidden.next_if_eq(&row).is_none()))
        .collect();
    filter_record_batch(batch, &keep)
}

/// The columns of a batch as the table has them now: those that came later are NULL.
fn adapt(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let exact = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => cast_with_options(column, field.data_type(), &exact),
        });
    for field in batch.schema().fields() {
        if schema.field_with_name(field.name()).is_err() {
            return Err(ArrowError::SchemaError(format!(
                "the file has a column `{}` that its table does not know",
                field.name()
            )));
        }
    }
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// Bytes that the encoder has written and the upload has not taken yet.
#[derive(Debug, Clone, Default)]
struct Encoded(Arc<Mutex<Vec<u8>>>);

impl Encoded {
    fn take(&self) -> Bytes {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *bytes).into()
    }
}

impl io::Write for Encoded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is being encoded and uploaded.
struct OpenFile {
    /// Within the table.
    path: String,
    key: Path,
    encoder: ParquetEncoder<Encoded>,
    encoded: Encoded,
    upload: BufWriter,
    uploaded: u64,
}

impl OpenFile {
    fn create(target: &Target<'_>, sample: &RecordBatch) -> Result<Self, Error> {
        let name = uuid::Uuid::new_v4().simple();
        let path = format!("{}part-{name}.parquet", target.folder);
        let key = target.lake.path(&format!("{}/{path}", target.relative));
        let encoded = Encoded::default();
        let encoder = ParquetEncoder::new(encoded.clone(), sample).map_err(|error| {
            Error::new(ErrorKind::Encode, format!("write `{key}`")).with_source(error)
        })?;
        let store = Arc::clone(target.lake.store());
        Ok(Self {
            upload: BufWriter::with_capacity(store, key.clone(), PART_BYTES),
            path,
            key,
            encoder,
            encoded,
            uploaded: 0,
        })
    }

    /// So far, with what the open row group will take at most.
    fn bytes(&self) -> u64 {
        self.uploaded + self.encoder.open_bytes() as u64
    }

    async fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let encode = self.encoder.write(batch).and_then(|()| {
            if self.encoder.open_bytes() >= ROW_GROUP_BYTES {
                self.encoder.close_row_group()?;
            }
            Ok(())
        });
        encode.map_err(|error| {
            Error::new(ErrorKind::Encode, format!("write `{}`", self.key)).with_source(error)
        })?;
        self.send().await
    }

    async fn send(&mut self) -> Result<(), Error> {
        let bytes = self.encoded.take();
        if bytes.is_empty() {
            return Ok(());
        }
        self.uploaded += bytes.len() as u64;
        self.upload
            .put(bytes)
            .await
            .map_err(|error| storage_error(format!("upload `{}`", self.key), error))
    }

    async fn finish(self) -> Result<Output, Error> {
        let Self {
            path,
            key,
            encoder,
            encoded,
            mut upload,
            uploaded,
        } = self;
        let (rows, stats) = encoder.finish().map_err(|error| {
            Error::new(ErrorKind::Encode, format!("write `{key}`")).with_source(error)
        })?;
        let last = encoded.take();
        let size = i64::try_from(uploaded + last.len() as u64)
            .map_err(|error| defect("a file has less than 2^63 bytes", &key).with_source(error))?;
        upload
            .put(last)
            .await
            .map_err(|error| storage_error(format!("upload `{key}`"), error))?;
        upload.shutdown().await.map_err(|error| {
            Error::new(ErrorKind::Storage, format!("upload `{key}`")).with_source(error)
        })?;
        Ok(Output {
            add: Add {
                path,
                size,
                modification_time: crate::counters::now_micros() / 1000,
                data_change: false,
                stats: Some(stats),
                ..Add::default()
            },
            rows,
        })
    }

    async fn abandon(mut self) {
        if let Err(error) = self.upload.abort().await {
            tracing::debug!(%error, key = %self.key, "an upload that is not wanted any more stays behind");
        }
    }
}
