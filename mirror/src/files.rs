//! The Parquet files of `current`: rows read by their numbers, and rows written.

use std::{collections::BTreeSet, sync::Arc};

use arrow::{
    array::{RecordBatch, StringArray, new_null_array},
    compute::{CastOptions, cast, cast_with_options, concat_batches},
    datatypes::{FieldRef, SchemaRef},
};
use deltalake_core::kernel::Add;
use futures::StreamExt as _;
use lakewriter::lake::{Lake, ParquetFile, StoredParquet, read_object, upload, write_parquet};
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector},
    async_reader::ParquetRecordBatchStreamBuilder,
};
use uuid::Uuid;

use crate::error::{Attempted as _, Error};

type Builder = ParquetRecordBatchStreamBuilder<StoredParquet>;

async fn open(lake: &Lake, relative: &str, add: &Add) -> Result<Builder, Error> {
    let attempted = || format!("open `{relative}/{}`", add.path);
    let reader = StoredParquet {
        store: Arc::clone(lake.store()),
        path: lake.path(&format!("{relative}/{}", add.path)),
        bytes: u64::try_from(add.size).attempted(attempted)?,
    };
    let builder = Builder::new(reader).await;
    builder.attempted(attempted)
}

/// Reads these columns of all rows of a file, in their order, deleted ones as well.
pub(crate) async fn read_columns(
    lake: &Lake,
    relative: &str,
    add: &Add,
    schema: &SchemaRef,
    columns: &[usize],
    mut each: impl FnMut(&RecordBatch) -> Result<(), Error>,
) -> Result<(), Error> {
    let attempted = || format!("read `{relative}/{}`", add.path);
    let builder = open(lake, relative, add).await?;
    let schema = Arc::new(schema.project(columns).attempted(attempted)?);
    let parquet = builder.parquet_schema();
    let roots = parquet.root_schema().get_fields().iter().enumerate();
    // A name may hold dots: columns are found by their place.
    let roots = roots.filter(|(_, root)| schema.column_with_name(root.name()).is_some());
    let mask = ProjectionMask::roots(parquet, roots.map(|(at, _)| at));
    let mut stream = builder.with_projection(mask).build().attempted(attempted)?;
    while let Some(batch) = stream.next().await {
        each(&conform(&batch.attempted(attempted)?, &schema).attempted(attempted)?)?;
    }
    Ok(())
}

/// Reads a file of the log. Columns that it lacks are null, and those by which the table is partitioned are told by its
/// entry. None: a column is of a type that cannot become the table's.
pub(crate) async fn read_log(
    lake: &Lake,
    relative: &str,
    add: &Add,
    columns: &SchemaRef,
) -> Result<Option<Vec<RecordBatch>>, Error> {
    let attempted = || format!("read `{relative}/{}`", add.path);
    // The file is small, and all of it is read: that is one request.
    let bytes = read_object(lake, relative, &add.path).await;
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.attempted(attempted)?);
    let reader = builder.attempted(attempted)?.build().attempted(attempted)?;
    let mut batches = Vec::new();
    // A value that does not fit is an error, and no null.
    let exact = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    for batch in reader {
        let batch = batch.attempted(attempted)?;
        let of_column = |field: &FieldRef| {
            if let Some(column) = batch.column_by_name(field.name()) {
                return cast_with_options(column, field.data_type(), &exact);
            }
            let told = add.partition_values.get(field.name());
            match told.and_then(Option::as_deref) {
                Some(told) => {
                    let told = StringArray::from(vec![told; batch.num_rows()]);
                    cast_with_options(&told, field.data_type(), &exact)
                }
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            }
        };
        let of_columns = columns.fields().iter().map(of_column);
        let Ok(of_columns) = of_columns.collect::<Result<Vec<_>, _>>() else {
            return Ok(None);
        };
        match RecordBatch::try_new(Arc::clone(columns), of_columns) {
            Ok(batch) => batches.push(batch),
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(batches))
}

/// Reads some rows of a file, in their order.
pub(crate) async fn read_rows(
    lake: &Lake,
    relative: &str,
    add: &Add,
    schema: &SchemaRef,
    rows: &BTreeSet<u32>,
) -> Result<RecordBatch, Error> {
    let attempted = || format!("read rows of `{relative}/{}`", add.path);
    let builder = open(lake, relative, add).await?;
    let mut selectors = Vec::with_capacity(2 * rows.len());
    let mut next = 0;
    for row in rows {
        let row = usize::try_from(*row).attempted(attempted)?;
        selectors.push(RowSelector::skip(row - next));
        selectors.push(RowSelector::select(1));
        next = row + 1;
    }
    let selection = RowSelection::from(selectors);
    let mut stream = builder
        .with_row_selection(selection)
        .build()
        .attempted(attempted)?;
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch.attempted(attempted)?;
        batches.push(conform(&batch, schema).attempted(attempted)?);
    }
    concat_batches(schema, &batches).attempted(attempted)
}

/// The columns of the schema, in its types.
fn conform(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let columns = schema.fields().iter().map(|field| {
        let at = batch.schema().index_of(field.name())?;
        cast(batch.column(at), field.data_type())
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<_>, _>>()?)
}

/// Writes a file that no reader sees until a commit names it.
pub(crate) async fn write(
    lake: &Lake,
    relative: &str,
    rows: Vec<RecordBatch>,
) -> Result<Add, Error> {
    let path = format!("part-{}.parquet", Uuid::new_v4());
    let attempted = || format!("write `{relative}/{path}`");
    let written = tokio::task::spawn_blocking(move || write_parquet(&rows)).await;
    let ParquetFile { bytes, stats, .. } = written.attempted(attempted)?.attempted(attempted)?;
    let size = i64::try_from(bytes.len()).attempted(attempted)?;
    upload(lake, relative, &path, bytes)
        .await
        .attempted(attempted)?;
    Ok(Add {
        path,
        size,
        modification_time: now_millis(),
        data_change: true,
        stats: Some(stats),
        ..Add::default()
    })
}

pub(crate) fn now_millis() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}
