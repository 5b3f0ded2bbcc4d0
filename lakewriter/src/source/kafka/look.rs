//! What can be known of Kafka before a writer is started on it, and while one runs. No group is joined, nothing is changed.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use tokio_util::sync::CancellationToken;

use super::{config::client_config, reach::reach};
use crate::{Error, ErrorKind, KafkaConfig};

/// How long the cluster may take for one answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A topic as the cluster describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFacts {
    pub name: String,
    pub partitions: usize,
    /// Partitions that nobody leads: they can be neither written nor read.
    pub leaderless: usize,
    /// None: the cluster does not tell it to this user.
    pub cleanup_policy: Option<String>,
    /// None: without end, or not told.
    pub retention: Option<Duration>,
    /// Records that the group has not committed; None where it has committed nothing there.
    pub lag: Option<u64>,
}

/// The topics of a cluster, those of the cluster's own left out.
///
/// # Errors
/// `Configuration` and `Permission` where nothing but a change of settings helps, `Kafka` where no broker answers.
pub async fn look_at_topics(config: &KafkaConfig) -> Result<Vec<TopicFacts>, Error> {
    let (asked, attempted) = (config.clone(), config.bootstrap.clone());
    let found = tokio::task::spawn_blocking(move || topics(&asked)).await;
    let mut found = found.map_err(|error| {
        crate::error::task_ended(format!("look at Kafka at `{attempted}`"), error)
    })??;
    describe(config, &mut found).await?;
    Ok(found)
}

fn failed(config: &KafkaConfig, what: &str, error: KafkaError) -> Error {
    Error::new(
        ErrorKind::Kafka,
        format!("{what} of Kafka at `{}`", config.bootstrap),
    )
    .with_source(error)
}

/// Names, partitions and lag. Blocks.
fn topics(config: &KafkaConfig) -> Result<Vec<TopicFacts>, Error> {
    reach(config, &CancellationToken::new())?;
    let mut client = client_config(config)?;
    client.set("group.id", &config.group);
    let consumer: BaseConsumer = client
        .create()
        .map_err(|error| failed(config, "make a client", error))?;
    let metadata = consumer
        .fetch_metadata(None, ANSWER)
        .map_err(|error| failed(config, "list the topics", error))?;
    let mut partitions = TopicPartitionList::new();
    let mut found = Vec::new();
    for topic in metadata.topics() {
        if topic.name().starts_with("__") {
            continue;
        }
        let leaderless = topic.partitions().iter().filter(|it| it.leader() < 0);
        found.push(TopicFacts {
            name: topic.name().to_owned(),
            partitions: topic.partitions().len(),
            leaderless: leaderless.count(),
            cleanup_policy: None,
            retention: None,
            lag: None,
        });
        for partition in topic.partitions() {
            partitions.add_partition(topic.name(), partition.id());
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    // A cluster that tells nothing of the group, or has none of this name, leaves the lag unknown.
    let Ok(committed) = consumer.committed_offsets(partitions, ANSWER) else {
        return Ok(found);
    };
    let mut lags: BTreeMap<&str, u64> = BTreeMap::new();
    let committed = committed.elements();
    for element in &committed {
        let Offset::Offset(offset) = element.offset() else {
            continue;
        };
        let ends = consumer.fetch_watermarks(element.topic(), element.partition(), ANSWER);
        let (_, end) =
            ends.map_err(|error| failed(config, "ask for the end of a partition", error))?;
        let behind = u64::try_from(end.saturating_sub(offset)).unwrap_or(0);
        *lags.entry(element.topic()).or_default() += behind;
    }
    for topic in &mut found {
        topic.lag = lags.get(topic.name.as_str()).copied();
    }
    Ok(found)
}

/// How long records stay. A topic that may not be asked about is left without.
async fn describe(config: &KafkaConfig, topics: &mut [TopicFacts]) -> Result<(), Error> {
    let admin: AdminClient<DefaultClientContext> = client_config(config)?
        .create()
        .map_err(|error| failed(config, "make a client", error))?;
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let asked: Vec<ResourceSpecifier<'_>> = names
        .iter()
        .map(|name| ResourceSpecifier::Topic(name))
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let options = AdminOptions::new().request_timeout(Some(ANSWER));
    let answers = admin
        .describe_configs(&asked, &options)
        .await
        .map_err(|error| failed(config, "ask for the settings of the topics", error))?;
    for (topic, answer) in topics.iter_mut().zip(answers) {
        let Ok(resource) = answer else {
            continue;
        };
        let value = |name| resource.get(name).and_then(|entry| entry.value.clone());
        topic.cleanup_policy = value("cleanup.policy");
        // -1 is without end.
        let millis = value("retention.ms").and_then(|text| text.parse::<u64>().ok());
        topic.retention = millis.map(Duration::from_millis);
    }
    Ok(())
}
