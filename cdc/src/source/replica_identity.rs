use tokio_postgres::Client;

use super::{server_error::control_error, snapshot::captured_tables};
use crate::Error;
use crate::quoting::quote_identifier;
use connector::{ConnectorConfig, WantedIdentity};

/// Set the replica identities that `replica.identity.autoset.values` asks for. A table that cannot be altered is
/// captured with the identity it has, with a warning.
///
/// # Errors
/// The list of tables cannot be read.
pub(crate) async fn set_replica_identities(
    client: &Client,
    config: &ConnectorConfig,
) -> Result<(), Error> {
    if config.replica_identities.is_empty() {
        return Ok(());
    }
    for table in captured_tables(client, config).await? {
        let full_name = format!("{}.{}", table.name.schema, table.name.table);
        let mut rules = config.replica_identities.iter();
        let Some(rule) = rules.find(|rule| rule.table.is_match(&full_name)) else {
            continue;
        };
        let identity = match &rule.identity {
            WantedIdentity::Default => "default".to_owned(),
            WantedIdentity::Full => "full".to_owned(),
            WantedIdentity::Nothing => "nothing".to_owned(),
            WantedIdentity::Index(name) => format!("using index {}", quote_identifier(name)),
        };
        let sql = format!(
            "alter table {} replica identity {identity}",
            table.name.quoted()
        );
        match client.batch_execute(&sql).await {
            Ok(()) => tracing::info!(table = %full_name, identity, "replica identity set"),
            Err(error) => {
                let error = control_error(format!("run `{sql}`"), error);
                let text = service::render_error(&error, None).replace('\n', "; ");
                tracing::warn!(table = %full_name, error = %text, "the replica identity stays as it is");
            }
        }
    }
    Ok(())
}
