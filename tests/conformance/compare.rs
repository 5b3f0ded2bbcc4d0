use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use crate::normal::Record;

/// One place where a record of ours is not Debezium's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub topic: String,
    /// None concerns the topic, or the whole scenario.
    pub record: Option<usize>,
    /// `key`, `headers`, `records`, `value`, `text`, or a JSON pointer into the value.
    pub path: String,
    pub theirs: String,
    pub ours: String,
}

impl Difference {
    /// Whether it is the rank of an LSN.
    pub fn is_of_position(&self) -> bool {
        ["/source/lsn", "/source/sequence"]
            .iter()
            .any(|end| self.path.ends_with(end))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record.map(|record| format!(" record {record}"));
        write!(
            f,
            "{}{} {}\n    theirs {}\n    ours   {}",
            self.topic,
            record.unwrap_or_default(),
            self.path,
            self.theirs,
            self.ours
        )
    }
}

/// All differences between two runs, partition by partition. Of topics whose length is a matter of time (`timed`) only
/// the records that both have are compared; at least `LEAST_TIMED` of them there must be.
pub fn differences(
    theirs: &[Record],
    ours: &[Record],
    timed: impl Fn(&str) -> bool,
) -> Vec<Difference> {
    const LEAST_TIMED: usize = 3;
    let mut found = Vec::new();
    let (theirs, ours) = (by_partition(theirs), by_partition(ours));
    let partitions: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
    for &(topic, partition) in partitions {
        let none = Vec::new();
        let theirs = theirs.get(&(topic, partition)).unwrap_or(&none);
        let ours = ours.get(&(topic, partition)).unwrap_or(&none);
        let enough = ours.len() >= LEAST_TIMED.min(theirs.len());
        if theirs.len() != ours.len() && !(timed(topic) && enough) {
            found.push(Difference {
                topic: topic.to_owned(),
                record: None,
                path: "records".to_owned(),
                theirs: theirs.len().to_string(),
                ours: ours.len().to_string(),
            });
            continue;
        }
        for (theirs, ours) in theirs.iter().zip(ours) {
            for (path, their_text, our_text) in record_differences(theirs, ours) {
                found.push(Difference {
                    topic: topic.to_owned(),
                    record: Some(theirs.number),
                    path,
                    theirs: their_text,
                    ours: our_text,
                });
            }
        }
    }
    found
}

type Partition<'r> = (&'r str, i32);

fn by_partition(records: &[Record]) -> BTreeMap<Partition<'_>, Vec<&Record>> {
    let mut partitions: BTreeMap<Partition<'_>, Vec<&Record>> = BTreeMap::new();
    for record in records {
        partitions
            .entry((&record.topic, record.partition))
            .or_default()
            .push(record);
    }
    partitions
}

/// Path, theirs and ours.
type Place = (String, String, String);

fn record_differences(theirs: &Record, ours: &Record) -> Vec<Place> {
    let mut found = Vec::new();
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
    let mut add = |path: &str, theirs: String, ours: String| {
        if theirs != ours {
            found.push((path.to_owned(), theirs, ours));
        }
    };
    add("key", shown(&theirs.key), shown(&ours.key));
    let headers = |record: &Record| format!("{:?}", record.headers);
    add("headers", headers(theirs), headers(ours));
    let (Some(their_text), Some(our_text)) = (&theirs.value, &ours.value) else {
        add("value", shown(&theirs.value), shown(&ours.value));
        return found;
    };
    if their_text == our_text {
        return found;
    }
    let before = found.len();
    let trees = (
        serde_json::from_str(their_text),
        serde_json::from_str(our_text),
    );
    if let (Ok(theirs), Ok(ours)) = trees {
        tree_differences("", &theirs, &ours, &mut found);
    }
    // Equal trees can be different texts.
    if found.len() == before && !only_doubles_differ(their_text, our_text) {
        found.push(("text".to_owned(), their_text.clone(), our_text.clone()));
    }
    found
}

fn tree_differences(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<Place>) {
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
        _ => found.push((path.to_owned(), theirs.to_string(), ours.to_string())),
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
