use std::fmt;

use crate::ErrorKind;

/// One setting that cannot be used, and the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub property: String,
    /// As posted; None where nothing was given or where it is a secret.
    pub value: Option<String>,
    pub rule: String,
}

/// As Debezium says it in an answer of Kafka Connect.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The '{}' value is invalid: {}", self.property, self.rule)
    }
}

/// Everything that is wrong with a connector's settings, in one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigReport {
    pub problems: Vec<Problem>,
}

/// A line for each: property, value where it may be shown, rule. The REST face puts the problems into Kafka Connect's
/// own words.
impl fmt::Display for ConfigReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => f.write_str("1 setting cannot be used:")?,
            many => write!(f, "{many} settings cannot be used:")?,
        }
        for Problem {
            property,
            value,
            rule,
        } in &self.problems
        {
            match value {
                Some(value) => write!(f, "\n  `{property}` = `{value}`: {rule}")?,
                None => write!(f, "\n  `{property}`: {rule}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigReport {}

impl<K: service::ErrorKind + From<ErrorKind>> From<ConfigReport> for service::Error<K> {
    fn from(report: ConfigReport) -> Self {
        Self::new(
            ErrorKind::Configuration.into(),
            "read the connector's settings",
        )
        .with_source(report)
    }
}

/// Something about the settings that the operator should know and that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Nobody knows this property; Kafka Connect ignores such, and so do we.
    Unknown {
        property: String,
        nearest: Option<&'static str>,
    },
    /// A property of Debezium that changes nothing here.
    Ignored {
        property: String,
        reason: &'static str,
    },
    /// A value that looks like a reference to a provider that the worker does not have.
    NoProvider { property: String, provider: String },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown {
                property,
                nearest: Some(nearest),
            } => write!(
                f,
                "unknown property `{property}` is ignored: did you mean `{nearest}`?"
            ),
            Self::Unknown {
                property,
                nearest: None,
            } => write!(f, "unknown property `{property}` is ignored"),
            Self::Ignored { property, reason } => {
                write!(f, "property `{property}` has no effect: {reason}")
            }
            Self::NoProvider { property, provider } => write!(
                f,
                "property `{property}` is taken as it stands, `${{{provider}:...}}` and all: the worker's `config.providers` does not name `{provider}`"
            ),
        }
    }
}
