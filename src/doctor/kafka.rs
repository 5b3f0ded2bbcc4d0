//! Kafka: whether it answers, and whether the topics keep what is written until it is read.

use std::time::Duration;

use connector::ConnectorConfig;
use lakewriter::{KafkaConfig, TopicFacts, look_at_topics};
use regex::Regex;

use super::{
    finding::Finding,
    report::{Report, counted},
};

/// A topic that keeps less is told of: a writer that stands for a night loses nothing.
const KEPT: Duration = Duration::from_secs(24 * 3600);

pub async fn look(kafka: &KafkaConfig, connector: Option<&ConnectorConfig>, report: &mut Report) {
    let topics = match look_at_topics(kafka).await {
        Ok(topics) => topics,
        Err(error) => {
            let told = service::render_error(&error, None);
            report.refused(
                "kafka-unreachable",
                "Kafka cannot be looked at",
                told.trim_start_matches("error: "),
                error.hint(),
            );
            return;
        }
    };
    let patterns = patterns(kafka, connector);
    let read: Vec<&TopicFacts> = topics
        .iter()
        .filter(|topic| patterns.iter().any(|it| it.is_match(&topic.name)))
        .collect();
    let partitions: usize = read.iter().map(|topic| topic.partitions).sum();
    let lag: Vec<u64> = read.iter().filter_map(|topic| topic.lag).collect();
    let lag = match lag.as_slice() {
        [] => "which the group has committed nothing of".to_owned(),
        lags => format!(
            "{} behind",
            counted(lags.iter().sum::<u64>() as usize, "record")
        ),
    };
    report.fact(
        "kafka",
        format!(
            "`{}`, {} with {} for the group `{}`, {lag}",
            kafka.bootstrap,
            counted(read.len(), "topic"),
            counted(partitions, "partition"),
            kafka.group
        ),
    );
    if read.is_empty() {
        report.add(
            Finding::note("no-topics", format!("No topic matches {}.", told(&patterns)))
                .means("Nothing was written yet, or under another prefix. The connector makes its topics with the first events, unless topic.creation.enable is false.")
                .words("compare topic.prefix of the connector with lakewriter.topics"),
        );
    }
    keeping(kafka, &read, report);
}

/// The topics that the writer reads, and those that the connector writes.
fn patterns(kafka: &KafkaConfig, connector: Option<&ConnectorConfig>) -> Vec<Regex> {
    let written = connector
        .filter(|connector| connector.routes.is_empty())
        .map(|it| {
            format!(
                "^{}\\.[^.]+\\.[^.]+$",
                regex::escape(&it.contract.topic_prefix)
            )
        });
    let texts = match written {
        Some(pattern) => vec![pattern],
        None => kafka.topics.clone(),
    };
    let patterns = texts.iter().filter_map(|text| Regex::new(text).ok());
    patterns.collect()
}

fn told(patterns: &[Regex]) -> String {
    let texts: Vec<String> = patterns.iter().map(|it| format!("`{it}`")).collect();
    texts.join(" or ")
}

fn keeping(kafka: &KafkaConfig, read: &[&TopicFacts], report: &mut Report) {
    let those = |is: &dyn Fn(&TopicFacts) -> bool| -> Vec<String> {
        let found = read.iter().filter(|topic| is(topic));
        found.map(|topic| topic.name.clone()).collect()
    };
    let altered = |names: &[String], config: &str| -> Vec<String> {
        let line = |name: &String| {
            format!(
                "kafka-configs.sh --bootstrap-server {} --alter --topic {name} --add-config {config}",
                kafka.bootstrap
            )
        };
        names.iter().map(line).collect()
    };
    let leaderless = those(&|topic| topic.leaderless > 0);
    if !leaderless.is_empty() {
        report.add(
            Finding::error(
                "topic-leaderless",
                "Topics have partitions that nobody leads.",
            )
            .means("They can be neither written nor read until a broker that has them is back.")
            .on(leaderless)
            .words("start the brokers that have these partitions"),
        );
    }
    let compacted = |topic: &TopicFacts| {
        let policy = topic.cleanup_policy.as_deref();
        policy.is_some_and(|policy| policy.contains("compact"))
    };
    let compacted = those(&compacted);
    if !compacted.is_empty() {
        report.add(
            Finding::warning("topic-compacted", "Topics of changes are compacted.")
                .means("Kafka removes older changes of a row, read or not: `changes` of the lake would lack them.")
                .command(altered(&compacted, "cleanup.policy=delete"))
                .on(compacted),
        );
    }
    let short = those(&|topic| topic.retention.is_some_and(|kept| kept < KEPT));
    if !short.is_empty() {
        report.add(
            Finding::warning(
                "topic-retention-short",
                "Topics of changes keep them for less than a day.",
            )
            .means("A writer that stands still for longer loses changes, and halts.")
            .command(altered(&short, "retention.ms=604800000"))
            .on(short),
        );
    }
}
