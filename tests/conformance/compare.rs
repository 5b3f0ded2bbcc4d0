use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::normal::Record;

/// Where ours differ on purpose: `deviations.toml` for streamed records, `deviations-snapshot.toml` for snapshot rows.
pub struct Deviations {
    streamed: Vec<Deviation>,
    snapshot: Vec<Deviation>,
}

#[derive(Deserialize)]
struct DeviationsFile {
    #[serde(default, rename = "deviation")]
    list: Vec<Deviation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    scenario: String,
    topic: String,
    /// Number of the record among those of its topic and kind; none is all of them.
    record: Option<usize>,
    /// A JSON pointer into the value, or `records` for their number.
    path: String,
    /// Without it any value.
    theirs: Option<String>,
    ours: Option<String>,
    why: String,
}

impl Deviations {
    pub fn read(golden: &Path) -> Result<Self> {
        let read = |name: &str| {
            let text = std::fs::read_to_string(golden.join(name)).context(name.to_owned())?;
            let file: DeviationsFile = toml::from_str(&text).context(name.to_owned())?;
            let reasons = file.list.iter().all(|deviation| !deviation.why.is_empty());
            ensure!(reasons, "{name}: a deviation needs its reason");
            Ok(file.list)
        };
        Ok(Self {
            streamed: read("deviations.toml")?,
            snapshot: read("deviations-snapshot.toml")?,
        })
    }
}

/// A scenario as it was recorded and as it was played, in ranks.
pub struct Played {
    pub scenario: String,
    pub theirs: Vec<Record>,
    pub ours: Vec<Record>,
}

/// One place where a record of ours is not Debezium's.
struct Difference {
    path: String,
    theirs: String,
    ours: String,
}

impl Difference {
    fn new(path: &str, theirs: String, ours: String) -> Self {
        let path = path.to_owned();
        Self { path, theirs, ours }
    }
}

impl Played {
    /// One text for each difference that is not a deviation. Snapshot rows and streamed records are compared apart:
    /// each have their order, and the first come before the second.
    pub fn differences(&self, deviations: &Deviations) -> Vec<String> {
        let mut found = Vec::new();
        for (kind, allowed) in [(true, &deviations.snapshot), (false, &deviations.streamed)] {
            let (theirs, ours) = (by_topic(&self.theirs, kind), by_topic(&self.ours, kind));
            let mut topics: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
            topics.sort();
            topics.dedup();
            for topic in topics {
                let none = Vec::new();
                let theirs = theirs.get(topic).unwrap_or(&none);
                let ours = ours.get(topic).unwrap_or(&none);
                let mut check = |number: usize, difference: Difference| {
                    let on_purpose = allowed.iter().any(|deviation| {
                        deviation.scenario == self.scenario
                            && deviation.topic == *topic
                            && deviation.record.is_none_or(|record| record == number)
                            && deviation.path == difference.path
                            && is_or_any(&deviation.theirs, &difference.theirs)
                            && is_or_any(&deviation.ours, &difference.ours)
                    });
                    if !on_purpose {
                        let rows = if kind { "snapshot row" } else { "record" };
                        found.push(format!(
                            "{topic} {rows} {number} {}\n    theirs {}\n    ours   {}",
                            difference.path, difference.theirs, difference.ours
                        ));
                    }
                };
                if theirs.len() != ours.len() {
                    let (theirs, ours) = (theirs.len().to_string(), ours.len().to_string());
                    check(0, Difference::new("records", theirs, ours));
                    continue;
                }
                for (number, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                    for difference in record_differences(theirs, ours) {
                        check(number, difference);
                    }
                }
            }
        }
        found
    }
}

fn is_or_any(expected: &Option<String>, found: &str) -> bool {
    expected.as_deref().is_none_or(|expected| expected == found)
}

fn by_topic(records: &[Record], snapshot: bool) -> BTreeMap<String, Vec<&Record>> {
    let mut topics: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.snapshot == snapshot) {
        topics.entry(record.topic.clone()).or_default().push(record);
    }
    topics
}

fn record_differences(theirs: &Record, ours: &Record) -> Vec<Difference> {
    let mut found = Vec::new();
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
    if theirs.key != ours.key {
        found.push(Difference::new("key", shown(&theirs.key), shown(&ours.key)));
    }
    if theirs.headers != ours.headers {
        let (theirs, ours) = (
            format!("{:?}", theirs.headers),
            format!("{:?}", ours.headers),
        );
        found.push(Difference::new("headers", theirs, ours));
    }
    match (&theirs.value, &ours.value) {
        (None, None) => {}
        (Some(their_text), Some(our_text)) => {
            if their_text == our_text {
                return found;
            }
            let before = found.len();
            match (
                serde_json::from_str(their_text),
                serde_json::from_str(our_text),
            ) {
                (Ok(theirs), Ok(ours)) => tree_differences("", &theirs, &ours, &mut found),
                _ => found.push(Difference::new(
                    "text",
                    their_text.clone(),
                    our_text.clone(),
                )),
            }
            // Equal trees can be different texts.
            if found.len() == before && !only_doubles_differ(their_text, our_text) {
                found.push(Difference::new(
                    "text",
                    their_text.clone(),
                    our_text.clone(),
                ));
            }
        }
        (theirs, ours) => found.push(Difference::new("value", shown(theirs), shown(ours))),
    }
    found
}

fn tree_differences(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<Difference>) {
    match (theirs, ours) {
        // The names and their order decide first.
        (Value::Object(their_fields), Value::Object(our_fields))
            if their_fields.keys().eq(our_fields.keys()) =>
        {
            for ((name, theirs), ours) in their_fields.iter().zip(our_fields.values()) {
                tree_differences(&format!("{path}/{name}"), theirs, ours, found);
            }
        }
        (Value::Array(their_items), Value::Array(our_items))
            if their_items.len() == our_items.len() =>
        {
            for (at, (theirs, ours)) in their_items.iter().zip(our_items).enumerate() {
                tree_differences(&format!("{path}/{at}"), theirs, ours, found);
            }
        }
        _ if theirs == ours => {}
        _ => found.push(Difference::new(path, theirs.to_string(), ours.to_string())),
    }
}

/// Java 17 does not always print the shortest digits of a double; nothing else may be spelled in two ways.
fn only_doubles_differ(theirs: &str, ours: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        text.split([',', ':', '[', ']', '{', '}'])
            .map(str::to_owned)
            .collect()
    };
    let (theirs, ours) = (parts(theirs), parts(ours));
    theirs.len() == ours.len()
        && theirs.iter().zip(&ours).all(|(theirs, ours)| {
            theirs == ours
                || (theirs.contains('E')
                    && theirs
                        .parse::<f64>()
                        .is_ok_and(|number| ours.parse::<f64>() == Ok(number)))
        })
}
