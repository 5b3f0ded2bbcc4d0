//! What a record is that is no change of a row: told by its parsed fields, never by searching its text. A row may hold
//! any text, and a record that only resembles one of Debezium's own kinds must not vanish.

use super::{error::DecodeError, value::JsonValue};

/// What a value without our headers is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKind {
    /// An envelope, `op` and `source`, of this connector.
    Change {
        /// `source.connector`, such as `postgresql`.
        connector: Option<String>,
    },
    /// `pg_logical_emit_message`.
    LogicalMessage,
    /// BEGIN or END of a transaction (`provide.transaction.metadata`).
    Transaction,
    /// A sign of life (`heartbeat.interval.ms`).
    Heartbeat,
    /// A statement of DDL, of the connectors that tell it.
    SchemaChange,
    /// A command to a connector (`signal.kafka.topic`).
    Signal,
    /// None of Debezium's, such as a row that a transform took out of its envelope.
    Other,
}

const TRANSACTION: [&str; 5] = ["status", "id", "event_count", "data_collections", "ts_ms"];
const SCHEMA_CHANGE: [&str; 7] = [
    "source",
    "position",
    "ts_ms",
    "databaseName",
    "schemaName",
    "ddl",
    "tableChanges",
];
const SIGNALS: [&str; 6] = [
    "execute-snapshot",
    "stop-snapshot",
    "pause-snapshot",
    "resume-snapshot",
    "schema-changes",
    "log",
];

impl RecordKind {
    /// Of a record's key and value.
    ///
    /// # Errors
    /// The value is not JSON.
    pub fn of(key: Option<&[u8]>, value: &[u8]) -> Result<Self, DecodeError> {
        use super::error::DecodeReason;
        let text = std::str::from_utf8(value).map_err(|error| DecodeError {
            offset: error.valid_up_to(),
            reason: DecodeReason::NotUtf8,
        })?;
        let value = payload(JsonValue::parse(text)?);
        let key = key
            .and_then(|key| std::str::from_utf8(key).ok())
            .and_then(|key| JsonValue::parse(key).ok())
            .map(payload);
        let text_of = |name| value.member(name).and_then(JsonValue::string);
        let is_object = |name| {
            value
                .member(name)
                .is_some_and(|value| value.as_json().starts_with('{'))
        };
        if let (Some(op), true) = (text_of("op"), is_object("source")) {
            return Ok(match op.as_ref() {
                "m" if is_object("message") => Self::LogicalMessage,
                _ => Self::Change {
                    connector: value
                        .member("source")
                        .and_then(|source| source.member("connector")?.string())
                        .map(std::borrow::Cow::into_owned),
                },
            });
        }
        let key_is = |name: &str| {
            key.filter(|key| key.members().count() == 1)
                .and_then(|key| key.member(name))
        };
        let is_transaction = matches!(text_of("status").as_deref(), Some("BEGIN" | "END"))
            && only(value, &TRANSACTION)
            && ["event_count", "data_collections"]
                .iter()
                .all(|name| value.member(name).is_some())
            && key_is("id").is_some_and(|id| id.is_string() && Some(id) == value.member("id"));
        let is_heartbeat = key_is("serverName").is_some_and(JsonValue::is_string)
            && only(value, &["ts_ms"])
            && value
                .member("ts_ms")
                .is_some_and(|at| at.integer().is_some());
        let is_schema_change = only(value, &SCHEMA_CHANGE)
            && is_object("source")
            && value.member("ddl").is_some()
            && value.member("databaseName").is_some();
        let is_signal = text_of("type").is_some_and(|name| SIGNALS.contains(&name.as_ref()))
            && is_object("data")
            && only(value, &["id", "type", "data"])
            && key.is_none_or(|key| key.is_string());
        Ok(if is_transaction {
            Self::Transaction
        } else if is_heartbeat {
            Self::Heartbeat
        } else if is_schema_change {
            Self::SchemaChange
        } else if is_signal {
            Self::Signal
        } else {
            Self::Other
        })
    }
}

/// What stands in Connect's `{"schema":...,"payload":...}`, or the value itself.
fn payload(value: JsonValue<'_>) -> JsonValue<'_> {
    match (value.member("schema"), value.member("payload")) {
        (Some(_), Some(payload)) if value.members().count() == 2 => payload,
        _ => value,
    }
}

/// An object without any other member.
fn only(value: JsonValue<'_>, names: &[&str]) -> bool {
    value.as_json().starts_with('{')
        && value.members().all(|(name, _)| {
            name.string()
                .is_some_and(|name| names.contains(&name.as_ref()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"{"connector":"postgresql","db":"d","schema":"","table":""}"#;

    fn of(key: &str, value: &str) -> RecordKind {
        RecordKind::of(Some(key.as_bytes()), value.as_bytes()).expect("JSON")
    }

    #[test]
    fn debezium_s_own_records_are_told_by_their_fields() {
        let message = format!(r#"{{"op":"m","source":{SOURCE},"message":{{"prefix":"p"}}}}"#);
        let ddl = format!(
            r#"{{"source":{SOURCE},"ts_ms":1,"databaseName":"d","ddl":"DROP TABLE t","tableChanges":[]}}"#
        );
        for (key, value, kind) in [
            (
                r#"{"id":"7:9"}"#,
                r#"{"status":"BEGIN","id":"7:9","event_count":null,"data_collections":null,"ts_ms":1}"#,
                RecordKind::Transaction,
            ),
            (
                r#"{"schema":{},"payload":{"id":"7:9"}}"#,
                r#"{"schema":{},"payload":{"status":"END","id":"7:9","event_count":1,"data_collections":[]}}"#,
                RecordKind::Transaction,
            ),
            (
                r#"{"serverName":"p"}"#,
                r#"{"ts_ms":5}"#,
                RecordKind::Heartbeat,
            ),
            (r#"{"prefix":"p"}"#, &message, RecordKind::LogicalMessage),
            (r#"{"databaseName":"d"}"#, &ddl, RecordKind::SchemaChange),
            (
                "p",
                r#"{"type":"execute-snapshot","data":{"type":"incremental"}}"#,
                RecordKind::Signal,
            ),
        ] {
            assert_eq!(of(key, value), kind, "{value}");
        }
    }

    #[test]
    fn rows_that_resemble_them_are_not_taken_for_them() {
        for (key, value) in [
            (r#"{"id":2}"#, r#"{"id":2,"status":"END"}"#),
            (r#"{"id":3}"#, r#"{"id":3,"status":"BEGIN"}"#),
            (r#"{"id":4}"#, r#"{"id":4,"op":"t"}"#),
            (r#"{"id":5}"#, r#"{"id":5,"op":"m"}"#),
            (
                r#"{"id":5}"#,
                r#"{"id":5,"op":"m","source":"web","message":{}}"#,
            ),
            (r#"{"id":6}"#, r#"{"id":6,"x":1}"#),
            // One field more than a transaction's record, or another key.
            (
                r#"{"id":"7"}"#,
                r#"{"status":"END","id":"7","event_count":1,"data_collections":null,"note":1}"#,
            ),
            (
                r#"{"id":7}"#,
                r#"{"status":"END","id":7,"event_count":1,"data_collections":null}"#,
            ),
            (
                r#"{"no":"7"}"#,
                r#"{"status":"END","id":"7","event_count":1,"data_collections":null}"#,
            ),
            (r#"{"id":1}"#, r#"{"ts_ms":5}"#),
            (r#"{"id":1}"#, r#"{"id":1,"type":"log","data":{}}"#),
            (r#"{"id":1}"#, r#"{"note":"\"op\":\"t\""}"#),
        ] {
            assert_eq!(of(key, value), RecordKind::Other, "{value}");
        }
    }

    #[test]
    fn a_row_s_values_do_not_decide_for_its_envelope() {
        let source = r#"{"connector":"mysql","db":"inv","table":"my"}"#;
        for after in [r#"{"status":"END"}"#, r#"{"op":"t"}"#, r#"{"op":"m"}"#] {
            let value = format!(r#"{{"before":null,"after":{after},"source":{source},"op":"c"}}"#);
            let connector = Some("mysql".to_owned());
            assert_eq!(of(r#"{"id":1}"#, &value), RecordKind::Change { connector });
        }
    }
}
