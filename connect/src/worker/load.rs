//! What a worker does first: its topics, the connectors that are in them, and the connector files; and what it does where
//! another worker runs them.

use std::sync::{PoisonError, atomic::Ordering};

use super::{
    super::{
        WorkerConfig,
        config_topic::{self, StoredConnector},
        status_topic,
        validation::with_defaults,
    },
    Task, Worker,
};
use cdc::{
    Error, ErrorKind,
    blocking::blocking,
    kafka::{EnsuredTopic, TopicSpec, Topics},
    sink::kafka::ActiveTopics,
};
use connector::{ConnectorFile, load_connectors_folder};

impl Worker {
    /// Make sure of the worker's topics.
    ///
    /// # Errors
    /// Kafka does not answer, a topic is of another kind than it must be, or a connector file is wrong.
    pub async fn prepare(&self) -> Result<(), Error> {
        self.files()?;
        let (kafka, config) = (self.kafka.clone(), self.config.clone());
        let cluster_id = blocking("look at the worker's topics", move || {
            let topics = Topics::new(&kafka)?;
            let replicas = config.replication_factor;
            let specs = [
                TopicSpec::compacted(&config.config_topic, 1, replicas),
                TopicSpec::compacted(&config.offset_topic, config.offset_partitions, replicas),
                TopicSpec::compacted(&config.status_topic, config.status_partitions, replicas),
            ];
            let ensured = topics.ensure(&specs)?;
            check_internal(&topics, &config, &ensured)?;
            Ok(topics.cluster_id())
        })
        .await?;
        *self
            .cluster_id
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = cluster_id;
        Ok(())
    }

    /// End every task: another worker runs the connectors from now on.
    pub async fn stand_by(&self, reason: String) {
        self.ready.store(false, Ordering::Release);
        self.wait_for(reason);
        let _change = self.changes.lock().await;
        self.stop_all().await;
    }

    /// Read the config topic, start what is in it, and register the connector files.
    ///
    /// # Errors
    /// Kafka does not answer, or a file is wrong.
    pub async fn load(&self) -> Result<(), Error> {
        let _change = self.changes.lock().await;
        let files = self.files()?;
        let (kafka, config) = (self.kafka.clone(), self.config.clone());
        let (mut stored, mut topics_of) = blocking("read the worker's topics", move || {
            let stored = config_topic::read(&kafka, &config.config_topic)?;
            let topics_of = status_topic::read_topics(&kafka, &config.status_topic)?;
            Ok((stored, topics_of))
        })
        .await?;
        for file in files {
            let known = stored.get(&file.name);
            if known.is_some_and(|known| known.properties == file.properties) {
                continue;
            }
            tracing::info!(connector = %file.name, known = known.is_some(), "registering the connector file");
            let target = known.map(|known| known.target).unwrap_or_default();
            let has_task = target.has_task(known.is_some_and(|known| known.has_task));
            let task = Task::of_any(has_task, &file.properties);
            self.store(&file.name, Some(&file.properties), None, task)
                .await?;
            stored.insert(
                file.name,
                StoredConnector {
                    properties: file.properties,
                    target,
                    has_task,
                },
            );
        }
        for (name, connector) in stored {
            let topics = ActiveTopics::default();
            topics.restore(topics_of.remove(&name).unwrap_or_default());
            let state = (connector.target, connector.has_task);
            self.run(name, connector.properties, state, topics);
        }
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// The connector files, checked: what is wrong with them is told before anything is waited for.
    fn files(&self) -> Result<Vec<ConnectorFile>, Error> {
        let mut files = self.config.connectors.clone();
        if let Some(folder) = &self.config.connectors_folder {
            files.extend(load_connectors_folder(folder).map_err(connector::Error::into_kind)?);
        }
        for file in &files {
            let attempted = || format!("register connector `{}`", file.name);
            if let Some(elsewhere) = &file.bootstrap_servers
                && *elsewhere != self.config.bootstrap_servers
            {
                let attempted = format!("{}: it is for Kafka at `{elsewhere}`", attempted());
                return Err(Error::new(ErrorKind::Configuration, attempted).with_hint(format!(
                    "this worker is at `{}`: remove `debezium.sink.kafka.producer.bootstrap.servers`, or run another worker",
                    self.config.bootstrap_servers
                )));
            }
            self.providers
                .parse(&with_defaults(&file.properties, &self.converter_defaults))
                .map_err(|report| {
                    Error::new(ErrorKind::Configuration, attempted()).with_source(report)
                })?;
        }
        Ok(files)
    }
}

/// What Kafka Connect demands of its topics, too: with another policy settings and positions are lost after a while, and
/// with several partitions the order of changes to the settings.
///
/// # Errors
/// A topic is of another kind.
fn check_internal(
    topics: &Topics,
    config: &WorkerConfig,
    ensured: &[EnsuredTopic],
) -> Result<(), Error> {
    let named = [
        ("config.storage.topic", &config.config_topic),
        ("offset.storage.topic", &config.offset_topic),
        ("status.storage.topic", &config.status_topic),
    ];
    let found = topics.cleanup_policies(&named.map(|(_, topic)| topic.as_str()))?;
    for (property, topic) in named {
        let Some(policy) = found.get(topic).filter(|policy| *policy != "compact") else {
            continue;
        };
        let attempted =
            format!("use the topic `{topic}` of `{property}`: its cleanup.policy is `{policy}`");
        return Err(Error::new(ErrorKind::Configuration, attempted).with_hint(format!(
            "what it holds would be deleted: kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config cleanup.policy=compact, or name another topic"
        )));
    }
    if let Some(EnsuredTopic { partitions, .. }) = ensured.first()
        && *partitions != 1
    {
        let topic = &config.config_topic;
        let attempted = format!(
            "use the topic `{topic}` of `config.storage.topic`: it has {partitions} partitions"
        );
        return Err(Error::new(ErrorKind::Configuration, attempted)
            .with_hint("settings are in order only within one partition: name a topic with one, or one that does not exist and is made"));
    }
    Ok(())
}
