//! The environment of Kafka Connect's images: Debezium's short names, and `CONNECT_*` of Debezium's and Confluent's.

use std::collections::BTreeMap;

use connect::property_of_variable;
use connector::APICURIO_AVRO;

/// Debezium's short names, and the worker property of each. Those without an effect here are named in the log with the
/// other properties that have none.
const SHORT: [(&str, &str); 14] = [
    ("BOOTSTRAP_SERVERS", "bootstrap.servers"),
    ("GROUP_ID", "group.id"),
    ("CONFIG_STORAGE_TOPIC", "config.storage.topic"),
    ("OFFSET_STORAGE_TOPIC", "offset.storage.topic"),
    ("STATUS_STORAGE_TOPIC", "status.storage.topic"),
    ("KEY_CONVERTER", "key.converter"),
    ("VALUE_CONVERTER", "value.converter"),
    ("REST_HOST_NAME", "rest.host.name"),
    ("REST_PORT", "rest.port"),
    ("ADVERTISED_HOST_NAME", "rest.advertised.host.name"),
    ("ADVERTISED_PORT", "rest.advertised.port"),
    ("OFFSET_FLUSH_INTERVAL_MS", "offset.flush.interval.ms"),
    ("OFFSET_FLUSH_TIMEOUT_MS", "offset.flush.timeout.ms"),
    ("SHUTDOWN_TIMEOUT", "task.shutdown.graceful.timeout.ms"),
];

/// Of the images' own start script, or of Java.
const WITHOUT_EFFECT: [&str; 15] = [
    "ENABLE_DEBEZIUM_KC_REST_EXTENSION",
    "ENABLE_DEBEZIUM_SCRIPTING",
    "ENABLE_JFR",
    "ENABLE_JMX_EXPORTER",
    "ENABLE_JOLOKIA",
    "ENABLE_OTEL",
    "HEAP_OPTS",
    "INTERNAL_KEY_CONVERTER",
    "INTERNAL_VALUE_CONVERTER",
    "JMXHOST",
    "JMXPORT",
    "KAFKA_HEAP_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_OPTS",
    "LOG_LEVEL",
];

/// Debezium's image turns both converters to Avro where this names a registry.
const SCHEMA_REGISTRY: &str = "SCHEMA_REGISTRY";

/// What was found.
#[derive(Default)]
pub(super) struct ImageVariables {
    /// By Kafka Connect's names.
    pub(super) properties: BTreeMap<String, String>,
    /// Names of variables, in order.
    pub(super) without_effect: Vec<String>,
}

impl ImageVariables {
    /// Short names go over long ones, as in Debezium's image; empty ones count as not set.
    pub(super) fn read(environment: impl Iterator<Item = (String, String)>) -> Self {
        let mut found = Self::default();
        let (mut short, mut registry) = (BTreeMap::new(), None);
        for (variable, value) in environment {
            if let Some((_, name)) = SHORT.iter().find(|(known, _)| *known == variable) {
                if !value.trim().is_empty() {
                    short.insert((*name).to_owned(), value);
                }
            } else if variable == SCHEMA_REGISTRY {
                registry = Some(value).filter(|url| !url.trim().is_empty());
            } else if let Some(name) = property_of_variable(&variable) {
                found.properties.insert(name, value);
            } else if WITHOUT_EFFECT.contains(&variable.as_str())
                || variable.starts_with("CONNECT_LOG4J")
                || variable.starts_with("CONNECT_KAFKA_HEAP")
            {
                found.without_effect.push(variable);
            }
        }
        for part in ["key", "value"] {
            if let Some(url) = &registry {
                short.insert(format!("{part}.converter"), APICURIO_AVRO.to_owned());
                let name = format!("{part}.converter.apicurio.registry.url");
                short.insert(name, url.clone());
                let name = format!("{part}.converter.apicurio.registry.auto-register");
                found
                    .properties
                    .entry(name)
                    .or_insert_with(|| "true".to_owned());
            }
        }
        found.properties.extend(short);
        found.without_effect.sort();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let found = ImageVariables::read(variables);
        let shown = found.properties.iter().map(|(k, v)| format!("{k}={v}"));
        (shown.collect(), found.without_effect)
    }

    #[test]
    fn short_names_go_over_long_ones_as_in_debeziums_image() {
        let (properties, ignored) = read(&[
            ("CONNECT_GROUP_ID", "long"),
            ("GROUP_ID", "short"),
            ("REST_PORT", "8084"),
            ("STATUS_STORAGE_TOPIC", ""),
            ("CONNECT_STATUS_STORAGE_TOPIC", "s"),
            ("HEAP_OPTS", "-Xmx1g"),
            ("CONNECT_LOG4J_LOGGERS", "INFO"),
            ("LOG_LEVEL", "DEBUG"),
            ("HOME", "x"),
        ]);
        assert_eq!(
            properties,
            ["group.id=short", "rest.port=8084", "status.storage.topic=s"]
        );
        assert_eq!(ignored, ["CONNECT_LOG4J_LOGGERS", "HEAP_OPTS", "LOG_LEVEL"]);
    }

    #[test]
    fn converters_have_short_names_and_long_ones() {
        let (properties, _) = read(&[
            ("KEY_CONVERTER", "K"),
            ("CONNECT_VALUE_CONVERTER", "V"),
            ("CONNECT_VALUE_CONVERTER_SCHEMAS_ENABLE", "false"),
            (
                "CONNECT_VALUE_CONVERTER_SCHEMA_REGISTRY_URL",
                "http://r:8081",
            ),
            (
                "CONNECT_KEY_CONVERTER_APICURIO.REGISTRY_AUTO-REGISTER",
                "true",
            ),
        ]);
        assert_eq!(
            properties,
            [
                "key.converter=K",
                "key.converter.apicurio.registry.auto-register=true",
                "value.converter=V",
                "value.converter.schema.registry.url=http://r:8081",
                "value.converter.schemas.enable=false",
            ]
        );
    }

    #[test]
    fn a_registry_makes_both_converters_avro() {
        let (properties, _) = read(&[
            ("KEY_CONVERTER", "K"),
            ("SCHEMA_REGISTRY", "http://r/apis/registry/v2"),
        ]);
        let of = |part: &str| {
            [
                format!("{part}.converter={APICURIO_AVRO}"),
                format!("{part}.converter.apicurio.registry.auto-register=true"),
                format!("{part}.converter.apicurio.registry.url=http://r/apis/registry/v2"),
            ]
        };
        assert_eq!(properties, [of("key"), of("value")].concat());
    }
}
