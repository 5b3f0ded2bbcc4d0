//! What stands before and behind the rows in an event's value: schema, operation, source and times.

use super::{
    cloud_events::CloudEvents,
    form::{Form, avro_prefix},
    source::SourceWriter,
    source_template::SourceTemplate,
    transaction_block::{transaction, write_transaction},
};
use crate::{
    ChangeEvent, ConnectSchema, ContractSettings, Format, TableId,
    avro::binary::{FIRST, SECOND, write_long, write_string},
};

/// What an event's value has before and behind its rows.
#[derive(Debug)]
pub(super) enum ValueFrame {
    Json {
        source: SourceWriter,
        /// `{"schema":...,"payload":{`, or only the last part.
        prefix: Vec<u8>,
        suffix: &'static [u8],
    },
    Avro {
        source: SourceTemplate,
        prefix: [u8; 5],
    },
    Text {
        source: SourceTemplate,
    },
    CloudEvents(CloudEvents),
}

impl ValueFrame {
    /// `schema` is the whole event's, `source_schema` that of its `source`.
    pub(super) fn new(
        schema: &ConnectSchema,
        source_schema: &ConnectSchema,
        table: &TableId,
        settings: &ContractSettings,
    ) -> Self {
        match settings.value_format {
            Format::Json => {
                let (mut prefix, mut suffix) = (b"{".to_vec(), &b"}"[..]);
                if settings.value_schemas_enable {
                    prefix = b"{\"schema\":".to_vec();
                    schema.write_json(&mut prefix);
                    prefix.extend_from_slice(b",\"payload\":{");
                    suffix = b"}}";
                }
                Self::Json {
                    source: SourceWriter::new(table, settings),
                    prefix,
                    suffix,
                }
            }
            Format::Avro => Self::Avro {
                source: SourceTemplate::new(source_schema, table, settings, Form::Avro),
                prefix: avro_prefix(0),
            },
            Format::Text => Self::Text {
                source: SourceTemplate::new(source_schema, table, settings, Form::Text),
            },
            Format::CloudEvents => {
                Self::CloudEvents(CloudEvents::new(schema, source_schema, table, settings))
            }
        }
    }

    /// The form of the rows inside.
    pub(super) const fn form(&self) -> Form {
        match self {
            Self::Json { .. } | Self::CloudEvents(_) => Form::Json,
            Self::Avro { .. } => Form::Avro,
            Self::Text { .. } => Form::Text,
        }
    }

    pub(super) fn set_schema_id(&mut self, id: u32) {
        if let Self::Avro { prefix, .. } = self {
            *prefix = avro_prefix(id);
        }
    }

    /// What stands before the rows.
    #[inline]
    pub(super) fn open(&mut self, event: &ChangeEvent<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Json { prefix, .. } => out.extend_from_slice(prefix),
            Self::Avro { prefix, .. } => out.extend_from_slice(prefix),
            Self::Text { .. } => out.extend_from_slice(b"Struct{"),
            Self::CloudEvents(frame) => frame.open(event, out),
        }
    }

    /// What stands behind them; `now_nanos` is the time of writing.
    #[inline]
    pub(super) fn close(&mut self, event: &ChangeEvent<'_>, now_nanos: i64, out: &mut Vec<u8>) {
        let op = event.op.code() as u8;
        match self {
            Self::Json { source, suffix, .. } => {
                out.extend_from_slice(b",\"source\":");
                source.write(&event.source, event.origin, out);
                out.extend_from_slice(b",\"transaction\":");
                write_transaction(event, out);
                out.extend_from_slice(match event.op {
                    crate::Operation::Read => b",\"op\":\"r\",\"ts_ms\":",
                    crate::Operation::Create => b",\"op\":\"c\",\"ts_ms\":",
                    crate::Operation::Update => b",\"op\":\"u\",\"ts_ms\":",
                    crate::Operation::Delete => b",\"op\":\"d\",\"ts_ms\":",
                    crate::Operation::Truncate => b",\"op\":\"t\",\"ts_ms\":",
                });
                write_now(now_nanos, [b",\"ts_us\":", b",\"ts_ns\":"], out);
                out.extend_from_slice(suffix);
            }
            Self::Avro { source, .. } => {
                source.write(&event.source, event.origin, out);
                match transaction(event) {
                    None => out.push(FIRST),
                    Some((id, order)) => {
                        out.push(SECOND);
                        write_string(id.as_bytes(), out);
                        write_long(order.total_order.cast_signed(), out);
                        write_long(order.data_collection_order.cast_signed(), out);
                    }
                }
                out.extend_from_slice(&[2, op]);
                let now_nanos = now_nanos.max(0);
                for time in [now_nanos / 1_000_000, now_nanos / 1_000, now_nanos] {
                    out.push(SECOND);
                    write_long(time, out);
                }
            }
            Self::Text { source } => {
                out.extend_from_slice(b"source=");
                source.write(&event.source, event.origin, out);
                if let Some((id, order)) = transaction(event) {
                    let (total, of_table) = (order.total_order, order.data_collection_order);
                    let text = format!(
                        ",transaction=Struct{{id={id},total_order={total},data_collection_order={of_table}}}"
                    );
                    out.extend_from_slice(text.as_bytes());
                }
                out.extend_from_slice(b",op=");
                out.push(op);
                out.extend_from_slice(b",ts_ms=");
                write_now(now_nanos, [b",ts_us=", b",ts_ns="], out);
                out.push(b'}');
            }
            Self::CloudEvents(frame) => frame.close(out),
        }
    }
}

/// Appends the time of writing in milli-, micro- and nanoseconds: three cuts of the same digits.
#[inline]
fn write_now(now_nanos: i64, between: [&[u8]; 2], out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let nanos = buffer.format(now_nanos.max(0)).as_bytes();
    let [micros, all] = between;
    for (behind, next) in [(6, micros), (3, all), (0, &b""[..])] {
        let kept = nanos.len().saturating_sub(behind);
        let digits = nanos.get(..kept).filter(|digits| !digits.is_empty());
        out.extend_from_slice(digits.unwrap_or(b"0"));
        out.extend_from_slice(next);
    }
}
