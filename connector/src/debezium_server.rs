//! Debezium Server's form of a configuration: `debezium.source.*` is the connector, `debezium.sink.kafka.producer.*` the
//! Kafka client, `debezium.format.*` the converters, `debezium.transforms.*` and `debezium.predicates.*` what is between.

use std::{collections::BTreeMap, fmt};

use super::{CONFLUENT_AVRO, CONNECTOR_CLASS, shown};

/// The connector in Debezium Server's settings.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ServerForm {
    /// Kafka Connect's names.
    pub properties: BTreeMap<String, String>,
    /// Where the sink leads.
    pub bootstrap_servers: Option<String>,
}

impl fmt::Debug for ServerForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerForm")
            .field("properties", &shown(&self.properties))
            .field("bootstrap_servers", &self.bootstrap_servers)
            .finish()
    }
}

/// Whether settings are in Debezium Server's form.
pub fn is_server_form(settings: &BTreeMap<String, String>) -> bool {
    // One property of ours begins like that too.
    let is_of_server = |name: &String| name.starts_with("debezium.") && name != "debezium.compat";
    settings.keys().any(is_of_server)
}

/// The converter of a `debezium.format.key` or `.value`.
const fn converter(format: &str) -> Option<&'static str> {
    Some(match format.as_bytes() {
        b"json" | b"jsonbytearray" => "org.apache.kafka.connect.json.JsonConverter",
        b"avro" => CONFLUENT_AVRO,
        b"protobuf" => "io.confluent.connect.protobuf.ProtobufConverter",
        b"cloudevents" => "io.debezium.converters.CloudEventsConverter",
        b"simplestring" => "org.apache.kafka.connect.storage.StringConverter",
        b"binary" => "io.debezium.converters.BinaryDataConverter",
        _ => return None,
    })
}

/// Kafka Connect's names for Debezium Server's. What has none is left out, with a line in the log.
///
/// # Errors
/// Everything that would go elsewhere or in another form than asked for.
pub fn from_server_form(settings: &BTreeMap<String, String>) -> Result<ServerForm, Vec<String>> {
    let mut form = ServerForm::default();
    let mut problems = Vec::new();
    let mut set = |name: String, value: &str| {
        form.properties.insert(name, value.to_owned());
    };
    for (name, value) in settings {
        let value = value.as_str();
        let Some(name) = name.strip_prefix("debezium.") else {
            tracing::info!(setting = %name, "a setting of Debezium Server's framework has no effect");
            continue;
        };
        if let Some(property) = name.strip_prefix("source.") {
            set(property.to_owned(), value);
        } else if let Some(setting) = name.strip_prefix("sink.kafka.producer.") {
            match setting {
                "bootstrap.servers" => form.bootstrap_servers = Some(value.to_owned()),
                "key.serializer" | "value.serializer" => {}
                _ => set(format!("producer.override.{setting}"), value),
            }
        } else if name == "sink.type" {
            if value != "kafka" {
                problems.push(format!(
                    "`debezium.sink.type` is `{value}`: there is only `kafka`"
                ));
            }
        } else if let Some(setting) = name.strip_prefix("format.") {
            match setting {
                "key" | "value" | "header" if setting == "header" && value == "json" => {}
                "key" | "value" | "header" => match converter(value) {
                    Some(class) => set(format!("{setting}.converter"), class),
                    None => problems.push(format!(
                        "`debezium.format.{setting}` is `{value}`: want one of json, avro, protobuf, cloudevents, simplestring, binary"
                    )),
                },
                "schemas.enable" => {
                    for side in ["key", "value"] {
                        let name = format!("{side}.converter.schemas.enable");
                        if !settings.contains_key(&format!("debezium.format.{side}.schemas.enable")) {
                            set(name, value);
                        }
                    }
                }
                _ => match setting.split_once('.') {
                    Some((side @ ("key" | "value" | "header"), rest)) => {
                        set(format!("{side}.converter.{rest}"), value);
                    }
                    _ => problems.push(format!("`debezium.format.{setting}` is unknown")),
                },
            }
        } else if ["transforms", "predicates"].iter().any(|part| {
            name == *part
                || name
                    .strip_prefix(part)
                    .is_some_and(|rest| rest.starts_with('.'))
        }) {
            set(name.to_owned(), value);
        } else {
            tracing::info!(setting = %format!("debezium.{name}"), "a setting of Debezium Server has no effect");
        }
    }
    let class = form.properties.entry("connector.class".to_owned());
    class.or_insert_with(|| CONNECTOR_CLASS.to_owned());
    if problems.is_empty() {
        Ok(form)
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn debezium_servers_names_become_connects() {
        let form = from_server_form(&map(&[
            ("debezium.sink.type", "kafka"),
            ("debezium.sink.kafka.producer.bootstrap.servers", "k:9092"),
            ("debezium.sink.kafka.producer.key.serializer", "x"),
            ("debezium.sink.kafka.producer.compression.type", "zstd"),
            ("debezium.source.connector.class", CONNECTOR_CLASS),
            ("debezium.source.database.hostname", "h"),
            ("debezium.format.value", "json"),
            ("debezium.format.schemas.enable", "false"),
            ("debezium.format.key.schemas.enable", "true"),
            ("debezium.transforms", "route"),
            ("debezium.transforms.route.type", "T"),
            ("quarkus.log.level", "INFO"),
        ]))
        .unwrap();
        assert_eq!(form.bootstrap_servers.as_deref(), Some("k:9092"));
        assert_eq!(
            form.properties,
            map(&[
                ("connector.class", CONNECTOR_CLASS),
                ("database.hostname", "h"),
                ("key.converter.schemas.enable", "true"),
                ("producer.override.compression.type", "zstd"),
                ("transforms", "route"),
                ("transforms.route.type", "T"),
                (
                    "value.converter",
                    "org.apache.kafka.connect.json.JsonConverter"
                ),
                ("value.converter.schemas.enable", "false"),
            ])
        );
    }

    #[test]
    fn what_cannot_be_is_refused_at_once() {
        let problems = from_server_form(&map(&[
            ("debezium.sink.type", "pulsar"),
            ("debezium.format.value", "xml"),
            ("debezium.format.colour", "red"),
        ]))
        .unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
