//! A compose file, as far as it is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_yaml_ng::Value;

use super::interpolate::interpolate;

/// A compose file with its variables filled in.
#[derive(Debug)]
pub struct ComposeFile {
    /// The folder of the file, which its paths are relative to.
    pub root: PathBuf,
    pub services: BTreeMap<String, Service>,
}

/// What is read of a service; the rest concerns containers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Service {
    pub image: String,
    pub build: Option<Value>,
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// `address:host port:container port`
    pub ports: Vec<String>,
    /// `source:target[:ro]`
    pub volumes: Vec<String>,
    pub depends_on: BTreeMap<String, Dependency>,
    pub healthcheck: Option<Healthcheck>,
    pub networks: BTreeMap<String, Network>,
    /// `no` where nothing is said.
    pub restart: String,
}

impl Service {
    /// Whether it is started again when it ends.
    pub fn restarts(&self) -> bool {
        !matches!(self.restart.as_str(), "" | "no")
    }
}

#[derive(Debug, Deserialize)]
pub struct Dependency {
    pub condition: Condition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Condition {
    #[serde(rename = "service_started")]
    Started,
    #[serde(rename = "service_healthy")]
    Healthy,
    #[serde(rename = "service_completed_successfully")]
    CompletedSuccessfully,
}

#[derive(Debug, Deserialize)]
pub struct Healthcheck {
    /// `["CMD", program, argument...]`
    pub test: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Network {
    pub aliases: Vec<String>,
}

impl ComposeFile {
    /// Reads a compose file. Variables come from this process's environment, else from `.env` beside the file.
    pub fn read(path: &Path) -> Result<Self> {
        let path = path
            .canonicalize()
            .with_context(|| format!("find `{}`", path.display()))?;
        let root = path.parent().unwrap_or(Path::new("/")).to_owned();
        let dotenv = match std::fs::read_to_string(root.join(".env")) {
            Ok(text) => parse_dotenv(&text),
            Err(_) => BTreeMap::new(),
        };
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("read `{}`", path.display()))?;
        let value = |name: &str| {
            std::env::var(name)
                .ok()
                .or_else(|| dotenv.get(name).cloned())
        };
        let services =
            parse(&text, &value).with_context(|| format!("read `{}`", path.display()))?;
        Ok(Self { root, services })
    }

    /// The services, each after those it depends on.
    pub fn start_order(&self) -> Result<Vec<&str>> {
        let mut order: Vec<&str> = Vec::new();
        while order.len() < self.services.len() {
            let ready = |(name, service): &(&String, &Service)| {
                !order.contains(&name.as_str())
                    && service
                        .depends_on
                        .keys()
                        .all(|d| order.contains(&d.as_str()))
            };
            match self.services.iter().find(ready) {
                Some((name, _)) => order.push(name),
                None => {
                    bail!("services depend on each other in a circle, or on one that is not there")
                }
            }
        }
        Ok(order)
    }
}

fn parse(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<BTreeMap<String, Service>> {
    #[derive(Deserialize)]
    struct File {
        services: BTreeMap<String, Service>,
    }
    let mut tree: Value = serde_yaml_ng::from_str(text)?;
    tree.apply_merge()?;
    fill(&mut tree, value)?;
    Ok(serde_yaml_ng::from_value::<File>(tree)?.services)
}

fn fill(tree: &mut Value, value: &dyn Fn(&str) -> Option<String>) -> Result<()> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other YAML values are alike here"
    )]
    match tree {
        Value::String(text) => *text = interpolate(text, value)?,
        Value::Sequence(items) => items.iter_mut().try_for_each(|item| fill(item, value))?,
        Value::Mapping(map) => map.values_mut().try_for_each(|item| fill(item, value))?,
        _ => {}
    }
    Ok(())
}

fn parse_dotenv(text: &str) -> BTreeMap<String, String> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| {
            (
                name.trim().to_owned(),
                value.trim().trim_matches(['"', '\'']).to_owned(),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_defaults_and_order() {
        let text = "
x-ours: &ours
  build: {context: .}
  image: ours:${TAG:-1}
services:
  a:
    <<: *ours
    command: [run, $WORD]
    environment: {N: '1'}
    depends_on: {b: {condition: service_healthy}}
  b:
    image: b
";
        let services =
            parse(text, &|name| (name == "WORD").then(|| "w".to_owned())).expect("parse");
        let file = ComposeFile {
            root: PathBuf::new(),
            services,
        };
        let a = &file.services["a"];
        assert_eq!(
            (a.image.as_str(), a.command.join(" ")),
            ("ours:1", "run w".to_owned())
        );
        assert_eq!(file.start_order().expect("order"), ["b", "a"]);
    }

    #[test]
    fn dotenv_lines() {
        let read = parse_dotenv("# no=1\nA=1\n\nB = \"two words\"\nC=\n");
        let expected = [("A", "1"), ("B", "two words"), ("C", "")];
        assert_eq!(
            read.iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect::<Vec<_>>(),
            expected
        );
    }
}
