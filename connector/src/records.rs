use std::{collections::BTreeMap, time::Duration};

use debezium::sanitised_topic;

use super::{filter::regex_list, reader::Reader};

/// The records that are no change of a row.
#[derive(Debug, Clone)]
pub struct RecordsConfig {
    pub heartbeat: Option<HeartbeatConfig>,
    /// Where heartbeats go: `topic.heartbeat.name`, or `<topic.heartbeat.prefix><topic.delimiter><topic.prefix>`.
    pub heartbeat_topic: String,
    /// Where BEGIN and END of transactions go: `<topic.prefix><topic.delimiter><topic.transaction>`.
    pub transaction_topic: String,
    /// Where logical decoding messages go: `<topic.prefix>.message`, whatever the delimiter.
    pub message_topic: String,
    pub message_filter: MessageFilter,
}

/// `heartbeat.interval.ms` above 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatConfig {
    pub interval: Duration,
    /// `heartbeat.action.query`.
    pub action_query: Option<String>,
}

/// Which logical decoding messages are emitted, by their prefix; regexes are anchored and ignore case.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// `message.prefix.include.list`; None where it is not set.
    pub include: Option<Vec<regex::Regex>>,
    /// `message.prefix.exclude.list`.
    pub exclude: Vec<regex::Regex>,
}

impl RecordsConfig {
    /// Debezium's defaults: no heartbeats, all messages.
    pub fn new(topic_prefix: &str, delimiter: &str) -> Self {
        let none = BTreeMap::new();
        records(&mut Reader::new(&none), topic_prefix, delimiter)
    }
}

impl MessageFilter {
    pub fn emits(&self, prefix: &str) -> bool {
        let matches = |list: &[regex::Regex]| list.iter().any(|regex| regex.is_match(prefix));
        self.include.as_deref().is_none_or(matches) && !matches(&self.exclude)
    }
}

pub(super) fn records(
    reader: &mut Reader<'_>,
    topic_prefix: &str,
    delimiter: &str,
) -> RecordsConfig {
    let interval = reader.millis("heartbeat.interval.ms");
    let action_query = reader.text("heartbeat.action.query").map(str::to_owned);
    let heartbeat_prefix = reader.text_or_default("topic.heartbeat.prefix");
    let heartbeat_topic = match reader.text("topic.heartbeat.name") {
        Some(name) => sanitised_topic(name),
        None => sanitised_topic(&[heartbeat_prefix.as_str(), topic_prefix].join(delimiter)),
    };
    let transaction_suffix = reader.text_or_default("topic.transaction");
    const INCLUDE: &str = "message.prefix.include.list";
    const EXCLUDE: &str = "message.prefix.exclude.list";
    let include = regex_list(reader, INCLUDE);
    let exclude = regex_list(reader, EXCLUDE);
    let has_include = reader.text(INCLUDE).is_some();
    if has_include && reader.text(EXCLUDE).is_some() {
        reader.problem(EXCLUDE, format!("\"{INCLUDE}\" is already specified"));
    }
    RecordsConfig {
        heartbeat: (!interval.is_zero()).then_some(HeartbeatConfig {
            interval,
            action_query,
        }),
        heartbeat_topic,
        transaction_topic: sanitised_topic(&[topic_prefix, &transaction_suffix].join(delimiter)),
        message_topic: sanitised_topic(&format!("{topic_prefix}.message")),
        message_filter: MessageFilter {
            include: has_include.then_some(include),
            exclude,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(properties: &[(&str, &str)]) -> (RecordsConfig, usize) {
        let properties: BTreeMap<String, String> = properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut reader = Reader::new(&properties);
        let config = records(&mut reader, "p", ".");
        (config, reader.problems.len())
    }

    #[test]
    fn heartbeats_are_off_by_default() {
        let (config, problems) = read(&[]);
        assert_eq!((config.heartbeat, problems), (None, 0));
        assert_eq!(config.heartbeat_topic, "__debezium-heartbeat.p");
        assert_eq!(config.message_topic, "p.message");
        assert_eq!(config.transaction_topic, "p.transaction");
    }

    #[test]
    fn topics_are_named() {
        let (config, _) = read(&[("topic.heartbeat.prefix", "h b")]);
        assert_eq!(config.heartbeat_topic, "h_b.p");
        let (config, _) = read(&[
            ("topic.heartbeat.prefix", "hb"),
            ("topic.heartbeat.name", "beats"),
            ("heartbeat.interval.ms", "5"),
        ]);
        assert_eq!(config.heartbeat_topic, "beats");
        assert_eq!(
            config.heartbeat.map(|heartbeat| heartbeat.interval),
            Some(Duration::from_millis(5))
        );
    }

    #[test]
    fn prefixes_are_matched_in_full() {
        let (config, problems) = read(&[("message.prefix.include.list", "a.*,b")]);
        assert_eq!(problems, 0);
        for (prefix, want) in [("abc", true), ("B", true), ("bc", false), ("", false)] {
            assert_eq!(config.message_filter.emits(prefix), want, "{prefix}");
        }
        let (config, _) = read(&[("message.prefix.exclude.list", "a.*")]);
        for (prefix, want) in [("abc", false), ("b", true), ("", true)] {
            assert_eq!(config.message_filter.emits(prefix), want, "{prefix}");
        }
        let both = [
            ("message.prefix.include.list", "a"),
            ("message.prefix.exclude.list", "b"),
        ];
        assert_eq!(read(&both).1, 1);
    }
}
