use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, ErrorKind};

/// A connector as it is posted to Kafka Connect: `{"name": ..., "config": {...}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorFile {
    pub name: String,
    /// `config`, with numbers and booleans turned to text as Connect does, and with `name` in it.
    pub properties: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawConnectorFile {
    name: String,
    config: serde_json::Map<String, Value>,
}

/// A connector from a JSON file such as Debezium's `register-postgres.json`.
///
/// # Errors
/// The file cannot be read, or is not `{"name", "config"}` with flat values.
pub fn load_connector_file(path: &Path) -> Result<ConnectorFile, Error> {
    let attempted = || format!("read the connector file `{}`", path.display());
    let text = std::fs::read(path)
        .map_err(|error| Error::new(ErrorKind::Configuration, attempted()).with_source(error))?;
    let raw: RawConnectorFile = serde_json::from_slice(&text).map_err(|error| {
        Error::new(ErrorKind::Configuration, attempted())
            .with_source(error)
            .with_hint("want {\"name\": \"...\", \"config\": {\"property\": \"value\", ...}}")
    })?;
    let mut properties = string_map(&raw.config)
        .map_err(|reason| Error::new(ErrorKind::Configuration, attempted()).with_source(reason))?;
    properties.insert("name".to_owned(), raw.name.clone());
    Ok(ConnectorFile {
        name: raw.name,
        properties,
    })
}

/// Every `*.json` of a folder, by file name.
///
/// # Errors
/// The folder or one of its files cannot be read.
pub fn load_connectors_folder(folder: &Path) -> Result<Vec<ConnectorFile>, Error> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        Error::new(
            ErrorKind::Configuration,
            format!("read the folder of connectors `{}`", folder.display()),
        )
        .with_source(error)
    })?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
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
    fn a_folder_gives_its_json_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            std::fs::write(
                folder.path().join(format!("{name}.json")),
                format!(r#"{{"name":"{name}","config":{{"topic.prefix":"p"}}}}"#),
            )
            .unwrap();
        }
        std::fs::write(folder.path().join("notes.txt"), "no").unwrap();
        let names: Vec<String> = load_connectors_folder(folder.path())
            .unwrap()
            .into_iter()
            .map(|file| file.name)
            .collect();
        assert_eq!(names, ["a", "b"]);
    }
}
