use std::{collections::BTreeSet, fmt, path::Path};

use serde::Deserialize;
use serde_json::Value;

use crate::sink::Record;

/// One place where a record of ours is not Debezium's.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// `key`, `headers`, or a JSON pointer into the value.
    path: String,
    theirs: String,
    ours: String,
}

impl Difference {
    pub fn new(path: &str, theirs: String, ours: String) -> Self {
        difference(path, theirs, ours)
    }

    /// A topic has another number of records.
    pub fn of_counts(theirs: usize, ours: usize) -> Self {
        difference("records", theirs.to_string(), ours.to_string())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n    theirs {}\n    ours   {}",
            self.path, self.theirs, self.ours
        )
    }
}

/// `tests/conformance/deviations.toml`, which the live test reads as well.
#[derive(Deserialize)]
pub struct Deviations {
    #[serde(default, rename = "deviation")]
    list: Vec<Deviation>,
}

/// A difference that is on purpose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    /// Name of the corpus; none is each.
    corpus: Option<String>,
    scenario: String,
    topic: Option<String>,
    /// Offset of the record as it was recorded; none is all of them.
    record: Option<usize>,
    path: String,
    /// None is any value.
    theirs: Option<String>,
    ours: Option<String>,
    why: String,
}

impl Deviations {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("read deviations.toml");
        let read: Self = toml::from_str(&text).expect("parse deviations.toml");
        assert!(
            read.list.iter().all(|deviation| !deviation.why.is_empty()),
            "a deviation needs its reason"
        );
        read
    }

    pub fn allows(
        &self,
        corpus: &str,
        scenario: &str,
        topic: &str,
        record: usize,
        difference: &Difference,
        used: &mut BTreeSet<usize>,
    ) -> bool {
        let found = self.list.iter().position(|deviation| {
            let is_or_any = |expected: &Option<String>, found: &str| {
                expected.as_deref().is_none_or(|expected| expected == found)
            };
            // The number of records counts snapshot rows, which are not replayed.
            let counts = difference.path == "records";
            deviation.scenario == scenario
                && is_or_any(&deviation.corpus, corpus)
                && is_or_any(&deviation.topic, topic)
                && deviation.record.is_none_or(|number| number == record)
                && deviation.path == difference.path
                && (counts || is_or_any(&deviation.theirs, &difference.theirs))
                && (counts || is_or_any(&deviation.ours, &difference.ours))
        });
        used.extend(found);
        found.is_some()
    }

    pub fn unused(&self, used: &BTreeSet<usize>) -> Vec<String> {
        self.list
            .iter()
            .enumerate()
            .filter(|(at, _)| !used.contains(at))
            .map(|(_, deviation)| format!("{deviation:?}"))
            .collect()
    }
}

/// What is not equal. The envelope's `ts_ms`, `ts_us` and `ts_ns` are the time of writing: only their presence counts.
pub fn differences(theirs: &Record, ours: &Record) -> Vec<Difference> {
    let mut found = Vec::new();
    if theirs.key != ours.key {
        found.push(difference(
            "key",
            format!("{:?}", theirs.key),
            format!("{:?}", ours.key),
        ));
    }
    if theirs.headers != ours.headers {
        found.push(difference(
            "headers",
            format!("{:?}", theirs.headers),
            format!("{:?}", ours.headers),
        ));
    }
    match (&theirs.value, &ours.value) {
        (Some(theirs), Some(ours)) => value_differences(theirs, ours, &mut found),
        (None, None) => {}
        (theirs, ours) => found.push(difference(
            "value",
            format!("{theirs:?}"),
            format!("{ours:?}"),
        )),
    }
    found
}

fn difference(path: &str, theirs: String, ours: String) -> Difference {
    Difference {
        path: path.to_owned(),
        theirs,
        ours,
    }
}

/// Compares the texts with the time of writing cut out; only where they differ are they taken apart.
fn value_differences(theirs: &str, ours: &str, found: &mut Vec<Difference>) {
    let (their_text, our_text) = (without_time(theirs), without_time(ours));
    if their_text == our_text {
        return;
    }
    let before = found.len();
    if let (Ok(theirs), Ok(ours)) = (
        serde_json::from_str(&their_text),
        serde_json::from_str(&our_text),
    ) {
        tree_differences("", &theirs, &ours, found);
    }
    if found.len() == before && !only_doubles_differ(&their_text, &our_text) {
        found.push(difference("text", their_text, our_text));
    }
}

/// The text of an event or message with zeros for the times behind `op`: JSON, or Java's text of a struct.
fn without_time(text: &str) -> String {
    let Some(at) = text.rfind("\"op\":").or_else(|| text.rfind(",op=")) else {
        return text.to_owned();
    };
    let (head, tail) = text.split_at(at);
    let mut begun = false;
    let mut ended = false;
    let fields = tail.split(',').map(|field| {
        let is_time = field.trim_start_matches('"').starts_with("ts_");
        ended |= begun && !is_time;
        begun |= is_time;
        match field.split_once([':', '=']) {
            Some((name, value)) if is_time && !ended => {
                let end = value.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{name}:0{end}")
            }
            _ => field.to_owned(),
        }
    });
    format!("{head}{}", fields.collect::<Vec<_>>().join(","))
}

/// Equal trees may still be different texts. Only doubles may be spelled in two ways.
fn only_doubles_differ(theirs: &str, ours: &str) -> bool {
    let numbers_at = |text: &str| -> Vec<String> {
        text.split([',', ':', '[', ']', '{', '}'])
            .map(str::to_owned)
            .collect()
    };
    let (theirs, ours) = (numbers_at(theirs), numbers_at(ours));
    theirs.len() == ours.len()
        && theirs.iter().zip(&ours).all(|(theirs, ours)| {
            theirs == ours
                || (theirs.contains('E')
                    && theirs
                        .parse::<f64>()
                        .is_ok_and(|number| ours.parse::<f64>() == Ok(number)))
        })
}

pub fn tree_differences(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<Difference>) {
    match (theirs, ours) {
        (Value::Object(their_fields), Value::Object(our_fields)) => {
            let names = |fields: &serde_json::Map<String, Value>| {
                fields.keys().cloned().collect::<Vec<_>>()
            };
            if names(their_fields) != names(our_fields) {
                // The names and their order decide; values below are only looked at if these agree.
                found.push(difference(path, theirs.to_string(), ours.to_string()));
                return;
            }
            for (name, theirs) in their_fields {
                tree_differences(&format!("{path}/{name}"), theirs, &our_fields[name], found);
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
        _ => found.push(difference(path, theirs.to_string(), ours.to_string())),
    }
}
