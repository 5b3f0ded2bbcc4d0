use super::{
    envelope::{plain, structure},
    record::RecordEncoder,
};
use crate::{ConnectType, ConnectValue, ContractSettings};

/// Writes heartbeat records: `{"serverName":"<topic prefix>"}` and `{"ts_ms":...}`.
#[derive(Debug)]
pub struct HeartbeatEncoder {
    record: RecordEncoder,
    server_name: String,
}

impl HeartbeatEncoder {
    /// An encoder for the form that the settings ask for.
    pub fn new(settings: &ContractSettings) -> Self {
        let key = structure(
            "io.debezium.connector.common.ServerNameKey",
            vec![plain("serverName", ConnectType::String, false)],
        );
        let value = structure(
            "io.debezium.connector.common.Heartbeat",
            vec![plain("ts_ms", ConnectType::Int64, false)],
        );
        Self {
            record: RecordEncoder::new(key, value, settings),
            server_name: settings.topic_prefix.clone(),
        }
    }

    /// How it writes: the schemas, and where the ids of them go.
    pub fn record(&mut self) -> &mut RecordEncoder {
        &mut self.record
    }

    /// Appends the key, which is the same for all.
    pub fn encode_key(&self, out: &mut Vec<u8>) {
        let key = ConnectValue::Struct(vec![ConnectValue::text(self.server_name.as_str())]);
        self.record.encode_key(&key, out);
    }

    /// Appends the value; `now_millis` is the time of writing, since the Unix epoch.
    pub fn encode_value(&self, now_millis: i64, out: &mut Vec<u8>) {
        let value = ConnectValue::Struct(vec![ConnectValue::Integer(now_millis)]);
        self.record.encode_value(&value, out);
    }
}

impl AsRef<RecordEncoder> for HeartbeatEncoder {
    fn as_ref(&self) -> &RecordEncoder {
        &self.record
    }
}

impl AsMut<RecordEncoder> for HeartbeatEncoder {
    fn as_mut(&mut self) -> &mut RecordEncoder {
        &mut self.record
    }
}
