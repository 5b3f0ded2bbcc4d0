//! Topics that are read from their beginning to their end: offsets, settings, schemas.
//!
//! They are read with read_committed, and the end is that of the call: an open transaction is waited for, since it
//! hides what was committed behind it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};

use super::{
    client::{KafkaClient, LogContext},
    failure::failed,
    watermarks::watermarks,
};
use crate::{Error, ErrorKind};

const REQUEST: Duration = Duration::from_secs(20);
/// A transaction that a dead process left open ends after its timeout, one minute.
const STABLE: Duration = Duration::from_secs(90);
/// Longest silence while reading.
const SILENCE: Duration = Duration::from_secs(30);

/// A consumer of no group that reads what was committed and says where a partition ends.
pub(super) fn reader(client: &KafkaClient) -> Result<BaseConsumer<LogContext>, Error> {
    open(client, "read_committed")
}

fn open(client: &KafkaClient, isolation: &str) -> Result<BaseConsumer<LogContext>, Error> {
    let mut config: ClientConfig = client.config();
    config
        // Wanted by the client; nothing is committed under it.
        .set("group.id", "tributary-cdc")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "50")
        .set("isolation.level", isolation)
        .create_with_context(LogContext::default())
        .map_err(|error| failed("make a Kafka consumer", error))
}

/// Give every record of `topic` to `take`, from the beginning to what was its end at the call, read_committed, in the
/// order of each partition. Blocks.
///
/// # Errors
/// Kafka does not answer, a transaction of another producer stays open, or `take` fails.
pub fn read_to_end(
    client: &KafkaClient,
    topic: &str,
    mut take: impl FnMut(Option<&[u8]>, Option<&[u8]>) -> Result<(), Error>,
) -> Result<(), Error> {
    read_partitions(client, topic, |_, key, value| take(key, value)).map(drop)
}

/// As `read_to_end`, with the partition of each record. Answers how many partitions there are.
///
/// # Errors
/// As `read_to_end`.
pub fn read_partitions(
    client: &KafkaClient,
    topic: &str,
    mut take: impl FnMut(i32, Option<&[u8]>, Option<&[u8]>) -> Result<(), Error>,
) -> Result<usize, Error> {
    let attempted = || format!("read the topic `{topic}` to its end");
    let consumer = reader(client)?;
    let metadata = consumer
        .fetch_metadata(Some(topic), REQUEST)
        .map_err(|error| failed(attempted(), error))?;
    let partitions: Vec<i32> = metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions())
        .map(|partition| partition.id())
        .collect();
    let mut unread = wait_until_stable(client, &consumer, topic, &partitions)?;
    let mut assignment = TopicPartitionList::new();
    for partition in unread.keys() {
        assignment
            .add_partition_offset(topic, *partition, Offset::Beginning)
            .map_err(|error| failed(attempted(), error))?;
    }
    consumer
        .assign(&assignment)
        .map_err(|error| failed(attempted(), error))?;
    let mut heard = Instant::now();
    while !unread.is_empty() {
        match consumer.poll(Duration::from_millis(100)) {
            None if heard.elapsed() > SILENCE => {
                return Err(Error::new(ErrorKind::Connection, attempted())
                    .with_hint("check that Kafka runs: its partitions do not answer"));
            }
            None => continue,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unread.remove(&partition);
            }
            Some(Err(error)) => return Err(failed(attempted(), error)),
            Some(Ok(message)) => {
                // Where others write all the time, the reader never stands at the end; and the last record before what
                // was the end may be a transaction's marker, which is not shown.
                let next = message.offset().saturating_add(1);
                let end = unread.get(&message.partition()).copied();
                if end.is_some_and(|end| next <= end) {
                    take(message.partition(), message.key(), message.payload())?;
                }
                if end.is_some_and(|end| next >= end) {
                    unread.remove(&message.partition());
                }
            }
        }
        heard = Instant::now();
    }
    Ok(partitions.len())
}

/// Wait until everything that is in the topic now is decided: a transaction that is open, of whichever producer, hides
/// all committed records behind it. Answers the partitions that are not empty, and the offset that each ends at.
fn wait_until_stable(
    client: &KafkaClient,
    committed: &BaseConsumer<LogContext>,
    topic: &str,
    partitions: &[i32],
) -> Result<BTreeMap<i32, i64>, Error> {
    let attempted = || format!("ask for the end of topic `{topic}`");
    let uncommitted = open(client, "read_uncommitted")?;
    let deadline = Instant::now() + STABLE;
    let mut filled = BTreeMap::new();
    for partition in partitions {
        let (low, high) = watermarks(&uncommitted, topic, *partition)
            .map_err(|error| failed(attempted(), error))?;
        if low == high {
            continue;
        }
        filled.insert(*partition, high);
        loop {
            let (_, stable) = watermarks(committed, topic, *partition)
                .map_err(|error| failed(attempted(), error))?;
            if stable >= high {
                break;
            }
            if Instant::now() > deadline {
                return Err(Error::new(
                    ErrorKind::Delivery,
                    format!(
                        "wait for the open transactions of topic `{topic}`, partition {partition}"
                    ),
                )
                .with_hint(
                    "another producer keeps a transaction open: stop it, or wait for its timeout",
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(filled)
}
