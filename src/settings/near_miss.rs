//! Variables of the environment that look like settings and are none: without a word they would have no effect.

use super::{SETTINGS, list::Setting};

/// The setting that a variable means that is written almost as the setting's own.
pub(super) fn meant(variable: &str) -> Option<&'static Setting> {
    let words = squashed(variable);
    if !words.starts_with("TRIBUTARY") {
        return None;
    }
    let almost = |own: &str| own != variable && squashed(own) == words;
    SETTINGS.iter().find(|setting| {
        let own = setting.variable();
        almost(&own) || (setting.secret && almost(&format!("{own}_FILE")))
    })
}

/// Without underscores and their number, and in one case.
fn squashed(variable: &str) -> String {
    let letters = variable.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_with_other_underscores_is_recognised() {
        for (variable, setting) in [
            ("TRIBUTARY_LAKE_URL", Some("lake.url")),
            ("TRIBUTARY__LAKE__URL", Some("lake.url")),
            ("tributary_lake__url", Some("lake.url")),
            (
                "TRIBUTARY_KAFKA_BOOTSTRAP_SERVERS",
                Some("kafka.bootstrap_servers"),
            ),
            (
                "TRIBUTARY_KAFKA__BOOTSTRAPSERVERS",
                Some("kafka.bootstrap_servers"),
            ),
            ("TRIBUTARY_CDC_LISTEN", Some("cdc.listen")),
            (
                "TRIBUTARY_LAKE_SECRET_ACCESS_KEY_FILE",
                Some("lake.secret_access_key"),
            ),
            ("TRIBUTARY_KAFKA_SSL_CA_FILE", Some("kafka.ssl_ca_file")),
            ("TRIBUTARY_LAKE__URL", None),
            ("TRIBUTARY_LAKE__SECRET_ACCESS_KEY_FILE", None),
            ("TRIBUTARY_CDC_DATABASE_HOSTNAME", None),
            ("TRIBUTARY_LOG", None),
            ("TRIBUTARY_CACHE", None),
            ("LAKE_URL", None),
        ] {
            assert_eq!(
                meant(variable).map(|setting| setting.key),
                setting,
                "{variable}"
            );
        }
    }
}
