use tokio_postgres::Client;

use super::snapshot::captured_tables;
use crate::{Error, ErrorKind};
use connector::ConnectorConfig;

/// `guardrail.collections.max`: more captured tables than that are refused, or told of.
///
/// # Errors
/// `Configuration` when there are more and the setting says to fail; the catalog cannot be read.
pub(crate) async fn keep_guardrail(client: &Client, config: &ConnectorConfig) -> Result<(), Error> {
    let Some(guardrail) = config.guardrail else {
        return Ok(());
    };
    let captured = captured_tables(client, config).await?.len();
    if captured <= guardrail.most {
        return Ok(());
    }
    // Debezium's words, which operators look for.
    let told = format!(
        "Guardrail limit exceeded: {captured} tables/collections configured for capture, but maximum allowed is {}.",
        guardrail.most
    );
    if !guardrail.fails {
        tracing::warn!("{told}");
        return Ok(());
    }
    Err(
        Error::new(ErrorKind::Configuration, "count the captured tables")
            .with_source(told)
            .with_hint("narrow `table.include.list`, or raise `guardrail.collections.max`"),
    )
}
