//! All connectors of a process, and the topics in which Kafka Connect keeps their settings, states and offsets.
//!
//! What stands in the settings topic is what runs. A change is written there before it has an effect.

mod load;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    WorkerConfig,
    config_topic::{TopicWriter, properties_record, target_record, task_records},
    instance::Connector,
    loggers::Loggers,
    state::{TargetState, TaskState, state_word},
    status_topic::StatusWriter,
    task::TaskContext,
    validation::{self, Finding, with_defaults},
};
use cdc::{Error, kafka::KafkaClient, metrics::ConnectorMetrics, sink::kafka::ActiveTopics};
use connector::{METRIC_TAGS, Providers, metric_tags, shown};

/// Why a request was not done.
#[derive(Debug)]
pub enum RefusedRequest {
    NotFound,
    Exists,
    /// The message of the answer.
    Invalid(String),
    /// Offsets can be changed only while stopped.
    NotStopped,
    Failed(Error),
}

impl From<Error> for RefusedRequest {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A connector as it is shown.
#[derive(Clone)]
pub struct ConnectorView {
    pub name: String,
    pub properties: BTreeMap<String, String>,
    pub target: TargetState,
    /// A stopped connector has none, nor one that is paused before it ever ran.
    pub has_task: bool,
    pub task: TaskState,
}

impl fmt::Debug for ConnectorView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorView")
            .field("name", &self.name)
            .field("properties", &shown(&self.properties))
            .field("target", &self.target)
            .field("has_task", &self.has_task)
            .field("task", &self.task)
            .finish()
    }
}

/// All connectors of a process.
pub struct Worker {
    pub(super) config: WorkerConfig,
    /// `worker_id` in every status.
    pub(super) id: String,
    pub(super) kafka: KafkaClient,
    pub(super) writer: TopicWriter,
    pub(super) loggers: Loggers,
    converter_defaults: Arc<BTreeMap<String, String>>,
    providers: Arc<Providers>,
    connectors: Mutex<BTreeMap<String, Connector>>,
    /// One change at a time, so that the config topic and the connectors agree.
    pub(super) changes: tokio::sync::Mutex<()>,
    ready: AtomicBool,
    /// What the worker waits for while it is not ready.
    waits_for: Mutex<String>,
    cluster_id: Mutex<Option<String>>,
}

impl Worker {
    /// # Errors
    /// A Kafka setting is wrong.
    pub fn new(config: WorkerConfig, id: String) -> Result<Self, Error> {
        let kafka = KafkaClient::new(&config.bootstrap_servers, &config.kafka_overrides)?;
        Ok(Self {
            writer: TopicWriter::new(kafka.clone()),
            kafka,
            id,
            loggers: Loggers::default(),
            converter_defaults: Arc::new(config.converter_defaults.clone()),
            providers: Arc::new(config.providers.clone()),
            config,
            connectors: Mutex::default(),
            changes: tokio::sync::Mutex::default(),
            ready: AtomicBool::new(false),
            waits_for: Mutex::new(
                "The worker is starting: it waits for Kafka and reads its connectors.".to_owned(),
            ),
            cluster_id: Mutex::default(),
        })
    }

    pub(super) fn connectors(&self) -> MutexGuard<'_, BTreeMap<String, Connector>> {
        self.connectors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The connectors of the config topic run.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// What the worker waits for while it is not ready.
    pub fn waits_for(&self) -> String {
        self.waits_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn wait_for(&self, reason: String) {
        *self
            .waits_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// The connectors whose task has failed.
    pub(super) fn failed(&self) -> Vec<String> {
        self.connectors()
            .iter()
            .filter(|(_, connector)| matches!(connector.task(), TaskState::Failed(_)))
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub fn show_secrets(&self) -> bool {
        self.config.show_secrets
    }

    pub fn cluster_id(&self) -> Option<String> {
        self.cluster_id
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn run(
        &self,
        name: String,
        properties: BTreeMap<String, String>,
        state: (TargetState, bool),
        topics: ActiveTopics,
    ) {
        let context = TaskContext {
            kafka: self.kafka.clone(),
            offset_topic: self.config.offset_topic.clone(),
            creates_topics: self.config.creates_topics,
            converter_defaults: Arc::clone(&self.converter_defaults),
            providers: Arc::clone(&self.providers),
            topics,
            status: Arc::default(),
            states: self.states(),
            rest_url: self.url(),
        };
        let connector = Connector::start(name.clone(), properties, state, context);
        self.connectors().insert(name, connector);
    }

    /// Where others reach the REST face.
    fn url(&self) -> String {
        let scheme = match self.config.rest_tls {
            Some(_) => "https",
            None => "http",
        };
        format!("{scheme}://{}", self.id)
    }

    fn states(&self) -> StatusWriter {
        StatusWriter {
            writer: self.writer.clone(),
            topic: self.config.status_topic.clone(),
            worker_id: self.id.clone(),
        }
    }

    async fn store(
        &self,
        name: &str,
        properties: Option<&BTreeMap<String, String>>,
        target: Option<TargetState>,
        task: Task<'_>,
    ) -> Result<(), Error> {
        let topic = &self.config.config_topic;
        let mut records = Vec::new();
        if let Some(target) = target {
            records.push(target_record(topic, name, Some(target))?);
        }
        if properties.is_some() {
            records.push(properties_record(topic, name, properties)?);
        }
        match task {
            Task::AsBefore => {}
            Task::None => records.extend(task_records(topic, name, None)?),
            Task::Of(properties) => records.extend(task_records(topic, name, Some(properties))?),
        }
        self.writer.write(records).await
    }

    pub fn names(&self) -> Vec<String> {
        self.connectors().keys().cloned().collect()
    }

    pub fn view(&self, name: &str) -> Option<ConnectorView> {
        self.connectors().get(name).map(|connector| ConnectorView {
            name: name.to_owned(),
            properties: connector.properties(),
            target: connector.target(),
            has_task: connector.has_task(),
            task: connector.task(),
        })
    }

    /// What may be shown of a text that the connector made with its settings: of those that come from elsewhere, the
    /// references.
    pub fn shown_of(&self, name: &str, text: &str) -> String {
        let refers = self
            .view(name)
            .is_some_and(|view| self.providers.serve(&view.properties));
        if refers {
            service::without_withheld(text).into_owned()
        } else {
            text.to_owned()
        }
    }

    /// The text with its references replaced, where the connector's settings have some, too.
    ///
    /// # Errors
    /// Why a reference has no value.
    pub fn resolved_for(&self, name: &str, text: &str) -> Result<String, String> {
        match self.view(name) {
            Some(view) if self.providers.serve(&view.properties) => self.providers.resolve(text),
            Some(_) | None => Ok(text.to_owned()),
        }
    }

    /// Topics written to, and to forget them.
    pub fn topics(&self, name: &str) -> Option<ActiveTopics> {
        self.connectors()
            .get(name)
            .map(|connector| connector.topics.clone())
    }

    /// Forget the topics that a connector has written to so far.
    pub async fn forget_topics(&self, name: &str) {
        if let Some(topics) = self.topics(name) {
            self.states().forget_topics(name, topics.forget()).await;
        }
    }

    /// Register a new connector.
    ///
    /// # Errors
    /// It exists, its settings are wrong, or its database refuses.
    pub async fn create(
        &self,
        name: &str,
        properties: BTreeMap<String, String>,
        target: TargetState,
    ) -> Result<ConnectorView, RefusedRequest> {
        let refuse_twice = || {
            let known = self.connectors().contains_key(name);
            (!known).then_some(()).ok_or(RefusedRequest::Exists)
        };
        refuse_twice()?;
        // A database that does not answer holds up nobody's changes.
        self.check(&properties).await?;
        let _change = self.changes.lock().await;
        refuse_twice()?;
        let task = Task::of_any(target.has_task(false), &properties);
        self.store(name, Some(&properties), Some(target), task)
            .await?;
        let state = (target, false);
        self.run(name.to_owned(), properties, state, ActiveTopics::default());
        self.view(name).ok_or(RefusedRequest::NotFound)
    }

    async fn check(&self, properties: &BTreeMap<String, String>) -> Result<(), RefusedRequest> {
        let properties = with_defaults(properties, &self.converter_defaults);
        validation::check(&properties, &self.providers)
            .await
            .map_err(RefusedRequest::Invalid)
    }

    /// What is wrong with settings that are not to be stored. A masked secret is that of the connector of this name.
    pub(super) async fn findings(
        &self,
        mut properties: BTreeMap<String, String>,
        mask: &str,
    ) -> Vec<Finding> {
        if let Some(current) = properties.get("name").and_then(|name| self.view(name)) {
            unmask(&mut properties, &current.properties, mask);
        }
        validation::findings(
            &with_defaults(&properties, &self.converter_defaults),
            &self.providers,
        )
        .await
    }

    /// Replace a connector's settings; it starts again with them. A masked secret stays what it is.
    ///
    /// # Errors
    /// It does not exist, its settings are wrong, or its database refuses.
    pub async fn replace(
        &self,
        name: &str,
        mut properties: BTreeMap<String, String>,
        mask: &str,
    ) -> Result<ConnectorView, RefusedRequest> {
        let current = self.view(name).ok_or(RefusedRequest::NotFound)?;
        unmask(&mut properties, &current.properties, mask);
        self.check(&properties).await?;
        let _change = self.changes.lock().await;
        let current = self.view(name).ok_or(RefusedRequest::NotFound)?;
        let task = Task::of_any(current.has_task, &properties);
        self.store(name, Some(&properties), None, task).await?;
        if let Some(connector) = self.connectors().get(name) {
            connector.set_properties(properties);
        }
        self.view(name).ok_or(RefusedRequest::NotFound)
    }

    /// Pause, stop or resume.
    ///
    /// # Errors
    /// It does not exist, or Kafka does not answer.
    pub async fn set_target(&self, name: &str, target: TargetState) -> Result<(), RefusedRequest> {
        let _change = self.changes.lock().await;
        let view = self.view(name).ok_or(RefusedRequest::NotFound)?;
        let task = match (view.has_task, target.has_task(view.has_task)) {
            (false, true) => Task::Of(&view.properties),
            (true, false) => Task::None,
            _ => Task::AsBefore,
        };
        self.store(name, None, Some(target), task).await?;
        if let Some(connector) = self.connectors().get(name) {
            connector.set_target(target);
        }
        Ok(())
    }

    /// # Errors
    /// It does not exist.
    pub fn restart(&self, name: &str) -> Result<(), RefusedRequest> {
        self.connectors()
            .get(name)
            .map(Connector::restart)
            .ok_or(RefusedRequest::NotFound)
    }

    /// Forget a connector; its offsets, its slot and its publication stay.
    ///
    /// # Errors
    /// It does not exist, or Kafka does not answer.
    pub async fn delete(&self, name: &str) -> Result<(), RefusedRequest> {
        let _change = self.changes.lock().await;
        self.view(name).ok_or(RefusedRequest::NotFound)?;
        let topic = &self.config.config_topic;
        self.writer
            .write(vec![
                properties_record(topic, name, None)?,
                target_record(topic, name, None)?,
            ])
            .await?;
        self.forget_topics(name).await;
        let connector = self.connectors().remove(name);
        if let Some(connector) = connector {
            connector.end().await;
        }
        self.states().write(name, None, None).await;
        Ok(())
    }

    pub(super) fn metrics(&self) -> Vec<ConnectorMetrics> {
        self.connectors()
            .iter()
            .map(|(name, connector)| ConnectorMetrics {
                connector: name.clone(),
                tags: connector
                    .properties()
                    .get(METRIC_TAGS)
                    .and_then(|text| metric_tags(text).ok())
                    .unwrap_or_default(),
                state: state_word(connector.target(), &connector.task()),
                status: Arc::clone(&connector.status),
            })
            .collect()
    }

    /// End every task; what they have is delivered first. The settings stay.
    pub async fn stop_all(&self) {
        let connectors = std::mem::take(&mut *self.connectors());
        futures::future::join_all(connectors.into_values().map(Connector::end)).await;
    }
}

/// What the config topic is to say of a connector's task.
#[derive(Clone, Copy)]
enum Task<'a> {
    AsBefore,
    None,
    /// One with these settings.
    Of(&'a BTreeMap<String, String>),
}

impl<'a> Task<'a> {
    fn of_any(has_task: bool, properties: &'a BTreeMap<String, String>) -> Self {
        if has_task {
            Self::Of(properties)
        } else {
            Self::AsBefore
        }
    }
}

/// A masked secret stays what it is.
fn unmask(
    properties: &mut BTreeMap<String, String>,
    current: &BTreeMap<String, String>,
    mask: &str,
) {
    for (property, value) in properties {
        if value == mask
            && let Some(secret) = current.get(property)
        {
            value.clone_from(secret);
        }
    }
}
