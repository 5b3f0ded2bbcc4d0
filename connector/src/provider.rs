//! Values that are kept elsewhere: `${file:/path:key}`, `${directory:/path:file}`, `${env:NAME}`, as Kafka Connect's
//! FileConfigProvider, DirectoryConfigProvider and EnvVarConfigProvider know them. Settings are stored and shown with the
//! references; they are resolved where a connector is checked and where its task starts.
//!
//! Whoever may post a connector may have any value resolved that a provider gives out. So there are no providers but those
//! that the worker names, each of them says what it gives out, and no value that it gave out is printed again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use regex::Regex;

use super::{
    ConfigReport, ConnectorConfig, Notice, Parsed, Problem, java_properties::parse_properties,
};
use crate::{Error, ErrorKind};

/// One source of values.
#[derive(Debug, Clone)]
enum Provider {
    /// Keys of `.properties` files that lie below one of these folders.
    File(Vec<PathBuf>),
    /// Files that lie below one of these folders, one value each.
    Directory(Vec<PathBuf>),
    /// Environment variables whose whole names match.
    Environment(Regex),
}

/// The sources of values by the names that references begin with; by default there are none.
#[derive(Debug, Clone, Default)]
pub struct Providers(BTreeMap<String, Provider>);

/// Settings that are SQL. It can turn a value into anything before the server repeats it (`select reverse('${env:X}')::int`),
/// so that nobody finds it in the answer any more.
///
/// Invariant: a value that came from elsewhere reaches no SQL.
fn is_sql(property: &str) -> bool {
    ["database.initial.statements", "heartbeat.action.query"].contains(&property)
        || property.starts_with("snapshot.select.statement.overrides")
}

/// Names that Kafka Connect's documentation gives to the three.
const USUAL_NAMES: [&str; 4] = ["file", "directory", "dir", "env"];

impl Providers {
    /// From a worker's `config.providers`, `config.providers.<name>.class` and `config.providers.<name>.param.*`; none
    /// where `config.providers` is not set.
    ///
    /// # Errors
    /// A class is missing or not one of the three, a provider does not say what it gives out, or a pattern is no regular
    /// expression.
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
                    service::withhold(&value, &format!("${{{inside}}}"));
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
            if is_sql(name) && provider_names(text).any(|it| self.0.contains_key(it)) {
                problems.push(Problem {
                    property: name.clone(),
                    value: None,
                    rule: "SQL may not refer to values that are kept elsewhere: a statement can turn a value into anything, and the server's answer would tell it. Write the value itself, or take it from the database".to_owned(),
                });
                continue;
            }
            match self.resolve(text) {
                Ok(value) => {
                    if value != *text {
                        // The value of a setting comes back whole, too, as the name of a role or of a topic.
                        service::withhold(&value, text);
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
        let parsed = ConnectorConfig::parse(&resolved).map_err(|mut report| {
            for problem in &mut report.problems {
                if referring.contains(problem.property.as_str()) {
                    problem.value = None;
                }
                // Names of transforms are values, too.
                for text in [&mut problem.property, &mut problem.rule] {
                    *text = service::without_withheld(text).into_owned();
                }
            }
            report
        });
        parsed.map(|mut parsed| {
            parsed.notices.extend(self.unresolved(properties));
            parsed
        })
    }

    /// Whether something in these settings comes from elsewhere.
    pub fn serve(&self, properties: &BTreeMap<String, String>) -> bool {
        let mut values = properties.values();
        values.any(|text| provider_names(text).any(|name| self.0.contains_key(name)))
    }

    /// Values that look like references and are taken as they stand.
    fn unresolved(&self, properties: &BTreeMap<String, String>) -> Vec<Notice> {
        let left = |text: &str| {
            provider_names(text)
                .find(|name| USUAL_NAMES.contains(name) && !self.0.contains_key(*name))
                .map(str::to_owned)
        };
        let notices = properties.iter().filter_map(|(property, text)| {
            Some(Notice::NoProvider {
                property: property.clone(),
                provider: left(text)?,
            })
        });
        notices.collect()
    }
}

/// What the references of a text begin with.
fn provider_names(text: &str) -> impl Iterator<Item = &str> {
    let references = text.split("${").skip(1);
    references.filter_map(|after| Some(after.split_once('}')?.0.split_once(':')?.0))
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
    // Kafka Connect gives out everything where these are not set: every file that the process can read.
    let limit = |parameter: &str, hint: &str| {
        let value = setting(parameter).map(|value| value.trim());
        value.filter(|value| !value.is_empty()).ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                format!("read the worker property `config.providers.{name}.{parameter}`"),
            )
            .with_source("it is not set")
            .with_hint(hint)
        })
    };
    let folders = || {
        let hint = "name the folders that connectors may read from, separated by commas";
        let folders = limit("param.allowed.paths", hint)?
            .split(',')
            .map(str::trim);
        let folders = folders.filter(|folder| !folder.is_empty());
        Ok::<_, Error>(folders.map(PathBuf::from).collect())
    };
    match class.trim().rsplit('.').next() {
        Some("FileConfigProvider") => Ok(Provider::File(folders()?)),
        Some("DirectoryConfigProvider") => Ok(Provider::Directory(folders()?)),
        Some("EnvVarConfigProvider") => {
            let parameter = "param.allowlist.pattern";
            let hint =
                "give a regular expression for the names of the variables that connectors may read";
            let pattern = limit(parameter, hint)?;
            Regex::new(&format!("^(?:{pattern})$"))
                .map(Provider::Environment)
                .map_err(|error| {
                    Error::new(
                        ErrorKind::Configuration,
                        format!("read the worker property `config.providers.{name}.{parameter}`"),
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
                let bytes = read_permitted(Path::new(path), allowed)?;
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
                let bytes = read_permitted(&Path::new(path).join(key), allowed)?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| format!("`{key}` of `{path}` is no text in UTF-8"))?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            Self::Environment(allowed) => {
                if !path.is_empty() {
                    return Err("want `${env:NAME}`".to_owned());
                }
                if !allowed.is_match(key) {
                    return Err("the provider's allowlist.pattern does not admit it".to_owned());
                }
                std::env::var(key).map_err(|_| "the variable is not set".to_owned())
            }
        }
    }
}

/// A file's bytes, if the file itself, whatever links lead to it, lies below one of the allowed folders. Whether there is
/// a file elsewhere is not told.
fn read_permitted(path: &Path, allowed: &[PathBuf]) -> Result<Vec<u8>, String> {
    let real_folder = |folder: &PathBuf| fs::canonicalize(folder).ok();
    let inside = |real: &Path| {
        let mut folders = allowed.iter().filter_map(real_folder);
        folders.any(|folder| real.starts_with(folder))
    };
    let failed = |error: std::io::Error| format!("read `{}`: {error}", path.display());
    let real = match fs::canonicalize(path) {
        Ok(real) if inside(&real) => real,
        Err(error) if seems_inside(path, allowed) => return Err(failed(error)),
        Ok(_) | Err(_) => return Err("the provider's allowed.paths do not admit it".to_owned()),
    };
    service::read_settings_file(&real).map_err(failed)
}

/// Whether a path, as it is written, is below one of the folders.
fn seems_inside(path: &Path, allowed: &[PathBuf]) -> bool {
    let steps_out = path.components().any(|step| step == Component::ParentDir);
    !steps_out && allowed.iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
