//! The connector that the settings themselves describe: Debezium's properties in `[cdc]`, and in the environment as
//! `TRIBUTARY_CDC_DATABASE_HOSTNAME` or `DEBEZIUM_SOURCE_DATABASE_HOSTNAME`.

use std::collections::BTreeMap;

use connector::{ConnectorFile, find_property, holds_secret, properties_from_environment};

use super::{Origin, Settings, SettingsError};

/// Keys with their text, tables in tables joined by dots, entries of a list by commas.
pub(super) fn flat(table: &toml::Table) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (key, value) in table {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other TOML values are alike here"
        )]
        match value {
            toml::Value::Table(inner) => pairs.extend(
                flat(inner)
                    .into_iter()
                    .map(|(rest, text)| (format!("{key}.{rest}"), text)),
            ),
            // A comma within an entry is escaped, as Debezium's lists want it.
            toml::Value::Array(entries) => {
                let entries = entries.iter().map(|entry| text(entry).replace(',', "\\,"));
                pairs.push((key.clone(), entries.collect::<Vec<_>>().join(",")));
            }
            other => pairs.push((key.clone(), text(other))),
        }
    }
    pairs
}

fn text(value: &toml::Value) -> String {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other TOML values are alike here"
    )]
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a key of `[cdc]` is a property of connectors.
pub(super) fn is_property(key: &str) -> bool {
    find_property(key).is_some()
}

impl Settings {
    /// The environment's properties, over those of the file.
    pub(super) fn read_connector(
        &mut self,
        environment: Vec<(String, String)>,
        problems: &mut Vec<String>,
    ) {
        match properties_from_environment(environment) {
            Err(unread) => problems.extend(unread),
            Ok(found) => {
                for found in found {
                    let origin = Origin::Environment(found.variable);
                    self.connector.insert(found.name, (found.value, origin));
                }
            }
        }
    }

    /// The connector, if the settings describe one. It is called as its topic prefix where it has no name.
    ///
    /// # Errors
    /// What of Debezium Server's form cannot be.
    pub fn connector(&self) -> Result<Option<ConnectorFile>, SettingsError> {
        if self.connector.is_empty() {
            return Ok(None);
        }
        let mut properties: BTreeMap<String, String> = self
            .connector
            .iter()
            .map(|(name, (value, _))| (name.clone(), value.clone()))
            .collect();
        // `[cdc.transforms.route]` leaves no place for `transforms = "route"`.
        for list in ["transforms", "predicates"] {
            let aliases: Vec<String> = properties
                .keys()
                .filter_map(|name| {
                    let name = name.strip_prefix(list)?.strip_prefix('.')?;
                    Some(name.strip_suffix(".type")?.to_owned())
                })
                .collect();
            if !aliases.is_empty() {
                let entry = properties.entry(list.to_owned());
                entry.or_insert_with(|| aliases.join(","));
            }
        }
        let prefix = ["topic.prefix", "debezium.source.topic.prefix"]
            .iter()
            .find_map(|name| properties.get(*name).cloned());
        ConnectorFile::from_settings(properties, &prefix.unwrap_or_default())
            .map(Some)
            .map_err(SettingsError)
    }

    /// As `print`, for the connector's properties.
    pub(super) fn print_connector(&self) -> String {
        self.connector
            .iter()
            .map(|(name, (value, origin))| {
                let value = if holds_secret(name, value) {
                    service::HIDDEN
                } else {
                    value
                };
                let scope = if name.starts_with("debezium.") {
                    ""
                } else {
                    "cdc."
                };
                format!("{scope}{name} = {value} # {origin}\n")
            })
            .collect()
    }
}
