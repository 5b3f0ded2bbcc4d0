//! The group's consumer and what happens when its partitions change hands.
//!
//! The group is eager: partitions are taken away all at once and given anew, so the open batch can be thrown away as a
//! whole. librdkafka calls [`RebalanceContext::rebalance`] within `poll`, on the consumer's own thread, and waits:
//!
//! - revoked: the lease of the old assignment ends, so no commit of it starts any more; one that runs is given a moment
//!   to finish, which spares the next owner a collision. Whatever it does, the `txn` versions keep the rows right.
//! - assigned: the start of each partition is read from the lake, and fetching begins there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
    types::RDKafkaRespErr,
};

use serde::Deserialize;

use super::config::client_config;
use crate::{Error, ErrorKind, KafkaConfig, LakeCounters};

/// How often librdkafka says how its brokers are, in milliseconds. Of a thousand partitions that is a megabyte.
const STATISTICS: &str = "5000";

/// Where reading a partition begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// None: nothing of it is in the lake, so from its beginning.
    pub(crate) offset: Option<i64>,
}

/// Who knows where partitions start, and what must be over before they are given away. Called on the consumer's thread.
pub(crate) trait Assignments: Send + Sync + 'static {
    /// Partitions were given to this process.
    fn assigned(
        &self,
        consumer: &BaseConsumer<RebalanceContext<Self>>,
        partitions: &[(String, i32)],
    ) -> Result<Vec<Start>, Error>
    where
        Self: Sized;

    /// They are about to be given to another one.
    fn revoked(&self);
}

pub(crate) struct RebalanceContext<A: Assignments> {
    assignments: Arc<A>,
    counters: Arc<LakeCounters>,
    failed: Mutex<Option<Error>>,
}

/// Of librdkafka's statistics: how long each broker has been silent.
#[derive(Deserialize)]
struct Statistics {
    brokers: HashMap<String, BrokerStatistics>,
}

#[derive(Deserialize)]
struct BrokerStatistics {
    /// Microseconds since something came from it; below zero: nothing yet on this connection.
    #[serde(default = "never")]
    rxidle: i64,
}

const fn never() -> i64 {
    -1
}

impl<A: Assignments> ClientContext for RebalanceContext<A> {
    /// A broker that is frozen keeps its connections: only its silence tells.
    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice::<Statistics>(statistics) {
            Ok(statistics) => {
                let brokers = statistics.brokers.values().map(|broker| broker.rxidle);
                if let Some(shortest) = brokers.filter(|&silent| silent >= 0).min() {
                    self.counters.heard(shortest);
                }
            }
            Err(error) => tracing::debug!(%error, "librdkafka's statistics"),
        }
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl<A: Assignments> ConsumerContext for RebalanceContext<A> {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other codes of librdkafka are alike here"
        )]
        let outcome = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, list),
            _ => {
                self.assignments.revoked();
                consumer.unassign().map_err(failed)
            }
        };
        if let Err(error) = outcome {
            // The callback has no way to answer; the loop finds it after this poll.
            *self.lock() = Some(error);
        }
    }
}

impl<A: Assignments> RebalanceContext<A> {
    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &TopicPartitionList,
    ) -> Result<(), Error> {
        let partitions: Vec<(String, i32)> = list
            .elements()
            .iter()
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect();
        let mut starts = TopicPartitionList::new();
        for start in self.assignments.assigned(consumer, &partitions)? {
            let offset = start.offset.map_or(Offset::Beginning, Offset::Offset);
            tracing::info!(
                topic = start.topic,
                partition = start.partition,
                ?offset,
                "assigned"
            );
            starts
                .add_partition_offset(&start.topic, start.partition, offset)
                .map_err(failed)?;
        }
        consumer.assign(&starts).map_err(failed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Error>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: KafkaError) -> Error {
    Error::new(ErrorKind::Kafka, "change the assigned partitions").with_source(error)
}

/// The consumer, owned by one thread that may block.
pub(crate) struct Consumer<A: Assignments> {
    inner: BaseConsumer<RebalanceContext<A>>,
}

/// What a poll brought.
pub(crate) enum Polled<'a> {
    Record(BorrowedMessage<'a>),
    Nothing,
}

impl<A: Assignments> Consumer<A> {
    /// Join the group.
    pub(crate) fn subscribe(
        config: &KafkaConfig,
        assignments: Arc<A>,
        counters: Arc<LakeCounters>,
    ) -> Result<Self, Error> {
        let context = RebalanceContext {
            assignments,
            counters,
            failed: Mutex::new(None),
        };
        let attempted = || {
            format!(
                "subscribe to {:?} as group `{}`",
                config.topics, config.group
            )
        };
        let inner: BaseConsumer<_> = client_config(config)?
            .set("group.id", &config.group)
            .set("partition.assignment.strategy", "range,roundrobin")
            .set("statistics.interval.ms", STATISTICS)
            .create_with_context(context)
            .map_err(|error| {
                Error::new(ErrorKind::Configuration, attempted()).with_source(error)
            })?;
        let topics: Vec<&str> = config.topics.iter().map(String::as_str).collect();
        inner.subscribe(&topics).map_err(|error| {
            // No broker is asked here: librdkafka compiles the regular expressions, and that is all it can refuse.
            Error::new(ErrorKind::Configuration, attempted())
                .with_source(error)
                .with_hint("correct the regular expression (lakewriter.topics)")
        })?;
        Ok(Self { inner })
    }

    /// The next record, after whatever rebalance was due.
    pub(crate) fn poll(&self, timeout: Duration) -> Result<Polled<'_>, Error> {
        let polled = self.inner.poll(timeout);
        if let Some(error) = self.inner.context().lock().take() {
            return Err(error);
        }
        match polled {
            None => Ok(Polled::Nothing),
            Some(Ok(record)) => Ok(Polled::Record(record)),
            Some(Err(error)) => {
                let attempted = || Error::new(ErrorKind::Kafka, "read from Kafka");
                match error.rdkafka_error_code() {
                    // The stored offset is outside of what the topic holds (`auto.offset.reset=error`).
                    Some(
                        RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
                    ) => Err(Error::new(
                        ErrorKind::OffsetsLost,
                        "go on reading where the lake ends",
                    )
                    .with_source(error)),
                    Some(
                        RDKafkaErrorCode::Fatal
                        | RDKafkaErrorCode::PollExceeded
                        | RDKafkaErrorCode::FencedInstanceId,
                    ) => Err(attempted().with_source(error)),
                    Some(
                        RDKafkaErrorCode::TopicAuthorizationFailed
                        | RDKafkaErrorCode::GroupAuthorizationFailed
                        | RDKafkaErrorCode::SaslAuthenticationFailed,
                    ) => {
                        Err(Error::new(ErrorKind::Permission, "read from Kafka").with_source(error))
                    }
                    // Brokers that are away and topics that are not there yet: librdkafka goes on trying.
                    _ => {
                        tracing::debug!(%error, "poll");
                        Ok(Polled::Nothing)
                    }
                }
            }
        }
    }

    /// Where the consumer stands in each of its partitions: behind the last record that was polled, and behind the
    /// markers of transactions that came after it.
    pub(crate) fn positions(&self) -> Result<Vec<(String, i32, i64)>, Error> {
        let positions = self.inner.position().map_err(|error| {
            Error::new(ErrorKind::Kafka, "ask where the consumer stands").with_source(error)
        })?;
        Ok(positions
            .elements()
            .iter()
            .filter_map(|element| match element.offset() {
                Offset::Offset(next) => {
                    Some((element.topic().to_owned(), element.partition(), next))
                }
                // Nothing was polled from it yet.
                Offset::Beginning
                | Offset::End
                | Offset::Stored
                | Offset::Invalid
                | Offset::OffsetTail(_) => None,
            })
            .collect())
    }

    /// Show in the group how far the lake is. Nobody reads it back.
    pub(crate) fn show_lag(&self, offsets: &[(String, i32, i64)]) {
        let mut list = TopicPartitionList::new();
        for (topic, partition, next) in offsets {
            if let Err(error) = list.add_partition_offset(topic, *partition, Offset::Offset(*next))
            {
                tracing::debug!(%error, "offset for the group");
            }
        }
        if let Err(error) = self.inner.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "commit of the group's offsets, which only shows the lag");
        }
    }
}
