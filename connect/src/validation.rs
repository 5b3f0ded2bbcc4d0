//! Is a connector's configuration good? The settings by themselves, then the database that they name.

use std::collections::BTreeMap;

use super::definition::{framework_problem, position};
use cdc::pipeline::{Unfit, preflight};
use connector::{CONNECTOR_CLASS, Providers};

/// Names under which the connector's class is known to Kafka Connect.
pub(super) const CLASS_NAMES: [&str; 3] = [CONNECTOR_CLASS, "PostgresConnector", "Postgres"];

/// Whether a class name is the one connector that there is.
pub(super) fn is_our_class(class: &str) -> bool {
    class == CONNECTOR_CLASS || CLASS_NAMES.contains(&class)
}

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

/// Something that is wrong with a configuration, in Kafka Connect's or Debezium's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) property: String,
    pub(super) text: String,
}

impl From<Unfit> for Finding {
    fn from(unfit: Unfit) -> Self {
        let Unfit { property, why } = unfit;
        Self {
            text: format!("The '{property}' value is invalid: {why}"),
            property: property.to_owned(),
        }
    }
}

/// Check the settings, then connect to the database once. Answers what is wrong, in the order of Kafka Connect's forms.
pub(super) async fn findings(
    properties: &BTreeMap<String, String>,
    providers: &Providers,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = properties
        .iter()
        .filter_map(|(name, value)| {
            Some(Finding {
                text: framework_problem(name, value)?,
                property: name.clone(),
            })
        })
        .collect();
    let mut named = properties.clone();
    if properties
        .get("name")
        .is_none_or(|name| name.trim().is_empty())
    {
        findings.push(Finding {
            property: "name".to_owned(),
            text: "Missing required configuration \"name\" which has no default value.".to_owned(),
        });
        // The rest can be checked all the same.
        named.insert("name".to_owned(), "unnamed".to_owned());
    }
    match providers.parse(&named) {
        Ok(parsed) => match preflight(&parsed.config).await {
            Ok(unfit) => findings.extend(unfit.into_iter().map(Finding::from)),
            Err(text) => {
                // The server repeats what it was asked for.
                let text = service::without_withheld(&text);
                findings.push(Finding {
                    property: "database.hostname".to_owned(),
                    text: format!("Error while validating connector config: {text}"),
                });
            }
        },
        Err(report) => {
            for problem in report.problems {
                // Kafka Connect's own check has told it.
                if problem.property != "topic.creation.groups" {
                    findings.push(Finding {
                        text: problem.to_string(),
                        property: problem.property,
                    });
                }
            }
        }
    }
    findings.sort_by_key(|finding| position(&finding.property));
    findings
}

/// As `findings`, for a connector that is to be stored.
///
/// # Errors
/// The message of the answer.
pub(super) async fn check(
    properties: &BTreeMap<String, String>,
    providers: &Providers,
) -> Result<(), String> {
    let findings = findings(properties, providers).await;
    if findings.is_empty() {
        return Ok(());
    }
    let lines: Vec<&str> = findings
        .iter()
        .map(|finding| finding.text.as_str())
        .collect();
    Err(format!(
        "Connector configuration is invalid and contains the following {} error(s):\n{}\n{ENDPOINT}",
        findings.len(),
        lines.join("\n")
    ))
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
    fn a_workers_registry_is_that_of_connectors_that_name_none() {
        let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let mut worker = crate::WorkerConfig::new("k:9092", listen);
        let variables = [
            ("CONNECT_KEY_CONVERTER", "JsonConverter"),
            ("CONNECT_KEY_CONVERTER_SCHEMAS_ENABLE", "false"),
            (
                "CONNECT_VALUE_CONVERTER",
                "io.confluent.connect.avro.AvroConverter",
            ),
            (
                "CONNECT_VALUE_CONVERTER_SCHEMA_REGISTRY_URL",
                "http://r:8081/",
            ),
        ];
        let properties = variables.map(|(variable, value)| {
            let name = crate::property_of_variable(variable);
            (name.unwrap_or_default(), value.to_owned())
        });
        worker.apply(&BTreeMap::from(properties)).unwrap();
        let mut connector = map(&[
            ("name", "n"),
            ("topic.prefix", "p"),
            ("database.hostname", "h"),
            ("database.user", "u"),
            ("database.dbname", "d"),
        ]);
        let parse = |connector: &BTreeMap<String, String>| {
            let all = with_defaults(connector, &worker.converter_defaults);
            worker.providers.parse(&all).unwrap().config
        };
        let config = parse(&connector);
        let registry = config.registries.value.as_ref().unwrap();
        assert_eq!(registry.urls, ["http://r:8081"]);
        assert!(config.registries.key.is_none() && !config.contract.key_schemas_enable);
        let class = "org.apache.kafka.connect.json.JsonConverter".to_owned();
        connector.insert("value.converter".to_owned(), class);
        let config = parse(&connector);
        assert!(config.registries.is_empty() && config.contract.value_schemas_enable);
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
