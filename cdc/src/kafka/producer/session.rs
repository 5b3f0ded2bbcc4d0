//! A producer from its start to its first failure: takes over the transactional id, writes batches, makes topics.
//!
//! After an error a session is dropped and a new one is opened, which fences it. A batch is durable with its position
//! or not at all.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use debezium::ChangePosition;
use rdkafka::{
    error::KafkaError,
    producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig},
    types::RDKafkaErrorCode,
};

use super::{
    Delivered, ProducerSettings, fenced_formers, headers::headers, poller::Poller, taking_over,
};
use crate::{
    Error, ErrorKind,
    kafka::{
        KafkaClient, TopicSpec, Topics,
        batch::{OwnedRecord, RecordBatch, RecordSlot},
        delivery::{DeliveryContext, Undelivered},
        failure::{failed, is_for_good, is_invalid},
        murmur2::partition_of,
        tail::Tails,
    },
};
use connector::DeliveryGuarantee;

/// Longest wait for a coordinator: it is elected anew after a broker's restart.
const COORDINATOR: Duration = Duration::from_secs(60);
/// How often a wait for acknowledgements looks for other reasons to end.
const ACKNOWLEDGED: Duration = Duration::from_millis(100);
/// How long a full queue is waited for before it is tried again.
const QUEUE_FULL: Duration = Duration::from_millis(20);
/// A commit is answered before its markers are in the partitions, and until they are the next transaction is refused and
/// tried again by the client after 20 ms. Waiting this long first is quicker: 8 ms a transaction instead of 37 ms.
const MARKERS: Duration = Duration::from_millis(5);
/// Record number of what is not an event of the batch.
const NO_RECORD: usize = usize::MAX;

/// Everything that lives on the producer's thread.
pub(super) struct Session {
    producer: Arc<BaseProducer<DeliveryContext>>,
    context: DeliveryContext,
    client: KafkaClient,
    /// Open while topics are looked up and made. It asks its queue ten times a second and has connections of its own, so
    /// that an idle connector pays for it.
    topics: Option<(Topics, Instant)>,
    settings: ProducerSettings,
    /// Partitions of the topics that are known to exist.
    ensured: HashMap<String, i32>,
    tails: Tails,
    abandoned: Arc<AtomicBool>,
    poller: Poller,
    /// Records sent since the start.
    sent: u64,
    /// Text of the position header.
    position: [u8; 64],
    committed_at: Option<Instant>,
}

impl Session {
    pub(super) fn open(
        client: KafkaClient,
        settings: ProducerSettings,
        abandoned: Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        let attempted = || {
            format!(
                "open the producer of connector `{}` on Kafka at `{}`",
                settings.connector,
                client.bootstrap_servers()
            )
        };
        let exactly_once = settings.delivery == DeliveryGuarantee::ExactlyOnce;
        let context = DeliveryContext::default();
        let producer = producer_config(&client, &settings)
            .create_with_context::<_, BaseProducer<DeliveryContext>>(context.clone())
            .map_err(|error| failed(attempted(), error))?;
        let producer = Arc::new(producer);
        let poller = Poller::start(&producer, &context)
            .map_err(|error| Error::new(ErrorKind::Delivery, attempted()).with_source(error))?;
        // A broker that lets nobody in is told here; a coordinator would be waited for all its time.
        let topics = Topics::new(&client)?;
        topics.partitions()?;
        let session = Self {
            producer,
            context,
            topics: Some((topics, Instant::now())),
            client,
            ensured: HashMap::new(),
            tails: Tails::default(),
            abandoned,
            poller,
            sent: 0,
            position: [0; 64],
            committed_at: None,
            settings,
        };
        if exactly_once {
            session.take_over()?;
        }
        Ok(session)
    }

    fn take_over(&self) -> Result<(), Error> {
        let id = self.settings.transactional_id();
        let attempted = || format!("take over the transactional id `{id}`");
        let lock = taking_over(&id);
        let _turn = lock.lock().unwrap_or_else(PoisonError::into_inner);
        if self.abandoned.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Delivery, attempted())
                .with_source("it was given up before its turn"));
        }
        self.fence_former()?;
        let taken = self.producer.init_transactions(COORDINATOR);
        taken.map_err(|error| failed(attempted(), error))
    }

    /// Fence a producer of a former version that has not noticed yet that it was replaced: it would write behind our back,
    /// into the position that we are about to read.
    ///
    /// Once in the life of a process: nobody of a former version starts behind it but by a human's hand.
    fn fence_former(&self) -> Result<(), Error> {
        let id = self.settings.former_transactional_id();
        let place = format!("{}/{id}", self.client.bootstrap_servers());
        if fenced_formers().contains(&place) {
            return Ok(());
        }
        let mut config = self.client.config();
        config.set("transactional.id", &id);
        let fenced = config
            .create_with_context::<_, BaseProducer<DeliveryContext>>(DeliveryContext::default())
            .and_then(|former| former.init_transactions(COORDINATOR));
        if let Err(error) = fenced {
            let attempted = format!("fence the producers of the transactional id `{id}`");
            let error = failed(attempted, error);
            // Somebody else has fenced them; or nobody with our rights could have used it.
            if !matches!(error.kind(), ErrorKind::Fenced | ErrorKind::Permission) {
                return Err(error);
            }
            tracing::debug!(%error, "a former transactional id");
        }
        fenced_formers().insert(place);
        Ok(())
    }

    /// How much longer the client that makes topics stays open, where that is `linger` after its last use. None: it is
    /// closed, now if not before.
    pub(super) fn makes_topics_for(&mut self, linger: Duration) -> Option<Duration> {
        let (_, used) = self.topics.as_ref()?;
        let left = linger.saturating_sub(used.elapsed());
        if left.is_zero() {
            self.topics = None;
            return None;
        }
        Some(left)
    }

    /// Makes a batch durable. After an error this session must be dropped, and a new one opened.
    pub(super) fn deliver(&mut self, mut batch: RecordBatch) -> Result<Delivered, Error> {
        self.ensure_topics(&batch)?;
        let written = match self.settings.delivery {
            DeliveryGuarantee::ExactlyOnce => {
                self.in_transaction(&batch).inspect_err(|_| self.abort())?
            }
            DeliveryGuarantee::AtLeastOnce => {
                let before = self.sent;
                self.send_all(&batch.schemas)?;
                self.send_events(&batch)?;
                self.drain(&batch)?;
                let written = self.sent - before;
                // Only what is acknowledged may be remembered as delivered.
                self.send_all(batch.offset.as_slice())?;
                self.drain(&batch)?;
                written
            }
        };
        batch.clear(batch.bytes.len());
        Ok(Delivered { batch, written })
    }

    fn in_transaction(&mut self, batch: &RecordBatch) -> Result<u64, Error> {
        let transaction = |step: &str, connector: &str| {
            format!("{step} a Kafka transaction of connector `{connector}`")
        };
        if let Some(since) = self.committed_at.map(|at| at.elapsed())
            && since < MARKERS
        {
            std::thread::sleep(MARKERS - since);
        }
        self.producer
            .begin_transaction()
            .map_err(|error| failed(transaction("begin", &self.settings.connector), error))?;
        let before = self.sent;
        self.send_all(&batch.schemas)?;
        self.send_events(batch)?;
        let written = self.sent - before;
        self.send_all(batch.offset.as_slice())?;
        self.drain(batch)?;
        self.producer
            .commit_transaction(COORDINATOR)
            .map_err(|error| failed(transaction("commit", &self.settings.connector), error))?;
        self.committed_at = Some(Instant::now());
        Ok(written)
    }

    /// Best effort: a transaction that cannot be aborted now is aborted when the next session takes over the id.
    fn abort(&self) {
        if self.abandoned.load(Ordering::Acquire) {
            self.producer
                .purge(PurgeConfig::default().queue().inflight());
        }
        if let Err(error) = self.producer.abort_transaction(Duration::from_secs(10)) {
            tracing::debug!(%error, connector = %self.settings.connector, "the transaction was not aborted");
        }
    }

    /// Create what is missing, and under at_least_once learn what is there.
    fn ensure_topics(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let mut missing: Vec<TopicSpec> = Vec::new();
        for record in &batch.records {
            let target = &record.target;
            if target.partitions() > 0 {
                continue;
            }
            match self.ensured.get(&target.topic) {
                Some(partitions) => target.set_partitions(*partitions),
                None if missing.iter().any(|spec| spec.name == target.topic) => {}
                None => missing.push(TopicSpec::events(
                    &target.topic,
                    &self.settings.topic_creation,
                )),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let enabled = self.settings.topic_creation.enabled;
        let topics = match self.topics.take() {
            Some((topics, _)) => topics,
            None => Topics::new(&self.client)?,
        };
        let ensured = topics.ensure_events(&missing, enabled)?;
        self.topics = Some((topics, Instant::now()));
        for (spec, topic) in missing.into_iter().zip(ensured) {
            if self.settings.delivery == DeliveryGuarantee::AtLeastOnce && !topic.created {
                self.tails
                    .read(&self.client, &spec.name, topic.partitions)?;
            }
            self.ensured.insert(spec.name, topic.partitions);
        }
        for record in &batch.records {
            if let Some(partitions) = self.ensured.get(&record.target.topic) {
                record.target.set_partitions(*partitions);
            }
        }
        Ok(())
    }

    fn send_all(&mut self, records: &[OwnedRecord]) -> Result<(), Error> {
        for record in records {
            let message = BaseRecord {
                topic: &record.topic,
                partition: None,
                payload: record.value.as_deref(),
                key: Some(record.key.as_slice()),
                timestamp: None,
                headers: None,
                delivery_opaque: NO_RECORD,
            };
            self.send(message)
                .map_err(|error| failed(format!("write to the topic `{}`", record.topic), error))?;
        }
        Ok(())
    }

    fn send_events(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        for (i, record) in batch.records.iter().enumerate() {
            let key = record
                .key
                .as_ref()
                .map(|key| batch.slice(key))
                .transpose()?;
            // Records without a key are spread by position, so that a replay puts each where it was.
            let partition = match (key, record.position) {
                _ if record.target.partition.is_some() => record.target.partition,
                (None, Some(position)) => Some(spread(position, record.target.partitions())),
                _ => None,
            };
            if let Some(position) = record.position
                && self.tails.may_contain(position)
            {
                let partition = partition.unwrap_or_else(|| {
                    // One that has a position and no key was spread above.
                    partition_of(key.unwrap_or_default(), record.target.partitions())
                });
                if self
                    .tails
                    .contains(&record.target.topic, partition, position, record.part)
                {
                    continue;
                }
            }
            let message = BaseRecord {
                topic: &record.target.topic,
                partition,
                payload: record
                    .value
                    .as_ref()
                    .map(|value| batch.slice(value))
                    .transpose()?,
                key,
                timestamp: None,
                headers: Some(headers(batch, record, &mut self.position)?),
                delivery_opaque: i,
            };
            self.send(message)
                .map_err(|error| event_failed(record, error))?;
        }
        Ok(())
    }

    fn send(&mut self, mut message: BaseRecord<'_, [u8], [u8], usize>) -> Result<(), KafkaError> {
        loop {
            match self.producer.send(message) {
                Ok(()) => {
                    self.sent += 1;
                    self.poller.sent(self.sent);
                    return Ok(());
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    // Back-pressure: the batch waits here, the next one fills, then the socket is not read.
                    if let Some(undelivered) = self.context.deliveries.failure() {
                        return Err(undelivered.error);
                    }
                    if self.abandoned.load(Ordering::Acquire) {
                        return Err(KafkaError::Canceled);
                    }
                    let some = self.context.deliveries.reported() + 1000;
                    self.context
                        .deliveries
                        .wait(some.min(self.sent), QUEUE_FULL);
                    message = refused;
                }
                Err((error, _)) => return Err(self.fatal().unwrap_or(error)),
            }
        }
    }

    /// Wait until every sent record is acknowledged. `commit_transaction` alone would look every 100 ms.
    ///
    /// A batch of which one record was refused is not delivered, whether or not all the others were acknowledged.
    fn drain(&self, batch: &RecordBatch) -> Result<(), Error> {
        let deliveries = &self.context.deliveries;
        loop {
            let all_reported = deliveries.wait(self.sent, ACKNOWLEDGED);
            if let Some(Undelivered { record, error }) = deliveries.failure() {
                // A fatal error of the producer may have the same cause, and then says less than the record's own error.
                let fatal = self.fatal().filter(|_| !is_for_good(&error));
                let error = fatal.unwrap_or(error);
                return Err(match batch.records.get(record) {
                    Some(record) => event_failed(record, error),
                    None => failed("write the connector's offset and schemas", error),
                });
            }
            if all_reported {
                break;
            }
            if let Some(error) = self.fatal() {
                return Err(failed("wait for Kafka's acknowledgements", error));
            }
            if self.abandoned.load(Ordering::Acquire) {
                return Err(failed(
                    "wait for Kafka's acknowledgements",
                    KafkaError::Canceled,
                ));
            }
        }
        // The last report is counted while the poller still holds it; a commit that sees it waits 100 ms.
        while self.producer.in_flight_count() > 0 && !self.abandoned.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Why the producer as a whole can do no more, when it cannot.
    fn fatal(&self) -> Option<KafkaError> {
        let (code, _) = self.producer.client().fatal_error()?;
        Some(KafkaError::MessageProduction(code))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.context.deliveries.reported() < self.sent {
            self.producer
                .purge(PurgeConfig::default().queue().inflight());
        }
    }
}

/// The connection's settings, and ours where it has none of its own.
fn producer_config(client: &KafkaClient, settings: &ProducerSettings) -> rdkafka::ClientConfig {
    let mut config = client.config();
    let mut defaults = vec![
        ("compression.type", "lz4"),
        // The next batch waits for this one, so waiting longer for more could only add latency.
        ("linger.ms", "1"),
        ("batch.size", "1000000"),
        ("batch.num.messages", "10000"),
        ("queue.buffering.max.messages", "500000"),
        ("queue.buffering.max.kbytes", "262144"),
        ("message.max.bytes", "1048576"),
        ("transaction.timeout.ms", "60000"),
    ];
    if settings.delivery == DeliveryGuarantee::AtLeastOnce {
        // librdkafka's default for a transactional producer is its transaction's timeout.
        defaults.push(("message.timeout.ms", "120000"));
    }
    for (name, value) in defaults {
        if config.get(name).is_none() {
            config.set(name, value);
        }
    }
    config
        .set("partitioner", "murmur2_random")
        .set("enable.idempotence", "true");
    if settings.delivery == DeliveryGuarantee::ExactlyOnce {
        config.set("transactional.id", settings.transactional_id());
    }
    config
}

fn event_failed(record: &RecordSlot, error: KafkaError) -> Error {
    let (target, keyless) = (&record.target, record.key.is_none());
    let at = record
        .position
        .map_or_else(String::new, |position| format!(" at position {position}"));
    let place = match (keyless, record.position) {
        (true, Some(position)) => {
            let partition = target
                .partition
                .unwrap_or_else(|| spread(position, target.partitions()));
            format!(", partition {partition}, without a key (key null)")
        }
        (true, None) => ", without a key (key null)".to_owned(),
        (false, _) => String::new(),
    };
    let attempted = format!(
        "write {}{at} to the topic `{}`{place}",
        target.what, target.topic
    );
    let refused = keyless && is_invalid(&error);
    let error = failed(attempted, error);
    if !refused {
        return error;
    }
    error.with_hint(format!(
        "a compacted topic takes no record without a key: give the table a primary key or a key by `message.key.columns`, exclude it, or set the topic's cleanup.policy to delete (kafka-configs.sh --alter --entity-type topics --entity-name {} --add-config cleanup.policy=delete); then restart the connector",
        target.topic
    ))
}

/// The partition of a record without key: neighbours stay together, so that batches stay large.
fn spread(position: ChangePosition, partitions: i32) -> i32 {
    let block = (position.commit_lsn >> 3).wrapping_add(position.ordinal >> 10);
    // Fibonacci hashing: the upper bits are well mixed.
    let mixed = block.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    i32::try_from(mixed % u64::from(partitions.max(1).unsigned_abs())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyless_records_use_all_partitions() {
        let mut seen = [0; 4];
        for i in 0..1000 {
            let partition = spread(ChangePosition::new(i * 8, 0), 4);
            seen[usize::try_from(partition).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
        assert_eq!(spread(ChangePosition::new(8, 0), 0), 0);
    }
}
