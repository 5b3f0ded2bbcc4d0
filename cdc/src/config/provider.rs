//! Values that are kept elsewhere: `${file:/path:key}`, `${directory:/path:file}`, `${env:NAME}`, as Kafka Connect's
//! FileConfigProvider, DirectoryConfigProvider and EnvVarConfigProvider know them. Settings are stored and shown with the
//! references; they are resolved where a connector is checked and where its task starts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use regex::Regex;

use super::{ConfigReport, ConnectorConfig, Parsed, Problem, java_properties::parse_properties};
use crate::{Error, ErrorKind};

/// One source of values.
#[derive(Debug, Clone)]
enum Provider {
    /// Keys of `.properties` files; with folders, only what lies below one of them.
    File(Vec<PathBuf>),
    /// Files of folders, one value each.
    Directory(Vec<PathBuf>),
    /// Environment variables whose whole names match, if a pattern is given.
    Environment(Option<Regex>),
}

/// The sources of values by the names that references begin with.
#[derive(Debug, Clone)]
pub struct Providers(BTreeMap<String, Provider>);

impl Default for Providers {
    /// `file`, `directory` and `env`, without limits.
    fn default() -> Self {
        Self(BTreeMap::from([
            ("file".to_owned(), Provider::File(Vec::new())),
            ("directory".to_owned(), Provider::Directory(Vec::new())),
            ("env".to_owned(), Provider::Environment(None)),
        ]))
    }
}

impl Providers {
    /// From a worker's `config.providers`, `config.providers.<name>.class` and `config.providers.<name>.param.*`; the
    /// default ones where `config.providers` is not set, none where it is empty.
    ///
    /// # Errors
    /// A class is missing or not one of the three, or a pattern is no regular expression.
    pub fn from_worker(properties: &BTreeMap<String, String>) -> Result<Self, Error> {
        let Some(names) = properties.get("config.providers") else {
            return Ok(Self::default());
        };
        let names = names.split(',').map(str::trim);
        names
            .filter(|name| !name.is_empty())
            .map(|name| Ok((name.to_owned(), provider(name, properties)?)))
            .collect::<Result<_, Error>>()
            .map(Self)
    }

    /// The text with its references replaced. What names no provider stays as it is, as in Kafka Connect.
    ///
    /// # Errors
    /// Why a reference has no value, with the reference, without any value.
    pub fn resolve(&self, text: &str) -> Result<String, String> {
        let mut resolved = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            resolved.push_str(before);
            let reference = after.split_once('}').and_then(|(inside, after)| {
                let (name, place) = inside.split_once(':')?;
                Some((self.0.get(name)?, inside, place, after))
            });
            match reference {
                Some((provider, inside, place, after)) => {
                    let (path, key) = place.split_once(':').unwrap_or(("", place));
                    let value = provider
                        .value(path, key)
                        .map_err(|reason| format!("`${{{inside}}}`: {reason}"))?;
                    resolved.push_str(&value);
                    rest = after;
                }
                None => {
                    resolved.push_str("${");
                    rest = after;
                }
            }
        }
        resolved.push_str(rest);
        Ok(resolved)
    }

    /// Read a connector's settings after resolving what they refer to.
    ///
    /// # Errors
    /// References without a value, or what is wrong with the settings; values that came from elsewhere are not in it.
    pub fn parse(&self, properties: &BTreeMap<String, String>) -> Result<Parsed, ConfigReport> {
        let mut problems = Vec::new();
        let mut referring = BTreeSet::new();
        let mut resolved = BTreeMap::new();
        for (name, text) in properties {
            match self.resolve(text) {
                Ok(value) => {
                    if value != *text {
                        referring.insert(name.as_str());
                    }
                    resolved.insert(name.clone(), value);
                }
                Err(rule) => problems.push(Problem {
                    property: name.clone(),
                    value: None,
                    rule,
                }),
            }
        }
        if !problems.is_empty() {
            return Err(ConfigReport { problems });
        }
        ConnectorConfig::parse(&resolved).map_err(|mut report| {
            for problem in &mut report.problems {
                let name = problem.property.as_str();
                if let (true, Some(secret), Some(text)) = (
                    referring.contains(name),
                    resolved.get(name),
                    properties.get(name),
                ) {
                    problem.value = None;
                    problem.rule = problem.rule.replace(secret.trim(), text.trim());
                }
            }
            report
        })
    }
}

/// Whether a value is nothing but a reference, which may be shown where the value may not.
pub fn is_reference(text: &str) -> bool {
    text.trim()
        .strip_prefix("${")
        .and_then(|text| text.strip_suffix('}'))
        .is_some_and(|inside| inside.contains(':') && !inside.contains(['{', '}']))
}

fn provider(name: &str, properties: &BTreeMap<String, String>) -> Result<Provider, Error> {
    let setting = |setting: &str| properties.get(&format!("config.providers.{name}.{setting}"));
    let refused = |hint: &str| {
        Error::new(
            ErrorKind::Configuration,
            format!("read the worker property `config.providers.{name}.class`"),
        )
        .with_hint(hint)
    };
    let class = setting("class").ok_or_else(|| refused("it is not set"))?;
    let folders = || {
        let folders = setting("param.allowed.paths").map_or("", String::as_str);
        let folders = folders.split(',').map(str::trim);
        folders
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
            .collect()
    };
    match class.trim().rsplit('.').next() {
        Some("FileConfigProvider") => Ok(Provider::File(folders())),
        Some("DirectoryConfigProvider") => Ok(Provider::Directory(folders())),
        Some("EnvVarConfigProvider") => {
            let pattern = setting("param.allowlist.pattern")
                .map(|pattern| Regex::new(&format!("^(?:{pattern})$")));
            pattern.transpose().map(Provider::Environment).map_err(|error| {
                Error::new(
                    ErrorKind::Configuration,
                    format!("read the worker property `config.providers.{name}.param.allowlist.pattern`"),
                )
                .with_source(error)
            })
        }
        _ => Err(refused(
            "there are FileConfigProvider, DirectoryConfigProvider and EnvVarConfigProvider of \
             org.apache.kafka.common.config.provider; other Java classes cannot be loaded",
        )),
    }
}

impl Provider {
    fn value(&self, path: &str, key: &str) -> Result<String, String> {
        match self {
            Self::File(allowed) => {
                let file = permitted(path, allowed)?;
                let bytes = fs::read(&file).map_err(|error| format!("read `{path}`: {error}"))?;
                let mut pairs =
                    parse_properties(&bytes).map_err(|error| format!("read `{path}`: {error}"))?;
                pairs
                    .remove(key)
                    .ok_or_else(|| format!("`{path}` has no key `{key}`"))
            }
            Self::Directory(allowed) => {
                let plain = matches!(
                    Path::new(key).components().collect::<Vec<_>>().as_slice(),
                    [Component::Normal(_)]
                );
                if !plain {
                    return Err(format!("`{key}` is not the name of a file"));
                }
                let file = permitted(path, allowed)?.join(key);
                let text = fs::read_to_string(&file)
                    .map_err(|error| format!("read `{}`: {error}", file.display()))?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            Self::Environment(allowed) => {
                if !path.is_empty() {
                    return Err("want `${env:NAME}`".to_owned());
                }
                if allowed
                    .as_ref()
                    .is_some_and(|allowed| !allowed.is_match(key))
                {
                    return Err("the provider's allowlist.pattern does not admit it".to_owned());
                }
                std::env::var(key).map_err(|_| "the variable is not set".to_owned())
            }
        }
    }
}

/// The real path, if it lies in one of the allowed folders.
fn permitted(path: &str, allowed: &[PathBuf]) -> Result<PathBuf, String> {
    let real = fs::canonicalize(path).map_err(|error| format!("read `{path}`: {error}"))?;
    let inside =
        |folder: &PathBuf| fs::canonicalize(folder).is_ok_and(|folder| real.starts_with(folder));
    if allowed.is_empty() || allowed.iter().any(inside) {
        Ok(real)
    } else {
        Err("the provider's allowed.paths do not admit it".to_owned())
    }
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
