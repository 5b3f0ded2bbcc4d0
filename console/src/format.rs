//! Writes the rows of a query: a table for people, CSV, JSON or Parquet.
//!
//! Everything but the table streams: memory does not grow with the result.

use std::{io::Write, str::FromStr, sync::Arc};

use arrow::{
    array::RecordBatch,
    util::{display::FormatOptions, pretty::pretty_format_batches_with_options},
};
use datafusion::{dataframe::DataFrame, error::DataFusionError};
use futures::StreamExt;
use parquet::arrow::ArrowWriter;

use crate::{Error, far_dates::printable, json::SpecialNumbers};

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputFormat {
    /// A bordered table and the number of rows, for people.
    #[default]
    Table,
    /// With a header line.
    Csv,
    /// One object a line.
    Json,
    /// One Parquet file.
    Parquet,
}

impl FromStr for OutputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "table" => Ok(Self::Table),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "parquet" => Ok(Self::Parquet),
            other => Err(format!(
                "output format `{other}`: want table, csv, json or parquet"
            )),
        }
    }
}

fn write_error(format: &'static str) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> Error {
    move |source| Error::Write { format, source }
}

/// Run a query and write its rows. Everything but `Table` streams: memory does not grow with the result.
/// Answers the number of rows.
///
/// # Errors
/// The query fails, or `out` cannot be written.
pub async fn write_result(
    frame: DataFrame,
    format: OutputFormat,
    out: &mut (impl Write + Send),
) -> Result<usize, Error> {
    let schema = std::sync::Arc::new(frame.schema().as_arrow().clone());
    if format == OutputFormat::Table {
        return write_table(frame, schema, out).await;
    }
    let mut stream = frame.execute_stream().await.map_err(Error::Query)?;
    let mut rows = 0;
    match format {
        OutputFormat::Table => {}
        OutputFormat::Csv => {
            let fail = write_error("CSV");
            let mut writer = arrow::csv::WriterBuilder::new().build(out);
            // The header is there even when no row is.
            writer
                .write(&RecordBatch::new_empty(schema))
                .map_err(|e| fail(e.into()))?;
            while let Some(batch) = next(&mut stream).await? {
                rows += batch.num_rows();
                let batch = printable(batch).map_err(|e| fail(e.into()))?;
                writer.write(&batch).map_err(|e| fail(e.into()))?;
            }
        }
        OutputFormat::Json => {
            let fail = write_error("JSON");
            let mut writer = arrow::json::WriterBuilder::new()
                .with_explicit_nulls(true)
                .with_encoder_factory(Arc::new(SpecialNumbers))
                .build::<_, arrow::json::writer::LineDelimited>(out);
            while let Some(batch) = next(&mut stream).await? {
                rows += batch.num_rows();
                let batch = printable(batch).map_err(|e| fail(e.into()))?;
                writer.write(&batch).map_err(|e| fail(e.into()))?;
            }
            writer.finish().map_err(|e| fail(e.into()))?;
        }
        OutputFormat::Parquet => {
            let fail = write_error("Parquet");
            let mut writer = ArrowWriter::try_new(out, schema, None).map_err(|e| fail(e.into()))?;
            while let Some(batch) = next(&mut stream).await? {
                rows += batch.num_rows();
                writer.write(&batch).map_err(|e| fail(e.into()))?;
            }
            writer.close().map_err(|e| fail(e.into()))?;
        }
    }
    Ok(rows)
}

async fn write_table(
    frame: DataFrame,
    schema: arrow::datatypes::SchemaRef,
    out: &mut (impl Write + Send),
) -> Result<usize, Error> {
    let fail = write_error("a table");
    let batches = frame.collect().await.map_err(Error::Query)?;
    let batches = batches.into_iter().map(printable);
    let mut batches: Vec<RecordBatch> = batches
        .collect::<Result<_, _>>()
        .map_err(|e| fail(e.into()))?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let options = FormatOptions::default().with_display_error(false);
    let text =
        pretty_format_batches_with_options(&batches, &options).map_err(|e| fail(e.into()))?;
    let unit = if rows == 1 { "row" } else { "rows" };
    writeln!(out, "{text}\n({rows} {unit})").map_err(|e| fail(e.into()))?;
    Ok(rows)
}

async fn next(
    stream: &mut (impl futures::Stream<Item = Result<RecordBatch, DataFusionError>> + Unpin),
) -> Result<Option<RecordBatch>, Error> {
    stream.next().await.transpose().map_err(Error::Query)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn written(format: OutputFormat, sql: &str) -> Vec<u8> {
        let frame = SessionContext::new().sql(sql).await.unwrap();
        let mut out = Vec::new();
        write_result(frame, format, &mut out).await.unwrap();
        out
    }

    #[tokio::test]
    async fn each_format_holds_the_rows() {
        let sql = "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL ORDER BY a";
        let text = String::from_utf8(written(OutputFormat::Table, sql).await).unwrap();
        assert!(
            text.contains("| 1 | x |") && text.ends_with("(2 rows)\n"),
            "{text}"
        );
        assert_eq!(written(OutputFormat::Csv, sql).await, b"a,b\n1,x\n2,\n");
        assert_eq!(
            written(OutputFormat::Json, sql).await,
            b"{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n"
        );
        assert!(
            written(OutputFormat::Parquet, sql)
                .await
                .starts_with(b"PAR1")
        );
    }

    #[tokio::test]
    async fn no_value_is_replaced_by_null_or_by_an_error() {
        let sql = "SELECT 'NaN'::double AS a, 'Infinity'::double AS b, [1.5, '-Infinity'::double, NULL] AS c, 2.0 AS d, \
                   arrow_cast(arrow_cast(2145042905, 'Int32'), 'Date32') AS e, arrow_cast(arrow_cast(9223371331199999999, 'Int64'), 'Timestamp(Microsecond, None)') AS f";
        let json = String::from_utf8(written(OutputFormat::Json, sql).await).unwrap();
        assert_eq!(
            json,
            "{\"a\":\"NaN\",\"b\":\"Infinity\",\"c\":[1.5,\"-Infinity\",null],\"d\":2.0,\
             \"e\":\"+5874897-12-31\",\"f\":\"+294247-01-01T23:59:59.999999\"}\n"
        );
        // CSV has no lists.
        let sql = "SELECT arrow_cast(arrow_cast(2145042905, 'Int32'), 'Date32') AS e, \
                   arrow_cast(arrow_cast(9223371331199999999, 'Int64'), 'Timestamp(Microsecond, None)') AS f";
        for format in [OutputFormat::Csv, OutputFormat::Table] {
            let text = String::from_utf8(written(format, sql).await).unwrap();
            assert!(
                text.contains("+5874897-12-31") && text.contains("+294247-01-01T23:59:59.999999"),
                "{text}"
            );
            assert!(!text.contains("ERROR"), "{text}");
        }
    }

    #[tokio::test]
    async fn an_empty_result_still_names_its_columns() {
        let sql = "SELECT 1 AS a WHERE false";
        assert_eq!(written(OutputFormat::Csv, sql).await, b"a\n");
        let text = String::from_utf8(written(OutputFormat::Table, sql).await).unwrap();
        assert!(
            text.contains("| a |") && text.ends_with("(0 rows)\n"),
            "{text}"
        );
    }
}
