//! Is a connector's configuration good? The settings by themselves, then the database that they name.

use std::{collections::BTreeMap, error::Error as _};

use super::definition::{framework_problem, position};
use crate::{
    Error,
    config::{CONNECTOR_CLASS, ConnectorConfig, Providers},
    source::{
        Control, ServerError, connection::ReplicationConnection, contradictions, slot::slot_room,
        snapshot::snapshot_tables, tables_with_policies, told_of_policies, wal_level,
    },
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

/// Something that is wrong with a configuration, in Kafka Connect's or Debezium's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) property: String,
    pub(super) text: String,
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
        Ok(parsed) => match reach(&parsed.config).await {
            Ok(found) => findings.extend(found),
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

/// Connect as the connector would. Answers what it would stop at then.
async fn reach(config: &ConnectorConfig) -> Result<Vec<Finding>, String> {
    let failed = |error| connection_message(&error, config);
    let mut control = Control::new(&config.database);
    let client = control.client().await.map_err(failed)?;
    let level = wal_level(client).await.map_err(failed)?;
    if level != "logical" {
        return Err(format!(
            "Postgres server wal_level property must be 'logical' but is: '{level}'. alter system set wal_level = logical; then restart the server"
        ));
    }
    let room = slot_room(client, &config.slot_name).await.map_err(failed)?;
    if config.snapshot_mode.streams() && !room.is_enough() {
        return Err(format!(
            "all {} replication slots of the server are in use, and '{}' is none of them: raise max_replication_slots, or drop a slot that nobody reads (pg_replication_slots)",
            room.max, config.slot_name
        ));
    }
    // A connector that runs has shown that it may replicate, and may hold the last walsender.
    if !room.active {
        let connection = ReplicationConnection::connect(&config.database).await;
        connection.map_err(failed)?.terminate().await;
    }
    let mode = config.snapshot_mode;
    // Where the slot is there, its connector may have taken its snapshot before.
    if mode.takes_snapshot(room.exists) {
        return unfit_for_snapshot(&mut control, config)
            .await
            .map_err(failed);
    }
    Ok(Vec::new())
}

/// Why the first snapshot would be refused: rows that are hidden from us, and a publication that does not publish what
/// the snapshot reads.
async fn unfit_for_snapshot(
    control: &mut Control,
    config: &ConnectorConfig,
) -> Result<Vec<Finding>, Error> {
    let client = control.client().await?;
    let finding = |property: &str, text: &str| Finding {
        property: property.to_owned(),
        text: format!("The '{property}' value is invalid: {text}"),
    };
    let mut findings = Vec::new();
    let tables = snapshot_tables(client, config).await?;
    let hidden = tables_with_policies(client, config, &tables).await?;
    if !hidden.is_empty() {
        let (told, hint) = told_of_policies(&hidden, &config.database.user);
        findings.push(finding("database.user", &format!("{told}: {hint}")));
    }
    if config.snapshot_mode.streams() {
        let told = contradictions(client, config).await?;
        findings.extend(told.iter().map(|told| finding("publication.name", told)));
    }
    Ok(findings)
}

/// A wrong password, a database that does not exist.
const PLAIN: [&str; 2] = ["28P01", "3D000"];

/// In the words of PostgreSQL's JDBC driver where it has some, which tools look for.
fn connection_message(error: &Error, config: &ConnectorConfig) -> String {
    let mut source = error.source();
    let mut causes: Vec<String> = Vec::new();
    while let Some(cause) = source {
        if let Some(server) = cause.downcast_ref::<ServerError>() {
            let said = format!("{}: {}", server.severity, server.message);
            // What is wrong is plain there, and tools compare the text.
            return if PLAIN.contains(&server.code.as_str()) {
                said
            } else {
                format!("{said} ({error}): {}", error.hint())
            };
        }
        let refused = cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
        if refused {
            return format!(
                "Connection to {}:{} refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections.",
                config.database.hostname, config.database.port
            );
        }
        let told = cause.to_string();
        // Some errors repeat their cause's text.
        causes.retain(|before| !before.ends_with(&told));
        causes.push(told);
        source = cause.source();
    }
    let causes = causes.join(": ");
    format!(
        "The connection attempt failed: {causes} ({error}): {}",
        error.hint()
    )
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
        let mut worker = crate::connect::WorkerConfig::new("k:9092", listen);
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
            let name = crate::connect::property_of_variable(variable);
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
