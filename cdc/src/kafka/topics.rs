//! Looks topics up and makes those that are missing, with the settings of `topic.creation.*`.
//!
//! A topic counts as there once its partitions have leaders.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    consumer::{BaseConsumer, Consumer as _},
    metadata::Metadata,
    types::RDKafkaErrorCode,
};

use super::{
    client::{KafkaClient, LogContext},
    failure::{failed, kind_of, not_let_in},
};
use crate::{Error, ErrorKind, error::defect};
use connector::TopicCreation;

/// Long enough for a cluster that elects leaders, short enough that a wrong address is told soon.
const REQUEST: Duration = Duration::from_secs(20);
/// One turn of waiting for an answer.
const TURN: Duration = Duration::from_secs(1);
/// The first turn: what is waited for is told after it.
const FIRST_TURN: Duration = Duration::from_millis(300);
/// How often the cluster is asked whether a new topic is there.
const LOOK: Duration = Duration::from_millis(20);

/// A topic that must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    /// -1 asks for the broker's default.
    pub partitions: i32,
    /// -1 asks for the broker's default.
    pub replication_factor: i32,
    pub config: BTreeMap<String, String>,
}

impl TopicSpec {
    /// A topic that keeps the last record of each key.
    pub fn compacted(name: &str, partitions: i32, replication_factor: i32) -> Self {
        Self {
            name: name.to_owned(),
            partitions,
            replication_factor,
            config: BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]),
        }
    }

    /// A topic of events.
    pub fn events(name: &str, creation: &TopicCreation) -> Self {
        let settings = creation.settings(name);
        Self {
            name: name.to_owned(),
            partitions: settings.partitions,
            replication_factor: settings.replication_factor,
            config: settings.config.clone(),
        }
    }
}

/// Looks up topics and creates those that are missing. Its calls block.
pub struct Topics {
    admin: AdminClient<LogContext>,
    client: KafkaClient,
    address: String,
}

impl Topics {
    /// # Errors
    /// A client setting is wrong.
    pub fn new(client: &KafkaClient) -> Result<Self, Error> {
        let admin = client
            .config()
            .create_with_context(LogContext::default())
            .map_err(|error| failed("make a Kafka admin client", error))?;
        Ok(Self {
            admin,
            client: client.clone(),
            address: client.bootstrap_servers().to_owned(),
        })
    }

    /// The id of the cluster, when it answers in time.
    pub fn cluster_id(&self) -> Option<String> {
        self.admin.inner().fetch_cluster_id(REQUEST)
    }

    /// All topics with the number of their partitions, 0 while one has no leader.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub fn partitions(&self) -> Result<HashMap<String, i32>, Error> {
        // All topics, not one: asking for one that is missing can make the broker create it with its own defaults.
        let metadata = self.metadata()?;
        Ok(metadata
            .topics()
            .iter()
            .map(|topic| {
                let led = topic
                    .partitions()
                    .iter()
                    .all(|partition| partition.leader() >= 0);
                let count = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
                (topic.name().to_owned(), if led { count } else { 0 })
            })
            .collect())
    }

    fn metadata(&self) -> Result<Metadata, Error> {
        match self.admin.inner().fetch_metadata(None, TURN) {
            Ok(metadata) => Ok(metadata),
            Err(_) => self.metadata_or_reason(),
        }
    }

    /// Asked in short turns by a client that hears what the brokers say: that they let nobody in is told at once, not
    /// after the whole wait.
    fn metadata_or_reason(&self) -> Result<Metadata, Error> {
        let attempted = || format!("list the topics of Kafka at `{}`", self.address);
        let context = LogContext::default();
        let listener: BaseConsumer<LogContext> = self
            .client
            .config()
            .create_with_context(context.clone())
            .map_err(|error| failed(attempted(), error))?;
        let deadline = Instant::now() + REQUEST;
        let mut silent = true;
        loop {
            let turn = if silent { FIRST_TURN } else { TURN };
            let error = match listener.fetch_metadata(None, turn) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => error,
            };
            // Their errors come by polling; a consumer without topics has no records.
            while listener.poll(Duration::ZERO).is_some() {}
            if std::mem::take(&mut silent) && context.refusal().is_none() {
                let reason = context.last_error().unwrap_or_else(|| error.to_string());
                tracing::warn!(reason, "waiting for Kafka at `{}`", self.address);
            }
            match context.refusal() {
                Some(refusal) if refusal.is_final() || Instant::now() >= deadline => {
                    return Err(not_let_in(attempted(), refusal));
                }
                None if Instant::now() >= deadline => return Err(failed(attempted(), error)),
                _ => {}
            }
        }
    }

    /// Make sure that the topics exist and have leaders. Answers how many partitions each has, and whether it is new.
    ///
    /// # Errors
    /// A topic cannot be created, or has no leader within 20 s.
    pub fn ensure(&self, specs: &[TopicSpec]) -> Result<Vec<EnsuredTopic>, Error> {
        let known = self.partitions()?;
        let missing: Vec<&TopicSpec> = specs
            .iter()
            .filter(|spec| !known.contains_key(&spec.name))
            .collect();
        if !missing.is_empty() {
            self.create(&missing)?;
        }
        self.with_leaders(specs, known)
    }

    /// As `ensure`, of topics of events. Where creation is not `enabled` they are made by the brokers or by somebody else:
    /// asking for one is what makes brokers with `auto.create.topics.enable` do it.
    ///
    /// # Errors
    /// As `ensure`; or nobody makes a topic within 20 s.
    pub fn ensure_events(
        &self,
        specs: &[TopicSpec],
        enabled: bool,
    ) -> Result<Vec<EnsuredTopic>, Error> {
        if enabled {
            return self.ensure(specs);
        }
        let known = self.partitions()?;
        for spec in specs.iter().filter(|spec| !known.contains_key(&spec.name)) {
            // Whether it worked shows in the list of all topics.
            let _ = self.admin.inner().fetch_metadata(Some(&spec.name), TURN);
        }
        self.with_leaders(specs, known).map_err(|error| {
            error.with_hint(
                "topic.creation.enable of the worker is false: create the topic, let the brokers do it (auto.create.topics.enable), or set topic.creation.enable to true",
            )
        })
    }

    /// `cleanup.policy` of topics. One that may not be asked about is left out: it was not made by us, and the
    /// people who run the cluster know it.
    ///
    /// # Errors
    /// Kafka does not answer.
    pub fn cleanup_policies(&self, names: &[&str]) -> Result<BTreeMap<String, String>, Error> {
        let asked: Vec<ResourceSpecifier<'_>> = names
            .iter()
            .map(|name| ResourceSpecifier::Topic(name))
            .collect();
        let options = AdminOptions::new().request_timeout(Some(REQUEST));
        let answers = futures::executor::block_on(self.admin.describe_configs(&asked, &options))
            .map_err(|error| {
                failed(
                    format!(
                        "ask for the settings of the topics `{}`",
                        names.join("`, `")
                    ),
                    error,
                )
            })?;
        let mut policies = BTreeMap::new();
        for (name, answer) in names.iter().zip(answers) {
            match answer {
                Ok(resource) => {
                    let policy = resource.get("cleanup.policy");
                    let policy = policy.and_then(|entry| entry.value.clone());
                    policies.extend(policy.map(|policy| ((*name).to_owned(), policy)));
                }
                Err(code) => {
                    tracing::warn!(topic = name, %code, "the topic's cleanup.policy cannot be asked for: see that it is `compact`");
                }
            }
        }
        Ok(policies)
    }

    /// Wait until all have leaders; those that are not in `before` are new.
    fn with_leaders(
        &self,
        specs: &[TopicSpec],
        before: HashMap<String, i32>,
    ) -> Result<Vec<EnsuredTopic>, Error> {
        let deadline = Instant::now() + REQUEST;
        let mut known = before.clone();
        while let Some(spec) = specs.iter().find(|spec| {
            known
                .get(&spec.name)
                .is_none_or(|partitions| *partitions == 0)
        }) {
            if Instant::now() > deadline {
                return Err(Error::new(
                    ErrorKind::Delivery,
                    format!("wait for the leaders of topic `{}`", spec.name),
                ));
            }
            std::thread::sleep(LOOK);
            known = self.partitions()?;
        }
        let ensured = specs.iter().map(|spec| match known.get(&spec.name) {
            Some(&partitions) if partitions > 0 => Ok(EnsuredTopic {
                partitions,
                created: !before.contains_key(&spec.name),
            }),
            // Records would be put where no consumer of the table looks.
            other => Err(defect(
                "a topic that was waited for has partitions",
                format_args!("{other:?} of `{}`", spec.name),
            )),
        });
        ensured.collect()
    }

    fn create(&self, specs: &[&TopicSpec]) -> Result<(), Error> {
        let topics: Vec<NewTopic<'_>> = specs
            .iter()
            .map(|spec| {
                spec.config.iter().fold(
                    NewTopic::new(
                        &spec.name,
                        spec.partitions,
                        TopicReplication::Fixed(spec.replication_factor),
                    ),
                    |topic, (name, value)| topic.set(name, value),
                )
            })
            .collect();
        let options = AdminOptions::new()
            .request_timeout(Some(REQUEST))
            .operation_timeout(Some(REQUEST));
        let results = futures::executor::block_on(self.admin.create_topics(&topics, &options))
            .map_err(|error| {
                let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
                failed(format!("create the topics `{}`", names.join("`, `")), error)
            })?;
        for result in results {
            match result {
                Ok(topic) => tracing::info!(topic, "created a topic"),
                // Somebody was faster.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    return Err(
                        Error::new(kind_of(code), format!("create the topic `{topic}`"))
                            .with_source(code),
                    );
                }
            }
        }
        Ok(())
    }
}

/// A topic after [`Topics::ensure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnsuredTopic {
    pub partitions: i32,
    /// It did not exist before: nothing can be in it yet.
    pub created: bool,
}
