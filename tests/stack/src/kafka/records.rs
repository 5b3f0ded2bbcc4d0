//! Records read from and written to a test's broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header as HeaderRef, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};

use super::{Kafka, REQUEST};

/// Longest time a read of a whole topic may take.
const READ: Duration = Duration::from_secs(60);

/// A record header.
pub type Header = (String, Option<Vec<u8>>);

/// A record as a consumer gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
}

impl Kafka {
    /// All records of `topic` up to its present end, ordered by partition and offset. With `read_committed`, without
    /// those of open and aborted transactions, and up to the last stable offset.
    pub async fn read_all(&self, topic: &str, read_committed: bool) -> Result<Vec<Record>> {
        let mut config = self.client_config();
        config
            .set(
                "isolation.level",
                if read_committed {
                    "read_committed"
                } else {
                    "read_uncommitted"
                },
            )
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "20");
        let topic = topic.to_owned();
        let read = move || {
            let consumer = config.create().context("make a Kafka consumer")?;
            read_topic(&consumer, &topic).with_context(|| format!("read topic `{topic}`"))
        };
        tokio::task::spawn_blocking(read)
            .await
            .context("run a Kafka consumer")?
    }

    /// Sends one record, waits for all replicas, and returns its partition and offset. Without `partition` Java's
    /// partitioner (murmur2 of the key) chooses.
    pub async fn produce(
        &self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(i32, i64)> {
        let producer: FutureProducer = self
            .client_config()
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "0")
            .create()
            .context("make a Kafka producer")?;
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(HeaderRef {
                    key,
                    value: value.as_ref(),
                })
            });
        let record = FutureRecord {
            topic,
            partition,
            key,
            payload: value,
            timestamp: None,
            headers: Some(headers),
        };
        match producer.send(record, Timeout::After(REQUEST)).await {
            Ok(delivery) => Ok((delivery.partition, delivery.offset)),
            Err((error, _)) => {
                Err(error).with_context(|| format!("send a record to topic `{topic}`"))
            }
        }
    }

    /// One past the last offset of each partition of `topic`, by partition.
    pub async fn end_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        let topic = topic.to_owned();
        self.with_consumer(move |consumer| Ok(ends(&consumer, &topic)?.into_values().collect()))
            .await
    }
}

/// The end offset of each partition, the last stable one for a read_committed consumer.
fn ends(consumer: &BaseConsumer, topic: &str) -> Result<BTreeMap<i32, i64>> {
    let metadata = consumer
        .fetch_metadata(Some(topic), REQUEST)
        .context("look at the partitions")?;
    let partitions = metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions())
        .map(|partition| partition.id());
    let ends: BTreeMap<i32, i64> = partitions
        .map(|partition| {
            let (_, end) = consumer.fetch_watermarks(topic, partition, REQUEST)?;
            Ok((partition, end))
        })
        .collect::<Result<_, KafkaError>>()
        .context("ask for the end of a partition")?;
    if ends.is_empty() {
        bail!("there is no topic `{topic}`");
    }
    Ok(ends)
}

fn read_topic(consumer: &BaseConsumer, topic: &str) -> Result<Vec<Record>> {
    let mut unread = ends(consumer, topic)?;
    unread.retain(|_, end| *end > 0);
    let mut assignment = TopicPartitionList::new();
    for partition in unread.keys() {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;

    let deadline = Instant::now() + READ;
    let mut records = Vec::new();
    while !unread.is_empty() {
        if Instant::now() > deadline {
            bail!(
                "the ends {unread:?} were not reached in {} s, after {} records",
                READ.as_secs(),
                records.len()
            );
        }
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            // the last offsets of a partition may belong to transaction markers, which are never delivered
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(unread.remove(&partition)),
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                match unread.get(&partition) {
                    Some(end) if offset < *end => {}
                    _ => continue,
                }
                if unread.get(&partition).is_some_and(|end| offset + 1 == *end) {
                    unread.remove(&partition);
                }
                records.push(record(&message));
            }
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    Ok(records)
}

fn record(message: &impl Message) -> Record {
    let headers = message.headers().map(|headers| {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect()
    });
    Record {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
        timestamp: message.timestamp().to_millis(),
    }
}
