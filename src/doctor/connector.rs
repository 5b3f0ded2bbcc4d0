//! A connector's file: each property that is not known, has no effect or cannot be is a finding.

use std::{collections::BTreeMap, path::Path};

use connector::{ConnectorConfig, Notice, Problem, load_connector_file};

use super::{finding::Finding, report::Report};
use crate::failure::Failure;

/// What takes the place of a property that must be there, so that the rest can be looked at.
const STAND_IN: &str = "tributary";

/// Properties without which there is no connector.
const REQUIRED: [&str; 5] = [
    "name",
    "topic.prefix",
    "database.hostname",
    "database.user",
    "database.dbname",
];

/// A connector that can be looked at, perhaps without some of its properties.
#[derive(Debug)]
pub struct Stand {
    pub config: Option<ConnectorConfig>,
    pub bootstrap_servers: Option<String>,
}

/// The connector of a file, in either form that Kafka Connect takes or as properties.
///
/// # Errors
/// The file cannot be read.
pub fn of_file(path: &Path, report: &mut Report) -> Result<Stand, Failure> {
    let file = load_connector_file(path)?;
    Ok(Stand {
        config: of_properties(file.properties, report),
        bootstrap_servers: file.bootstrap_servers,
    })
}

/// The connector of a flat map of properties; None where too much of it cannot be used.
pub fn of_properties(
    mut properties: BTreeMap<String, String>,
    report: &mut Report,
) -> Option<ConnectorConfig> {
    let config = match ConnectorConfig::parse(&properties) {
        Ok(parsed) => {
            notices(&parsed.notices, report);
            Some(parsed.config)
        }
        Err(refused) => {
            problems(&refused.problems, report);
            without(&refused.problems, &mut properties);
            ConnectorConfig::parse(&properties).ok().map(|parsed| {
                notices(&parsed.notices, report);
                parsed.config
            })
        }
    };
    if config.is_none() {
        report.could_not_look(
            "connector-unusable",
            "The connector lacks what is needed to look at its database.",
            "The database was not looked at; mend the properties named here.",
        );
    }
    config
}

/// Take out what cannot be, so that the rest can be looked at.
fn without(problems: &[Problem], properties: &mut BTreeMap<String, String>) {
    for problem in problems {
        properties.remove(&problem.property);
        if REQUIRED.contains(&problem.property.as_str()) {
            properties.insert(problem.property.clone(), STAND_IN.to_owned());
        }
    }
}

fn problems(problems: &[Problem], report: &mut Report) {
    for Problem {
        property,
        value,
        rule,
    } in problems
    {
        let shown = match value {
            Some(value) => format!("`{property}` = `{value}`"),
            None => format!("`{property}`"),
        };
        report.add(
            Finding::error(
                "property-refused",
                format!(
                    "The property {shown} cannot be used: {}.",
                    rule.trim_end_matches('.')
                ),
            )
            .means("The connector is refused when it is posted.")
            .on([property.clone()])
            .words(format!("correct or remove `{property}`")),
        );
    }
}

fn notices(notices: &[Notice], report: &mut Report) {
    for notice in notices {
        let (code, property, means, mend) = match notice {
            Notice::Unknown { property, nearest } => (
                "property-unknown",
                property,
                "It is ignored, as Kafka Connect ignores it.",
                match nearest {
                    Some(nearest) => {
                        format!("write `{nearest}` if that is meant, or remove `{property}`")
                    }
                    None => format!("remove `{property}`"),
                },
            ),
            Notice::Ignored { property, .. } => (
                "property-ignored",
                property,
                "Nothing has to be done: what it asks for is so, or is not needed here.",
                format!("remove `{property}`, or leave it"),
            ),
            Notice::NoProvider { property, provider } => (
                "property-no-provider",
                property,
                "The worker takes the text as it stands, unless its config.providers names the provider.",
                format!("name `{provider}` in config.providers of the worker"),
            ),
        };
        let what = notice.to_string();
        let mut letters = what.chars();
        let what: String = letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect())
            .unwrap_or_default();
        let finding = match notice {
            Notice::Ignored { .. } => Finding::note(code, format!("{what}.")),
            Notice::Unknown { .. } | Notice::NoProvider { .. } => {
                Finding::warning(code, format!("{what}."))
            }
        };
        report.add(finding.means(means).on([property.clone()]).words(mend));
    }
}
