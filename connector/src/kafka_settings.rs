//! Settings of Kafka's clients, looked at before a client is made of them.

use std::collections::BTreeMap;

use rdkafka::{ClientConfig, error::KafkaError};
use service::kafka::{KafkaSettingError, security_settings_of_each};

/// The settings by librdkafka's names, all of which it takes.
///
/// # Errors
/// The first setting that may not be passed, cannot be used, or has a value that librdkafka refuses. It would say so when
/// the producer opens, long after the connector was posted.
pub fn librdkafka_settings(
    settings: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, KafkaSettingError> {
    let mut translated = BTreeMap::new();
    for (name, alone) in security_settings_of_each(settings)? {
        // One at a time, so that the one that is refused is known by the name it was given.
        let config: ClientConfig = alone.clone().into_iter().collect();
        match config.create_native_config() {
            Ok(_) => translated.extend(alone),
            Err(KafkaError::ClientConfig(_, reason, _, _)) => {
                return Err(KafkaSettingError {
                    setting: name,
                    reason,
                });
            }
            Err(error) => {
                return Err(KafkaSettingError {
                    setting: name,
                    reason: error.to_string(),
                });
            }
        }
    }
    Ok(translated)
}
