//! Events of another Debezium: their version is told by their embedded schema, or remembered, or guessed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use debezium::decode::{
    DecodeError, DecodeReason, DecodedEvent, EventHeaders, ForeignDecoders, ForeignTable,
    InferredType, RecordKind,
};
use rdkafka::message::Message;
use tokio::runtime::Handle;

use super::{
    assignment::Assignment, readers::Readers, schemas::is_table_version, unreadable::confluent,
};
use crate::{
    Error,
    lake::{LakeTableName, LakeTables},
};

/// `unavailable.value.placeholder` where nobody changed it: a foreign event does not say.
const DEBEZIUM_PLACEHOLDER: &str = "__debezium_unavailable_value";

/// What a record without our headers is.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one at a time, on the stack; nearly all are changes"
)]
pub(super) enum ForeignRecord<'a> {
    /// A change, and the number of its version's reader.
    Change(DecodedEvent<'a>, usize),
    /// Of Debezium's or our own, and no change of a row.
    NoRow,
    /// To be set aside, and why.
    Unreadable(String),
}

/// What was learnt of such events.
#[derive(Default)]
pub(super) struct ForeignEvents {
    by_topic: HashMap<String, ForeignDecoders>,
    /// Readers by the address of their version, which they keep alive.
    by_version: HashMap<usize, usize>,
    /// Topics and kinds of which was said that no row comes of them.
    told: HashSet<(String, &'static str)>,
}

impl ForeignEvents {
    /// Read one record. Must run where blocking is allowed.
    ///
    /// # Errors
    /// The lake cannot be asked what it knows of a table.
    pub(super) fn read<'a, M: Message>(
        &'a mut self,
        readers: &mut Readers,
        assignment: &mut Assignment,
        namespace: Option<&str>,
        record: &M,
        value: &'a [u8],
    ) -> Result<ForeignRecord<'a>, Error> {
        let topic = record.topic();
        if debezium::wire::is_schemas_topic(topic) && is_table_version(record.key(), value) {
            return Ok(self.no_row(topic, "versions of tables"));
        }
        let Self {
            by_topic,
            by_version,
            told,
        } = self;
        let decoders = by_topic
            .entry(topic.to_owned())
            .or_insert_with(|| ForeignDecoders::new(DEBEZIUM_PLACEHOLDER));
        let mut failed = None;
        let lake = Arc::clone(&assignment.lake);
        let mut remembered = |table: &ForeignTable| {
            remembered(&lake, namespace, table).unwrap_or_else(|error| {
                failed = Some(error);
                HashMap::new()
            })
        };
        let found = decoders.decoder_of_remembered(record.key(), value, &mut remembered);
        if let Some(error) = failed {
            // Nothing is guessed of a table that the lake may know; the whole session starts over.
            return Err(error);
        }
        let decoder = match found {
            Ok(Some(decoder)) => decoder,
            Ok(None) => {
                return Ok(match RecordKind::of(record.key(), value) {
                    Ok(kind) => of_kind(kind, told, topic),
                    Err(error) => unreadable(value, &error),
                });
            }
            Err(error) => return Ok(unreadable(value, &error)),
        };
        let version = Arc::clone(decoder.table());
        let event = match decoder.decode(value, &EventHeaders::default(), record.offset()) {
            Ok(Some(event)) => event,
            // A logical message, by its `op`.
            Ok(None) => return Ok(ForeignRecord::NoRow),
            Err(error) => return Ok(unreadable(value, &error)),
        };
        let address = Arc::as_ptr(&version) as usize;
        let reader = *by_version.entry(address).or_insert_with(|| {
            let prefix = event.source.topic_prefix();
            let namespace = namespace_of(namespace, prefix, &version.table.database);
            readers.of_version(&mut assignment.positions, namespace, version)
        });
        Ok(ForeignRecord::Change(event, reader))
    }

    fn no_row(&mut self, topic: &str, kind: &'static str) -> ForeignRecord<'static> {
        tell(&mut self.told, topic, kind);
        ForeignRecord::NoRow
    }
}

fn of_kind(
    kind: RecordKind,
    told: &mut HashSet<(String, &'static str)>,
    topic: &str,
) -> ForeignRecord<'static> {
    let kind = match kind {
        RecordKind::LogicalMessage => "logical messages",
        RecordKind::Transaction => "transaction metadata",
        RecordKind::Heartbeat => "heartbeats",
        RecordKind::SchemaChange => "schema changes",
        RecordKind::Signal => "signals",
        RecordKind::Change { connector } => {
            let connector = connector.unwrap_or_else(|| "(not named)".to_owned());
            let reason = DecodeReason::OtherConnector(connector);
            return ForeignRecord::Unreadable(DecodeError { offset: 0, reason }.to_string());
        }
        RecordKind::Other => {
            let reason = DecodeReason::NoEnvelope;
            return ForeignRecord::Unreadable(DecodeError { offset: 0, reason }.to_string());
        }
    };
    tell(told, topic, kind);
    ForeignRecord::NoRow
}

/// Say it once for each topic.
fn tell(told: &mut HashSet<(String, &'static str)>, topic: &str, kind: &'static str) {
    if told.insert((topic.to_owned(), kind)) {
        tracing::info!(
            topic,
            kind,
            "records that are no change of a row are passed over"
        );
    }
}

fn unreadable(value: &[u8], error: &DecodeError) -> ForeignRecord<'static> {
    ForeignRecord::Unreadable(confluent(value).unwrap_or_else(|| error.to_string()))
}

fn namespace_of(namespace: Option<&str>, prefix: Option<String>, database: &str) -> String {
    namespace
        .map(str::to_owned)
        .or(prefix)
        .unwrap_or_else(|| database.to_owned())
}

/// What the lake's table took the columns for.
fn remembered(
    lake: &LakeTables,
    namespace: Option<&str>,
    table: &ForeignTable,
) -> Result<HashMap<String, InferredType>, Error> {
    let prefix = table.topic_prefix.clone();
    let namespace = namespace_of(namespace, prefix, &table.table.database);
    let path = LakeTableName::new(namespace, &table.table).changes_path();
    Handle::current().block_on(async {
        Ok(match lake.get(&path).await? {
            Some(table) => table.lock().await.inferred_types(),
            None => HashMap::new(),
        })
    })
}
