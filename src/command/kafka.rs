use std::collections::BTreeMap;

use service::kafka::Brokers;

use crate::failure::Failure;
use crate::settings::Settings;

const BROKERS: &str = "kafka.bootstrap_servers";

/// Look at the brokers beside what begins with them, and tell what is wrong where none can be reached, with the setting
/// that names them. The clients go on trying whatever is found: a name or a server may come.
///
/// # Errors
/// The setting is not a list of brokers.
pub fn look_at_brokers(settings: &Settings) -> Result<(), Failure> {
    let brokers: Brokers = settings.parse(BROKERS)?;
    let origin = settings.origin(BROKERS).to_string();
    tokio::spawn(async move {
        let troubles = brokers.unreached().await;
        if !troubles.is_empty() {
            tracing::warn!(
                "no broker of {BROKERS} ({origin}) can be reached, trying on: {}",
                troubles.join("; ")
            );
        }
    });
    Ok(())
}

/// The security of the Kafka clients: settings of ours, and the names of Kafka's own that they stand for.
const SECURITY: [(&str, &str); 9] = [
    ("kafka.security_protocol", "security.protocol"),
    ("kafka.sasl_mechanism", "sasl.mechanism"),
    ("kafka.sasl_username", "sasl.username"),
    ("kafka.sasl_password", "sasl.password"),
    ("kafka.ssl_ca_file", "ssl.ca.location"),
    ("kafka.ssl_certificate_file", "ssl.certificate.location"),
    ("kafka.ssl_key_file", "ssl.key.location"),
    ("kafka.ssl_key_password", "ssl.key.password"),
    (
        "kafka.ssl_endpoint_identification_algorithm",
        "ssl.endpoint.identification.algorithm",
    ),
];

/// The `kafka.*` settings of security, by Kafka's names.
pub fn security(settings: &Settings) -> BTreeMap<String, String> {
    SECURITY
        .iter()
        .filter_map(|(key, name)| Some(((*name).to_owned(), settings.get(key)?.to_owned())))
        .collect()
}
