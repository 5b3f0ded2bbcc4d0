use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use connect::WorkerConfig;
use connector::parse_properties;

use super::{hosts, image::ImageVariables, kafka, start};
use crate::failure::Failure;
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Connectors are Debezium's own JSON, posted as to Kafka Connect. Put in your own for what is in capitals:
  tributary cdc --bootstrap-servers 127.0.0.1:9092
  curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8083/connectors -d '{\"name\": \"shop\", \"config\": {
    \"connector.class\": \"io.debezium.connector.postgresql.PostgresConnector\",
    \"database.hostname\": \"HOST\", \"database.port\": \"5432\", \"database.dbname\": \"DATABASE\",
    \"database.user\": \"USER\", \"database.password\": \"PASSWORD\", \"topic.prefix\": \"shop\"}}'

Files of them, one connector each, are registered at start from the folder that --connectors names:
  tributary cdc --connectors FOLDER

A connector may also stand in [cdc] of tributary.toml, in a .properties file (Debezium Server's debezium.source.* too),
or in the environment: TRIBUTARY_CDC_DATABASE_HOSTNAME, DEBEZIUM_SOURCE_DATABASE_HOSTNAME.

The names that Connect's images read from the environment are read too: BOOTSTRAP_SERVERS, GROUP_ID,
CONFIG_STORAGE_TOPIC, OFFSET_STORAGE_TOPIC, STATUS_STORAGE_TOPIC, KEY_CONVERTER, VALUE_CONVERTER, REST_HOST_NAME,
REST_PORT, ADVERTISED_HOST_NAME, ADVERTISED_PORT, and every worker property as CONNECT_*: CONNECT_REST_SHOW_PASSWORDS is
rest.show.passwords, CONNECT_VALUE_CONVERTER_SCHEMAS_ENABLE is value.converter.schemas.enable.

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
    let image = ImageVariables::read(std::env::vars());
    worker.extend(image.properties);
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
        let value = worker.remove(name).filter(|value| !value.trim().is_empty());
        settings.set_default(key, value, name)?;
    }
    let listens = settings.is_set("cdc.listen") || arguments.listen.is_some();
    settings.set_flag("kafka.bootstrap_servers", arguments.bootstrap_servers)?;
    settings.set_flag("cdc.listen", arguments.listen)?;
    settings.set_flag(
        "cdc.connectors_folder",
        arguments
            .connectors
            .map(|folder| folder.display().to_string()),
    )?;
    let text = |key| settings.get(key).unwrap_or_default().to_owned();
    let mut config = WorkerConfig::new(
        text("kafka.bootstrap_servers"),
        settings.parse("cdc.listen")?,
    );
    config.group_id = text("cdc.group_id");
    config.config_topic = text("cdc.config_storage_topic");
    config.offset_topic = text("cdc.offset_storage_topic");
    config.status_topic = text("cdc.status_storage_topic");
    config.allowed_hosts = hosts(settings, "cdc.allowed_hosts");
    config.connectors_folder = settings.get("cdc.connectors_folder").map(PathBuf::from);
    if let Some(folder) = &config.connectors_folder
        && !folder.is_dir()
    {
        // It is read once Kafka is there, which may be late.
        let origin = settings.origin("cdc.connectors_folder");
        let folder = folder.display();
        return Err(Failure::Usage(format!(
            "read the connectors of cdc.connectors_folder = `{folder}` ({origin}): there is no such folder"
        )));
    }
    config.connectors.extend(connector);
    let runtime = start(settings, "info")?;
    if !image.without_effect.is_empty() {
        let variables = image.without_effect.join(", ");
        tracing::info!(%variables, "variables of Kafka Connect's images have no effect here");
    }
    let listen = config.rest_listen;
    config.apply(&worker)?;
    // Settings of ours go over Connect's.
    config.kafka_overrides.extend(kafka::security(settings));
    if listens {
        config.rest_listen = listen;
    }
    if config.advertised.is_none() && config.rest_listen.ip().is_unspecified() {
        // A container's name; nobody reaches 0.0.0.0.
        let host = std::env::var("HOSTNAME")
            .ok()
            .filter(|host| !host.is_empty());
        config.advertised = host.map(|host| format!("{host}:{}", config.rest_listen.port()));
    }
    runtime.block_on(async {
        let stop = service::stop_on_signal().map_err(anyhow::Error::from)?;
        kafka::look_at_brokers(settings)?;
        Ok(connect::run_worker(config, stop).await?)
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
