//! Where Kafka is and how to speak to it: the settings that all producers, consumers and admin clients share.
//!
//! No setting that decides about delivery can be passed by a connector. librdkafka's log lines go to ours as details,
//! for the calls that fail tell the errors.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use connector::librdkafka_settings;
use rdkafka::{ClientConfig, ClientContext, config::RDKafkaLogLevel, error::KafkaError};
use service::kafka::KafkaRefusal;

use crate::{Error, ErrorKind};

/// Where Kafka is and how to speak to it.
#[derive(Clone)]
pub struct KafkaClient {
    bootstrap_servers: String,
    /// librdkafka's names.
    settings: BTreeMap<String, String>,
}

/// Values may be passwords.
impl fmt::Debug for KafkaClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaClient")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("settings", &self.settings.keys())
            .finish()
    }
}

impl KafkaClient {
    /// `settings` may have the names of Kafka's Java client or of librdkafka.
    ///
    /// # Errors
    /// A setting is none that may be passed, or librdkafka refuses its value.
    pub fn new(
        bootstrap_servers: impl Into<String>,
        settings: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let client = Self {
            bootstrap_servers: bootstrap_servers.into(),
            settings: BTreeMap::new(),
        };
        client.with_settings(settings)
    }

    /// The same cluster with more settings, which win.
    ///
    /// # Errors
    /// As `new`.
    pub fn with_settings(&self, settings: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut client = self.clone();
        let settings = librdkafka_settings(settings).map_err(|error| {
            Error::new(ErrorKind::Configuration, "read the Kafka settings").with_source(error)
        })?;
        client.settings.extend(settings);
        Ok(client)
    }

    /// The cluster's address, for messages.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Settings for an admin client.
    pub(super) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", "tributary-cdc")
            // A broker that comes back is found again within a second.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000");
        for (name, value) in &self.settings {
            // librdkafka refuses producer settings in other clients with a warning only.
            config.set(name, value);
        }
        // A connection that is refused before it is one is told at this level.
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }
}

/// Sends librdkafka's own log lines where ours go. Its errors are told by the calls that fail, so the lines are details.
#[derive(Debug, Clone, Default)]
pub(super) struct LogContext {
    refusal: Arc<Mutex<Option<KafkaRefusal>>>,
    /// The last error that the client told of.
    error: Arc<Mutex<Option<String>>>,
}

impl LogContext {
    /// Why no broker lets us in, as far as the lines have told. Calls only say that none answers.
    pub(super) fn refusal(&self) -> Option<KafkaRefusal> {
        self.refusal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What the client said last of what went wrong.
    pub(super) fn last_error(&self) -> Option<String> {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        error.clone()
    }

    fn note(&self, line: &str) {
        if let Some(refusal) = KafkaRefusal::find(line) {
            *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
        }
    }
}

pub(super) fn log_line(fac: &str, line: &str) {
    tracing::debug!(target: "librdkafka", facility = fac, "{line}");
}

impl ClientContext for LogContext {
    fn log(&self, _level: RDKafkaLogLevel, fac: &str, line: &str) {
        self.note(line);
        log_line(fac, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(reason);
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        log_line("ERROR", &format!("{error}: {reason}"));
    }
}

impl rdkafka::consumer::ConsumerContext for LogContext {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &[(&str, &str)]) -> BTreeMap<String, String> {
        text.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn java_settings_are_translated() {
        let client = KafkaClient::new(
            "localhost:9092",
            &settings(&[
                ("max.request.size", "2000000"),
                ("max.block.ms", "1"),
                (
                    "sasl.jaas.config",
                    r#"org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p=w";"#,
                ),
                ("compression.type", "zstd"),
            ]),
        )
        .unwrap();
        assert_eq!(
            client.settings,
            settings(&[
                ("message.max.bytes", "2000000"),
                ("sasl.username", "u"),
                ("sasl.password", "p=w"),
                ("compression.type", "zstd"),
            ])
        );
        assert!(!format!("{client:?}").contains("p=w"));
    }

    #[test]
    fn delivery_cannot_be_weakened() {
        for (name, value) in [
            ("bootstrap.servers", "x:9092"),
            ("enable.idempotence", "false"),
            ("transactional.id", "x"),
            ("partitioner", "random"),
            ("acks", "1"),
            ("retries", "0"),
        ] {
            let error = KafkaClient::new("x", &settings(&[(name, value)])).unwrap_err();
            let text = service::render_error(&error, None);
            assert!(text.contains("delivery.guarantee"), "{name}: {text}");
        }
    }

    #[test]
    fn what_librdkafka_refuses_is_told_before_a_client_is_made() {
        for (name, value, said) in [
            ("max.request.size", "banana", "message.max.bytes"),
            ("max.request.size", "1", "message.max.bytes"),
            ("compression.type", "brotli", "compression"),
            ("linger.ms", "-1", "linger.ms"),
        ] {
            let error = KafkaClient::new("x", &settings(&[(name, value)])).unwrap_err();
            let text = service::render_error(&error, None);
            assert!(text.contains(said), "{name}: {text}");
        }
    }
}
