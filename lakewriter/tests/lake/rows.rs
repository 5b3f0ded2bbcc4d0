//! What a reader of the lake sees.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;
use deltalake_core::DeltaTable;
use lakewriter::Lake;

/// The rows of a query over one table of the lake, named `t`, each as its values joined by `|`.
pub async fn query(lake: &Lake, folder: &str, sql: &str) -> Result<Vec<String>> {
    let mut table = DeltaTable::new(lake.log_store(folder)?);
    table
        .load()
        .await
        .with_context(|| format!("open {folder}"))?;
    let session = SessionContext::new();
    table.update_datafusion_session(&session.state())?;
    let provider = table
        .table_provider()
        .with_session(Arc::new(session.state()))
        .await?;
    session.register_table("t", provider)?;
    let batches = session.sql(sql).await?.collect().await?;
    let mut rows = Vec::new();
    let options = FormatOptions::default().with_null("NULL");
    for batch in &batches {
        let columns: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            let values: Vec<String> = columns
                .iter()
                .map(|column| column.value(row).to_string())
                .collect();
            rows.push(values.join("|"));
        }
    }
    Ok(rows)
}

/// All values of the column `id`, in order.
pub async fn ids(lake: &Lake, folder: &str) -> Result<Vec<i64>> {
    if !lake.is_delta_table(folder).await? {
        return Ok(Vec::new());
    }
    query(lake, folder, "SELECT id FROM t ORDER BY CAST(id AS BIGINT)")
        .await?
        .iter()
        .map(|id| Ok(id.parse()?))
        .collect()
}
