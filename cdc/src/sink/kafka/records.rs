//! Records that are no change of a row, on their way to Kafka: ends of transactions, heartbeats, logical messages.

use std::sync::Arc;

use debezium::{
    ChangePosition, ContractSettings, Format, HeartbeatEncoder, LogicalMessage, MessageEncoder,
    RecordEncoder, SnapshotMarker, Source, SourceRecord, TransactionEncoder, TransactionMetadata,
};

use super::{
    ActiveTopics, KafkaSink,
    position::{LastRecord, RecordKind},
    registration::{RefusedSchema, Registered, Registration, RouteId, set_ids},
};
use crate::{
    Error,
    clock::now_nanos,
    error::defect,
    kafka::{
        RecordBatch, Target,
        batch::{ChangePart, RecordSlot},
        offsets::MESSAGE,
    },
    registry::RegisteredIds,
};
use connector::ConnectorConfig;

/// Records that are no change of a row: how each kind is written and where it goes.
pub(super) struct RecordRoutes {
    heartbeat: Route<HeartbeatEncoder>,
    message: Route<MessageEncoder>,
    transaction: Route<TransactionEncoder>,
}

struct Route<E> {
    encoder: E,
    target: Arc<Target>,
    /// The converter may make null of every value that is no change of a row.
    has_value: bool,
    /// `GET /connectors/{name}/topics` names it only after the first record.
    active: bool,
}

impl<E> Route<E> {
    fn new(
        encoder: E,
        topic: &str,
        config: &ConnectorConfig,
        what: &str,
        partition: Option<i32>,
    ) -> Self {
        let topic = connector::routed_topic(&config.routes, topic.to_owned());
        Self {
            encoder,
            target: Arc::new(Target::of_records(topic, what, partition)),
            has_value: config.contract.value_format != Format::CloudEvents,
            active: false,
        }
    }
}

impl<E: AsRef<RecordEncoder> + AsMut<RecordEncoder>> Route<E> {
    fn set_schema_ids(&mut self, ids: RegisteredIds, batch: &mut RecordBatch) -> Result<(), Error> {
        self.encoder.as_mut().set_schema_ids(ids.key, ids.value);
        set_ids(batch, &self.target, ids)
    }

    fn push(
        &mut self,
        id: RouteId,
        (batch, topics, registration): (&mut RecordBatch, &ActiveTopics, &mut Registration),
        position: Option<ChangePosition>,
        key: impl FnOnce(&E, &mut Vec<u8>),
        value: impl FnOnce(&E, &mut Vec<u8>),
    ) -> Result<(), Error> {
        if !std::mem::replace(&mut self.active, true) {
            topics.add(&self.target.topic);
            let schemas = self.encoder.as_ref();
            let (key, value) = (schemas.key_schema(), schemas.value_schema());
            registration.add(id, &self.target.topic, Some(key), value)?;
        }
        let start = batch.bytes.len();
        key(&self.encoder, &mut batch.bytes);
        let middle = batch.bytes.len();
        value(&self.encoder, &mut batch.bytes);
        batch.records.push(RecordSlot {
            target: Arc::clone(&self.target),
            position,
            part: ChangePart::Record,
            key: Some(start..middle),
            value: Some(middle..batch.bytes.len()).filter(|_| self.has_value),
            key_header: None,
            unavailable: None,
            snapshot_rows: None,
        });
        Ok(())
    }
}

impl RecordRoutes {
    pub(super) fn new(config: &ConnectorConfig) -> Self {
        let contract: &ContractSettings = &config.contract;
        let records = &config.records;
        Self {
            heartbeat: Route::new(
                HeartbeatEncoder::new(contract),
                &records.heartbeat_topic,
                config,
                "a heartbeat",
                Some(0),
            ),
            message: Route::new(
                MessageEncoder::new(&config.database.dbname, contract),
                &records.message_topic,
                config,
                "a logical decoding message",
                None,
            ),
            transaction: Route::new(
                TransactionEncoder::new(contract),
                &records.transaction_topic,
                config,
                "the end of a transaction",
                None,
            ),
        }
    }
}

impl KafkaSink {
    /// The registries know the schemas of a route.
    ///
    /// # Errors
    /// There is no such route, or a record of it has no room for an id.
    pub(super) fn set_schema_ids(&mut self, (route, ids): Registered) -> Result<(), Error> {
        let batch = &mut self.open;
        match route {
            RouteId::Heartbeat => self.records.heartbeat.set_schema_ids(ids, batch),
            RouteId::Message => self.records.message.set_schema_ids(ids, batch),
            RouteId::Transaction => self.records.transaction.set_schema_ids(ids, batch),
            RouteId::Table(index) => {
                let route = self.tables.get_mut(index).ok_or_else(|| no_table(index))?;
                route.registering = false;
                route.encoder.set_schema_ids(ids.key, ids.value);
                set_ids(batch, &route.target, ids)
            }
        }
    }

    /// A registry did not take the schema of a route: which records wait for it, and from where on.
    pub(super) fn unregistered(&self, refused: RefusedSchema) -> Error {
        let RefusedSchema { route, error } = refused;
        let target = route.and_then(|route| match route {
            RouteId::Heartbeat => Some(&self.records.heartbeat.target),
            RouteId::Message => Some(&self.records.message.target),
            RouteId::Transaction => Some(&self.records.transaction.target),
            RouteId::Table(index) => self.tables.get(index).map(|route| &route.target),
        });
        let Some(target) = target else {
            return error;
        };
        let mut waiting = self.open.records.iter();
        let first = waiting.find(|record| Arc::ptr_eq(&record.target, target));
        let at = first
            .and_then(|record| record.position)
            .map(|position| format!(" at position {position}"))
            .unwrap_or_default();
        let hint = error.hint().to_owned();
        let attempted = format!("send {}{at} to topic `{}`", target.what, target.topic);
        Error::new(error.kind(), attempted)
            .with_hint(hint)
            .with_source(error)
    }

    pub(super) fn write_source_record(&mut self, record: &SourceRecord<'_>) -> Result<(), Error> {
        // A heartbeat says nothing of how far the stream was read.
        if !matches!(record, SourceRecord::Heartbeat) {
            self.went_on();
        }
        match record {
            SourceRecord::Heartbeat => self.write_heartbeat(),
            SourceRecord::Message(message) => self.write_message(message),
            SourceRecord::Transaction(transaction) => self.write_transaction(transaction),
        }
    }

    fn write_heartbeat(&mut self) -> Result<(), Error> {
        self.records.heartbeat.push(
            RouteId::Heartbeat,
            (&mut self.open, &self.topics, &mut self.registration),
            None,
            |encoder, out| encoder.encode_key(out),
            |encoder, out| encoder.encode_value(now_millis(), out),
        )
    }

    fn write_message(&mut self, message: &LogicalMessage<'_>) -> Result<(), Error> {
        self.records.message.push(
            RouteId::Message,
            (&mut self.open, &self.topics, &mut self.registration),
            Some(message.position),
            |encoder, out| encoder.encode_key(message, out),
            |encoder, out| encoder.encode_value(message, now_millis(), out),
        )?;
        self.open_events += 1;
        self.reached(LastRecord {
            kind: RecordKind::Message(MESSAGE),
            source: message.source,
            position: message.position,
        })
    }

    fn write_transaction(&mut self, transaction: &TransactionMetadata<'_>) -> Result<(), Error> {
        self.records.transaction.push(
            RouteId::Transaction,
            (&mut self.open, &self.topics, &mut self.registration),
            Some(transaction.position),
            |encoder, out| encoder.encode_key(transaction, out),
            |encoder, out| encoder.encode_value(transaction, out),
        )?;
        let (message_type, last_commit_lsn) = match transaction.counts {
            None => ("BEGIN", transaction.last_commit_lsn),
            Some(_) => ("COMMIT", Some(transaction.lsn)),
        };
        self.reached(LastRecord {
            kind: RecordKind::Message(message_type),
            source: Source {
                lsn: transaction.lsn,
                tx_id: Some(transaction.tx_id),
                commit_micros: transaction.commit_micros,
                last_commit_lsn,
                snapshot: SnapshotMarker::False,
                xmin: None,
            },
            position: transaction.position,
        })
    }
}

/// Tables are only added.
pub(super) fn no_table(index: usize) -> Error {
    defect(
        "a table that has an index has a route",
        format!("there is none at {index}"),
    )
}

fn now_millis() -> i64 {
    now_nanos().div_euclid(1_000_000)
}
