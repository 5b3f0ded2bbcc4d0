use std::collections::BTreeMap;

use crate::settings::Settings;

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
