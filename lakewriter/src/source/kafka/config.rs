use rdkafka::ClientConfig;
use service::kafka::security_settings;

use crate::{Error, ErrorKind, KafkaConfig};

/// What every consumer of ours has in common.
///
/// # Errors
/// A setting of security cannot be used.
pub(super) fn client_config(config: &KafkaConfig) -> Result<ClientConfig, Error> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.bootstrap)
        .set("client.id", "tributary-lakewriter")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        // the partitions of a writer that was killed stand still until then; heartbeats come from a thread of their own,
        // however long a commit takes
        .set("session.timeout.ms", "10000")
        .set("heartbeat.interval.ms", "3000")
        .set("topic.metadata.refresh.interval.ms", "3000")
        // A commit that recovers may take minutes, and nothing is read meanwhile.
        .set("max.poll.interval.ms", "600000")
        // Records arrive within this time of their commit even if few of them do.
        .set("fetch.wait.max.ms", "100")
        // Bounds what librdkafka holds beside our batches.
        .set("queued.max.messages.kbytes", "32768")
        .set("queued.min.messages", "20000")
        // How long it does not fetch once they are full: its default of a second would read one queue a second.
        .set("fetch.queue.backoff.ms", "10");
    let settings = security_settings(&config.overrides).map_err(|error| {
        Error::new(ErrorKind::Configuration, "read the Kafka settings").with_source(error)
    })?;
    for (key, value) in &settings {
        client.set(key, value);
    }
    Ok(client)
}
