//! What Kafka Connect's configuration forms know of each property: type, default, group, order. The rows stand in
//! `definitions.txt`; names, types, defaults, groups and orders are those that Kafka Connect 3.9.1 with Debezium 2.7.3
//! answers, followed by the properties that these do not define.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::config::{Handling, find_property};

/// The groups of a form, in Kafka Connect's order.
pub(super) const GROUPS: [&str; 10] = [
    "Common",
    "Transforms",
    "Predicates",
    "Error Handling",
    "Topic Creation",
    "Exactly Once Support",
    "offsets.topic",
    "Postgres",
    "Connector",
    "Events",
];

/// Kafka Connect's own properties, as far as a form shows their values: the connector's own stay empty.
const FRAMEWORK_GROUPS: [&str; 7] = [
    "Common",
    "Transforms",
    "Predicates",
    "Error Handling",
    "Topic Creation",
    "Exactly Once Support",
    "offsets.topic",
];

/// So many rows at the beginning are Kafka Connect's own.
pub(super) const FRAMEWORK: usize = 20;

/// One property of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) name: &'static str,
    /// `STRING`, `INT`, `LONG`, `BOOLEAN`, `LIST`, `CLASS` or `PASSWORD`.
    pub(super) kind: &'static str,
    pub(super) default: Option<&'static str>,
    importance: &'static str,
    group: &'static str,
    width: &'static str,
    order: u32,
    display_name: &'static str,
    recommended: Vec<&'static str>,
    documentation: &'static str,
}

static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    include_str!("definitions.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(parse)
        .collect()
});

/// A row of the table; None where it does not have all cells.
fn parse(line: &'static str) -> Option<Definition> {
    let mut cells = line.split(" | ");
    let mut cell = || cells.next().map(str::trim);
    Some(Definition {
        name: cell()?,
        kind: cell()?,
        default: match cell()? {
            "-" => None,
            "''" => Some(""),
            default => Some(default),
        },
        importance: cell()?,
        group: cell()?,
        width: cell()?,
        order: cell()?.parse().ok()?,
        display_name: cell()?,
        recommended: cell()?.split(',').filter(|value| *value != "-").collect(),
        documentation: cell()?,
    })
}

/// All properties that a form can show, in its order.
pub(super) fn definitions() -> &'static [Definition] {
    &DEFINITIONS
}

/// Where a property stands in a form; what is not in it comes last.
pub(super) fn position(name: &str) -> usize {
    definitions()
        .iter()
        .position(|definition| definition.name == name)
        .unwrap_or(usize::MAX)
}

impl Definition {
    /// `definition` of an answer.
    pub(super) fn body(&self) -> Value {
        let documentation = match find_property(self.name).map(|property| property.handling) {
            Some(Handling::Ignored(reason)) => {
                format!("{} It has no effect: {reason}.", self.documentation)
            }
            Some(Handling::Refused {
                neutral: [],
                reason,
                ..
            }) => format!("{} It is refused: {reason}.", self.documentation),
            Some(Handling::Refused { neutral, reason }) => format!(
                "{} Other values than {} are refused: {reason}.",
                self.documentation,
                neutral.join(", ")
            ),
            Some(Handling::Used) | None => self.documentation.to_owned(),
        };
        let dependents: &[&str] = match self.name {
            "schema.include.list" => &["table.include.list"],
            _ => &[],
        };
        json!({
            "name": self.name,
            "type": self.kind,
            "required": matches!(self.name, "name" | "connector.class"),
            "default_value": self.default,
            "importance": self.importance,
            "documentation": documentation,
            "group": self.group,
            "width": self.width,
            "display_name": self.display_name,
            "dependents": dependents,
            "order": self.order,
        })
    }

    /// `value` of an answer: what is set, or the default, for the properties of Kafka Connect itself.
    pub(super) fn value(&self, set: Option<&str>, errors: &[String]) -> Value {
        let value = set
            .or(self.default)
            .filter(|_| FRAMEWORK_GROUPS.contains(&self.group) && self.kind != "PASSWORD");
        json!({
            "name": self.name,
            "value": value,
            "recommended_values": self.recommended,
            "errors": errors,
            "visible": self.name != "schema.exclude.list",
        })
    }
}

/// What Kafka Connect says of a value that is not of its property's type. The connector's own properties are checked
/// where they are read.
pub(super) fn framework_problem(name: &str, value: &str) -> Option<String> {
    let definition = definitions()
        .iter()
        .find(|definition| definition.name == name)
        .filter(|definition| FRAMEWORK_GROUPS.contains(&definition.group))?;
    let value = value.trim();
    let rule = match definition.kind {
        "INT" => match value.parse::<i32>() {
            Err(_) => "Not a number of type INT",
            Ok(number) if number < 1 && name == "tasks.max" => "Value must be at least 1",
            Ok(_) => return None,
        },
        "LONG" if value.parse::<i64>().is_err() => "Not a number of type LONG",
        "LIST" if name == "topic.creation.groups" => {
            let aliases: Vec<&str> = value.split(',').map(str::trim).collect();
            let mut once = aliases.clone();
            once.sort_unstable();
            once.dedup();
            if once.len() == aliases.len() {
                return None;
            }
            return Some(format!(
                "Invalid value [{}] for configuration {name}: Duplicate alias provided.",
                aliases.join(", ")
            ));
        }
        "BOOLEAN" if !["true", "false"].contains(&value.to_ascii_lowercase().as_str()) => {
            "Expected value to be either true or false"
        }
        _ => return None,
    };
    Some(format!(
        "Invalid value {value} for configuration {name}: {rule}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KNOWN;

    #[test]
    fn every_row_is_read_and_known() {
        let rows = include_str!("definitions.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count();
        assert_eq!(definitions().len(), rows);
        for definition in definitions() {
            assert!(GROUPS.contains(&definition.group), "{definition:?}");
            assert!(
                definition.name.contains('(') || find_property(definition.name).is_some(),
                "{} is not a known property",
                definition.name
            );
        }
    }

    #[test]
    fn every_property_with_a_name_of_its_own_is_in_the_form() {
        // Set by Kafka Connect for its own use, or an older name of another.
        const NOT_SHOWN: [&str; 2] = ["task.class", "database.server.name"];
        let missing: Vec<&str> = KNOWN
            .iter()
            .map(|property| property.name)
            .filter(|name| !name.ends_with('*') && !NOT_SHOWN.contains(name))
            // Settings of a converter belong to its class.
            .filter(|name| !name.contains("converter."))
            .filter(|name| position(name) == usize::MAX)
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn values_of_connects_own_properties_have_their_type() {
        for (name, value, want) in [
            ("tasks.max", "1", None),
            ("tasks.max", "0", Some("Value must be at least 1")),
            ("tasks.max", "many", Some("Not a number of type INT")),
            ("errors.log.enable", "TRUE", None),
            (
                "errors.log.enable",
                "yes",
                Some("Expected value to be either true or false"),
            ),
            ("database.port", "many", None),
        ] {
            let want =
                want.map(|rule| format!("Invalid value {value} for configuration {name}: {rule}"));
            assert_eq!(framework_problem(name, value), want, "{name}={value}");
        }
    }
}
