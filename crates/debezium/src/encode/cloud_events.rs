//! Events as CloudEvents 1.0, as Debezium's `CloudEventsConverter` writes them.

use crate::{
    ChangeEvent, ConnectField, ConnectSchema, ConnectType, ContractSettings, SnapshotMarker,
    Source, TableId, TransactionOrder,
    json::{write_escaped, write_string},
};

use super::{source::snapshot_text, transaction_block::transaction};

/// An event as a CloudEvent in structured JSON: the fields of `source` are extension attributes, the rows are `data`.
#[derive(Debug)]
pub(super) struct CloudEvents {
    prefix: String,
    version: String,
    table: TableId,
    /// Whether there are attributes beyond those of every cloud event.
    has_extensions: bool,
    extensions: Vec<Extension>,
    /// `"data":{`, with the schema of the data before its payload where that is asked for.
    data: Vec<u8>,
    close: &'static [u8],
}

/// A field of `source` under its attribute's name: `,"iodebeziumtsms":`.
#[derive(Debug)]
struct Extension {
    field: String,
    label: Vec<u8>,
}

impl CloudEvents {
    pub(super) fn new(
        schema: &ConnectSchema,
        source: &ConnectSchema,
        table: &TableId,
        settings: &ContractSettings,
    ) -> Self {
        let (mut data, mut close) = (b",\"data\":{".to_vec(), &b"}}"[..]);
        if settings.value_schemas_enable {
            let rows: Vec<ConnectField> = schema
                .fields()
                .iter()
                .filter(|field| matches!(field.name.as_str(), "before" | "after"))
                .cloned()
                .collect();
            let mut rows = ConnectSchema::new(ConnectType::Struct(rows), false);
            rows.name = Some("io.debezium.connector.postgresql.Data".to_owned());
            data = b",\"data\":{\"schema\":".to_vec();
            rows.write_json(&mut data);
            data.extend_from_slice(b",\"payload\":{");
            close = b"}}}";
        }
        Self {
            prefix: settings.topic_prefix.clone(),
            version: settings.source_version.clone(),
            table: table.clone(),
            has_extensions: settings.cloud_events_extensions,
            extensions: source
                .fields()
                .iter()
                .map(|field| Extension {
                    field: field.name.clone(),
                    label: label(&field.name),
                })
                .collect(),
            data,
            close,
        }
    }

    pub(super) fn open(&self, event: &ChangeEvent<'_>, out: &mut Vec<u8>) {
        let source = &event.source;
        let number = |value: Option<u64>| value.map_or("null".to_owned(), |n| n.to_string());
        let (tx_id, lsn) = match source.snapshot {
            SnapshotMarker::Incremental => (None, None),
            SnapshotMarker::First
            | SnapshotMarker::FirstInDataCollection
            | SnapshotMarker::True
            | SnapshotMarker::LastInDataCollection
            | SnapshotMarker::Last
            | SnapshotMarker::False => (source.tx_id, Some(source.lsn)),
        };
        let sequence = sequence(source);
        let id = format!(
            "name:{};lsn:{};txId:{};sequence:{sequence}",
            self.prefix,
            number(lsn),
            number(tx_id)
        );
        let millis = source.commit_micros.div_euclid(1_000);
        out.extend_from_slice(b"{\"id\":");
        write_string(out, id.as_bytes());
        out.extend_from_slice(b",\"source\":\"/debezium/postgresql/");
        write_escaped(out, self.prefix.as_bytes());
        out.extend_from_slice(
            b"\",\"specversion\":\"1.0\",\"type\":\"io.debezium.connector.postgresql.DataChangeEvent\",\"time\":\"",
        );
        crate::value::write_timestamp_text(millis, out);
        out.extend_from_slice(b"\",\"datacontenttype\":\"application/json\"");
        if self.has_extensions {
            self.write_extensions(event, (tx_id, lsn), &sequence, out);
        }
        out.extend_from_slice(&self.data);
    }

    fn write_extensions(
        &self,
        event: &ChangeEvent<'_>,
        (tx_id, lsn): (Option<u64>, Option<u64>),
        sequence: &str,
        out: &mut Vec<u8>,
    ) {
        let source = &event.source;
        let micros = source.commit_micros;
        let millis = micros.div_euclid(1_000);
        out.extend_from_slice(b",\"iodebeziumop\":\"");
        out.push(event.op.code() as u8);
        out.push(b'"');
        for Extension { field, label } in &self.extensions {
            out.extend_from_slice(label);
            let value = match field.as_str() {
                "version" => Some(self.version.clone()),
                "connector" => Some("postgresql".to_owned()),
                "name" => Some(self.prefix.clone()),
                "ts_ms" => Some(millis.to_string()),
                "ts_us" => Some(micros.to_string()),
                "ts_ns" => Some(micros.saturating_mul(1_000).to_string()),
                "snapshot" => Some(snapshot_text(source.snapshot).unwrap_or("false").to_owned()),
                "db" => Some(self.table.database.clone()),
                "schema" => Some(self.table.schema.clone()),
                "table" => Some(self.table.table.clone()),
                "sequence" => Some(sequence.to_owned()),
                "txId" => tx_id.map(|id| id.to_string()),
                "lsn" => lsn.map(|lsn| lsn.to_string()),
                "xmin" => source.xmin.map(|xmin| xmin.to_string()),
                "origin" => event.origin.map(|origin| origin.name.to_owned()),
                "origin_lsn" => event
                    .origin
                    .and_then(|origin| Some(origin.lsn?.to_string())),
                _ => None,
            };
            match value {
                Some(text) => write_string(out, text.as_bytes()),
                None => out.extend_from_slice(b"null"),
            }
        }
        let transaction = transaction(event);
        let order = |of: fn(TransactionOrder) -> u64| {
            transaction
                .as_ref()
                .map(|(_, order)| of(*order).to_string())
        };
        for (label, value) in [
            (
                &b",\"iodebeziumtxid\":"[..],
                transaction.as_ref().map(|(id, _)| id.clone()),
            ),
            (
                b",\"iodebeziumtxtotalorder\":",
                order(|order| order.total_order),
            ),
            (
                b",\"iodebeziumtxdatacollectionorder\":",
                order(|order| order.data_collection_order),
            ),
        ] {
            out.extend_from_slice(label);
            match value {
                Some(text) => write_string(out, text.as_bytes()),
                None => out.extend_from_slice(b"null"),
            }
        }
    }

    pub(super) fn close(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.close);
    }
}

/// `["<last commit>","<lsn>"]`.
fn sequence(source: &Source) -> String {
    match source.last_commit_lsn {
        None => format!("[null,\"{}\"]", source.lsn),
        Some(commit) => format!("[\"{commit}\",\"{}\"]", source.lsn),
    }
}

/// Attribute names have letters and digits only.
fn label(field: &str) -> Vec<u8> {
    let kept: String = field.chars().filter(char::is_ascii_alphanumeric).collect();
    format!(",\"iodebezium{kept}\":").into_bytes()
}
