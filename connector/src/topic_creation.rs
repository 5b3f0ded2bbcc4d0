//! `topic.creation.*`: with what partitions, replicas and settings topics are made. Kafka Connect's rules: the first group
//! whose patterns match a topic's whole name counts, and `default` where none does.

use std::collections::BTreeMap;

use regex::Regex;

use super::{filter::not_a_regex, reader::Reader};

const PREFIX: &str = "topic.creation.";
const GROUPS: &str = "topic.creation.groups";
/// The group of all topics that are in no other.
const DEFAULT: &str = "default";
/// Asks for the brokers' `num.partitions` or `default.replication.factor`.
const BROKERS_DEFAULT: i32 = -1;

/// How topics that do not exist are created.
#[derive(Debug, Clone)]
pub struct TopicCreation {
    /// The worker's `topic.creation.enable`; without it topics are made by the brokers, or by somebody else.
    pub enabled: bool,
    /// In their order.
    groups: Vec<Group>,
    default: NewTopicSettings,
}

/// One of `topic.creation.groups`.
#[derive(Debug, Clone)]
struct Group {
    include: Vec<Regex>,
    exclude: Vec<Regex>,
    settings: NewTopicSettings,
}

/// What a topic is created with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopicSettings {
    /// -1 asks for the brokers' default.
    pub partitions: i32,
    /// -1 asks for the brokers' default.
    pub replication_factor: i32,
    /// All other settings of the group, which are the topic's own.
    pub config: BTreeMap<String, String>,
}

impl Default for TopicCreation {
    /// Where nothing is said, as brokers create topics by themselves.
    fn default() -> Self {
        Self {
            enabled: true,
            groups: Vec::new(),
            default: NewTopicSettings {
                partitions: BROKERS_DEFAULT,
                replication_factor: BROKERS_DEFAULT,
                config: BTreeMap::new(),
            },
        }
    }
}

impl TopicCreation {
    /// What the topic of this name is created with.
    pub fn settings(&self, topic: &str) -> &NewTopicSettings {
        let group = self.groups.iter().find(|group| group.has(topic));
        group.map_or(&self.default, |group| &group.settings)
    }

    /// Replicas of the topics of our own that a connector needs.
    pub const fn default_replication_factor(&self) -> i32 {
        self.default.replication_factor
    }
}

impl Group {
    fn has(&self, topic: &str) -> bool {
        let any = |patterns: &[Regex]| patterns.iter().any(|pattern| pattern.is_match(topic));
        any(&self.include) && !any(&self.exclude)
    }
}

/// The names of the groups but the default one, which is always there.
fn group_names<'a>(reader: &Reader<'a>) -> Vec<&'a str> {
    let names = reader.text(GROUPS).unwrap_or_default().split(',');
    names
        .map(str::trim)
        .filter(|name| !name.is_empty() && *name != DEFAULT)
        .collect()
}

/// Whether a setting is of a group that there is.
pub(super) fn is_of_a_group(reader: &Reader<'_>, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return true;
    };
    let of = |group: &str| {
        rest.strip_prefix(group)
            .is_some_and(|it| it.starts_with('.'))
    };
    name == GROUPS || of(DEFAULT) || group_names(reader).into_iter().any(of)
}

pub(super) fn topic_creation(reader: &mut Reader<'_>) -> TopicCreation {
    // One such setting is enough for Kafka Connect to want the default group whole.
    if reader.below(PREFIX).is_empty() {
        return TopicCreation::default();
    }
    let mut names: Vec<&str> = Vec::new();
    for name in group_names(reader) {
        if names.contains(&name) {
            reader.problem(GROUPS, "Duplicate alias provided.");
        } else {
            names.push(name);
        }
    }
    for number in ["replication.factor", "partitions"] {
        let property = format!("{PREFIX}{DEFAULT}.{number}");
        if reader.text(&property).is_none() {
            reader.problem(
                &property,
                "A value is required where another topic.creation.* is set; -1 is the brokers' default",
            );
        }
    }
    let brokers = TopicCreation::default().default;
    let default = settings(reader, DEFAULT, &brokers);
    let groups = names
        .into_iter()
        .map(|name| Group {
            include: patterns(reader, name, "include"),
            exclude: patterns(reader, name, "exclude"),
            settings: settings(reader, name, &default),
        })
        .collect();
    TopicCreation {
        enabled: true,
        groups,
        default,
    }
}

/// The settings of a group; numbers that it does not have are those of `before`.
fn settings(reader: &mut Reader<'_>, group: &str, before: &NewTopicSettings) -> NewTopicSettings {
    let prefix = format!("{PREFIX}{group}.");
    let partitions = number(
        reader,
        &format!("{prefix}partitions"),
        before.partitions,
        "Number of partitions must be positive, or -1 to use the broker's default",
    );
    let replication_factor = number(
        reader,
        &format!("{prefix}replication.factor"),
        before.replication_factor,
        "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default",
    );
    let mut config = reader.below(&prefix);
    for own in ["partitions", "replication.factor", "include", "exclude"] {
        config.remove(own);
    }
    NewTopicSettings {
        partitions,
        replication_factor,
        config,
    }
}

fn number(reader: &mut Reader<'_>, property: &str, default: i32, rule: &str) -> i32 {
    let Some(text) = reader.text(property) else {
        return default;
    };
    match text.parse::<i32>() {
        Ok(number) if number > 0 || number == BROKERS_DEFAULT => return number,
        Ok(_) => reader.problem(property, rule),
        Err(_) => reader.problem(property, "An integer is expected"),
    }
    default
}

/// A list of regexes over the whole name of a topic, separated by commas.
fn patterns(reader: &mut Reader<'_>, group: &str, list: &str) -> Vec<Regex> {
    let property = format!("{PREFIX}{group}.{list}");
    let entries = reader.text(&property).unwrap_or_default().split(',');
    let mut patterns = Vec::new();
    for entry in entries.map(str::trim).filter(|entry| !entry.is_empty()) {
        // Unlike Debezium's lists they tell case apart.
        match Regex::new(&format!("^(?:{entry})$")) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => reader.problem(&property, not_a_regex(entry, &error)),
        }
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(properties: &[(&str, &str)]) -> (TopicCreation, Vec<String>) {
        let properties = properties
            .iter()
            .map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned()))
            .collect();
        let mut reader = Reader::new(&properties);
        let creation = topic_creation(&mut reader);
        let names = reader.problems.into_iter();
        let names = names.map(|problem| problem.property.trim_start_matches(PREFIX).to_owned());
        (creation, names.collect())
    }

    #[test]
    fn the_first_group_that_matches_counts() {
        let (creation, problems) = read(&[
            ("default.partitions", "2"),
            ("default.replication.factor", "-1"),
            ("default.include", "never.read"),
            ("default.compression.type", "zstd"),
            ("groups", "big, default,compacted , none"),
            ("big.include", "p\\.s\\.big.*, p\\.s\\.huge"),
            ("big.exclude", "p\\.s\\.big_not"),
            ("big.partitions", "-1"),
            ("compacted.include", ".*"),
            ("compacted.exclude", "p\\.other\\..*"),
            ("compacted.replication.factor", "3"),
            ("compacted.cleanup.policy", "compact"),
            ("unknown.include", ".*"),
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        for (topic, partitions, replicas, config) in [
            ("p.s.big_one", -1, -1, ""),
            ("p.s.huge", -1, -1, ""),
            ("p.s.hugest", 2, 3, "cleanup.policy"),
            ("P.S.HUGE", 2, 3, "cleanup.policy"),
            ("p.s.big_not", 2, 3, "cleanup.policy"),
            ("p.other.t", 2, -1, "compression.type"),
        ] {
            let settings = creation.settings(topic);
            assert_eq!(
                (settings.partitions, settings.replication_factor),
                (partitions, replicas),
                "{topic}"
            );
            let names: Vec<&str> = settings.config.keys().map(String::as_str).collect();
            assert_eq!(names.join(","), config, "{topic}");
        }
    }

    #[test]
    fn where_nothing_is_said_the_brokers_decide() {
        let (creation, problems) = read(&[]);
        assert!(problems.is_empty());
        let settings = creation.settings("t");
        assert_eq!((settings.partitions, settings.replication_factor), (-1, -1));
    }

    #[test]
    fn what_kafka_connect_fails_of_is_refused() {
        let whole = [
            ("default.partitions", "1"),
            ("default.replication.factor", "1"),
        ];
        for (more, want) in [
            (&[][..], &[][..]),
            (&[("groups", "")], &[]),
            (&[("groups", "a"), ("a.include", "")], &[]),
            (&[("groups", "a,b,a")], &["groups"]),
            (
                &[
                    ("groups", "a"),
                    ("a.include", "x("),
                    ("a.exclude", "*"),
                    ("a.partitions", "0"),
                    ("a.replication.factor", "many"),
                ],
                &[
                    "a.include",
                    "a.exclude",
                    "a.partitions",
                    "a.replication.factor",
                ],
            ),
            (&[("default.partitions", "-2")], &["default.partitions"]),
        ] {
            let mut all: BTreeMap<&str, &str> = whole.into();
            all.extend(more.iter().copied());
            let all: Vec<(&str, &str)> = all.into_iter().collect();
            assert_eq!(read(&all).1, want, "{more:?}");
        }
        let missing = ["default.replication.factor", "default.partitions"];
        assert_eq!(read(&[("groups", "")]).1, missing);
        assert_eq!(read(&[("default.partitions", "3")]).1, missing[..1]);
    }
}
