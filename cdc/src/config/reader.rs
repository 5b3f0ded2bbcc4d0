use std::{collections::BTreeMap, fmt::Display, str::FromStr, time::Duration};

use super::{Problem, holds_secret};

/// Reads typed values from the flat map and collects every problem instead of stopping at the first.
pub(super) struct Reader<'a> {
    properties: &'a BTreeMap<String, String>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(properties: &'a BTreeMap<String, String>) -> Self {
        Self {
            properties,
            problems: Vec::new(),
        }
    }

    /// The trimmed value; None when absent or empty, which Debezium does not tell apart.
    pub(super) fn text(&self, property: &str) -> Option<&'a str> {
        self.properties
            .get(property)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The value as it was given, for passwords: a blank at either end belongs to them. None when absent or empty.
    pub(super) fn exact(&self, property: &str) -> Option<&'a str> {
        let value = self.properties.get(property).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    pub(super) fn problem(&mut self, property: &str, rule: impl Into<String>) {
        let value = self
            .properties
            .get(property)
            .filter(|value| !holds_secret(property, value));
        self.problems.push(Problem {
            property: property.to_owned(),
            value: value.cloned(),
            rule: rule.into(),
        });
    }

    pub(super) fn text_or(&self, property: &str, default: &str) -> String {
        self.text(property).unwrap_or(default).to_owned()
    }

    pub(super) fn required(&mut self, property: &str) -> String {
        match self.text(property) {
            Some(value) => value.to_owned(),
            None => {
                self.problem(property, "A value is required");
                String::new()
            }
        }
    }

    pub(super) fn boolean(&mut self, property: &str, default: bool) -> bool {
        match self.text(property) {
            None => default,
            Some(value) if value.eq_ignore_ascii_case("true") => true,
            Some(value) if value.eq_ignore_ascii_case("false") => false,
            Some(_) => {
                self.problem(property, "Either 'true' or 'false' is expected");
                default
            }
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn integer<T>(&mut self, property: &str, default: T, least: T, most: T) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(value) = self.text(property) else {
            return default;
        };
        match value.parse::<T>() {
            Ok(number) if number >= least && number <= most => number,
            // Beyond the type's range it is a number all the same.
            read if read.is_ok() || value.parse::<i128>().is_ok() => {
                self.problem(
                    property,
                    format!("A number from {least} to {most} is expected"),
                );
                default
            }
            _ => {
                self.problem(property, "An integer is expected");
                default
            }
        }
    }

    pub(super) fn millis(&mut self, property: &str, default: u64) -> Duration {
        // A day is more than any of these waits.
        Duration::from_millis(self.integer(property, default, 0, 86_400_000))
    }

    /// One of the named values, in any case.
    pub(super) fn choice<T: Copy>(
        &mut self,
        property: &str,
        default: T,
        choices: &[(&str, T)],
    ) -> T {
        let Some(value) = self.text(property) else {
            return default;
        };
        match choices
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(value))
        {
            Some((_, choice)) => *choice,
            None => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                self.problem(
                    property,
                    format!("Value must be one of {}", names.join(", ")),
                );
                default
            }
        }
    }

    /// All properties whose names begin with `prefix`, without it.
    pub(super) fn below(&self, prefix: &str) -> BTreeMap<String, String> {
        self.properties
            .iter()
            .filter_map(|(name, value)| {
                name.strip_prefix(prefix)
                    .map(|rest| (rest.to_owned(), value.clone()))
            })
            .collect()
    }
}
