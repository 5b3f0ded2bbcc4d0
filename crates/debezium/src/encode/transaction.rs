use super::{
    envelope::{field, plain, structure},
    record::RecordEncoder,
};
use crate::{ConnectSchema, ConnectType, ConnectValue, ContractSettings, TransactionMetadata};

/// Writes the records of the transaction topic: BEGIN and END.
#[derive(Debug)]
pub struct TransactionEncoder {
    record: RecordEncoder,
}

impl TransactionEncoder {
    /// An encoder for the form that the settings ask for.
    pub fn new(settings: &ContractSettings) -> Self {
        use ConnectType::{Array, Int64, String};
        let key = structure(
            "io.debezium.connector.common.TransactionMetadataKey",
            vec![plain("id", String, false)],
        );
        let mut collection = structure(
            "event.collection",
            vec![
                plain("data_collection", String, false),
                plain("event_count", Int64, false),
            ],
        );
        collection.optional = true;
        let collections = ConnectSchema::new(Array(Box::new(collection)), true);
        let value = structure(
            "io.debezium.connector.common.TransactionMetadataValue",
            vec![
                plain("status", String, false),
                plain("id", String, false),
                plain("event_count", Int64, true),
                field("data_collections", collections),
                plain("ts_ms", Int64, false),
            ],
        );
        Self {
            record: RecordEncoder::new(key, value, settings),
        }
    }

    /// How it writes: the schemas, and where the ids of them go.
    pub fn record(&mut self) -> &mut RecordEncoder {
        &mut self.record
    }

    /// Appends the key.
    pub fn encode_key(&self, transaction: &TransactionMetadata<'_>, out: &mut Vec<u8>) {
        let key = ConnectValue::Struct(vec![id(transaction)]);
        self.record.encode_key(&key, out);
    }

    /// Appends the value.
    pub fn encode_value(&self, transaction: &TransactionMetadata<'_>, out: &mut Vec<u8>) {
        let (status, event_count, data_collections) = match transaction.counts {
            None => ("BEGIN", ConnectValue::Null, ConnectValue::Null),
            Some(counts) => {
                let collections = counts.in_java_order().into_iter().map(|(name, count)| {
                    ConnectValue::Struct(vec![ConnectValue::text(name), ConnectValue::long(count)])
                });
                (
                    "END",
                    ConnectValue::long(counts.total()),
                    ConnectValue::Array(collections.collect()),
                )
            }
        };
        let value = ConnectValue::Struct(vec![
            ConnectValue::text(status),
            id(transaction),
            event_count,
            data_collections,
            ConnectValue::Integer(transaction.commit_micros.div_euclid(1_000)),
        ]);
        self.record.encode_value(&value, out);
    }
}

/// `<transaction id>:<LSN>`: every record of a transaction has another one.
fn id(transaction: &TransactionMetadata<'_>) -> ConnectValue<'static> {
    ConnectValue::text(format!("{}:{}", transaction.tx_id, transaction.lsn))
}

impl AsRef<RecordEncoder> for TransactionEncoder {
    fn as_ref(&self) -> &RecordEncoder {
        &self.record
    }
}

impl AsMut<RecordEncoder> for TransactionEncoder {
    fn as_mut(&mut self) -> &mut RecordEncoder {
        &mut self.record
    }
}
