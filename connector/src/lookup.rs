//! Properties by their names, misspelt ones too.

use std::collections::BTreeMap;

use service::{ShownSettings, without_passwords};

use super::property::{Handling, Property, known, properties};

/// What becomes of a property of this name; None where it is not known.
pub fn handling(name: &str) -> Option<&'static Handling> {
    nearest_row(name, known().map(|(property, _)| property))?
        .handling
        .as_ref()
}

/// The table's row for a property of this name.
pub fn find(name: &str) -> Option<&'static Property> {
    nearest_row(name, properties().iter())
}

/// The row of the whole name, or of its longest beginning.
fn nearest_row(
    name: &str,
    rows: impl Iterator<Item = &'static Property>,
) -> Option<&'static Property> {
    let of_converter = ["key", "value", "header"]
        .iter()
        .find_map(|part| name.strip_prefix(part)?.strip_prefix(".converter."));
    rows.filter_map(|property| {
        let (asked, known) = match (property.name.strip_prefix("*.converter."), of_converter) {
            (Some(known), Some(rest)) => (rest, known),
            _ => (name, property.name),
        };
        match known.strip_suffix('*') {
            _ if property.name == name => Some((usize::MAX, property)),
            _ if known == asked => Some((usize::MAX - 1, property)),
            Some(beginning) if asked.starts_with(beginning) => {
                Some((property.name.len(), property))
            }
            _ => None,
        }
    })
    .max_by_key(|(length, _)| *length)
    .map(|(_, property)| property)
}

/// Whether a property's value must not be shown.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "password",
        "secret",
        "jaas",
        "sslkey",
        "keystore.key",
        "token",
        "user.info",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// Whether a property must not be shown with this value: it is a secret, or a URL with a password.
pub fn holds_secret(name: &str, value: &str) -> bool {
    is_secret(name) || without_passwords(value) != value
}

/// Settings as they may be printed.
pub fn shown(settings: &BTreeMap<String, String>) -> ShownSettings<'_> {
    ShownSettings {
        settings,
        is_secret,
    }
}

/// The known name nearest to a misspelt one, if one is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    let names = known().map(|(property, _)| property.name);
    service::nearest(name, names.filter(|name| !name.contains('*')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_must_be_near() {
        assert_eq!(nearest("slot.nmae"), Some("slot.name"));
        assert_eq!(nearest("table.includelist"), Some("table.include.list"));
        assert_eq!(nearest("zzz"), None);
    }

    #[test]
    fn whole_names_go_before_beginnings_and_long_ones_before_short_ones() {
        for property in properties() {
            let found = find(property.name).map(|found| found.name);
            assert_eq!(found, Some(property.name), "it stands twice");
        }
        for (name, row) in [
            ("signal.kafka.topic", "signal.kafka.topic"),
            ("signal.other", "signal.*"),
            ("key.converter.avro.x", "*.converter.avro.*"),
            ("value.converter.x", "*.converter.*"),
            (
                "header.converter.schemas.enable",
                "*.converter.schemas.enable",
            ),
            (
                "key.converter.schemas.enable",
                "key.converter.schemas.enable",
            ),
        ] {
            assert_eq!(find(name).map(|found| found.name), Some(row));
        }
        assert_eq!(
            handling("key.converter.schemas.enable"),
            Some(&Handling::Used)
        );
        assert!(matches!(
            handling("signal.kafka.topic"),
            Some(Handling::Refused { .. })
        ));
        assert_eq!(handling("converter.x"), None);
    }

    #[test]
    fn passwords_are_secret() {
        assert!(is_secret("database.password"));
        assert!(is_secret("producer.override.sasl.jaas.config"));
        assert!(!is_secret("key.converter"));
        assert!(!is_secret("message.key.columns"));
        assert!(is_secret("producer.override.ssl.keystore.key"));
        assert!(is_secret(
            "key.converter.schema.registry.basic.auth.user.info"
        ));
        let url = "value.converter.schema.registry.url";
        assert!(holds_secret(url, "http://u:p@r") && !holds_secret(url, "http://r"));
    }
}
