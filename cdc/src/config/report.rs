use std::fmt;

use crate::{Error, ErrorKind};

/// One setting that cannot be used, and the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub property: String,
    /// As posted; None where nothing was given or where it is a secret.
    pub value: Option<String>,
    pub rule: String,
}

/// In Debezium's words.
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

/// As Kafka Connect writes it in the answer to a refused configuration.
impl fmt::Display for ConfigReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Connector configuration is invalid and contains the following {} error(s):",
            self.problems.len()
        )?;
        for problem in &self.problems {
            write!(f, "\n{problem}")?;
        }
        write!(
            f,
            "\nYou can also find the above list of errors at the endpoint `/connector-plugins/{{connectorType}}/config/validate`"
        )
    }
}

impl std::error::Error for ConfigReport {}

impl From<ConfigReport> for Error {
    fn from(report: ConfigReport) -> Self {
        Self::new(ErrorKind::Configuration, "read the connector's settings").with_source(report)
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
        }
    }
}
