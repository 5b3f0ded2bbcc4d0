use tokio_postgres::Client;

use super::server_error::control_error;
use crate::{Error, quoting::quote_literal};

/// Whether changes of partitions are published as changes of their root (`publish_via_partition_root`).
pub(crate) async fn publishes_via_root(client: &Client, name: &str) -> Result<bool, Error> {
    let sql = format!(
        "select pubviaroot::text from pg_catalog.pg_publication where pubname = {}",
        quote_literal(name)
    );
    let row = client
        .query_opt(&sql, &[])
        .await
        .map_err(|error| control_error(format!("read publication `{name}`"), error))?;
    Ok(row.is_some_and(|row| row.try_get::<_, String>(0).is_ok_and(|text| text == "true")))
}
