use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use cdc::{
    config::parse_properties,
    connect::{WorkerConfig, property_of_variable},
};

use super::{Failure, kafka, start};
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Connectors are Debezium's own JSON, from a folder or posted as to Kafka Connect:
  tributary cdc --connectors deploy/connectors
  curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8083/connectors -d @register-postgres.json

A connector may also stand in [cdc] of tributary.toml, in a .properties file (Debezium Server's debezium.source.* too),
or in the environment: TRIBUTARY_CDC_DATABASE_HOSTNAME, DEBEZIUM_SOURCE_DATABASE_HOSTNAME.

The names that Connect's images read from the environment are read too: BOOTSTRAP_SERVERS, GROUP_ID,
CONFIG_STORAGE_TOPIC, OFFSET_STORAGE_TOPIC, STATUS_STORAGE_TOPIC, REST_HOST_NAME, REST_PORT, ADVERTISED_HOST_NAME,
ADVERTISED_PORT, and every worker property as CONNECT_*: CONNECT_REST_SHOW_PASSWORDS is rest.show.passwords.

Login and TLS of the REST face: rest.basic.auth.user with rest.basic.auth.password, or rest.basic.auth.file;
rest.tls.certificate with rest.tls.key, and rest.tls.client.ca where clients must have certificates."
)]
pub struct Arguments {
    /// Folder of connector files that are registered at start (cdc.connectors_folder)
    #[arg(long, value_name = "FOLDER")]
    connectors: Option<PathBuf>,
    /// Worker properties, as connect-distributed.properties; CONNECT_* go over them
    #[arg(long, value_name = "FILE")]
    worker_properties: Option<PathBuf>,
    /// Kafka brokers (kafka.bootstrap_servers)
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap_servers: Option<String>,
    /// Address of the REST face (cdc.listen)
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    let mut worker = match &arguments.worker_properties {
        Some(path) => worker_properties(path)?,
        None => BTreeMap::new(),
    };
    worker.extend(image_properties(std::env::vars()));
    let connector = settings.connector()?;
    // What the settings say goes over what Connect's names say.
    if let Some(brokers) = connector
        .as_ref()
        .and_then(|connector| connector.bootstrap_servers.clone())
    {
        worker
            .entry("bootstrap.servers".to_owned())
            .or_insert(brokers);
    }
    for (key, name) in [
        ("kafka.bootstrap_servers", "bootstrap.servers"),
        ("cdc.group_id", "group.id"),
        ("cdc.config_storage_topic", "config.storage.topic"),
        ("cdc.offset_storage_topic", "offset.storage.topic"),
        ("cdc.status_storage_topic", "status.storage.topic"),
    ] {
        settings.set_default(key, worker.remove(name), name);
    }
    let listens = settings.is_set("cdc.listen") || arguments.listen.is_some();
    settings.set_flag("kafka.bootstrap_servers", arguments.bootstrap_servers);
    settings.set_flag("cdc.listen", arguments.listen);
    settings.set_flag(
        "cdc.connectors_folder",
        arguments
            .connectors
            .map(|folder| folder.display().to_string()),
    );
    let text = |key| settings.get(key).unwrap_or_default().to_owned();
    let mut config = WorkerConfig::new(
        text("kafka.bootstrap_servers"),
        settings.parse("cdc.listen")?,
    );
    config.group_id = text("cdc.group_id");
    config.config_topic = text("cdc.config_storage_topic");
    config.offset_topic = text("cdc.offset_storage_topic");
    config.status_topic = text("cdc.status_storage_topic");
    config.connectors_folder = settings.get("cdc.connectors_folder").map(PathBuf::from);
    config.connectors.extend(connector);
    let runtime = start(settings, "info")?;
    let listen = config.rest_listen;
    config.apply(&worker)?;
    // Settings of ours go over Connect's.
    config.kafka_overrides.extend(kafka::security(settings));
    if listens {
        config.rest_listen = listen;
    }
    runtime.block_on(async {
        let stop = service::stop_on_signal().map_err(anyhow::Error::from)?;
        Ok(::cdc::connect::run_worker(config, stop).await?)
    })
}

fn worker_properties(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let problem = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!(
            "read the worker properties `{}`: {error}",
            path.display()
        ))
    };
    let bytes = std::fs::read(path).map_err(|error| problem(&error))?;
    parse_properties(&bytes).map_err(|error| problem(&error))
}

/// What Connect's images make worker properties of: their own short names, and `CONNECT_*` over them.
fn image_properties(
    environment: impl Iterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    const SHORT: [(&str, &str); 9] = [
        ("BOOTSTRAP_SERVERS", "bootstrap.servers"),
        ("GROUP_ID", "group.id"),
        ("CONFIG_STORAGE_TOPIC", "config.storage.topic"),
        ("OFFSET_STORAGE_TOPIC", "offset.storage.topic"),
        ("STATUS_STORAGE_TOPIC", "status.storage.topic"),
        ("REST_HOST_NAME", "rest.host.name"),
        ("REST_PORT", "rest.port"),
        ("ADVERTISED_HOST_NAME", "rest.advertised.host.name"),
        ("ADVERTISED_PORT", "rest.advertised.port"),
    ];
    let (mut short, mut long) = (BTreeMap::new(), BTreeMap::new());
    for (variable, value) in environment {
        if let Some((_, name)) = SHORT.iter().find(|(known, _)| *known == variable) {
            short.insert((*name).to_owned(), value);
        } else if let Some(name) = property_of_variable(&variable) {
            long.insert(name, value);
        }
    }
    short.extend(long);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_go_over_short_ones() {
        let variables = [
            ("CONNECT_GROUP_ID", "long"),
            ("GROUP_ID", "short"),
            ("REST_PORT", "8084"),
            ("HOME", "x"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let properties = image_properties(variables.into_iter());
        let shown: Vec<String> = properties.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(shown, ["group.id=long", "rest.port=8084"]);
    }
}
