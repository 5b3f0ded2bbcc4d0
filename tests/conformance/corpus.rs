//! What is played: recorded corpora and their scenarios.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::normal::Record;

/// All recordings of one release: `<golden>/debezium-*`, with the inputs in `<golden>/scenarios`, and those that were
/// made to pin one rule, in the folder `own` beside them with the same names inside.
pub struct Corpus {
    /// Name of its folder.
    pub name: String,
    homes: Vec<Home>,
}

/// Recordings and their inputs.
struct Home {
    folder: PathBuf,
    inputs: PathBuf,
}

impl Home {
    fn new(golden: &Path, corpus: &str) -> Self {
        Self {
            folder: golden.join(corpus),
            inputs: golden.join("scenarios"),
        }
    }
}

/// A scenario's input and what Debezium made of it.
pub struct Scenario {
    pub name: String,
    /// The settings as they were posted.
    pub config: Map<String, Value>,
    pub setup: String,
    pub stream: String,
    /// Runs on a second connection from just before `stream`.
    pub background: Option<String>,
    /// Whether the connector streams at all.
    pub streams: bool,
    /// Topics to create first, with their partitions.
    pub topics: BTreeMap<String, i32>,
    pub end: RecordedEnd,
    pub theirs: Vec<Record>,
}

/// How the recorded connector ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedEnd {
    Running,
    /// The first line of the task's trace, without the exception's class.
    Failed(String),
    /// Connect refused the settings with this status and body.
    Refused(u16, String),
}

/// What is there for a scenario's name.
pub enum Found {
    Scenario(Box<Scenario>),
    /// It needs what is not part of the contract so far.
    Later(String),
}

/// Converters whose records are compared here.
const CONVERTERS: [&str; 4] = [
    "org.apache.kafka.connect.json.JsonConverter",
    "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    "org.apache.kafka.connect.storage.StringConverter",
    "io.debezium.converters.CloudEventsConverter",
];
const REGEX_ROUTER: &str = "org.apache.kafka.connect.transforms.RegexRouter";

impl Corpus {
    /// The corpora of a folder in the order of their names. Those in Avro have another reader.
    pub fn all(golden: &Path) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for name in names(golden)? {
            if name.starts_with("debezium-") && !name.ends_with("-avro") {
                let own = Home::new(&golden.join("own"), &name);
                let mut homes = vec![Home::new(golden, &name)];
                if own.folder.exists() {
                    homes.push(own);
                }
                found.push(Self { name, homes });
            }
        }
        ensure!(!found.is_empty(), "no corpus in `{}`", golden.display());
        Ok(found)
    }

    /// What makes our connector write what this release writes.
    pub fn settings(&self) -> &'static [(&'static str, &'static str)] {
        if self.name.starts_with("debezium-3") {
            &[("debezium.compat", "3")]
        } else {
            &[]
        }
    }

    pub fn scenarios(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for home in &self.homes {
            let mut names = names(&home.folder)?;
            names.retain(|name| home.folder.join(name).join("connector.json").exists());
            found.append(&mut names);
        }
        found.sort_unstable();
        Ok(found)
    }

    pub fn read(&self, name: &str) -> Result<Found> {
        let recorded = |home: &Home| home.folder.join(name);
        let mut homes = self.homes.iter();
        let home = homes
            .find(|home| recorded(home).exists())
            .context("a recording")?;
        let (recorded, input) = (recorded(home), home.inputs.join(name));
        let posted: Value = serde_json::from_str(&text(&recorded.join("connector.json"))?)?;
        let config = posted.get("config").unwrap_or(&posted);
        let config = config.as_object().context("connector.json is no object")?;
        if let Some(reason) = later(config, &input) {
            return Ok(Found::Later(reason));
        }
        let described: Value = serde_json::from_str(&text(&input.join("scenario.json"))?)?;
        let topics = described["topics"].as_object();
        let topics = topics.into_iter().flatten().map(|(topic, partitions)| {
            let partitions = partitions.as_i64().context("partitions of a topic")?;
            Ok((topic.clone(), i32::try_from(partitions)?))
        });
        let background = input.join("background.sql");
        Ok(Found::Scenario(Box::new(Scenario {
            name: name.to_owned(),
            config: config.clone(),
            setup: text(&input.join("setup.sql"))?,
            stream: text(&input.join("stream.sql"))?,
            background: background.exists().then(|| text(&background)).transpose()?,
            streams: described["streams"].as_bool().unwrap_or(true),
            topics: topics.collect::<Result<_>>()?,
            end: end(&recorded.join("error.txt"))?,
            theirs: events(&text(&recorded.join("events.jsonl"))?)?,
        })))
    }
}

impl Scenario {
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.config.get(name).and_then(Value::as_str)
    }

    /// The heartbeat topic, where heartbeats are on.
    pub fn heartbeat_topic(&self) -> Option<String> {
        self.setting("heartbeat.interval.ms")
            .filter(|interval| *interval != "0")?;
        let named = self.setting("topic.heartbeat.name").map(str::to_owned);
        let prefix = self.setting("topic.heartbeat.prefix");
        let parts = [
            prefix.unwrap_or("__debezium-heartbeat"),
            self.setting("topic.prefix").unwrap_or_default(),
        ];
        Some(named.unwrap_or_else(|| parts.join(self.setting("topic.delimiter").unwrap_or("."))))
    }

    /// Whether the number of a topic's records depends on how long the run takes: heartbeats, and the table that the
    /// heartbeat's query writes.
    pub fn is_timed(&self, topic: &str) -> bool {
        let written = self.setting("heartbeat.action.query").is_some_and(|query| {
            topic
                .rsplit_once(self.setting("topic.delimiter").unwrap_or("."))
                .is_some_and(|(_, table)| {
                    query
                        .split(|c: char| !c.is_alphanumeric() && c != '_')
                        .any(|word| word == table)
                })
        });
        written || self.heartbeat_topic().as_deref() == Some(topic)
    }
}

/// Why a scenario waits for transforms, signals and restarts; by its settings and files, never by its name.
fn later(config: &Map<String, Value>, input: &Path) -> Option<String> {
    if input.join("restart").exists() {
        return Some("a restart".to_owned());
    }
    let mut reasons = Vec::new();
    for (name, value) in config {
        let value = value.as_str().unwrap_or_default();
        let reason = match name.split('.').next() {
            Some("transforms") if name.ends_with(".type") && value != REGEX_ROUTER => {
                format!("transform {}", value.rsplit('.').next().unwrap_or(value))
            }
            Some("predicates") => "predicates".to_owned(),
            Some("signal") => "signals".to_owned(),
            Some("notification") => "notifications".to_owned(),
            Some("post") => "post processors".to_owned(),
            Some("key" | "value" | "header")
                if name.ends_with(".converter") && !CONVERTERS.contains(&value) =>
            {
                value.rsplit('.').next().unwrap_or(value).to_owned()
            }
            _ => continue,
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    (!reasons.is_empty()).then(|| reasons.join(", "))
}

fn end(error: &Path) -> Result<RecordedEnd> {
    if !error.exists() {
        return Ok(RecordedEnd::Running);
    }
    let text = text(error)?;
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    if let Some((_, status)) = first.rsplit_once(": HTTP ") {
        let body: Value = serde_json::from_str(rest)?;
        let message = body["message"].as_str().context("message")?.to_owned();
        return Ok(RecordedEnd::Refused(status.trim().parse()?, message));
    }
    let message = first.split_once(": ").map_or(first, |(_, message)| message);
    Ok(RecordedEnd::Failed(message.to_owned()))
}

fn events(lines: &str) -> Result<Vec<Record>> {
    let optional = |value: &Value| value.as_str().map(str::to_owned);
    let mut numbers: BTreeMap<(String, i32), usize> = BTreeMap::new();
    lines
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line)?;
            let headers = line["headers"].as_array().context("headers")?;
            let headers = headers.iter().map(|header| {
                let name = header[0].as_str().context("a header's name")?;
                Ok((name.to_owned(), optional(&header[1])))
            });
            let topic = optional(&line["topic"]).context("topic")?;
            let partition = i32::try_from(line["partition"].as_i64().context("partition")?)?;
            let next = numbers.entry((topic.clone(), partition)).or_default();
            let number = *next;
            *next += 1;
            Ok(Record {
                topic,
                partition,
                number,
                key: optional(&line["key"]),
                value: optional(&line["value"]),
                headers: headers.collect::<Result<_>>()?,
            })
        })
        .collect()
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut names: Vec<String> = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.sort();
    Ok(names)
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}
