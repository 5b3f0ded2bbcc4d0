//! The Kafka Connect face: connectors by REST, their settings in a compacted topic, each one a supervised task.
//!
//! ```text
//! REST --> Worker --> ConnectorConfigs (config topic)
//!                 \-> Connector (one task each: KafkaSink + pipeline)
//! ```

mod basic_auth;
mod config_topic;
mod definition;
mod instance;
mod loggers;
mod offsets;
mod plugin;
mod rest;
mod state;
mod status_topic;
mod task;
mod validation;
mod worker;
mod worker_properties;

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use service::{Backoff, Door};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use basic_auth::BasicAuth;
use cdc::{
    Disposition, Error, ErrorKind,
    kafka::lease::{Lease, LeaseState},
};
use connector::{ConnectorFile, Providers, shown};
pub use rest::RestTls;
pub use state::{TargetState, TaskState};
pub use worker::Worker;
pub use worker_properties::property_of_variable;

/// What the version claims to be: tools choose by it what they ask for.
pub const CONNECT_VERSION: &str = "3.9.1";
/// The connector whose contract is kept.
pub const PLUGIN_VERSION: &str = "2.7.3.Final";

/// As long as Kafka Connect's server waits for a connection that is silent.
const REST_PATIENCE: Duration = Duration::from_secs(30);

/// Settings of a worker, named as Kafka Connect's (`group.id`, `config.storage.topic` ...).
#[derive(Clone)]
pub struct WorkerConfig {
    pub bootstrap_servers: String,
    pub group_id: String,
    pub config_topic: String,
    pub offset_topic: String,
    pub status_topic: String,
    /// Partitions of the offset and status topics where they have to be made.
    pub offset_partitions: i32,
    pub status_partitions: i32,
    /// Replicas of the three topics where they have to be made; -1 is the broker's default.
    pub replication_factor: i32,
    /// `topic.creation.enable`: topics of events that do not exist are created. Else the brokers may do it.
    pub creates_topics: bool,
    pub rest_listen: SocketAddr,
    /// Who may use the REST face; everybody without it.
    pub rest_auth: Option<BasicAuth>,
    /// TLS of the REST face; plain HTTP without it.
    pub rest_tls: Option<RestTls>,
    /// Names that the REST face is reached by, beside loopback names, addresses and `advertised`; see `service::Door`.
    pub allowed_hosts: Vec<String>,
    /// How long a client may take over the head of a request, and over its body; a connection may be idle for as long.
    pub rest_patience: Duration,
    /// `host:port` under which others reach the REST face; the listening address without it.
    pub advertised: Option<String>,
    /// `*.json` and `*.properties` files that are registered at start, where they are absent or differ.
    pub connectors_folder: Option<PathBuf>,
    /// Connectors from elsewhere that are registered as those of the folder are.
    pub connectors: Vec<ConnectorFile>,
    /// Settings of all Kafka clients, by Kafka's names.
    pub kafka_overrides: BTreeMap<String, String>,
    /// What connectors inherit that do not say it: `key.converter`, `value.converter` and what is below them, and
    /// `producer.override.*` of what the worker has below `producer.`.
    pub converter_defaults: BTreeMap<String, String>,
    /// Where `${...}` in connectors' settings leads: `config.providers`.
    pub providers: Providers,
    /// Show passwords in answers, as Kafka Connect does.
    pub show_secrets: bool,
}

/// Values of overrides and defaults may be passwords.
impl fmt::Debug for WorkerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerConfig")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("group_id", &self.group_id)
            .field("config_topic", &self.config_topic)
            .field("offset_topic", &self.offset_topic)
            .field("status_topic", &self.status_topic)
            .field("rest_listen", &self.rest_listen)
            .field("rest_auth", &self.rest_auth)
            .field("rest_tls", &self.rest_tls)
            .field("connectors", &self.connectors)
            .field("kafka_overrides", &shown(&self.kafka_overrides))
            .field("converter_defaults", &shown(&self.converter_defaults))
            .finish_non_exhaustive()
    }
}

impl WorkerConfig {
    /// Kafka Connect's usual names.
    pub fn new(bootstrap_servers: impl Into<String>, rest_listen: SocketAddr) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.into(),
            group_id: "tributary".to_owned(),
            config_topic: "connect_configs".to_owned(),
            offset_topic: "connect_offsets".to_owned(),
            status_topic: "connect_statuses".to_owned(),
            offset_partitions: 1,
            status_partitions: 1,
            replication_factor: -1,
            creates_topics: true,
            rest_listen,
            rest_auth: None,
            rest_tls: None,
            allowed_hosts: Vec::new(),
            rest_patience: REST_PATIENCE,
            advertised: None,
            connectors_folder: None,
            connectors: Vec::new(),
            kafka_overrides: BTreeMap::new(),
            converter_defaults: BTreeMap::new(),
            providers: Providers::default(),
            show_secrets: false,
        }
    }
}

/// Serve the REST face and run the connectors until `stop`. While Kafka cannot be reached, or another worker runs the
/// connectors of the same topic, the worker waits, and the REST face answers 503.
///
/// # Errors
/// The address cannot be listened on, a setting or a connector file is wrong, or Kafka refuses.
pub async fn run_worker(config: WorkerConfig, stop: CancellationToken) -> Result<(), Error> {
    let listener = listen(config.rest_listen).await?;
    run_worker_on(listener, config, stop).await
}

/// As `run_worker`, on a listener that is open already.
///
/// # Errors
/// As `run_worker`.
pub async fn run_worker_on(
    listener: TcpListener,
    config: WorkerConfig,
    stop: CancellationToken,
) -> Result<(), Error> {
    let address = listener.local_addr().map_err(|error| {
        Error::new(ErrorKind::Configuration, "ask for the REST address").with_source(error)
    })?;
    let advertised = config
        .advertised
        .clone()
        .unwrap_or_else(|| address.to_string());
    let (tls, patience) = (config.rest_tls.clone(), config.rest_patience);
    let door = door(&config, &advertised);
    let worker = Arc::new(Worker::new(config, advertised)?);
    let serving = stop.child_token();
    let (router, end) = (rest::router(Arc::clone(&worker), door), serving.clone());
    let server = match tls {
        None => tokio::spawn(rest::serve(listener, router, patience, end)),
        Some(tls) => {
            let listener = rest::TlsListener::new(&tls, listener)?;
            tokio::spawn(rest::serve(listener, router, patience, end))
        }
    };
    let outcome = run(&worker, &stop).await;
    worker.stop_all().await;
    serving.cancel();
    // Open keep-alive connections end with the process; nobody waits for them.
    let _ = tokio::time::timeout(Duration::from_secs(1), server).await;
    outcome
}

fn door(config: &WorkerConfig, advertised: &str) -> Door {
    let allowed = config.allowed_hosts.iter().map(String::as_str);
    let setting = "cdc.allowed_hosts (TRIBUTARY_CDC__ALLOWED_HOSTS; rest.allowed.hosts of the worker's properties)";
    let door = Door::new(allowed, setting).and(advertised);
    match config.rest_tls {
        Some(_) => door.behind_tls(),
        None => door,
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = service::listening_hint(&error);
        Error::new(
            ErrorKind::Configuration,
            format!("listen for REST requests on `{address}`"),
        )
        .with_source(error)
        .with_hint(hint)
    })
}

/// Run the connectors while no other worker does.
async fn run(worker: &Arc<Worker>, stop: &CancellationToken) -> Result<(), Error> {
    if !patiently(stop, || worker.prepare()).await? {
        return Ok(());
    }
    let lease = Lease::seek(&worker.kafka, &worker.config.config_topic, &worker.id)?;
    let mut state = lease.state();
    loop {
        let now = state.borrow_and_update().clone();
        match now {
            LeaseState::Held if worker.is_ready() => {}
            LeaseState::Held => {
                if !patiently(stop, || worker.load()).await? {
                    return Ok(());
                }
                tracing::info!(address = %worker.id, "the Kafka Connect REST face is ready");
            }
            LeaseState::Sought => {}
            LeaseState::Elsewhere(other) => {
                let topic = &worker.config.config_topic;
                let reason = format!(
                    "The worker {other} runs the connectors of the topic `{topic}`. This one stands by until that one has ended."
                );
                tracing::warn!(%other, %topic, "another worker runs the connectors of this topic: this one stands by until that one has ended");
                worker.stand_by(reason).await;
            }
            LeaseState::Refused { kind, reason, hint } => {
                let attempted = format!(
                    "run the connectors of the topic `{}` as a member of the group `{}`",
                    worker.config.config_topic,
                    lease.group()
                );
                return Err(Error::new(kind, attempted)
                    .with_source(reason)
                    .with_hint(hint));
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = state.changed() => if changed.is_err() {
                return Err(Error::new(
                    ErrorKind::Delivery,
                    format!("follow the group `{}`: its thread has ended", lease.group()),
                ));
            }
        }
    }
}

/// Try until it works. False: it was asked to stop.
async fn patiently<F, Fut>(stop: &CancellationToken, mut step: F) -> Result<bool, Error>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), Error>>,
{
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    loop {
        // A step may wait for Kafka for long; stopping the worker does not wait for it.
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => {
                tracing::info!("the worker ends while it waits for Kafka");
                return Ok(false);
            }
            outcome = step() => outcome,
        };
        let error = match outcome {
            Ok(()) => return Ok(true),
            Err(error) if error.disposition() == Disposition::Halt => return Err(error),
            Err(error) => error,
        };
        let delay = backoff.next_delay();
        tracing::warn!(
            error = %service::render_error(&error, None),
            attempt = backoff.attempt(),
            ?delay,
            "the worker waits for Kafka"
        );
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(delay) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_that_waits_for_kafka_can_be_stopped() {
        let stop = CancellationToken::new();
        let asked = stop.clone();
        let step = || {
            asked.cancel();
            std::future::pending()
        };
        let ended = tokio::time::timeout(Duration::from_secs(60), patiently(&stop, step)).await;
        assert_eq!(ended.expect("an end").ok(), Some(false));
    }

    #[tokio::test]
    async fn what_cannot_be_listened_on_is_told_with_the_reason() {
        // An address of documentation, which no machine has.
        let error = listen(SocketAddr::from(([192, 0, 2, 1], 8083)))
            .await
            .unwrap_err();
        assert!(
            error.hint().contains("does not have that address"),
            "{}",
            error.hint()
        );
    }
}
