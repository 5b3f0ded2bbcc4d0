//! A sink that keeps what would be written to Kafka.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use cdc::{Error, ErrorKind, EventSink, Progress, TransactionEnd};
use connector::ConnectorConfig;
use debezium::{
    ChangeEvent, ConnectSchema, ContractSettings, EventEncoder, Format, KeyChange, MessageEncoder,
    RecordEncoder, SourceRecord, TableSchema, TransactionEncoder, TransactionOrder, halves,
    has_tombstone, topic_name,
};

/// A record as it stands on a topic; keys and values in Avro are hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub topic: String,
    pub key: Option<String>,
    pub value: Option<String>,
    pub headers: Vec<(String, String)>,
}

/// The records so far, in order.
pub struct Records<'c> {
    config: &'c ConnectorConfig,
    messages: MessageEncoder,
    transactions: TransactionEncoder,
    /// With the version that each is for, which keeps its address from being used again.
    encoders: HashMap<usize, (Arc<TableSchema>, EventEncoder)>,
    pub records: Vec<Record>,
    pub schemas: AvroSchemas,
}

/// What a registry would be asked for, by the ids that the records carry.
#[derive(Default)]
pub struct AvroSchemas(Vec<String>);

impl AvroSchemas {
    pub fn text(&self, id: u32) -> &str {
        &self.0[id as usize]
    }

    fn ids(
        &mut self,
        contract: &ContractSettings,
        key: Option<&ConnectSchema>,
        value: &ConnectSchema,
    ) -> (u32, u32) {
        let mut add = |format, schema: Option<&ConnectSchema>| match schema {
            Some(schema) if format == Format::Avro => {
                self.0.push(schema.to_avro(true).expect("an Avro schema"));
                self.0.len() as u32 - 1
            }
            _ => 0,
        };
        (
            add(contract.key_format, key),
            add(contract.value_format, Some(value)),
        )
    }

    fn register(&mut self, contract: &ContractSettings, records: &mut RecordEncoder) {
        let (key, value) = self.ids(contract, Some(records.key_schema()), records.value_schema());
        records.set_schema_ids(key, value);
    }
}

impl<'c> Records<'c> {
    pub fn new(config: &'c ConnectorConfig) -> Self {
        let mut schemas = AvroSchemas::default();
        let mut messages = MessageEncoder::new(&config.database.dbname, &config.contract);
        let mut transactions = TransactionEncoder::new(&config.contract);
        schemas.register(&config.contract, messages.as_mut());
        schemas.register(&config.contract, transactions.as_mut());
        Self {
            config,
            messages,
            transactions,
            encoders: HashMap::new(),
            records: Vec::new(),
            schemas,
        }
    }

    fn push(&mut self, record: Record) {
        let topic = connector::routed_topic(&self.config.routes, record.topic);
        self.records.push(Record { topic, ..record });
    }

    fn half(&mut self, event: &ChangeEvent<'_>) -> Result<bool, Error> {
        let contract = &self.config.contract;
        if contract.skipped_operations.skips(event.op) {
            return Ok(false);
        }
        let unencodable =
            |error| Error::new(ErrorKind::Encode, "encode a change").with_source(error);
        let name = &event.table.table;
        let base = topic_name(
            &contract.topic_prefix,
            &self.config.topic_delimiter,
            &name.schema,
            &name.table,
        );
        let address = Arc::as_ptr(event.table).addr();
        let (_, encoder) = match self.encoders.entry(address) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let version = Arc::clone(event.table);
                let encoder = EventEncoder::new(Arc::clone(&version), &base, contract);
                let mut encoder = encoder.map_err(unencodable)?;
                let schemas = (encoder.key_schema(), encoder.value_schema());
                let (key, value) = self.schemas.ids(contract, schemas.0, schemas.1);
                encoder.set_schema_ids(key, value);
                entry.insert((version, encoder))
            }
        };
        let (mut key, mut value, mut header) = (Vec::new(), Vec::new(), Vec::new());
        encoder
            .encode_event_key(event, &mut key)
            .map_err(unencodable)?;
        encoder
            .encode_value(event, 0, &mut value)
            .map_err(unencodable)?;
        encoder
            .encode_key_change(event, &mut header)
            .map_err(unencodable)?;
        let has_key = encoder.has_key() && event.key_row().is_some();
        let header_name = match event.key_change {
            KeyChange::None => None,
            KeyChange::NewKey(_) => Some("__debezium.newkey"),
            KeyChange::OldKey(_) => Some("__debezium.oldkey"),
        };
        let record = Record {
            topic: base,
            key: has_key.then(|| shown(contract.key_format, key)),
            value: Some(shown(contract.value_format, value)),
            headers: header_name
                .map(|name| (name.to_owned(), text(header)))
                .into_iter()
                .collect(),
        };
        let tombstone = has_tombstone(event, contract).then(|| Record {
            value: None,
            ..record.clone()
        });
        self.push(record);
        tombstone.into_iter().for_each(|record| self.push(record));
        Ok(true)
    }
}

fn shown(format: Format, bytes: Vec<u8>) -> String {
    match format {
        Format::Avro => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Format::Json | Format::Text | Format::CloudEvents => text(bytes),
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

impl EventSink for Records<'_> {
    fn write(&mut self, event: &ChangeEvent<'_>) -> Result<(), Error> {
        let (first, second) = halves(*event);
        let written = self.half(&first)?;
        if let Some(mut second) = second {
            if written {
                second.transaction = second.transaction.map(TransactionOrder::next);
            }
            self.half(&second)?;
        }
        Ok(())
    }

    fn write_record(&mut self, record: &SourceRecord<'_>) -> Result<(), Error> {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let topics = &self.config.records;
        let topic = match record {
            SourceRecord::Heartbeat => return Ok(()),
            SourceRecord::Message(message) => {
                self.messages.encode_key(message, &mut key);
                self.messages.encode_value(message, 0, &mut value);
                &topics.message_topic
            }
            SourceRecord::Transaction(transaction) => {
                self.transactions.encode_key(transaction, &mut key);
                self.transactions.encode_value(transaction, &mut value);
                &topics.transaction_topic
            }
        };
        let contract = &self.config.contract;
        let has_value = contract.value_format != Format::CloudEvents;
        self.push(Record {
            topic: topic.clone(),
            key: Some(shown(contract.key_format, key)),
            value: has_value.then(|| shown(contract.value_format, value)),
            headers: Vec::new(),
        });
        Ok(())
    }

    fn end_transaction(&mut self, _: TransactionEnd) -> Result<(), Error> {
        Ok(())
    }

    fn has_room(&self) -> bool {
        true
    }

    fn dispatch(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn progress(&mut self) -> Result<Progress, Error> {
        std::future::pending().await
    }

    fn begin_drain(&mut self) {}

    fn is_idle(&self) -> bool {
        true
    }
}
