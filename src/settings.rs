//! The settings of the command line: embedded defaults, then `tributary.toml`, then `TRIBUTARY_<SECTION>__<KEY>`,
//! then flags. One list names them all; the reference in `docs/` is printed from it.

mod connector;
mod list;
mod near_miss;
mod values;

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
};

pub use list::{SETTINGS, Setting};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Environment(String),
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// Everything that is wrong with the settings, in one report.
#[derive(Debug, thiserror::Error)]
#[error("read the settings:{}", .0.iter().map(|p| format!("\n  {p}")).collect::<String>())]
pub struct SettingsError(Vec<String>);

/// The effective values; some are secrets.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, (String, Origin)>,
    connector: BTreeMap<String, (String, Origin)>,
    /// Of variables that have no effect.
    warnings: Vec<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.print())
    }
}

impl Settings {
    /// Defaults, file and environment. Without `file`, `tributary.toml` is read if it is there.
    ///
    /// # Errors
    /// A file that cannot be read, a key that does not exist: all of them, with the nearest names.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let mut problems = Vec::new();
        for setting in SETTINGS {
            if let Some(default) = setting.default {
                settings
                    .values
                    .insert(setting.key, (default.to_owned(), Origin::Default));
            }
        }
        let default_file = Path::new("tributary.toml");
        if let Some(path) = file.or_else(|| default_file.exists().then_some(default_file)) {
            settings.read_file(path, &mut problems);
        }
        let environment = settings.without_near_misses(environment);
        settings.read_connector(environment.clone(), &mut problems);
        settings.read_environment(environment.into_iter(), &mut problems);
        settings.check_values(&mut problems);
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError(problems))
        }
    }

    /// Warns of variables that are almost those of settings, and leaves them out.
    fn without_near_misses(
        &mut self,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Vec<(String, String)> {
        let (mut known, mut warnings) = (Vec::new(), Vec::new());
        for (variable, value) in environment {
            match near_miss::meant(&variable) {
                None => known.push((variable, value)),
                Some(setting) => warnings.push(format!(
                    "the variable {variable} has no effect; did you mean {}?",
                    setting.variable()
                )),
            }
        }
        self.warnings = warnings;
        known
    }

    /// What has no effect although it looks as if it should.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What is wrong with a value, by the rule of its setting: every text that comes into force passes here.
    fn problem(&self, setting: &Setting) -> Option<String> {
        let (text, origin) = self.values.get(setting.key)?;
        // The default of a topic pattern would make each start of each command compile it.
        let problem = match origin {
            Origin::Default => return None,
            Origin::File(_) | Origin::Environment(_) | Origin::Flag => setting.check(text).err()?,
        };
        let text = match setting.secret {
            true => "****".into(),
            false => service::without_passwords(text),
        };
        Some(format!("{} = `{text}` ({origin}): {problem}", setting.key))
    }

    fn check_values(&self, problems: &mut Vec<String>) {
        problems.extend(SETTINGS.iter().filter_map(|setting| self.problem(setting)));
    }

    fn check_value(&self, key: &str) -> Result<(), SettingsError> {
        let setting = SETTINGS.iter().find(|setting| setting.key == key);
        match setting.and_then(|setting| self.problem(setting)) {
            Some(problem) => Err(SettingsError(vec![problem])),
            None => Ok(()),
        }
    }

    fn read_file(&mut self, path: &Path, problems: &mut Vec<String>) {
        let shown = path.display();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return problems.push(format!("{shown}: {error}")),
        };
        let sections: toml::Table = match text.parse() {
            Ok(sections) => sections,
            Err(error) => return problems.push(format!("{shown}: {error}")),
        };
        for (section, keys) in &sections {
            let toml::Value::Table(keys) = keys else {
                problems.push(format!(
                    "{shown}: `{section}` stands outside of a [section]"
                ));
                continue;
            };
            for (key, text) in connector::flat(keys) {
                let setting = format!("{section}.{key}");
                let origin = Origin::File(path.to_owned());
                match find(&setting) {
                    Ok(known) => self.set(known, text, origin),
                    Err(_) if section == "cdc" && connector::is_property(&key) => {
                        self.connector.insert(key, (text, origin));
                    }
                    Err(problem) => problems.push(format!("{shown}: {problem}")),
                }
            }
        }
    }

    fn read_environment(
        &mut self,
        environment: impl Iterator<Item = (String, String)>,
        problems: &mut Vec<String>,
    ) {
        for (name, value) in environment {
            let Some((section, key)) = name
                .strip_prefix("TRIBUTARY_")
                .and_then(|rest| rest.split_once("__"))
            else {
                continue;
            };
            let key = format!("{}.{}", section.to_lowercase(), key.to_lowercase());
            let from_file = key
                .strip_suffix("_file")
                .and_then(|key| SETTINGS.iter().find(|s| s.secret && s.key == key));
            if let Some(setting) = from_file {
                match service::read_secret_file(Path::new(&value)) {
                    Ok(text) => self.set(setting.key, text, Origin::Environment(name)),
                    Err(error) => problems.push(format!("{name}: read `{value}`: {error}")),
                }
                continue;
            }
            match find(&key) {
                Ok(known) => self.set(known, value, Origin::Environment(name)),
                Err(problem) => problems.push(format!("{name}: {problem}")),
            }
        }
    }

    fn set(&mut self, key: &'static str, value: String, origin: Origin) {
        self.values.insert(key, (value, origin));
    }

    /// A flag's value, if it was given, goes over everything else.
    ///
    /// # Errors
    /// The setting cannot have this value.
    pub fn set_flag(
        &mut self,
        key: &'static str,
        value: Option<impl ToString>,
    ) -> Result<(), SettingsError> {
        if let Some(value) = value {
            self.set(key, value.to_string(), Origin::Flag);
        }
        self.check_value(key)
    }

    /// A value from elsewhere in the environment, where nothing but the default stands.
    ///
    /// # Errors
    /// The setting cannot have this value.
    pub fn set_default(
        &mut self,
        key: &'static str,
        value: Option<String>,
        origin: &str,
    ) -> Result<(), SettingsError> {
        let untouched = self
            .values
            .get(key)
            .is_none_or(|(_, origin)| *origin == Origin::Default);
        if let Some(value) = value.filter(|_| untouched) {
            self.set(key, value, Origin::Environment(origin.to_owned()));
        }
        self.check_value(key)
    }

    /// What a settings file says, where nothing but the default stands.
    ///
    /// # Errors
    /// The file cannot be read, or has a key that does not exist.
    pub fn fill_in(&mut self, file: &Path) -> Result<(), SettingsError> {
        let (mut read, mut problems) = (Self::default(), Vec::new());
        read.read_file(file, &mut problems);
        read.check_values(&mut problems);
        if !problems.is_empty() {
            return Err(SettingsError(problems));
        }
        for (key, (value, origin)) in read.values {
            if !self.is_set(key) {
                self.set(key, value, origin);
            }
        }
        Ok(())
    }

    /// Where a value comes from.
    pub fn origin(&self, key: &str) -> &Origin {
        self.values
            .get(key)
            .map_or(&Origin::Default, |(_, origin)| origin)
    }

    /// Whether more than the default stands.
    pub fn is_set(&self, key: &str) -> bool {
        *self.origin(key) != Origin::Default
    }

    /// The text of a setting; empty counts as not set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values
            .get(key)
            .map(|(text, _)| text.as_str())
            .filter(|text| !text.is_empty())
    }

    /// A setting as a typed value, None where it is not set.
    ///
    /// # Errors
    /// The text is not such a value.
    pub fn parse_opt<T>(&self, key: &'static str) -> Result<Option<T>, SettingsError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|error| {
            let origin = self.origin(key);
            let text = service::without_passwords(text);
            SettingsError(vec![format!("{key} = `{text}` ({origin}): {error}")])
        })
    }

    /// A setting as a typed value.
    ///
    /// # Errors
    /// It is not set, or the text is not such a value.
    pub fn parse<T>(&self, key: &'static str) -> Result<T, SettingsError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.parse_opt(key)?
            .ok_or_else(|| SettingsError(vec![format!("{key} is not set")]))
    }

    /// `section.key = value  # origin`, secrets masked.
    pub fn print(&self) -> String {
        let settings: String = SETTINGS
            .iter()
            .map(|setting| match self.values.get(setting.key) {
                Some((_, origin)) if setting.secret => {
                    format!("{} = **** # {origin}\n", setting.key)
                }
                Some((text, origin)) => {
                    let text = service::without_passwords(text);
                    format!("{} = {text} # {origin}\n", setting.key)
                }
                None => format!("{} is not set\n", setting.key),
            })
            .collect();
        settings + &self.print_connector()
    }
}

fn find(key: &str) -> Result<&'static str, String> {
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) {
        return Ok(setting.key);
    }
    let names = SETTINGS.iter().map(|setting| setting.key);
    Err(match service::nearest(key, names) {
        Some(name) => format!("unknown setting `{key}`; did you mean `{name}`?"),
        None => format!("unknown setting `{key}`; `tributary config` lists all"),
    })
}

/// The reference of all settings in Markdown.
pub fn reference() -> String {
    let mut text =
        String::from("| setting | environment | default | meaning |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let environment = setting.variable();
        let default = setting.default.map_or_else(
            || "-".to_owned(),
            |text| format!("`{}`", text.replace('|', "\\|")),
        );
        let secret = if setting.secret {
            " Secret: never printed; `..._FILE` names a file that holds it."
        } else {
            ""
        };
        text.push_str(&format!(
            "| `{}` | `{environment}` | {default} | {}{secret} |\n",
            setting.key, setting.doc
        ));
    }
    text
}

#[cfg(test)]
#[path = "settings/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "settings/forms_tests.rs"]
mod forms_tests;

#[cfg(test)]
#[path = "settings/values_tests.rs"]
mod values_tests;
