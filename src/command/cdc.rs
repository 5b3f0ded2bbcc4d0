use std::path::PathBuf;

use cdc::connect::WorkerConfig;

use super::{Failure, kafka, start};
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Connectors are Debezium's own JSON, from a folder or posted as to Kafka Connect:
  tributary cdc --connectors deploy/connectors
  curl -X POST -H 'Content-Type: application/json' http://127.0.0.1:8083/connectors -d @register-postgres.json

The names that Connect's images read from the environment are read too: BOOTSTRAP_SERVERS, GROUP_ID,
CONFIG_STORAGE_TOPIC, OFFSET_STORAGE_TOPIC, STATUS_STORAGE_TOPIC, and of the worker's own settings those of
security (CONNECT_SECURITY_PROTOCOL, CONNECT_SASL_..., CONNECT_SSL_..., CONNECT_PRODUCER_...)."
)]
pub struct Arguments {
    /// Folder of connector files that are registered at start (cdc.connectors_folder)
    #[arg(long, value_name = "FOLDER")]
    connectors: Option<PathBuf>,
    /// Kafka brokers (kafka.bootstrap_servers)
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap_servers: Option<String>,
    /// Address of the REST face (cdc.listen)
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    // Compose files that were written for Connect's images set these without our prefix.
    for (key, name) in [
        ("kafka.bootstrap_servers", "BOOTSTRAP_SERVERS"),
        ("cdc.group_id", "GROUP_ID"),
        ("cdc.config_storage_topic", "CONFIG_STORAGE_TOPIC"),
        ("cdc.offset_storage_topic", "OFFSET_STORAGE_TOPIC"),
        ("cdc.status_storage_topic", "STATUS_STORAGE_TOPIC"),
    ] {
        settings.set_default(key, std::env::var(name).ok(), name);
    }
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
    let mut worker = kafka::connect_environment(std::env::vars());
    worker.extend(kafka::security(settings));
    for (name, value) in worker {
        match name.strip_prefix("producer.") {
            Some(name) => {
                let inherited = format!("producer.override.{name}");
                config.converter_defaults.insert(inherited, value);
            }
            None => {
                config.kafka_overrides.insert(name, value);
            }
        }
    }
    config.connectors_folder = settings.get("cdc.connectors_folder").map(PathBuf::from);
    start(settings, "info")?.block_on(async {
        let stop = service::stop_on_signal().map_err(anyhow::Error::from)?;
        Ok(::cdc::connect::run_worker(config, stop).await?)
    })
}
