//! The producer of one connector: an own thread that takes whole batches and makes each durable, in one Kafka transaction
//! (exactly once) or acknowledged by all replicas (at least once).

mod headers;
mod poller;
mod session;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvError, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use super::{KafkaClient, batch::RecordBatch};
use crate::{
    Error, ErrorKind,
    error::{defect, panicked},
};
use connector::{DeliveryGuarantee, TopicCreation};
use session::Session;

/// What a producer needs to know of its connector.
#[derive(Debug, Clone)]
pub struct ProducerSettings {
    pub connector: String,
    /// Where the connector's position is kept, and for which events.
    pub offsets_topic: String,
    pub topic_prefix: String,
    pub delivery: DeliveryGuarantee,
    pub topic_creation: TopicCreation,
}

impl ProducerSettings {
    /// A second producer with this id fences the first. So it names what only one may go on from: a stored position,
    /// which is known by its topic, the prefix of the events and the connector. Workers of other topics, whose connectors
    /// may have the same names, leave each other alone.
    ///
    /// A topic and a prefix have no slash, so no two have the same id.
    pub fn transactional_id(&self) -> String {
        format!(
            "tributary-{}/{}/{}",
            self.offsets_topic, self.topic_prefix, self.connector
        )
    }

    /// The id of former versions, one of which may still have a transaction open.
    pub fn former_transactional_id(&self) -> String {
        format!("tributary-{}", self.connector)
    }
}

/// One lock for each transactional id of this process.
///
/// Taking over an id fences the producer that had it. A producer that is given up while it still opens (a connector that is started
/// anew at that moment) has a thread whose request to take over may reach Kafka after that of its successor, and would fence
/// it. So only one of them asks at a time, and one that was given up does not ask any more.
static TAKING_OVER: LazyLock<Mutex<HashMap<String, Arc<Mutex<()>>>>> =
    LazyLock::new(Mutex::default);

/// The ids of former versions that this process has fenced, with the cluster.
static FENCED_FORMERS: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

fn fenced_formers() -> MutexGuard<'static, HashSet<String>> {
    FENCED_FORMERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn taking_over(id: &str) -> Arc<Mutex<()>> {
    let mut all = TAKING_OVER.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(all.entry(id.to_owned()).or_default())
}

/// How long the client that makes topics stays open after its last use: new tables come in groups.
const TOPICS_LINGER: Duration = Duration::from_secs(5);

/// A batch is durable; it comes back empty for the next use.
#[derive(Debug)]
pub struct Delivered {
    pub batch: RecordBatch,
    /// Records that were written; fewer than given where an earlier life had delivered some.
    pub written: u64,
}

/// The handle of the producer's thread.
#[derive(Debug)]
pub struct Producer {
    batches: Option<SyncSender<RecordBatch>>,
    outcomes: mpsc::Receiver<Result<Delivered, Error>>,
    abandoned: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// A leftover of this thread could still write: wait for its end before another one starts.
    join: bool,
}

impl Producer {
    /// Start the thread. With exactly_once, every older producer of this connector is fenced, and its open transaction
    /// aborted, when this returns.
    ///
    /// # Errors
    /// Kafka does not answer, or refuses the producer.
    pub async fn start(client: KafkaClient, settings: ProducerSettings) -> Result<Self, Error> {
        let (batches, received) = sync_channel::<RecordBatch>(1);
        let (send_outcome, outcomes) = mpsc::channel(1);
        let (ready, started) = oneshot::channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let join = settings.delivery == DeliveryGuarantee::AtLeastOnce;
        let connector = settings.connector.clone();
        let thread = std::thread::Builder::new()
            .name(format!("producer-{connector}"))
            .spawn({
                let abandoned = Arc::clone(&abandoned);
                move || {
                    let mut session = match Session::open(client, settings, abandoned) {
                        Ok(session) => session,
                        Err(error) => {
                            // Nobody waits any more: the caller was dropped.
                            let _ = ready.send(Err(error));
                            return;
                        }
                    };
                    let _ = ready.send(Ok(()));
                    while let Ok(batch) = next_batch(&received, &mut session) {
                        let outcome = session.deliver(batch);
                        let failed = outcome.is_err();
                        if send_outcome.blocking_send(outcome).is_err() || failed {
                            return;
                        }
                    }
                }
            })
            .map_err(|error| {
                Error::new(
                    ErrorKind::Delivery,
                    format!("start the producer thread of connector `{connector}`"),
                )
                .with_source(error)
            })?;
        let mut producer = Self {
            batches: Some(batches),
            outcomes,
            abandoned,
            thread: Some(thread),
            join,
        };
        match started.await {
            Ok(opened) => opened.map(|()| producer),
            Err(_) => Err(producer.gone()),
        }
    }

    /// Hand over a batch. The one before must have been answered.
    ///
    /// # Errors
    /// The thread has ended.
    pub fn send(&mut self, batch: RecordBatch) -> Result<(), Error> {
        let Some(batches) = &self.batches else {
            return Err(self.gone());
        };
        match batches.try_send(batch) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(defect(
                "a batch is handed over once the one before is answered",
                "that one is not",
            )),
            Err(TrySendError::Disconnected(_)) => Err(self.gone()),
        }
    }

    /// The outcome of the batch in flight. Cancel-safe.
    ///
    /// # Errors
    /// The batch could not be made durable; nothing of it is visible to a read_committed consumer under exactly_once.
    pub async fn outcome(&mut self) -> Result<Delivered, Error> {
        match self.outcomes.recv().await {
            Some(outcome) => outcome,
            None => Err(self.gone()),
        }
    }

    /// Why the thread has ended without an answer: it panics, or it was told to end.
    fn gone(&mut self) -> Error {
        let attempted = "hand a batch to the producer thread: it has ended";
        match self.thread.take().map(std::thread::JoinHandle::join) {
            Some(Err(panic)) => panicked(attempted, panic.as_ref()),
            Some(Ok(())) | None => Error::new(ErrorKind::Delivery, attempted),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Release);
        self.batches = None;
        self.outcomes.close();
        if let Some(thread) = self.thread.take()
            && self.join
        {
            // A panic of the thread has been printed; there is nothing left to do about it.
            let _ = thread.join();
        }
    }
}

/// Waits for the next batch. Meanwhile a session lets go of what only new tables need.
fn next_batch(
    received: &Receiver<RecordBatch>,
    session: &mut Session,
) -> Result<RecordBatch, RecvError> {
    while let Some(left) = session.makes_topics_for(TOPICS_LINGER) {
        match received.recv_timeout(left) {
            Ok(batch) => return Ok(batch),
            Err(RecvTimeoutError::Disconnected) => return Err(RecvError),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    received.recv()
}
