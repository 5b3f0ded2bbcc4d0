use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::normal::Record;

/// `deviations.toml`: where ours differ on purpose.
#[derive(Deserialize)]
pub struct Deviations {
    #[serde(default, rename = "deviation")]
    list: Vec<Deviation>,
}

#[derive(Deserialize)]
struct Deviation {
    scenario: String,
    topic: String,
    /// Number of the record among the streamed records of its topic; none is all of them.
    record: Option<usize>,
    /// A JSON pointer into the value.
    path: String,
    theirs: String,
    ours: String,
}

impl Deviations {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).context("read deviations.toml")?;
        toml::from_str(&text).context("parse deviations.toml")
    }
}

/// A scenario as it was recorded and as it was played, in ranks.
pub struct Played {
    pub scenario: String,
    pub theirs: Vec<Record>,
    pub ours: Vec<Record>,
}

impl Played {
    /// One text for each difference that is not a deviation.
    pub fn differences(&self, deviations: &Deviations) -> Vec<String> {
        let (theirs, ours) = (by_topic(&self.theirs), by_topic(&self.ours));
        let mut found = Vec::new();
        let mut topics: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
        topics.sort();
        topics.dedup();
        for topic in topics {
            let none = Vec::new();
            let (theirs, ours) = (
                theirs.get(topic).unwrap_or(&none),
                ours.get(topic).unwrap_or(&none),
            );
            let at = format!("{}: {topic}", self.scenario);
            if theirs.len() != ours.len() {
                found.push(format!(
                    "{at}: theirs {} records, ours {}",
                    theirs.len(),
                    ours.len()
                ));
            }
            let mut streamed = 0;
            for (number, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                let expected = self.deviated(deviations, topic, streamed, theirs);
                streamed += usize::from(!theirs.is_snapshot_row());
                for (part, theirs, ours) in [
                    (
                        "key",
                        format!("{:?}", expected.key),
                        format!("{:?}", ours.key),
                    ),
                    (
                        "headers",
                        format!("{:?}", expected.headers),
                        format!("{:?}", ours.headers),
                    ),
                ] {
                    if theirs != ours {
                        found.push(format!(
                            "{at} {number} {part}\n    theirs {theirs}\n    ours   {ours}"
                        ));
                    }
                }
                if !same_text(expected.value.as_deref(), ours.value.as_deref()) {
                    found.push(format!(
                        "{at} {number} value{}",
                        first_difference(&expected.value, &ours.value)
                    ));
                }
            }
        }
        found
    }

    /// The recorded record with our deviations from it.
    fn deviated(
        &self,
        deviations: &Deviations,
        topic: &str,
        number: usize,
        record: &Record,
    ) -> Record {
        let mut record = record.clone();
        for deviation in deviations.list.iter().filter(|deviation| {
            deviation.scenario == self.scenario
                && deviation.topic == topic
                && deviation.record.is_none_or(|at| at == number)
        }) {
            if let Some(value) = record.value.as_mut().filter(|value| value.contains("op ")) {
                *value = replaced(value, deviation).unwrap_or_else(|| value.clone());
            }
        }
        record
    }
}

impl Record {
    fn is_snapshot_row(&self) -> bool {
        self.value
            .as_deref()
            .is_some_and(|value| value.contains("} op r}"))
    }
}

/// Replace `theirs` at the pointer's place. The value's head is JSON up to `"source":`, its fields in order.
fn replaced(value: &str, deviation: &Deviation) -> Option<String> {
    let mut at = 0;
    for name in deviation.path.split('/').skip(1) {
        let label = format!("{}:", Value::String(name.to_owned()));
        at += value.get(at..)?.find(&label)? + label.len();
    }
    let rest = value.get(at..)?.strip_prefix(deviation.theirs.as_str())?;
    Some(format!("{}{}{rest}", value.get(..at)?, deviation.ours))
}

fn by_topic(records: &[Record]) -> BTreeMap<String, Vec<Record>> {
    let mut topics: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for record in records {
        topics
            .entry(record.topic.clone())
            .or_default()
            .push(record.clone());
    }
    topics
}

/// Equal, or different spellings of the same doubles: Java 17 does not always print the shortest.
fn same_text(theirs: Option<&str>, ours: Option<&str>) -> bool {
    let (Some(theirs), Some(ours)) = (theirs, ours) else {
        return theirs == ours;
    };
    if theirs == ours {
        return true;
    }
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

/// Where the texts part, with something before and after it.
fn first_difference(theirs: &Option<String>, ours: &Option<String>) -> String {
    let (Some(theirs), Some(ours)) = (theirs, ours) else {
        return format!("\n    theirs {theirs:?}\n    ours   {ours:?}");
    };
    let at = theirs
        .char_indices()
        .zip(ours.chars())
        .find(|((_, a), b)| a != b)
        .map_or(theirs.len().min(ours.len()), |((at, _), _)| at);
    let around = |text: &str| {
        let from = text.floor_char_boundary(at.saturating_sub(120));
        let to = text.floor_char_boundary((at + 200).min(text.len()));
        text[from..to].to_owned()
    };
    format!(
        "\n    theirs ..{}\n    ours   ..{}",
        around(theirs),
        around(ours)
    )
}
