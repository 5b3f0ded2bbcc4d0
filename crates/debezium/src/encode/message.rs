//! Logical messages (`pg_logical_emit_message`) as Debezium writes them.

use super::{
    envelope::{field, plain, source_schema, structure, transaction_schema},
    record::RecordEncoder,
    transaction_block::transaction_id,
};
use crate::{
    BinaryHandling, Compat, ConnectSchema, ConnectType, ConnectValue, ContractSettings,
    LogicalMessage, value::write_binary,
};

/// Writes the records of logical decoding messages.
#[derive(Debug)]
pub struct MessageEncoder {
    record: RecordEncoder,
    source: ConnectSchema,
    database: String,
    topic_prefix: String,
    source_version: String,
    binary_handling: BinaryHandling,
}

impl MessageEncoder {
    /// For messages in `database`.
    pub fn new(database: &str, settings: &ContractSettings) -> Self {
        use ConnectType::{Bytes, Int64, String};
        let content = match settings.binary_handling {
            BinaryHandling::Bytes => Bytes,
            BinaryHandling::Base64 | BinaryHandling::Base64UrlSafe | BinaryHandling::Hex => String,
        };
        let key = structure(
            "io.debezium.connector.postgresql.MessageKey",
            vec![plain("prefix", String, true)],
        );
        let message = structure(
            "io.debezium.connector.postgresql.Message",
            vec![
                plain("prefix", String, true),
                plain("content", content, true),
            ],
        );
        let source = source_schema(settings.compat);
        let mut fields = vec![
            plain("op", String, false),
            plain("ts_ms", Int64, true),
            field("source", source.clone()),
            field("message", message),
        ];
        if settings.compat == Compat::V3 {
            fields.insert(3, field("transaction", transaction_schema()));
        }
        let value = structure("io.debezium.connector.postgresql.MessageValue", fields);
        Self {
            record: RecordEncoder::new(key, value, settings),
            source,
            database: database.to_owned(),
            topic_prefix: settings.topic_prefix.clone(),
            source_version: settings.source_version.clone(),
            binary_handling: settings.binary_handling,
        }
    }

    /// How it writes: the schemas, and where the ids of them go.
    pub fn record(&mut self) -> &mut RecordEncoder {
        &mut self.record
    }

    /// Appends the key.
    pub fn encode_key(&self, message: &LogicalMessage<'_>, out: &mut Vec<u8>) {
        let key = ConnectValue::Struct(vec![ConnectValue::text(message.prefix)]);
        self.record.encode_key(&key, out);
    }

    /// Appends the value; `now_millis` is the time of writing, since the Unix epoch.
    pub fn encode_value(&self, message: &LogicalMessage<'_>, now_millis: i64, out: &mut Vec<u8>) {
        let content = match self.binary_handling {
            BinaryHandling::Bytes => ConnectValue::Bytes(message.content),
            handling @ (BinaryHandling::Base64
            | BinaryHandling::Base64UrlSafe
            | BinaryHandling::Hex) => {
                let mut quoted = Vec::new();
                write_binary(message.content, handling, &mut quoted);
                let text = String::from_utf8_lossy(&quoted);
                ConnectValue::text(text.trim_matches('"').to_owned())
            }
        };
        let values = self.record.value_schema().fields().iter();
        let value = values.map(|field| match field.name.as_str() {
            "op" => ConnectValue::text("m"),
            "ts_ms" => ConnectValue::Integer(now_millis),
            "source" => self.source_value(message),
            "transaction" => transaction_value(message),
            "message" => {
                ConnectValue::Struct(vec![ConnectValue::text(message.prefix), content.clone()])
            }
            _ => ConnectValue::Null,
        });
        let value = ConnectValue::Struct(value.collect());
        self.record.encode_value(&value, out);
    }

    /// The `source` block of something that belongs to no table.
    fn source_value<'m>(&'m self, message: &LogicalMessage<'m>) -> ConnectValue<'m> {
        let (source, origin) = (&message.source, message.origin);
        let micros = source.commit_micros;
        let number = |value: Option<u64>| ConnectValue::optional(value.map(ConnectValue::long));
        let values = self.source.fields().iter();
        let values = values.map(|field| match field.name.as_str() {
            "version" => ConnectValue::text(self.source_version.as_str()),
            "connector" => ConnectValue::text("postgresql"),
            "name" => ConnectValue::text(self.topic_prefix.as_str()),
            "db" => ConnectValue::text(self.database.as_str()),
            "schema" | "table" => ConnectValue::text(""),
            "ts_ms" => ConnectValue::Integer(micros.div_euclid(1_000)),
            "ts_us" => ConnectValue::Integer(micros),
            "ts_ns" => ConnectValue::Integer(micros.saturating_mul(1_000)),
            "txId" => number(source.tx_id),
            "xmin" => number(source.xmin),
            "origin" => {
                ConnectValue::optional(origin.map(|origin| ConnectValue::text(origin.name)))
            }
            "origin_lsn" => number(origin.and_then(|origin| origin.lsn)),
            "lsn" => ConnectValue::long(source.lsn),
            "sequence" => ConnectValue::text(match source.last_commit_lsn {
                None => format!("[null,\"{}\"]", source.lsn),
                Some(commit) => format!("[\"{commit}\",\"{}\"]", source.lsn),
            }),
            // `snapshot` is null while streaming, so that its default shows.
            _ => ConnectValue::Null,
        });
        ConnectValue::Struct(values.collect())
    }
}

/// The `transaction` block of a message that stands in a transaction.
fn transaction_value<'m>(message: &LogicalMessage<'_>) -> ConnectValue<'m> {
    let (Some(id), Some(order)) = (transaction_id(&message.source), message.transaction) else {
        return ConnectValue::Null;
    };
    ConnectValue::Struct(vec![
        ConnectValue::text(id),
        ConnectValue::long(order.total_order),
        ConnectValue::long(order.data_collection_order),
    ])
}

impl AsRef<RecordEncoder> for MessageEncoder {
    fn as_ref(&self) -> &RecordEncoder {
        &self.record
    }
}

impl AsMut<RecordEncoder> for MessageEncoder {
    fn as_mut(&mut self) -> &mut RecordEncoder {
        &mut self.record
    }
}
