//! A connector's properties from environment variables: `TRIBUTARY_CDC_DATABASE_HOSTNAME`, and Debezium Server's
//! `DEBEZIUM_SOURCE_DATABASE_HOSTNAME`. With `_FILE` at the end of a secret's name the value is what the file holds.

use std::fmt;

use super::{
    lookup::{holds_secret, is_secret},
    property::known,
};

/// One value that was found.
#[derive(Clone, PartialEq, Eq)]
pub struct FromEnvironment {
    /// `database.hostname`, or `debezium.sink.type`.
    pub name: String,
    pub value: String,
    pub variable: String,
}

impl fmt::Debug for FromEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if holds_secret(&self.name, &self.value) {
            service::HIDDEN
        } else {
            &self.value
        };
        write!(f, "{}: {} = {value}", self.variable, self.name)
    }
}

/// All properties of the variables.
///
/// # Errors
/// The files that cannot be read, with their variables.
pub fn properties_from_environment(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<FromEnvironment>, Vec<String>> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (variable, value) in variables {
        let Some((scope, words)) = scope(&variable) else {
            continue;
        };
        let from_file = words
            .strip_suffix("_FILE")
            .map(property_name)
            .filter(|name| is_secret(name));
        let read = match &from_file {
            Some(_) => service::read_secret_file(std::path::Path::new(&value)),
            None => Ok(value.clone()),
        };
        let name = from_file.unwrap_or_else(|| property_name(words));
        match read {
            Ok(value) => found.push(FromEnvironment {
                name: format!("{scope}{name}"),
                value,
                variable,
            }),
            Err(error) => problems.push(format!("{variable}: read `{value}`: {error}")),
        }
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(problems)
    }
}

/// What a variable's property begins with, and the words of the rest.
fn scope(variable: &str) -> Option<(&'static str, &str)> {
    for (prefix, scope) in [
        ("TRIBUTARY_CDC_", ""),
        ("DEBEZIUM_SOURCE_", "debezium.source."),
        ("DEBEZIUM_SINK_", "debezium.sink."),
        ("DEBEZIUM_FORMAT_", "debezium.format."),
        ("DEBEZIUM_TRANSFORMS_", "debezium.transforms."),
        ("DEBEZIUM_PREDICATES_", "debezium.predicates."),
    ] {
        // Two underscores are a setting of the program: TRIBUTARY_CDC__LISTEN.
        if let Some(words) = variable
            .strip_prefix(prefix)
            .filter(|words| !words.is_empty() && !words.starts_with('_'))
        {
            return Some((scope, words));
        }
    }
    match variable {
        "DEBEZIUM_TRANSFORMS" => Some(("debezium.", "TRANSFORMS")),
        "DEBEZIUM_PREDICATES" => Some(("debezium.", "PREDICATES")),
        _ => None,
    }
}

/// `DATABASE_TCPKEEPALIVE` is the known property `database.tcpKeepAlive`; an unknown one is in lower case with dots.
fn property_name(words: &str) -> String {
    let same = |name: &str| {
        name.len() == words.len()
            && name.chars().zip(words.chars()).all(|(a, b)| {
                if a.is_ascii_alphanumeric() {
                    a.eq_ignore_ascii_case(&b)
                } else {
                    b == '_'
                }
            })
    };
    known()
        .find(|(property, _)| same(property.name))
        .map_or_else(
            || words.to_ascii_lowercase().replace('_', "."),
            |(property, _)| property.name.to_owned(),
        )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn variables_name_properties() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "p w\n").unwrap();
        let file = file.display().to_string();
        let variables = [
            ("TRIBUTARY_CDC_DATABASE_HOSTNAME", "h"),
            ("TRIBUTARY_CDC_DATABASE_TCPKEEPALIVE", "false"),
            ("TRIBUTARY_CDC_DATABASE_PASSWORD_FILE", &file),
            ("TRIBUTARY_CDC_TRANSFORMS_ROUTE_TYPE", "T"),
            ("TRIBUTARY_CDC__LISTEN", "no"),
            ("TRIBUTARY_LAKE__URL", "no"),
            ("DEBEZIUM_SOURCE_SLOT_NAME", "s"),
            ("DEBEZIUM_SINK_KAFKA_PRODUCER_BOOTSTRAP_SERVERS", "k"),
            ("DEBEZIUM_TRANSFORMS", "route"),
            ("PATH", "no"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found: BTreeMap<String, String> = properties_from_environment(variables)
            .unwrap()
            .into_iter()
            .map(|found| (found.name, found.value))
            .collect();
        let found: Vec<String> = found.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            found,
            [
                "database.hostname=h",
                "database.password=p w",
                "database.tcpKeepAlive=false",
                "debezium.sink.kafka.producer.bootstrap.servers=k",
                "debezium.source.slot.name=s",
                "debezium.transforms=route",
                "transforms.route.type=T",
            ]
        );
        let missing = (
            "TRIBUTARY_CDC_DATABASE_PASSWORD_FILE".to_owned(),
            "/no/such".to_owned(),
        );
        assert!(properties_from_environment([missing]).is_err());
    }
}
