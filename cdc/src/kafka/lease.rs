//! One worker runs the connectors of a config topic: the one that holds its partition in a consumer group of that topic's
//! own. A second worker stands by, and takes over once the first is gone.
//!
//! The membership is static: a worker that comes back under its address after a crash holds the partition at once, and does
//! not wait for its former life to be given up. Somebody else waits `SESSION` for that. The assignment is sticky, so that
//! nobody loses the partition to one that joins.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use memchr::memmem;
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    types::RDKafkaErrorCode,
};
use tokio::sync::watch;

use super::{
    KafkaClient,
    client::LogContext,
    failure::{failed, kind_of},
};
use crate::{Error, ErrorKind};

/// A worker that is not heard of for so long is given up.
const SESSION: Duration = Duration::from_secs(10);
/// How long one look at the group takes at most, while the partition is sought and while it is held.
const SEEKING: Duration = Duration::from_millis(100);
const HELD: Duration = Duration::from_secs(2);
/// How often it is asked who holds the partition where we do not.
const ASKED: Duration = Duration::from_secs(3);
const REQUEST: Duration = Duration::from_secs(10);

/// Who runs the connectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseState {
    /// Nobody that we know of.
    Sought,
    /// We do.
    Held,
    /// Another worker does: its name and where it is.
    Elsewhere(String),
    /// It cannot be had; why, and what to do.
    Refused {
        kind: ErrorKind,
        reason: String,
        hint: String,
    },
}

/// The wish to run the connectors of a config topic; dropped, it is given up.
#[derive(Debug)]
pub struct Lease {
    state: watch::Receiver<LeaseState>,
    given_up: Arc<AtomicBool>,
    group: String,
}

impl Lease {
    /// Join the group of a config topic that exists, as the worker that is reached at `worker`.
    ///
    /// # Errors
    /// A client setting is wrong.
    pub fn seek(client: &KafkaClient, config_topic: &str, worker: &str) -> Result<Self, Error> {
        let group = format!("tributary-worker-{config_topic}");
        let attempted = format!("join the group `{group}`");
        let mut config = client.config();
        let consumer: BaseConsumer<LogContext> = config
            .set("group.id", &group)
            .set("group.instance.id", instance_id(worker))
            .set("client.id", format!("tributary-worker {worker}"))
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", SESSION.as_millis().to_string())
            .set("heartbeat.interval.ms", "2000")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "latest")
            .create_with_context(LogContext::default())
            .map_err(|error| failed(attempted.as_str(), error))?;
        consumer
            .subscribe(&[config_topic])
            .map_err(|error| failed(attempted.as_str(), error))?;
        let (send, state) = watch::channel(LeaseState::Sought);
        let given_up = Arc::new(AtomicBool::new(false));
        let holder = Holder {
            consumer,
            state: send,
            given_up: Arc::clone(&given_up),
            group: group.clone(),
            topic: config_topic.to_owned(),
        };
        std::thread::Builder::new()
            .name("worker-lease".to_owned())
            .spawn(move || holder.run())
            .map_err(|error| Error::new(ErrorKind::Delivery, attempted).with_source(error))?;
        Ok(Self {
            state,
            given_up,
            group,
        })
    }

    /// Follow who runs the connectors.
    pub fn state(&self) -> watch::Receiver<LeaseState> {
        self.state.clone()
    }

    /// The group's name, for messages.
    pub fn group(&self) -> &str {
        &self.group
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The thread leaves within one look; nobody waits for it.
        self.given_up.store(true, Ordering::Release);
    }
}

/// What lives on the lease's thread.
struct Holder {
    consumer: BaseConsumer<LogContext>,
    state: watch::Sender<LeaseState>,
    given_up: Arc<AtomicBool>,
    group: String,
    topic: String,
}

impl Holder {
    fn run(self) {
        let mut asked = Instant::now();
        while !self.given_up.load(Ordering::Acquire) {
            let held = *self.state.borrow() == LeaseState::Held;
            if let Some(Err(error)) = self.consumer.poll(if held { HELD } else { SEEKING })
                && let Some(refused) = self.refusal(&error)
            {
                self.state.send_replace(refused);
                return;
            }
            if self.is_assigned() {
                self.tell(LeaseState::Held);
                asked = Instant::now();
            } else if asked.elapsed() > ASKED {
                // While nobody answers, nobody can have taken over, and what we hold we hold.
                if let Some(other) = self.other() {
                    self.tell(LeaseState::Elsewhere(other));
                }
                asked = Instant::now();
            }
        }
    }

    fn tell(&self, now: LeaseState) {
        self.state.send_if_modified(|state| {
            let changed = *state != now;
            *state = now;
            changed
        });
    }

    fn is_assigned(&self) -> bool {
        self.consumer
            .assignment()
            .is_ok_and(|assigned| assigned.count() > 0)
    }

    /// The member that holds the partition.
    fn other(&self) -> Option<String> {
        let groups = self
            .consumer
            .fetch_group_list(Some(&self.group), REQUEST)
            .ok()?;
        let mut members = groups.groups().iter().flat_map(|group| group.members());
        // An assignment names the topics of which there are partitions in it.
        let holder = members.find(|member| {
            // Of a member that has none yet.
            let assignment = member.assignment().unwrap_or_default();
            memmem::find(assignment, self.topic.as_bytes()).is_some()
        })?;
        let name = holder.client_id().trim_start_matches("tributary-worker ");
        Some(format!(
            "`{name}` at {}",
            holder.client_host().trim_start_matches('/')
        ))
    }

    /// What no patience helps against.
    fn refusal(&self, error: &KafkaError) -> Option<LeaseState> {
        let code = error.rdkafka_error_code()?;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other codes of librdkafka are alike here"
        )]
        let hint = match code {
            RDKafkaErrorCode::FencedInstanceId => {
                "another worker with the same address and the same topics has started and runs the connectors now: give each worker an address of its own (rest.advertised.host.name), or topics of its own (config.storage.topic, offset.storage.topic, status.storage.topic)".to_owned()
            }
            RDKafkaErrorCode::GroupAuthorizationFailed => format!(
                "allow the worker's user READ and DESCRIBE on the consumer group `{}`",
                self.group
            ),
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                "start the worker again".to_owned()
            }
            _ => {
                tracing::debug!(%error, group = %self.group, "the worker's group");
                return None;
            }
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other codes of librdkafka are alike here"
        )]
        let kind = match code {
            RDKafkaErrorCode::FencedInstanceId => ErrorKind::Fenced,
            code => kind_of(code),
        };
        Some(LeaseState::Refused {
            kind,
            reason: error.to_string(),
            hint,
        })
    }
}

/// A member's name has the characters of a topic's.
fn instance_id(worker: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    worker
        .chars()
        .map(|c| if legal(c) { c } else { '-' })
        .collect()
}
