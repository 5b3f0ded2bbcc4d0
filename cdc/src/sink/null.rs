//! Encodes every event as the Kafka sink does and throws it away: what reading and encoding cost by themselves.

use std::sync::Arc;

use debezium::{
    ChangeEvent, ContractSettings, EncodeError, EventEncoder, TableSchema, halves, topic_name,
};

use super::versions::Versions;
use crate::clock::now_nanos;
use crate::{Error, ErrorKind, error::defect};
use crate::{EventSink, IdleMark, Progress, TransactionEnd};
use connector::ConnectorConfig;

/// A sink in which everything is durable at once.
#[derive(Debug)]
pub struct NullSink {
    contract: ContractSettings,
    topic_delimiter: String,
    encoders: Versions<EventEncoder>,
    bytes: Vec<u8>,
    events: u64,
    encoded_bytes: u64,
    /// What became durable since `progress` told last.
    news: Option<Progress>,
}

impl NullSink {
    pub fn new(config: &ConnectorConfig) -> Self {
        Self {
            contract: config.contract.clone(),
            topic_delimiter: config.topic_delimiter.clone(),
            encoders: Versions::new(),
            bytes: Vec::with_capacity(64 * 1024),
            events: 0,
            encoded_bytes: 0,
            news: None,
        }
    }

    /// Records encoded so far; an UPDATE that changes the key makes two.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Bytes of keys and values encoded so far.
    pub const fn encoded_bytes(&self) -> u64 {
        self.encoded_bytes
    }

    fn encoder(&mut self, table: &Arc<TableSchema>) -> Result<usize, Error> {
        if let Some(index) = self.encoders.find(table) {
            return Ok(index);
        }
        let topic = topic_name(
            &self.contract.topic_prefix,
            &self.topic_delimiter,
            &table.table.schema,
            &table.table.table,
        );
        let encoder =
            EventEncoder::new(Arc::clone(table), &topic, &self.contract).map_err(unencodable)?;
        Ok(self.encoders.add(encoder))
    }

    fn encode(&mut self, index: usize, event: &ChangeEvent<'_>) -> Result<(), Error> {
        if self.contract.skipped_operations.skips(event.op) {
            return Ok(());
        }
        let encoder = self.encoders.get_mut(index).ok_or_else(|| {
            defect(
                "a table that has an index has an encoder",
                format!("there is none at {index}"),
            )
        })?;
        self.bytes.clear();
        encoder
            .encode_event_key(event, &mut self.bytes)
            .map_err(unencodable)?;
        encoder
            .encode_value(event, now_nanos(), &mut self.bytes)
            .map_err(unencodable)?;
        self.events += 1;
        self.encoded_bytes += self.bytes.len() as u64;
        self.news.get_or_insert_default().events += 1;
        Ok(())
    }
}

impl EventSink for NullSink {
    fn write(&mut self, event: &ChangeEvent<'_>) -> Result<(), Error> {
        let index = self.encoder(event.table)?;
        let (first, second) = halves(*event);
        self.encode(index, &first)?;
        second.map_or(Ok(()), |second| self.encode(index, &second))
    }

    fn end_transaction(&mut self, end: TransactionEnd) -> Result<(), Error> {
        let news = self.news.get_or_insert_default();
        news.flushed = news.flushed.max(Some(end.end_lsn));
        Ok(())
    }

    fn has_room(&self) -> bool {
        true
    }

    fn dispatch(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn progress(&mut self) -> Result<Progress, Error> {
        match self.news.take() {
            Some(news) => Ok(news),
            None => std::future::pending().await,
        }
    }

    fn begin_drain(&mut self) {}

    fn is_idle(&self) -> bool {
        self.news.is_none()
    }

    fn mark_idle(&mut self, _end: TransactionEnd) -> Result<IdleMark, Error> {
        Ok(IdleMark::Confirm)
    }
}

fn unencodable(error: EncodeError) -> Error {
    Error::new(ErrorKind::Encode, "encode a change").with_source(error)
}
