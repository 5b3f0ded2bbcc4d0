//! Properties by their names, misspelt ones too.

use std::collections::BTreeMap;

use service::{ShownSettings, without_passwords};

use super::property::{KNOWN, Property};

/// The table's row for a property name.
pub fn find(name: &str) -> Option<&'static Property> {
    let of_converter = ["key", "value", "header"]
        .iter()
        .find_map(|part| name.strip_prefix(part)?.strip_prefix(".converter."));
    KNOWN.iter().find(|property| {
        let (name, known) = match (property.name.strip_prefix("*.converter."), of_converter) {
            (Some(known), Some(name)) => (name, known),
            _ => (name, property.name),
        };
        known == name
            || known
                .strip_suffix('*')
                .is_some_and(|beginning| name.starts_with(beginning))
    })
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
    KNOWN
        .iter()
        .filter(|property| !property.name.contains('*'))
        .map(|property| (edit_distance(name, property.name), property.name))
        .min()
        .filter(|(distance, _)| *distance <= 1 + name.len() / 5)
        .map(|(_, name)| name)
}

/// Levenshtein's distance in bytes.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut previous = i + 1;
        for (slot, right) in row.iter_mut().skip(1).zip(b.bytes()) {
            let replaced = diagonal + usize::from(left != right);
            diagonal = *slot;
            previous = replaced.min(diagonal + 1).min(previous + 1);
            *slot = previous;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, want) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "abd", 1),
            ("slot.nmae", "slot.name", 2),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edit_distance(a, b), want, "{a} {b}");
        }
    }

    #[test]
    fn nearest_name_must_be_near() {
        assert_eq!(nearest("slot.nmae"), Some("slot.name"));
        assert_eq!(nearest("table.includelist"), Some("table.include.list"));
        assert_eq!(nearest("zzz"), None);
    }

    #[test]
    fn exact_names_come_before_patterns() {
        for (i, property) in KNOWN.iter().enumerate() {
            assert_eq!(
                find(property.name).map(|found| found.name),
                Some(property.name),
                "row {i} is covered by an earlier one"
            );
        }
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
