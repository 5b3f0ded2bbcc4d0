//! Settings of Kafka's clients, looked at before a client is made of them.

use std::collections::BTreeMap;

use rdkafka::{ClientConfig, error::KafkaError};
use service::kafka::{KafkaSettingError, security_settings};

/// The settings by librdkafka's names, all of which it takes.
///
/// # Errors
/// The first setting that may not be passed, cannot be used, or has a value that librdkafka refuses. It would say so when
/// the producer opens, long after the connector was posted.
pub fn librdkafka_settings(
    settings: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, KafkaSettingError> {
    let translated = security_settings(settings)?;
    for (name, value) in settings {
        // One at a time, so that the one that is refused is known by the name it was given.
        let Ok(alone) = security_settings(&BTreeMap::from([(name.clone(), value.clone())])) else {
            // A store's type stands in another setting; both together were read above.
            continue;
        };
        let config: ClientConfig = alone.into_iter().collect();
        match config.create_native_config() {
            Ok(_) => {}
            Err(KafkaError::ClientConfig(_, reason, _, _)) => {
                return Err(KafkaSettingError {
                    setting: name.clone(),
                    reason,
                });
            }
            Err(error) => {
                return Err(KafkaSettingError {
                    setting: name.clone(),
                    reason: error.to_string(),
                });
            }
        }
    }
    Ok(translated)
}
