use std::{collections::BTreeMap, fmt::Display, str::FromStr, time::Duration};

use super::{Problem, find_property, holds_secret};

/// Problem of a property that has no fitting default in the table of properties.
pub(super) const NO_DEFAULT: &str = "this release has no default for it: please set it";

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

    /// The trimmed value, or the default.
    pub(super) fn text_or_default(&mut self, property: &str) -> String {
        match self.text(property) {
            Some(value) => value.to_owned(),
            None => self.default(property, |text| Some(text.to_owned())),
        }
    }

    /// The default that the table of properties has. That it has none where one is needed is for our tests to find:
    /// they read every property.
    fn default<T: Default>(&mut self, property: &str, read: impl Fn(&str) -> Option<T>) -> T {
        let default = find_property(property).and_then(|property| property.default);
        default.and_then(read).unwrap_or_else(|| {
            self.problem(property, NO_DEFAULT);
            T::default()
        })
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

    pub(super) fn boolean(&mut self, property: &str) -> bool {
        match self.text(property) {
            None => self.default(property, |text| text.parse().ok()),
            Some(value) if value.eq_ignore_ascii_case("true") => true,
            Some(value) if value.eq_ignore_ascii_case("false") => false,
            Some(_) => {
                self.problem(property, "Either 'true' or 'false' is expected");
                false
            }
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn integer<T>(&mut self, property: &str, least: T, most: T) -> T
    where
        T: FromStr + PartialOrd + Display + Copy + Default,
    {
        let Some(value) = self.text(property) else {
            return self.default(property, |text| text.parse().ok());
        };
        match value.parse::<T>() {
            Ok(number) if number >= least && number <= most => number,
            // Beyond the type's range it is a number all the same.
            read if read.is_ok() || value.parse::<i128>().is_ok() => {
                self.problem(
                    property,
                    format!("A number from {least} to {most} is expected"),
                );
                least
            }
            _ => {
                self.problem(property, "An integer is expected");
                least
            }
        }
    }

    pub(super) fn millis(&mut self, property: &str) -> Duration {
        // A day is more than any of these waits.
        Duration::from_millis(self.integer(property, 0, 86_400_000))
    }

    /// One of the named values, in any case.
    pub(super) fn choice<T: Copy + Default>(&mut self, property: &str, choices: &[(&str, T)]) -> T {
        let named = |text: &str| {
            let mut names = choices.iter();
            let found = names.find(|(name, _)| name.eq_ignore_ascii_case(text));
            found.map(|(_, choice)| *choice)
        };
        let Some(value) = self.text(property) else {
            return self.default(property, named);
        };
        named(value).unwrap_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.problem(
                property,
                format!("Value must be one of {}", names.join(", ")),
            );
            T::default()
        })
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
