//! Whether the cluster lets us in: librdkafka's calls only say that no broker answers, its errors and log lines say why.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::KafkaError,
};
use service::kafka::{KafkaRefusal, RefusalKind};
use tokio_util::sync::CancellationToken;

use super::{config::client_config, matching::tell_unmatched};
use crate::{Error, ErrorKind, KafkaConfig};

/// How long the cluster may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// One turn of waiting for it.
const TURN: Duration = Duration::from_secs(1);

#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Heard>>);

#[derive(Clone, Default)]
struct Heard {
    refusal: Option<KafkaRefusal>,
    /// The last error that the client told of.
    error: Option<String>,
}

impl Listener {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, message: &str) {
        if let Some(refusal) = KafkaRefusal::find(message) {
            self.heard().refusal = Some(refusal);
        }
    }
}

impl ClientContext for Listener {
    fn error(&self, error: KafkaError, reason: &str) {
        self.note(reason);
        self.heard().error = Some(reason.to_owned());
        tracing::debug!(%error, reason, "librdkafka");
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.note(message);
        tracing::debug!(?level, facility, message, "librdkafka");
    }
}

impl ConsumerContext for Listener {}

/// Ask for the cluster's topics once. Blocks, until one `TURN` after `stop` at most.
///
/// # Errors
/// `Configuration` and `Permission` where nothing but a change of settings helps, `Kafka` where no broker answers.
pub(crate) fn reach(config: &KafkaConfig, stop: &CancellationToken) -> Result<(), Error> {
    let mut attempted = format!("ask Kafka at `{}` for its topics", config.bootstrap);
    for name in ["security.protocol", "sasl.mechanism"] {
        if let Some(value) = config.overrides.get(name) {
            attempted.push_str(&format!(" with {name}={value}"));
        }
    }
    let listener = Listener::default();
    let mut client = client_config(config)?;
    client.set_log_level(RDKafkaLogLevel::Info);
    let consumer: BaseConsumer<Listener> =
        client
            .create_with_context(listener.clone())
            .map_err(|error| {
                Error::new(ErrorKind::Configuration, attempted.clone()).with_source(error)
            })?;
    let deadline = Instant::now() + ANSWER;
    let mut silent = true;
    loop {
        let error = match consumer.fetch_metadata(None, TURN) {
            Ok(metadata) => {
                tell_unmatched(config, &metadata);
                return Ok(());
            }
            Err(error) => error,
        };
        // Brokers' errors come by polling; a consumer without topics has no records.
        while consumer.poll(Duration::ZERO).is_some() {}
        if stop.is_cancelled() {
            tracing::info!("stopped while waiting for Kafka at `{}`", config.bootstrap);
            return Ok(());
        }
        let over = Instant::now() >= deadline;
        let heard = listener.heard().clone();
        if std::mem::take(&mut silent) && heard.refusal.is_none() {
            let reason = heard.error.unwrap_or_else(|| error.to_string());
            tracing::warn!(reason, "waiting for Kafka at `{}`", config.bootstrap);
        }
        match heard.refusal {
            Some(refusal) if refusal.is_final() || over => {
                let kind = match refusal.kind {
                    RefusalKind::Credentials => ErrorKind::Permission,
                    RefusalKind::Protocol => ErrorKind::Kafka,
                    RefusalKind::Mechanism
                    | RefusalKind::Certificate
                    | RefusalKind::ClientCertificate => ErrorKind::Configuration,
                };
                let hint = refusal.hint();
                return Err(Error::new(kind, attempted)
                    .with_source(refusal)
                    .with_hint(hint));
            }
            None if over => return Err(Error::new(ErrorKind::Kafka, attempted).with_source(error)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ANSWER` and the attempts after it are longer than anybody waits who has asked the writer to stop.
    #[test]
    fn who_is_asked_to_stop_does_not_wait_for_kafka() {
        let config = KafkaConfig {
            bootstrap: "127.0.0.1:1".to_owned(),
            group: "test".to_owned(),
            topics: vec!["t".to_owned()],
            schema_topics: Vec::new(),
            overrides: Default::default(),
        };
        let stop = CancellationToken::new();
        stop.cancel();
        // Without the look at the token this is the error that no broker answers.
        assert!(reach(&config, &stop).is_ok());
    }
}
