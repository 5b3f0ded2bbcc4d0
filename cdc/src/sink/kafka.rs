//! Change events to Kafka topics, positions to the offsets topic.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use debezium::{
    ChangeEvent, ChangePosition, ContractSettings, EncodeError, EventEncoder, KeyChange, Operation,
    Source, TableSchema, halves, has_tombstone, topic_name,
};
use pgoutput::Lsn;
use tokio::time::Instant;

use super::{EventSink, IdleMark, Progress, TransactionEnd};
use crate::{
    Error, ErrorKind,
    checkpoint::{Resume, StartPosition},
    config::{ConnectorConfig, TopicRoute},
    kafka::{
        KafkaClient, OwnedRecord, Producer, ProducerSettings, RecordBatch, StoredOffset, Target,
        TopicSpec, Topics,
        batch::{KeyHeader, RecordSlot, Step},
        offsets::{offset_key, read_offset},
        schemas::{PublishedSchemas, schemas_topic},
    },
    pipeline::PipelineStatus,
    transform::routed_topic,
};

/// The end of a transaction whose events were on their way before it is stored at most this often on its own: it only
/// lets PostgreSQL drop WAL.
const OFFSET_INTERVAL: Duration = Duration::from_secs(1);

/// The topics a connector has written to since they were last forgotten (`GET /connectors/{name}/topics`).
#[derive(Debug, Clone, Default)]
pub struct ActiveTopics(Arc<Mutex<BTreeSet<String>>>);

impl ActiveTopics {
    pub fn add(&self, topic: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(topic.to_owned());
    }

    pub fn list(&self) -> Vec<String> {
        let topics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        topics.iter().cloned().collect()
    }

    pub fn forget(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// One version of a table: where its events go and how they are written.
struct TableRoute {
    encoder: EventEncoder,
    target: Arc<Target>,
    /// It has records in the open batch.
    open: bool,
}

/// What the offset is made from.
#[derive(Debug, Clone, Copy)]
struct LastChange {
    op: Operation,
    source: Source,
    position: ChangePosition,
}

/// What becomes durable with the batch in flight.
#[derive(Debug)]
struct InFlight {
    offset: StoredOffset,
    events: u64,
}

/// The Kafka end of a connector.
pub struct KafkaSink {
    connector: String,
    contract: ContractSettings,
    topic_delimiter: String,
    topic_routes: Vec<TopicRoute>,
    offsets_topic: String,
    offset_key: Vec<u8>,
    batch_bytes: usize,
    producer: Producer,
    published: PublishedSchemas,
    topics: ActiveTopics,
    tables: Vec<TableRoute>,
    /// By the address of the version, which its encoder keeps alive.
    by_address: HashMap<usize, usize>,
    open: RecordBatch,
    open_events: u64,
    open_change: Option<LastChange>,
    open_end: Option<TransactionEnd>,
    in_flight: Option<InFlight>,
    spare: Option<RecordBatch>,
    /// As it stands in the offsets topic.
    stored: StoredOffset,
    status: Arc<PipelineStatus>,
    snapshot_completed: bool,
    /// The open end must not wait: the snapshot ended, or there is nothing else to do.
    urgent: bool,
    draining: bool,
    offset_at: Option<Instant>,
    failed: bool,
}

impl KafkaSink {
    /// Open the producer, which fences older ones, then read where they came to. `status` tells the slot that the
    /// positions are of.
    ///
    /// # Errors
    /// Kafka does not answer or refuses, or the stored offset cannot be read.
    pub async fn connect(
        config: &ConnectorConfig,
        kafka: &KafkaClient,
        offsets_topic: &str,
        topics: ActiveTopics,
        status: Arc<PipelineStatus>,
    ) -> Result<(Self, StartPosition), Error> {
        let client = kafka.with_settings(&config.producer_overrides)?;
        let producer = Producer::start(
            client,
            ProducerSettings {
                connector: config.name.clone(),
                delivery: config.delivery,
                topic_creation: config.topic_creation.clone(),
            },
        )
        .await?;
        let key = offset_key(&config.name, &config.contract.topic_prefix);
        let known = tokio::task::spawn_blocking({
            let (kafka, key) = (kafka.clone(), key.clone());
            let offsets_topic = offsets_topic.to_owned();
            let prefix = config.contract.topic_prefix.clone();
            let replication = config.topic_creation.replication_factor;
            move || {
                Topics::new(&kafka)?.ensure(&[
                    TopicSpec::compacted(&offsets_topic, 1, replication),
                    TopicSpec::compacted(&schemas_topic(&prefix), 1, replication),
                ])?;
                let offset = read_offset(&kafka, &offsets_topic, &key)?;
                let published = PublishedSchemas::read(&kafka, &prefix)?;
                Ok::<_, Error>((offset, published))
            }
        });
        let (offset, published) = known.await.map_err(|error| {
            Error::new(ErrorKind::Delivery, "read the connector's position").with_source(error)
        })??;
        let stored = match &offset {
            Some(text) => StoredOffset::decode(text)?,
            None => StoredOffset::default(),
        };
        let resume: Option<Resume> = stored.resume();
        let sink = Self {
            connector: config.name.clone(),
            contract: config.contract.clone(),
            topic_delimiter: config.topic_delimiter.clone(),
            topic_routes: config.routes.clone(),
            offsets_topic: offsets_topic.to_owned(),
            offset_key: key,
            batch_bytes: config.batch_bytes,
            producer,
            published,
            topics,
            tables: Vec::new(),
            by_address: HashMap::new(),
            open: RecordBatch::default(),
            open_events: 0,
            open_change: None,
            open_end: None,
            in_flight: None,
            spare: None,
            status,
            snapshot_completed: resume
                .as_ref()
                .is_some_and(|resume| resume.snapshot_completed),
            stored,
            urgent: false,
            draining: false,
            offset_at: None,
            failed: false,
        };
        Ok((sink, StartPosition { resume }))
    }

    fn check(&self) -> Result<(), Error> {
        if self.failed {
            return Err(Error::new(
                ErrorKind::Delivery,
                format!(
                    "write to the Kafka sink of connector `{}`: it has failed before",
                    self.connector
                ),
            ));
        }
        Ok(())
    }

    fn route(&mut self, table: &Arc<TableSchema>) -> Result<usize, Error> {
        let address = Arc::as_ptr(table).addr();
        if let Some(index) = self.by_address.get(&address) {
            return Ok(*index);
        }
        let name = topic_name(
            &self.contract.topic_prefix,
            &self.topic_delimiter,
            &table.table.schema,
            &table.table.table,
        );
        let encoder =
            EventEncoder::new(Arc::clone(table), &name, &self.contract).map_err(unencodable)?;
        let topic = routed_topic(&self.topic_routes, name);
        self.topics.add(&topic);
        self.open
            .schemas
            .extend(self.published.publish(table, &self.contract)?);
        let target = Target::new(topic, table.table.to_string(), table.id(&self.contract));
        tracing::info!(connector = %self.connector, table = %table.table, topic = %target.topic, schema = %target.schema, "writing a version of a table");
        let index = self.tables.len();
        self.tables.push(TableRoute {
            encoder,
            target: Arc::new(target),
            open: false,
        });
        self.by_address.insert(address, index);
        Ok(index)
    }

    /// Write one emitted event and its tombstone. Answers whether it was not skipped.
    fn write_emitted(
        &mut self,
        index: usize,
        event: &ChangeEvent<'_>,
        step: Step,
    ) -> Result<bool, Error> {
        if self.contract.skipped_operations.skips(event.op) {
            return Ok(false);
        }
        let Some(route) = self.tables.get_mut(index) else {
            return Ok(false);
        };
        let batch = &mut self.open;
        let encoder = &mut route.encoder;
        let mut key = None;
        if encoder.has_key() && event.key_row().is_some() {
            let start = batch.bytes.len();
            encoder
                .encode_event_key(event, &mut batch.bytes)
                .map_err(unencodable)?;
            key = Some(start..batch.bytes.len());
        }
        let start = batch.bytes.len();
        encoder
            .encode_value(event, now_nanos(), &mut batch.bytes)
            .map_err(unencodable)?;
        let value = start..batch.bytes.len();
        let start = batch.bytes.len();
        let key_header = match event.key_change {
            KeyChange::None => None,
            KeyChange::NewKey(_) | KeyChange::OldKey(_) => {
                encoder
                    .encode_key_change(event, &mut batch.bytes)
                    .map_err(unencodable)?;
                let text = start..batch.bytes.len();
                Some(match event.key_change {
                    KeyChange::OldKey(_) => KeyHeader::Old(text),
                    KeyChange::NewKey(_) | KeyChange::None => KeyHeader::New(text),
                })
            }
        };
        let start = batch.bytes.len();
        for column in encoder.unavailable_columns(event) {
            if batch.bytes.len() > start {
                batch.bytes.push(b',');
            }
            batch.bytes.extend_from_slice(column.as_bytes());
        }
        let unavailable = Some(start..batch.bytes.len()).filter(|names| !names.is_empty());
        route.open = true;
        let record = RecordSlot {
            target: Arc::clone(&route.target),
            position: event.position,
            step,
            key,
            value: Some(value),
            key_header,
            unavailable,
        };
        if has_tombstone(event, &self.contract) {
            let tombstone = RecordSlot {
                step: Step::Tombstone,
                value: None,
                ..record.clone()
            };
            batch.records.extend([record, tombstone]);
        } else {
            batch.records.push(record);
        }
        self.open_events += 1;
        Ok(true)
    }

    /// The offset that belongs to the open batch.
    fn offset(&self) -> StoredOffset {
        let mut offset = match &self.open_change {
            Some(change) => StoredOffset::of_change(change.op, &change.source, change.position),
            None => self.stored.clone(),
        };
        offset.tributary_end_lsn = self.stored.tributary_end_lsn;
        if let Some(end) = self.open_end {
            if offset.snapshot.is_some() || offset.lsn.is_none() {
                // No row was streamed yet, so what ended was the snapshot, or came after it.
                offset.set_snapshot(true);
                offset.lsn = offset.lsn.or(Some(end.end_lsn.0));
            }
            let reached = self.open_change.map(|change| change.position);
            offset.set_position(end.position.max(reached.unwrap_or_default()));
            offset.tributary_end_lsn = offset.tributary_end_lsn.max(Some(end.end_lsn.0));
        }
        if let Some(slot) = self.status.slot() {
            offset.set_slot(Some(&slot));
        }
        offset
    }

    fn send(&mut self) -> Result<(), Error> {
        let offset = self.offset();
        self.open.offset = Some(OwnedRecord {
            topic: self.offsets_topic.clone(),
            key: self.offset_key.clone(),
            value: Some(offset.encode()?),
        });
        for route in self.tables.iter_mut().filter(|route| route.open) {
            route.open = false;
            for unconverted in route.encoder.take_unconverted() {
                tracing::warn!(table = %route.target.table, column = %unconverted.column, count = unconverted.count, "values that the event's type cannot hold were written as null");
            }
        }
        let batch = std::mem::replace(&mut self.open, self.spare.take().unwrap_or_default());
        self.producer
            .send(batch)
            .inspect_err(|_| self.failed = true)?;
        self.in_flight = Some(InFlight {
            offset,
            events: std::mem::take(&mut self.open_events),
        });
        self.open_change = None;
        self.open_end = None;
        self.urgent = false;
        self.offset_at = Some(Instant::now());
        Ok(())
    }

    fn has_records(&self) -> bool {
        !self.open.records.is_empty()
    }

    /// When a position without events is due.
    fn offset_due(&self) -> Option<Instant> {
        self.open_end?;
        Some(match self.offset_at {
            Some(at) if !self.urgent && !self.draining => at + OFFSET_INTERVAL,
            _ => Instant::now(),
        })
    }
}

impl EventSink for KafkaSink {
    fn write(&mut self, event: &ChangeEvent<'_>) -> Result<(), Error> {
        self.check()?;
        let index = self.route(event.table)?;
        let (first, second) = halves(*event);
        let mut written = self.write_emitted(index, &first, Step::Event)?;
        if let Some(second) = second {
            written |= self.write_emitted(index, &second, Step::Create)?;
        }
        if event.op != Operation::Read {
            self.snapshot_completed = true;
        }
        if written {
            self.open_change = Some(LastChange {
                op: event.op,
                source: event.source,
                position: event.position,
            });
        }
        Ok(())
    }

    fn end_transaction(&mut self, end: TransactionEnd) -> Result<(), Error> {
        self.check()?;
        self.open_end = Some(end);
        if !self.snapshot_completed {
            self.snapshot_completed = true;
            self.urgent = true;
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.open.size() < self.batch_bytes
    }

    fn dispatch(&mut self) -> Result<(), Error> {
        self.check()?;
        if self.in_flight.is_some() {
            return Ok(());
        }
        let due = self.offset_due().is_some_and(|due| due <= Instant::now());
        if self.has_records() || due {
            self.send()?;
        }
        Ok(())
    }

    async fn progress(&mut self) -> Result<Progress, Error> {
        loop {
            self.check()?;
            if self.in_flight.is_some() {
                let delivered = self
                    .producer
                    .outcome()
                    .await
                    .inspect_err(|_| self.failed = true)?;
                self.spare = Some(delivered.batch);
                let Some(in_flight) = self.in_flight.take() else {
                    continue;
                };
                self.stored = in_flight.offset;
                return Ok(Progress {
                    flushed: self.stored.tributary_end_lsn.map(Lsn),
                    events: in_flight.events,
                });
            }
            match self.offset_due() {
                Some(due) => {
                    tokio::time::sleep_until(due).await;
                    self.dispatch()?;
                }
                None => std::future::pending().await,
            }
        }
    }

    fn begin_drain(&mut self) {
        self.draining = true;
    }

    fn mark_idle(&mut self, end: TransactionEnd) -> Result<IdleMark, Error> {
        self.check()?;
        self.open_end = Some(end);
        self.snapshot_completed = true;
        self.urgent = true;
        Ok(IdleMark::Deferred)
    }

    fn is_idle(&self) -> bool {
        self.in_flight.is_none() && !self.has_records() && self.open_end.is_none()
    }
}

fn unencodable(error: EncodeError) -> Error {
    Error::new(ErrorKind::Encode, "encode a change").with_source(error)
}

/// Nanoseconds since the Unix epoch; the clock ends in 2262.
fn now_nanos() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}
