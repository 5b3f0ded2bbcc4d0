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

/// Settings of a Connect worker in the environment of its image, as `CONNECT_SASL_JAAS_CONFIG`: those of security, by
/// Kafka's names, for all clients or, after `producer.`, for the producers.
pub fn connect_environment(
    variables: impl Iterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    variables
        .filter_map(|(name, value)| {
            let name = name.strip_prefix("CONNECT_")?;
            let name = name.to_ascii_lowercase().replace('_', ".");
            let plain = name.strip_prefix("producer.").unwrap_or(&name);
            let security = ["security.", "sasl.", "ssl."]
                .iter()
                .any(|prefix| plain.starts_with(prefix));
            security.then_some((name, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_variables_are_kafkas_settings() {
        let variables = [
            ("CONNECT_SECURITY_PROTOCOL", "SASL_SSL"),
            ("CONNECT_PRODUCER_SASL_JAAS_CONFIG", "x"),
            ("CONNECT_CONFIG_STORAGE_TOPIC", "y"),
            ("SECURITY_PROTOCOL", "z"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found: Vec<(String, String)> = connect_environment(variables.into_iter())
            .into_iter()
            .collect();
        let wanted = [
            ("producer.sasl.jaas.config", "x"),
            ("security.protocol", "SASL_SSL"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, wanted);
    }
}
