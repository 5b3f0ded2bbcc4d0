//! A property as Kafka Connect's configuration forms show it.

use serde_json::{Value, json};

use connector::{Form, Handling, Property, ValueType, handling, properties};

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

/// A property that forms show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Definition {
    pub(super) property: &'static Property,
    form: &'static Form,
}

/// All properties that a form can show, in its order.
pub(super) fn definitions() -> impl Iterator<Item = Definition> {
    properties().iter().filter_map(|property| {
        Some(Definition {
            property,
            form: property.form.as_ref()?,
        })
    })
}

/// Where a property stands in a form; what is not in it comes last.
pub(super) fn position(name: &str) -> usize {
    definitions()
        .position(|definition| definition.property.name == name)
        .unwrap_or(usize::MAX)
}

impl Definition {
    /// `definition` of an answer.
    pub(super) fn body(&self) -> Value {
        let Property { name, sentence, .. } = self.property;
        // Kafka Connect writes some names as regular expressions, which are no names of properties.
        let documentation = match handling(name) {
            Some(Handling::Ignored(reason)) => format!("{sentence} It has no effect: {reason}."),
            Some(Handling::Refused { neutral, reason }) if neutral.is_empty() => {
                format!("{sentence} It is refused: {reason}.")
            }
            Some(Handling::Refused { neutral, reason }) => format!(
                "{sentence} Other values than {} are refused: {reason}.",
                neutral.join(", ")
            ),
            Some(Handling::Used) | None => (*sentence).to_owned(),
        };
        let dependents: &[&str] = match *name {
            "schema.include.list" => &["table.include.list"],
            _ => &[],
        };
        json!({
            "name": name,
            "type": self.property.value_type.map(ValueType::name),
            "required": matches!(*name, "name" | "connector.class"),
            "default_value": self.property.default,
            "importance": self.form.importance,
            "documentation": documentation,
            "group": self.form.group,
            "width": self.form.width,
            "display_name": self.form.display_name,
            "dependents": dependents,
            "order": self.form.order,
        })
    }

    /// `value` of an answer: what is set, or the default, for the properties of Kafka Connect itself.
    pub(super) fn value(&self, set: Option<&str>, errors: &[String]) -> Value {
        let value = set
            .or(self.property.default)
            .filter(|_| self.is_of_the_framework())
            .filter(|_| self.property.value_type != Some(ValueType::Password));
        json!({
            "name": self.property.name,
            "value": value,
            "recommended_values": self.form.recommended,
            "errors": errors,
            "visible": self.property.name != "schema.exclude.list",
        })
    }

    fn is_of_the_framework(&self) -> bool {
        FRAMEWORK_GROUPS.contains(&self.form.group)
    }
}

/// What Kafka Connect says of a value that is not of its property's type. The connector's own properties are checked
/// where they are read.
pub(super) fn framework_problem(name: &str, value: &str) -> Option<String> {
    let definition = definitions()
        .find(|definition| definition.property.name == name)
        .filter(Definition::is_of_the_framework)?;
    let value = value.trim();
    let rule = match definition.property.value_type? {
        ValueType::Int => match value.parse::<i32>() {
            Err(_) => "Not a number of type INT",
            Ok(number) if number < 1 && name == "tasks.max" => "Value must be at least 1",
            Ok(_) => return None,
        },
        ValueType::Long if value.parse::<i64>().is_err() => "Not a number of type LONG",
        ValueType::List if name == "topic.creation.groups" => {
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
        ValueType::Boolean if !["true", "false"].contains(&value.to_ascii_lowercase().as_str()) => {
            "Expected value to be either true or false"
        }
        ValueType::Long
        | ValueType::List
        | ValueType::Boolean
        | ValueType::String
        | ValueType::Class
        | ValueType::Password => return None,
    };
    Some(format!(
        "Invalid value {value} for configuration {name}: {rule}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector::known;

    #[test]
    fn every_form_is_of_a_group_and_its_property_is_known() {
        for definition in definitions() {
            assert!(GROUPS.contains(&definition.form.group), "{definition:?}");
            let name = definition.property.name;
            assert!(
                name.contains('(') || handling(name).is_some(),
                "{name} is not a known property"
            );
        }
    }

    #[test]
    fn every_property_with_a_name_of_its_own_is_in_the_form() {
        // Set by Kafka Connect for its own use, or an older name of another.
        const NOT_SHOWN: [&str; 2] = ["task.class", "database.server.name"];
        let missing: Vec<&str> = known()
            .map(|(property, _)| property.name)
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
