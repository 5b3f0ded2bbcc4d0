//! The compacted topics in which cdc publishes each version of each table: `<topic prefix>.tributary.schemas`.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use debezium::{
    SchemaId,
    wire::{PublishedSchema, PublishedSchemaError, is_schemas_topic, schema_id},
};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

use super::config::client_config;
use crate::{Error, ErrorKind, KafkaConfig};

/// Whether this is a record of such a topic, of whatever version of our wire.
pub(super) fn is_table_version(key: Option<&[u8]>, value: &[u8]) -> bool {
    key.and_then(schema_id).is_some()
        && matches!(
            PublishedSchema::read(value),
            Ok(_) | Err(PublishedSchemaError::Newer(_))
        )
}

/// How long the broker may take for one answer.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a record's schema may be missing. It is written in the same transaction as the first record that names it,
/// so it is there; only our reading of it can lag.
const PATIENCE: Duration = Duration::from_secs(5);

/// A reader of all schema topics. Blocks; for the consumer's own thread.
pub(crate) struct SchemaTopics {
    consumer: BaseConsumer,
    /// Empty: every topic that ends in `.tributary.schemas`.
    wanted: Vec<String>,
    /// Topics that were read besides, because a version was in none of those.
    every: bool,
    known: HashMap<SchemaId, PublishedSchema>,
    /// Versions that a later tributary published, and the version of our wire that they are in.
    newer: HashMap<SchemaId, u32>,
    /// Next offset by topic and partition.
    next: HashMap<(String, i32), i64>,
    /// Versions that nobody published, and when that was found.
    missing: HashMap<SchemaId, Instant>,
    /// Ids whose text changed since it was last asked.
    changed: Vec<SchemaId>,
}

impl SchemaTopics {
    /// Read everything that is published now.
    pub(crate) fn read(config: &KafkaConfig) -> Result<Self, Error> {
        let mut topics = Self::unread(config)?;
        topics.read_to_end()?;
        Ok(topics)
    }

    /// A reader that has asked for nothing.
    pub(super) fn unread(config: &KafkaConfig) -> Result<Self, Error> {
        let consumer: BaseConsumer = client_config(config)?
            // Wanted by the client; nothing is committed under it.
            .set("group.id", format!("{}-schemas", config.group))
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true")
            .create()
            .map_err(|error| {
                Error::new(
                    ErrorKind::Configuration,
                    "make the consumer of the schema topics",
                )
                .with_source(error)
            })?;
        Ok(Self {
            consumer,
            wanted: config.schema_topics.clone(),
            every: config.schema_topics.is_empty(),
            known: HashMap::new(),
            newer: HashMap::new(),
            next: HashMap::new(),
            missing: HashMap::new(),
            changed: Vec::new(),
        })
    }

    /// The version with this id; waits a little for it if it is not known yet. None: nobody published it.
    ///
    /// # Errors
    /// Kafka does not answer; or a later tributary published it.
    pub(crate) fn get(&mut self, id: SchemaId) -> Result<Option<&PublishedSchema>, Error> {
        let deadline = Instant::now() + PATIENCE;
        while !self.known.contains_key(&id) {
            // Waited for in vain before: one look is enough, or every record of that version would wait again.
            let waited = self.missing.contains_key(&id);
            self.read_to_end()?;
            if self.known.contains_key(&id) {
                break;
            }
            if let Some(&version) = self.newer.get(&id) {
                return Err(newer_wire(
                    format!("read version {id} of a table"),
                    PublishedSchemaError::Newer(version),
                ));
            }
            if waited || Instant::now() >= deadline {
                if !self.every {
                    // An id names content, so the same version is right whichever connector published it.
                    self.every = true;
                    tracing::warn!(
                        version = %id,
                        topics = ?self.wanted,
                        "a record names a version that these topics lack: every `*.tributary.schemas` topic is read from now on; is lakewriter.topic_prefix right?"
                    );
                    continue;
                }
                self.missing.insert(id, Instant::now());
                return Ok(None);
            }
        }
        self.missing.remove(&id);
        Ok(self.known.get(&id))
    }

    /// What is said of a record that names a version which is in no topic.
    pub(crate) fn unpublished(&self, id: SchemaId) -> String {
        let of_setting = match self.wanted.as_slice() {
            [] => String::new(),
            topics => format!(
                " (lakewriter.topic_prefix names {}; all others were looked through as well)",
                topics.join(", ")
            ),
        };
        format!(
            "nobody published version {id} of its table in a `.tributary.schemas` topic{of_setting}"
        )
    }

    /// Take what has been published since, without waiting. The ids whose text changed.
    pub(crate) fn poll(&mut self) -> Vec<SchemaId> {
        while let Some(Ok(()) | Err(KafkaError::PartitionEOF(_))) = self.poll_one(Duration::ZERO) {}
        std::mem::take(&mut self.changed)
    }

    fn read_to_end(&mut self) -> Result<(), Error> {
        let failed = |error: KafkaError| {
            Error::new(ErrorKind::Kafka, "read the schema topics to their end").with_source(error)
        };
        let partitions = self.partitions().map_err(failed)?;
        let mut list = TopicPartitionList::new();
        for (topic, partition) in &partitions {
            let next = self.next.get(&(topic.clone(), *partition));
            let offset = next.map_or(Offset::Beginning, |&next| Offset::Offset(next));
            list.add_partition_offset(topic, *partition, offset)
                .map_err(failed)?;
        }
        self.consumer.assign(&list).map_err(failed)?;
        let deadline = Instant::now() + ANSWER;
        let mut unread = partitions.len();
        while unread > 0 {
            match self.poll_one(Duration::from_millis(100)) {
                Some(Err(KafkaError::PartitionEOF(_))) => unread -= 1,
                Some(Ok(())) => {}
                // The client reconnects by itself; only silence counts.
                Some(Err(error)) if Instant::now() > deadline => return Err(failed(error)),
                None if Instant::now() > deadline => {
                    return Err(Error::new(
                        ErrorKind::Kafka,
                        "read the schema topics to their end: no answer",
                    ));
                }
                Some(Err(_)) | None => {}
            }
        }
        Ok(())
    }

    fn poll_one(&mut self, timeout: Duration) -> Option<Result<(), KafkaError>> {
        let record = match self.consumer.poll(timeout)? {
            Ok(record) => record,
            Err(error) => return Some(Err(error)),
        };
        let place = (record.topic().to_owned(), record.partition());
        let next = record.offset() + 1;
        let parsed = record.payload().map(PublishedSchema::read);
        match (record.key().and_then(schema_id), parsed) {
            (Some(id), Some(Ok(schema))) => {
                self.known.insert(id, schema);
                self.newer.remove(&id);
                self.changed.push(id);
            }
            (Some(id), Some(Err(PublishedSchemaError::Newer(version)))) => {
                self.newer.insert(id, version);
            }
            (_, Some(Err(error))) => {
                tracing::warn!(%error, topic = place.0, offset = next - 1, "not a table version");
            }
            _ => {}
        }
        self.next.insert(place, next);
        Some(Ok(()))
    }

    fn partitions(&self) -> Result<Vec<(String, i32)>, KafkaError> {
        let metadata = self.consumer.fetch_metadata(None, ANSWER)?;
        Ok(metadata
            .topics()
            .iter()
            .filter(|topic| {
                self.wanted.iter().any(|wanted| wanted == topic.name())
                    || (self.every && is_schemas_topic(topic.name()))
            })
            .flat_map(|topic| {
                topic
                    .partitions()
                    .iter()
                    .map(|partition| (topic.name().to_owned(), partition.id()))
            })
            .collect())
    }
}

/// What was read is of a later version of our wire: its rows wait in the topic for a program that knows it.
pub(crate) fn newer_wire(attempted: String, error: PublishedSchemaError) -> Error {
    Error::new(ErrorKind::Configuration, attempted)
        .with_source(error)
        .with_hint("a later tributary wrote it: start lakewriter in that version, or a later one; nothing was set aside")
}
