//! Change events to Kafka topics, positions to the offsets topic.

mod active_topics;
mod context;
mod position;
mod records;
mod registration;
mod rows;
mod sql_ascii;

use std::{sync::Arc, time::Duration};

use debezium::{
    ChangeEvent, ChangePosition, ContractSettings, Operation, SourceRecord, TableSchema,
};
use pgoutput::Lsn;
use tokio::time::Instant;

use super::versions::Versions;
use crate::{
    Error, ErrorKind, PipelineStatus,
    blocking::blocking,
    checkpoint::{Resume, StartPosition, TablesRead},
    error::defect,
    kafka::{
        KafkaClient, OwnedRecord, Producer, ProducerSettings, RecordBatch, StoredOffset, TopicSpec,
        Topics,
        batch::ContextHeaders,
        offsets::{offset_key, read_offset},
        schemas::PublishedSchemas,
    },
    registry::SchemaRegistries,
};
use crate::{EventSink, IdleMark, Progress, TransactionEnd};
use connector::{ConnectorConfig, TopicRoute};

pub use active_topics::ActiveTopics;
use context::context_headers;
use position::{LastRecord, RecordKind};
use records::RecordRoutes;
use registration::Registration;
use rows::TableRoute;
use sql_ascii::require_utf8;

/// The end of a transaction whose events were on their way before it is stored at most this often on its own: it only
/// lets PostgreSQL drop WAL.
const OFFSET_INTERVAL: Duration = Duration::from_secs(1);

/// What becomes durable with the batch in flight.
#[derive(Debug)]
struct InFlight {
    /// None while there is no position yet.
    offset: Option<StoredOffset>,
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
    commit_interval: Duration,
    producer: Producer,
    published: PublishedSchemas,
    registration: Registration,
    topics: ActiveTopics,
    context: ContextHeaders,
    records: RecordRoutes,
    transaction_metadata: bool,
    tables: Versions<TableRoute>,
    open: RecordBatch,
    open_events: u64,
    open_record: Option<LastRecord>,
    open_end: Option<TransactionEnd>,
    /// The position that is stored, or is being stored.
    written: Option<ChangePosition>,
    in_flight: Option<InFlight>,
    spare: Option<RecordBatch>,
    /// As it stands in the offsets topic.
    stored: StoredOffset,
    status: Arc<PipelineStatus>,
    snapshot_completed: bool,
    /// What the snapshot under way has written.
    tables_read: Option<TablesRead>,
    /// The open end must not wait: the snapshot ended, or there is nothing else to do.
    urgent: bool,
    draining: bool,
    /// When a batch was sent last.
    sent_at: Option<Instant>,
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
        let registries = SchemaRegistries::new(&config.registries)?;
        let client = kafka.with_settings(&config.producer_overrides)?;
        let producer = Producer::start(
            client,
            ProducerSettings {
                connector: config.name.clone(),
                offsets_topic: offsets_topic.to_owned(),
                topic_prefix: config.contract.topic_prefix.clone(),
                delivery: config.delivery,
                topic_creation: config.topic_creation.clone(),
            },
        )
        .await?;
        let key = offset_key(&config.name, &config.contract.topic_prefix);
        let known = blocking("read the connector's position", {
            let (kafka, key) = (kafka.clone(), key.clone());
            let offsets_topic = offsets_topic.to_owned();
            let prefix = config.contract.topic_prefix.clone();
            let replication = config.topic_creation.default_replication_factor();
            move || {
                Topics::new(&kafka)?.ensure(&[
                    TopicSpec::compacted(&offsets_topic, 1, replication),
                    TopicSpec::compacted(&debezium::wire::schemas_topic(&prefix), 1, replication),
                ])?;
                let offset = read_offset(&kafka, &offsets_topic, &key)?;
                let published = PublishedSchemas::read(&kafka, &prefix)?;
                Ok::<_, Error>((offset, published))
            }
        });
        let (offset, published) = known.await?;
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
            commit_interval: config.commit_interval,
            producer,
            published,
            registration: Registration::new(registries),
            topics,
            context: context_headers(config),
            records: RecordRoutes::new(config),
            transaction_metadata: config.transaction_metadata,
            tables: Versions::new(),
            open: RecordBatch::default(),
            open_events: 0,
            open_record: None,
            open_end: None,
            written: resume.as_ref().map(|resume| resume.position),
            in_flight: None,
            spare: None,
            status,
            snapshot_completed: resume
                .as_ref()
                .is_some_and(|resume| resume.snapshot_completed),
            stored,
            tables_read: None,
            urgent: false,
            draining: false,
            sent_at: None,
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

    fn send(&mut self) -> Result<(), Error> {
        let offset = self.offset().inspect_err(|_| self.failed = true)?;
        self.open.offset = match &offset {
            Some(offset) => Some(OwnedRecord {
                topic: self.offsets_topic.clone(),
                key: self.offset_key.clone(),
                value: Some(offset.encode()?),
            }),
            None => None,
        };
        for route in self.tables.iter_mut().filter(|route| route.open) {
            route.open = false;
            for unconverted in route.encoder.take_unconverted() {
                tracing::warn!(table = %route.name(), column = %unconverted.column, count = unconverted.count, "values that the event's type cannot hold were written as null");
            }
        }
        let batch = std::mem::replace(&mut self.open, self.spare.take().unwrap_or_default());
        self.producer
            .send(batch)
            .inspect_err(|_| self.failed = true)?;
        self.written = self
            .written
            .max(offset.as_ref().and_then(StoredOffset::position));
        self.in_flight = Some(InFlight {
            offset,
            events: std::mem::take(&mut self.open_events),
        });
        self.open_record = None;
        self.open_end = None;
        self.urgent = false;
        self.sent_at = Some(Instant::now());
        Ok(())
    }

    /// Something came that is no row of a snapshot: there is none, or it has ended, unless it goes on later.
    fn went_on(&mut self) {
        self.snapshot_completed |= self.tables_read.is_none();
    }

    fn has_records(&self) -> bool {
        !self.open.records.is_empty()
    }

    /// When what is open is to be sent; None while nothing is. Records wait for `tributary.commit.interval.ms` since the
    /// batch before, a position alone for longer, and neither where somebody waits for it or nothing more fits.
    fn due(&self) -> Option<Instant> {
        let interval = if self.has_records() {
            self.commit_interval
        } else {
            self.open_end?;
            OFFSET_INTERVAL
        };
        Some(match self.sent_at {
            Some(at) if !self.urgent && !self.draining && self.has_room() => at + interval,
            _ => Instant::now(),
        })
    }
}

impl EventSink for KafkaSink {
    fn published_versions(&mut self) -> Vec<Arc<TableSchema>> {
        self.published.take_versions()
    }

    fn begin_snapshot(&mut self, read: Option<&TablesRead>, point: Lsn) {
        if read.is_none() {
            self.stored = StoredOffset::default();
            // Nothing beyond it is confirmed before the snapshot ends: a slot that is further is another one.
            self.stored.tributary_end_lsn = Some(point.0);
        }
        self.snapshot_completed = false;
        self.tables_read = Some(read.cloned().unwrap_or_default());
    }

    fn begin_table(&mut self, oid: u32) {
        self.published.keep_versions();
        if let Some(read) = &mut self.tables_read {
            read.begin(oid);
        }
    }

    fn finish_table(&mut self, oid: u32) {
        if let Some(read) = &mut self.tables_read {
            read.finish(oid);
        }
    }

    fn end_snapshot(&mut self, end: TransactionEnd) -> Result<(), Error> {
        self.tables_read = None;
        self.end_transaction(end)
    }

    fn write(&mut self, event: &ChangeEvent<'_>) -> Result<(), Error> {
        self.check()?;
        if self.status.is_sql_ascii() {
            require_utf8(event)?;
        }
        let index = self.route(event.table)?;
        let written = self.write_halves(index, event)?;
        if event.op != Operation::Read {
            self.went_on();
        }
        if written {
            self.reached(LastRecord {
                kind: RecordKind::Change(event.op),
                source: event.source,
                position: event.position,
            })?;
        }
        Ok(())
    }

    fn write_last(&mut self, event: &ChangeEvent<'_>, rows: u64) -> Result<(), Error> {
        let records = self.open.records.len();
        self.write(event)?;
        match self.open.records.get_mut(records..) {
            Some([record]) => record.snapshot_rows = Some(rows),
            Some(_) | None => {
                return Err(defect("a row of a snapshot is one record", event.position));
            }
        }
        Ok(())
    }

    fn write_record(&mut self, record: &SourceRecord<'_>) -> Result<(), Error> {
        self.check()?;
        self.write_source_record(record)
    }

    fn end_transaction(&mut self, end: TransactionEnd) -> Result<(), Error> {
        self.check()?;
        self.open_end = Some(end);
        if !self.snapshot_completed && self.tables_read.is_none() {
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
        if self.in_flight.is_some() || self.registration.is_open() {
            return Ok(());
        }
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.send()?;
        }
        Ok(())
    }

    fn rests_until(&self) -> Option<Instant> {
        if self.urgent || self.draining || !self.has_room() {
            return None;
        }
        Some(self.sent_at? + self.commit_interval)
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
                // A backlog makes batches of megabytes; what keeps up with its database needs none of that memory.
                self.spare = Some(delivered.batch).filter(|_| self.has_records());
                let in_flight = self
                    .in_flight
                    .take()
                    .ok_or_else(|| defect("a batch that is delivered was in flight", "none was"))?;
                if let Some(offset) = in_flight.offset {
                    self.stored = offset;
                }
                return Ok(Progress {
                    flushed: self.stored.tributary_end_lsn.map(Lsn),
                    events: in_flight.events,
                });
            }
            if self.registration.is_open() {
                match self.registration.registered().await {
                    Ok(registered) => registered
                        .into_iter()
                        .try_for_each(|route| self.set_schema_ids(route))
                        .inspect_err(|_| self.failed = true)?,
                    Err(refused) => {
                        self.failed = true;
                        return Err(self.unregistered(refused));
                    }
                }
                self.dispatch()?;
                continue;
            }
            match self.due() {
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
        self.went_on();
        self.urgent = true;
        Ok(IdleMark::Deferred)
    }

    fn is_idle(&self) -> bool {
        self.in_flight.is_none() && !self.has_records() && self.open_end.is_none()
    }
}
