//! A Kafka broker of a test's own.

mod broker;
mod records;
mod security;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::util::Timeout;
use tempfile::TempDir;

use crate::child::{Child, Lifetime};
use crate::{Identity, free_port, port, until};

pub use broker::{Broker, answers};
pub use records::{Header, Record};

/// The Java machine needs a few seconds, many more while both cores compile.
const START: Duration = Duration::from_secs(120);
const REQUEST: Duration = Duration::from_secs(20);

/// Listeners of a [`Kafka`] with TLS, beside the one without; both by the name `localhost`.
#[derive(Clone, Debug)]
pub struct KafkaSecurity {
    pub server: Identity,
    /// The root of clients' certificates, in PEM: the listener without SASL demands one.
    pub client_root: Option<String>,
    /// Names and passwords, for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 alike.
    pub users: Vec<(String, String)>,
}

/// How a [`Kafka`] differs from the usual test broker.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// Java heap, MiB.
    pub heap_mib: u32,
    /// Further lines of `server.properties`, which win over ours.
    pub properties: Vec<(String, String)>,
    pub security: Option<KafkaSecurity>,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            heap_mib: 512,
            properties: Vec::new(),
            security: None,
        }
    }
}

/// What a topic was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Replicas of each partition.
    pub replicas: Vec<usize>,
    /// Settings that are not the broker's.
    pub settings: BTreeMap<String, String>,
}

/// A single Apache Kafka node (KRaft, broker and controller in one) in a temporary folder.
#[derive(Debug)]
pub struct Kafka {
    process: Mutex<Child>,
    port: u16,
    sasl_ssl: u16,
    ssl: u16,
    broker: Broker,
    // removed after the broker is gone
    _folder: TempDir,
}

impl Kafka {
    /// Starts a node with the default options.
    pub async fn start() -> Result<Self> {
        Self::start_with(KafkaOptions::default()).await
    }

    /// Formats a new log folder and starts a node on it.
    pub async fn start_with(options: KafkaOptions) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tributary-kafka-")
            .tempdir()
            .context("make a folder")?;
        let broker = Broker {
            home: folder.path().to_owned(),
            data: folder.path().join("data"),
            cluster_id: broker::new_cluster_id(),
            heap: vec!["-Xms128m".to_owned(), format!("-Xmx{}m", options.heap_mib)],
            scram: security::scram(options.security.as_ref()),
        };
        let (port, controller) = (free_port()?, free_port()?);
        let (sasl_ssl, ssl) = (free_port()?, free_port()?);
        let mut ours = broker::single_node(port, controller);
        if let Some(with) = &options.security {
            ours.extend(security::listeners(
                with,
                &broker.home,
                [port, controller, sasl_ssl, ssl],
            )?);
        }
        broker.write_config(
            ours.iter()
                .chain(&options.properties)
                .map(|(name, value)| (&**name, &**value)),
        )?;
        broker.format().await?;
        let process = Mutex::new(broker.launch(Lifetime::Owned).await?);
        let kafka = Self {
            process,
            port,
            sasl_ssl,
            ssl,
            broker,
            _folder: folder,
        };
        kafka.ready().await?;
        Ok(kafka)
    }

    /// `host:port` for clients.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `host:port` of the listener with SASL over TLS, where there is security.
    pub fn bootstrap_sasl_ssl(&self) -> String {
        format!("localhost:{}", self.sasl_ssl)
    }

    /// `host:port` of the listener with TLS alone, where there is security.
    pub fn bootstrap_ssl(&self) -> String {
        format!("localhost:{}", self.ssl)
    }

    /// TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The broker's log file.
    pub fn log(&self) -> PathBuf {
        self.broker.log()
    }

    /// Pid of the Java machine, the last one where it has ended.
    pub fn pid(&self) -> u32 {
        self.child().pid()
    }

    /// Creates a topic with the broker's default settings and waits until its partitions have leaders.
    pub async fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        self.create_topic_with(name, partitions, &[]).await
    }

    /// Creates a topic with settings such as `("cleanup.policy", "compact")`.
    pub async fn create_topic_with(
        &self,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<()> {
        let topic = settings.iter().fold(
            NewTopic::new(name, partitions, TopicReplication::Fixed(1)),
            |topic, (key, value)| topic.set(key, value),
        );
        let results = self
            .admin()?
            .create_topics([&topic], &admin_options())
            .await;
        one(results.with_context(|| format!("create topic `{name}`"))?)?;
        until(&format!("leaders of topic `{name}`"), REQUEST, async || {
            Ok((self.partitions(name).await? == partitions).then_some(()))
        })
        .await
    }

    /// Deletes a topic and waits until it is gone.
    pub async fn delete_topic(&self, name: &str) -> Result<()> {
        let results = self.admin()?.delete_topics(&[name], &admin_options()).await;
        one(results.with_context(|| format!("delete topic `{name}`"))?)?;
        until(&format!("topic `{name}` to go"), REQUEST, async || {
            Ok((!self.topics().await?.iter().any(|topic| topic == name)).then_some(()))
        })
        .await
    }

    /// The names of all topics, sorted.
    pub async fn topics(&self) -> Result<Vec<String>> {
        self.with_consumer(|consumer| {
            let metadata = consumer
                .fetch_metadata(None, REQUEST)
                .context("list the topics")?;
            let mut names: Vec<String> = metadata
                .topics()
                .iter()
                .map(|topic| topic.name().to_owned())
                .collect();
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    /// Partitions, replicas of each, and the settings that are the topic's own.
    pub async fn describe_topic(&self, name: &str) -> Result<TopicDescription> {
        let topic = name.to_owned();
        let replicas = self
            .with_consumer(move |consumer| {
                let metadata = consumer
                    .fetch_metadata(Some(&topic), REQUEST)
                    .context("look at a topic")?;
                let partitions = metadata.topics().iter().flat_map(|t| t.partitions());
                Ok(partitions.map(|p| p.replicas().len()).collect())
            })
            .await?;
        let resource = ResourceSpecifier::Topic(name);
        let described = self
            .admin()?
            .describe_configs([&resource], &admin_options())
            .await
            .with_context(|| format!("describe topic `{name}`"))?;
        let mut settings = BTreeMap::new();
        for resource in described {
            let resource = resource.map_err(|code| anyhow::anyhow!("describe `{name}`: {code}"))?;
            let own = resource.entries.into_iter();
            let own = own.filter(|entry| entry.source == ConfigSource::DynamicTopic);
            settings.extend(own.filter_map(|entry| Some((entry.name, entry.value?))));
        }
        Ok(TopicDescription { replicas, settings })
    }

    /// How many partitions of `topic` have a leader now.
    async fn partitions(&self, topic: &str) -> Result<i32> {
        let topic = topic.to_owned();
        self.with_consumer(move |consumer| {
            let metadata = consumer
                .fetch_metadata(Some(&topic), REQUEST)
                .context("look at a topic")?;
            let led = metadata
                .topics()
                .iter()
                .flat_map(|t| t.partitions())
                .filter(|p| p.leader() >= 0)
                .count();
            i32::try_from(led).context("count partitions")
        })
        .await
    }

    /// Kills the broker without warning.
    pub fn kill9(&self) -> Result<()> {
        self.child().kill()
    }

    /// Stops the broker in good order and waits for its end.
    pub async fn stop(&self) -> Result<()> {
        self.child().signal(rustix::process::Signal::TERM)?;
        until("Kafka to stop", START, async || self.child().status()).await?;
        Ok(())
    }

    /// Starts the broker again on the same data and the same port, stopping it first where it runs.
    pub async fn restart(&self) -> Result<()> {
        if self.child().status()?.is_none() {
            self.stop().await?;
        }
        let child = self.broker.launch(Lifetime::Owned).await?;
        *self.child() = child;
        self.ready().await
    }

    /// Waits until the broker that was started here answers with the id of the cluster made for it.
    async fn ready(&self) -> Result<()> {
        let ready = until("Kafka to answer", START, async || {
            // an ended process will never answer: give that up at once, as a value
            if let Err(error) = self.child().expect_running() {
                return Ok(Some(Err(error)));
            }
            if !port::listens(self.pid(), self.port) {
                return Ok(None);
            }
            let (bootstrap, cluster_id) = (self.bootstrap(), self.broker.cluster_id.clone());
            let answers =
                tokio::task::spawn_blocking(move || answers(&bootstrap, &cluster_id)).await??;
            Ok(answers.then_some(Ok(())))
        });
        ready.await?
    }

    /// Runs blocking calls of a consumer that belongs to no group.
    async fn with_consumer<T, F>(&self, call: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(BaseConsumer) -> Result<T> + Send + 'static,
    {
        let config = self.client_config();
        let call = move || call(config.create().context("make a Kafka consumer")?);
        tokio::task::spawn_blocking(call)
            .await
            .context("run a Kafka request")?
    }

    fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.bootstrap())
            .set("group.id", "stack")
            .set("enable.auto.commit", "false")
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "200");
        config
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>> {
        self.client_config()
            .create()
            .context("make a Kafka admin client")
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(Timeout::After(REQUEST)))
        .operation_timeout(Some(Timeout::After(REQUEST)))
}

/// The outcome of an admin request about one topic.
fn one(results: Vec<rdkafka::admin::TopicResult>) -> Result<()> {
    for result in results {
        if let Err((topic, code)) = result {
            bail!("topic `{topic}`: the broker answers {code}");
        }
    }
    Ok(())
}
