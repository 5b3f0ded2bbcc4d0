//! Whether the topics that are asked for are there. A group that matches none waits for one without a word, for ever.

use rdkafka::metadata::Metadata;
use regex::Regex;

use crate::KafkaConfig;

/// Tell of each topic or pattern that matches nothing, and what there is.
pub(super) fn tell_unmatched(config: &KafkaConfig, metadata: &Metadata) {
    let names: Vec<&str> = metadata.topics().iter().map(|topic| topic.name()).collect();
    let mut theirs: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !name.starts_with("__"))
        .collect();
    theirs.sort_unstable();
    for pattern in unmatched(&config.topics, &names) {
        tracing::warn!(
            kafka = config.bootstrap,
            "no topic matches `{pattern}` of lakewriter.topics, waiting for one; there {}",
            service::listed(&theirs)
        );
    }
}

/// The topics and patterns that none of the names is.
fn unmatched<'a>(topics: &'a [String], names: &[&str]) -> Vec<&'a str> {
    let matches = |topic: &str| match topic.strip_prefix('^') {
        None => names.contains(&topic),
        // What Rust reads otherwise than librdkafka is not judged.
        Some(_) => Regex::new(topic).map_or(true, |it| names.iter().any(|name| it.is_match(name))),
    };
    topics
        .iter()
        .map(String::as_str)
        .filter(|topic| !matches(topic))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matches_nothing_is_told() {
        let topics = ["^shop\\..*$", "^(a|b)$", "orders", "c", "^[$"].map(str::to_owned);
        let names = ["shop.x", "orders", "__consumer_offsets"];
        assert_eq!(unmatched(&topics, &names), ["^(a|b)$", "c"]);
    }
}
