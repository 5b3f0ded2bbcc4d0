//! Changes of rows on their way to Kafka: the topic and the encoder of each version of a table.
//!
//! A version that nobody uses is let go, but not while records of it are in flight.

use std::sync::Arc;

use debezium::{
    ChangeEvent, EncodeError, EventEncoder, KeyChange, Operation, TableSchema, TransactionOrder,
    halves, has_tombstone, topic_name,
};
use pgoutput::Lsn;

use super::{KafkaSink, records::no_table, registration::RouteId};
use crate::{
    Error, ErrorKind,
    clock::now_nanos,
    kafka::{
        Target,
        batch::{ChangePart, KeyHeader, RecordSlot},
    },
    sink::versions::OfVersion,
};

/// One version of a table: where its events go and how they are written.
pub(super) struct TableRoute {
    pub(super) encoder: EventEncoder,
    pub(super) target: Arc<Target>,
    /// It has records in the open batch.
    pub(super) open: bool,
    /// A registry was not yet heard of its schemas.
    pub(super) registering: bool,
    /// Of the last event with transaction metadata: the transaction, and the event's number among those of the table.
    pub(super) last_order: Option<(u64, u64)>,
}

impl TableRoute {
    /// `schema.table`.
    pub(super) fn name(&self) -> String {
        self.encoder.table().table.to_string()
    }
}

impl OfVersion for TableRoute {
    fn version(&self) -> &Arc<TableSchema> {
        self.encoder.table()
    }

    fn is_busy(&self) -> bool {
        self.open || self.registering
    }
}

impl KafkaSink {
    /// Where changes of this version of a table go.
    pub(super) fn route(&mut self, table: &Arc<TableSchema>) -> Result<usize, Error> {
        if let Some(index) = self.tables.find(table) {
            return Ok(index);
        }
        let name = topic_name(
            &self.contract.topic_prefix,
            &self.topic_delimiter,
            &table.table.schema,
            &table.table.table,
        );
        let encoder =
            EventEncoder::new(Arc::clone(table), &name, &self.contract).map_err(unencodable)?;
        let topic = connector::routed_topic(&self.topic_routes, name);
        self.topics.add(&topic);
        self.open
            .schemas
            .extend(self.published.publish(table, &self.contract)?);
        let target = Target::new(topic, &table.table.to_string(), table.id(&self.contract))
            .with_context(&self.context);
        tracing::info!(connector = %self.connector, table = %table.table, topic = %target.topic, schema = %table.id(&self.contract), "writing a version of a table");
        let index = self.tables.next_index();
        let registering = self.registration.add(
            RouteId::Table(index),
            &target.topic,
            encoder.key_schema(),
            encoder.value_schema(),
        )?;
        Ok(self.tables.add(TableRoute {
            encoder,
            target: Arc::new(target),
            open: false,
            registering,
            last_order: None,
        }))
    }

    /// Write an event: both halves of a key change, or nothing on an error. Answers whether it was not skipped.
    pub(super) fn write_halves(
        &mut self,
        index: usize,
        event: &ChangeEvent<'_>,
    ) -> Result<bool, Error> {
        let (bytes, records) = (self.open.bytes.len(), self.open.records.len());
        let events = self.open_events;
        let (first, second) = halves(*event);
        let mut both = || {
            let mut written = self.write_emitted(index, &first, ChangePart::Event)?;
            if let Some(mut second) = second {
                if written {
                    second.transaction = second.transaction.map(TransactionOrder::next);
                }
                written |= self.write_emitted(index, &second, ChangePart::Create)?;
            }
            Ok(written)
        };
        both().inspect_err(|_| {
            self.open.bytes.truncate(bytes);
            self.open.records.truncate(records);
            self.open_events = events;
        })
    }

    /// Write one emitted event and its tombstone. Answers whether it was not skipped.
    fn write_emitted(
        &mut self,
        index: usize,
        event: &ChangeEvent<'_>,
        part: ChangePart,
    ) -> Result<bool, Error> {
        if self.contract.skipped_operations.skips(event.op) {
            return Ok(false);
        }
        let failed = |error| not_encoded(event, error);
        let route = self.tables.get_mut(index).ok_or_else(|| no_table(index))?;
        let batch = &mut self.open;
        let encoder = &mut route.encoder;
        let mut key = None;
        if encoder.has_key() && event.key_row().is_some() {
            let start = batch.bytes.len();
            encoder
                .encode_event_key(event, &mut batch.bytes)
                .map_err(failed)?;
            key = Some(start..batch.bytes.len());
        }
        let start = batch.bytes.len();
        encoder
            .encode_value(event, now_nanos(), &mut batch.bytes)
            .map_err(failed)?;
        let value = start..batch.bytes.len();
        let start = batch.bytes.len();
        let key_header = match event.key_change {
            KeyChange::None => None,
            KeyChange::NewKey(_) | KeyChange::OldKey(_) => {
                encoder
                    .encode_key_change(event, &mut batch.bytes)
                    .map_err(failed)?;
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
        if let (Some(order), Some(tx_id)) = (event.transaction, event.source.tx_id) {
            route.last_order = Some((tx_id, order.data_collection_order));
        }
        let record = RecordSlot {
            target: Arc::clone(&route.target),
            position: Some(event.position),
            part,
            key,
            value: Some(value),
            key_header,
            unavailable,
            snapshot_rows: (event.op == Operation::Read).then_some(0),
        };
        if has_tombstone(event, &self.contract) {
            let tombstone = RecordSlot {
                part: ChangePart::Tombstone,
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
}

fn not_encoded(event: &ChangeEvent<'_>, error: EncodeError) -> Error {
    let attempted = format!(
        "encode the change at position {} (LSN {})",
        event.position,
        Lsn(event.source.lsn)
    );
    Error::new(ErrorKind::Encode, attempted).with_source(error)
}

fn unencodable(error: EncodeError) -> Error {
    Error::new(ErrorKind::Encode, "prepare the events of a table").with_source(error)
}
