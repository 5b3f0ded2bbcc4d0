//! Connectors in files: Kafka Connect's JSON, a flat map alone, or Debezium Server's `.properties`.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    CONNECTOR_CLASS,
    debezium_server::{from_server_form, is_server_form},
    java_properties::parse_properties,
    shown,
};
use crate::{Error, ErrorKind};

/// A connector as it is registered.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectorFile {
    pub name: String,
    /// Kafka Connect's names, with `name` among them; numbers and booleans of JSON are text, as Connect makes them.
    pub properties: BTreeMap<String, String>,
    /// Where Kafka is, if the file says so, as Debezium Server's do.
    pub bootstrap_servers: Option<String>,
}

impl fmt::Debug for ConnectorFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorFile")
            .field("name", &self.name)
            .field("properties", &shown(&self.properties))
            .field("bootstrap_servers", &self.bootstrap_servers)
            .finish()
    }
}

impl ConnectorFile {
    /// A connector from a flat map in Kafka Connect's or Debezium Server's names. Without `name` it is called `name`.
    ///
    /// # Errors
    /// What of Debezium Server's form cannot be.
    pub fn from_settings(
        mut settings: BTreeMap<String, String>,
        name: &str,
    ) -> Result<Self, Vec<String>> {
        let mut bootstrap_servers = None;
        if is_server_form(&settings) {
            let form = from_server_form(&settings)?;
            (settings, bootstrap_servers) = (form.properties, form.bootstrap_servers);
        }
        let name = match settings.get("name").map(|name| name.trim()) {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => name.to_owned(),
        };
        settings.insert("name".to_owned(), name.clone());
        let class = settings.entry("connector.class".to_owned());
        class.or_insert_with(|| CONNECTOR_CLASS.to_owned());
        Ok(Self {
            name,
            properties: settings,
            bootstrap_servers,
        })
    }
}

/// A connector from a file: JSON such as Debezium's `register-postgres.json`, or the flat map alone, or `.properties`
/// with Kafka Connect's or Debezium Server's names. One without a name is called as its file.
///
/// # Errors
/// The file cannot be read, or is not a flat map.
pub fn load_connector_file(path: &Path) -> Result<ConnectorFile, Error> {
    let attempted = || {
        Error::new(
            ErrorKind::Configuration,
            format!("read the connector file `{}`", path.display()),
        )
    };
    let bytes =
        service::read_settings_file(path).map_err(|error| attempted().with_source(error))?;
    let (settings, name) = if path.extension().is_some_and(|it| it == "properties") {
        let settings = parse_properties(&bytes).map_err(|error| attempted().with_source(error))?;
        (settings, None)
    } else {
        let object: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|error| {
            attempted()
                .with_source(error)
                .with_hint("want {\"name\": \"...\", \"config\": {\"property\": \"value\", ...}}, or the flat config")
        })?;
        let (config, name) = match object.get("config") {
            Some(Value::Object(config)) => (config, object.get("name").and_then(Value::as_str)),
            _ => (&object, None),
        };
        let settings = string_map(config).map_err(|reason| attempted().with_source(reason))?;
        (settings, name.map(str::to_owned))
    };
    let named = settings.get("name");
    if let Some((name, other)) = name
        .as_ref()
        .zip(named)
        .filter(|(name, other)| name != other)
    {
        return Err(
            attempted().with_source(format!("it is named `{name}`, and `{other}` in its config"))
        );
    }
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    ConnectorFile::from_settings(settings, &name.or(stem).unwrap_or_default())
        .map_err(|problems| attempted().with_source(problems.join("; ")))
}

/// Every `*.json` and `*.properties` of a folder, by file name.
///
/// # Errors
/// The folder or one of its files cannot be read.
pub fn load_connectors_folder(folder: &Path) -> Result<Vec<ConnectorFile>, Error> {
    let attempted = |error: std::io::Error| {
        Error::new(
            ErrorKind::Configuration,
            format!("read the folder of connectors `{}`", folder.display()),
        )
        .with_source(error)
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(attempted)? {
        let path = entry.map_err(attempted)?.path();
        let extension = path.extension();
        if extension.is_some_and(|it| it == "json" || it == "properties") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| load_connector_file(path)).collect()
}

/// A JSON object as Connect's map of strings; nulls are left out.
///
/// # Errors
/// A value is an array or an object.
pub fn string_map(
    object: &serde_json::Map<String, Value>,
) -> Result<BTreeMap<String, String>, String> {
    let mut map = BTreeMap::new();
    for (name, value) in object {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(format!("the value of `{name}` is not text"));
            }
        };
        map.insert(name.clone(), text);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_booleans_become_text() {
        let object: serde_json::Map<String, Value> =
            serde_json::from_str(r#"{"a":1,"b":true,"c":"x","d":null}"#).unwrap();
        let map = string_map(&object).unwrap();
        assert_eq!(
            map.into_iter().collect::<Vec<_>>(),
            [
                ("a".to_owned(), "1".to_owned()),
                ("b".to_owned(), "true".to_owned()),
                ("c".to_owned(), "x".to_owned())
            ]
        );
    }

    #[test]
    fn a_folder_gives_its_connectors_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            (
                "b.json",
                r#"{"name":"named","config":{"topic.prefix":"p"}}"#,
            ),
            ("a.json", r#"{"topic.prefix":"p","tasks.max":1}"#),
            ("c.properties", "name = c-named\ntopic.prefix=p"),
            (
                "d.properties",
                "debezium.source.topic.prefix=p\ndebezium.sink.kafka.producer.bootstrap.servers=k",
            ),
            ("notes.txt", "no"),
        ] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let files = load_connectors_folder(folder.path()).unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a", "named", "c-named", "d"]);
        for file in &files {
            assert_eq!(file.properties["topic.prefix"], "p");
            assert_eq!(file.properties["name"], file.name);
        }
        assert_eq!(files[3].bootstrap_servers.as_deref(), Some("k"));
    }

    #[test]
    fn two_names_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, r#"{"name":"a","config":{"name":"b"}}"#).unwrap();
        assert!(load_connector_file(&path).is_err());
    }
}
