//! Is a connector's configuration good? The settings by themselves, then the database that they name.

use std::{collections::BTreeMap, error::Error as _};

use crate::{
    config::{CONNECTOR_CLASS, ConfigReport, ConnectorConfig, Parsed},
    source::Control,
};

/// Names under which the connector's class is known to Kafka Connect.
pub(super) const CLASS_NAMES: [&str; 3] = [CONNECTOR_CLASS, "PostgresConnector", "Postgres"];

/// The line at the end of every refusal.
const ENDPOINT: &str = "You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`";

/// The settings with what the worker has for them where they are silent. A connector with a converter of its own
/// inherits nothing of the worker's.
pub(super) fn with_defaults(
    properties: &BTreeMap<String, String>,
    defaults: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut all = properties.clone();
    for (name, value) in defaults {
        let own = ["key.converter", "value.converter", "header.converter"]
            .iter()
            .find(|converter| name.starts_with(**converter))
            .is_some_and(|converter| properties.contains_key(*converter));
        if !own {
            all.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    all
}

/// A message as Kafka Connect's, for errors that have no property.
pub(super) fn refusal(line: &str) -> String {
    format!(
        "Connector configuration is invalid and contains the following 1 error(s):\n{line}\n{ENDPOINT}"
    )
}

/// Check the settings, then connect to the database once.
///
/// # Errors
/// The message of the answer.
pub(super) async fn check(properties: &BTreeMap<String, String>) -> Result<Parsed, String> {
    let parsed = ConnectorConfig::parse(properties).map_err(|report| message(&report))?;
    let mut control = Control::new(&parsed.config.database);
    if let Err(error) = control.client().await {
        return Err(refusal(&format!(
            "Error while validating connector config: {}",
            root_cause(&error)
        )));
    }
    Ok(parsed)
}

fn message(report: &ConfigReport) -> String {
    report.to_string()
}

/// Both what was attempted and what the server said about it.
fn root_cause(error: &crate::Error) -> String {
    let mut root = None;
    let mut source = error.source();
    while let Some(cause) = source {
        root = Some(cause.to_string());
        source = cause.source();
    }
    match root {
        Some(root) => format!("{root} ({error})"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &[(&str, &str)]) -> BTreeMap<String, String> {
        text.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_connectors_own_converter_inherits_nothing() {
        let defaults = map(&[
            ("key.converter", "J"),
            ("key.converter.schemas.enable", "false"),
            ("value.converter", "J"),
            ("value.converter.schemas.enable", "false"),
        ]);
        let all = with_defaults(&map(&[("value.converter", "J"), ("a", "b")]), &defaults);
        assert_eq!(
            all,
            map(&[
                ("a", "b"),
                ("key.converter", "J"),
                ("key.converter.schemas.enable", "false"),
                ("value.converter", "J"),
            ])
        );
    }
}
