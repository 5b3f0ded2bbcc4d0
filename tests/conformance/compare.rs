use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use recorded::{Difference, text_differences};

use crate::normal::Record;

/// Where in a run something differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    pub topic: String,
    /// None concerns the topic, or the whole scenario.
    pub record: Option<usize>,
    pub difference: Difference,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record.map(|record| format!(" record {record}"));
        let record = record.unwrap_or_default();
        write!(f, "{}{record} {}", self.topic, self.difference)
    }
}

/// All differences between two runs, partition by partition. Of topics whose length is a matter of time (`timed`) only
/// the records that both have are compared; at least `LEAST_TIMED` of them there must be.
pub fn differences(
    theirs: &[Record],
    ours: &[Record],
    timed: impl Fn(&str) -> bool,
) -> Vec<Mismatch> {
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
            found.push(Mismatch {
                topic: topic.to_owned(),
                record: None,
                difference: Difference::of_counts(theirs.len(), ours.len()),
            });
            continue;
        }
        for (theirs, ours) in theirs.iter().zip(ours) {
            for difference in record_differences(theirs, ours) {
                found.push(Mismatch {
                    topic: topic.to_owned(),
                    record: Some(theirs.number),
                    difference,
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

fn record_differences(theirs: &Record, ours: &Record) -> Vec<Difference> {
    let mut found = Vec::new();
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
    let mut add = |path: &str, theirs: String, ours: String| {
        if theirs != ours {
            found.push(Difference::new(path, theirs, ours));
        }
    };
    add("key", shown(&theirs.key), shown(&ours.key));
    let headers = |record: &Record| format!("{:?}", record.headers);
    add("headers", headers(theirs), headers(ours));
    match (&theirs.value, &ours.value) {
        (Some(theirs), Some(ours)) => found.extend(text_differences(theirs, ours)),
        (theirs, ours) => add("value", shown(theirs), shown(ours)),
    }
    found
}
