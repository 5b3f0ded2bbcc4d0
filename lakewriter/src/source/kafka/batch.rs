//! Records of the assigned partitions -> columns of the tables they belong to.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};

use debezium::{
    Operation, SchemaId, TableSchema,
    decode::{
        DecodeError, DecodeReason, DecodedEvent, EnvelopeDecoder, EventHeaders, ForeignDecoders,
    },
};
use rdkafka::message::Message;

use super::{
    assignment::{Assignment, RecordOrder},
    headers::{RecordHeaders, record_headers},
    schemas::{PublishedSchema, SchemaTopics},
    unreadable::{confluent, other_format},
};
use crate::{
    Error, LakeProgress,
    columns::{ChangeColumns, RowMeta},
    dead_letter::DeadLetter,
    flush::OpenSize,
    lake::LakeTableName,
    progress::{CommitTimes, now_micros},
};

/// How often columns are asked for their size; asking costs more than a row.
const ROWS_BETWEEN_SIZES: usize = 64;

/// `unavailable.value.placeholder` where nobody changed it: a foreign event does not say.
const DEBEZIUM_PLACEHOLDER: &str = "__debezium_unavailable_value";

/// The reader of one version of one table, and its open rows.
pub(crate) struct VersionReader {
    pub(crate) name: LakeTableName,
    pub(crate) version: Arc<TableSchema>,
    /// Its table's number in the assignment.
    pub(crate) table: usize,
    pub(crate) columns: ChangeColumns,
    /// Numbers of the partitions that its open rows came from.
    pub(crate) partitions: BTreeSet<usize>,
    bytes: usize,
}

/// Everything that was read and not yet handed to a commit.
pub(crate) struct OpenBatch {
    pub(crate) assignment: Assignment,
    pub(crate) readers: Vec<VersionReader>,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) times: CommitTimes,
    namespace: Option<String>,
    /// Our own cdc's events: decoder and reader of each version.
    by_schema: HashMap<SchemaId, (EnvelopeDecoder, usize)>,
    /// Another Debezium's events: decoders by topic, readers by the address of the version, which they keep alive.
    foreign: HashMap<String, ForeignDecoders>,
    by_version: HashMap<usize, usize>,
    progress: Arc<LakeProgress>,
    bytes: usize,
    rows: usize,
    since: Option<Instant>,
    clock_micros: i64,
}

/// Why a record does not become a row, though nothing is wrong with the pipeline.
enum Refused {
    /// Nothing to write: a tombstone, a message that is no row, or something the lake has already.
    Nothing,
    /// It is there already, by its position.
    Duplicate,
    DeadLetter(String),
}

impl OpenBatch {
    pub(crate) fn new(
        assignment: Assignment,
        namespace: Option<String>,
        progress: Arc<LakeProgress>,
    ) -> Self {
        Self {
            assignment,
            readers: Vec::new(),
            dead_letters: Vec::new(),
            times: CommitTimes::default(),
            namespace,
            by_schema: HashMap::new(),
            foreign: HashMap::new(),
            by_version: HashMap::new(),
            progress,
            bytes: 0,
            rows: 0,
            since: None,
            clock_micros: 0,
        }
    }

    pub(crate) fn size(&self) -> OpenSize {
        OpenSize {
            bytes: self.bytes,
            rows: self.rows,
            age: self
                .since
                .map_or_else(Default::default, |since| since.elapsed()),
        }
    }

    /// What was open is on its way: count from nothing again.
    pub(crate) fn emptied(&mut self) {
        self.bytes = 0;
        self.rows = 0;
        self.since = None;
        for reader in &mut self.readers {
            reader.bytes = 0;
            reader.partitions.clear();
        }
    }

    /// Versions whose settings were published anew: their readers are made again when next needed.
    pub(crate) fn forget(&mut self, changed: &[SchemaId]) {
        for id in changed {
            self.by_schema.remove(id);
        }
    }

    /// Read the wall clock for the rows of the records that follow.
    pub(crate) fn tick(&mut self) {
        self.clock_micros = now_micros();
    }

    /// Take one record. Nothing of it is borrowed after the return.
    ///
    /// # Errors
    /// The schema topics cannot be read. Anything that is wrong with the record itself makes it a dead letter.
    pub(crate) fn take<M: Message>(
        &mut self,
        record: &M,
        schemas: &mut SchemaTopics,
    ) -> Result<(), Error> {
        let Some(partition) = self
            .assignment
            .partition(record.topic(), record.partition())
        else {
            return Ok(());
        };
        let offset = record.offset();
        let refused = self.append(record, partition, schemas)?;
        if let Some(Refused::Duplicate) = refused {
            self.progress.dropped_duplicates(1);
        }
        if let Some(state) = self.assignment.partitions.get_mut(partition) {
            state.next = offset + 1;
            if let Some(Refused::DeadLetter(reason)) = refused
                && state.dead_letters.is_none_or(|stored| offset >= stored)
            {
                let letter = DeadLetter {
                    reason,
                    topic: record.topic().to_owned(),
                    partition: record.partition(),
                    offset,
                    timestamp_ms: record.timestamp().to_millis(),
                    key: record.key().map(<[u8]>::to_vec),
                    value: record.payload().map(<[u8]>::to_vec),
                };
                tracing::warn!(
                    topic = letter.topic,
                    partition = letter.partition,
                    offset,
                    reason = letter.reason,
                    "record set aside"
                );
                self.bytes += letter.bytes();
                self.dead_letters.push(letter);
                self.since.get_or_insert_with(Instant::now);
            }
        }
        Ok(())
    }

    fn append<M: Message>(
        &mut self,
        record: &M,
        partition: usize,
        schemas: &mut SchemaTopics,
    ) -> Result<Option<Refused>, Error> {
        let Some(value) = record.payload() else {
            return Ok(Some(Refused::Nothing));
        };
        let headers = record_headers(record);
        if headers.schema.is_some()
            && let Err(refused) = self.know_version(&headers, schemas)?
        {
            return Ok(Some(refused));
        }
        let event_headers = EventHeaders {
            position: headers.position,
            unavailable: headers.unavailable,
        };
        let offset = record.offset();
        let decoded = match headers.schema.and_then(schema_id) {
            Some(id) => match self.by_schema.get_mut(&id) {
                Some((decoder, reader)) => decoder
                    .decode(value, &event_headers, offset)
                    .map(|event| event.map(|event| (event, *reader))),
                None => Ok(None),
            },
            None => decode_foreign(
                &mut self.foreign,
                &mut self.by_version,
                &mut self.readers,
                &mut self.assignment,
                self.namespace.as_deref(),
                record,
                value,
            ),
        };
        let (event, reader) = match decoded {
            Ok(Some(decoded)) => decoded,
            Ok(None) => return Ok(Some(Refused::Nothing)),
            Err(error) => {
                let reason = confluent(value).unwrap_or_else(|| error.to_string());
                return Ok(Some(Refused::DeadLetter(reason)));
            }
        };
        let (Some(reader), Some(state)) = (
            self.readers.get_mut(reader),
            self.assignment.partitions.get_mut(partition),
        ) else {
            return Ok(Some(Refused::Nothing));
        };
        let progress = state.progress(reader.table);
        if progress
            .committed
            .is_some_and(|committed| offset < committed)
        {
            return Ok(Some(Refused::Nothing));
        }
        // Only positions of our own cdc are totally ordered; a foreign Debezium's are not.
        let order: Option<RecordOrder> = headers.position.map(|_| {
            let half = u64::from(headers.second_half);
            let ordinal = event
                .position
                .ordinal
                .saturating_mul(2)
                .saturating_add(half);
            (event.position.commit_lsn, ordinal)
        });
        if let (Some(order), Some(last)) = (order, progress.last)
            && order <= last
            // Rows of a snapshot below everything seen come from another database or another slot: a new history.
            && !(event.source.snapshot && order.0 < last.0)
        {
            return Ok(Some(Refused::Duplicate));
        }
        let meta = RowMeta {
            ingest_micros: self.clock_micros,
            partition: record.partition(),
            offset,
        };
        if let Err(error) = reader.columns.append_decoded(&event, meta) {
            let reason = service::render_error(&error, None);
            return Ok(Some(Refused::DeadLetter(reason)));
        }
        if order.is_some() {
            progress.last = order;
        }
        if event.op != Operation::Read {
            self.times.add(event.source.commit_micros);
        }
        reader.partitions.insert(partition);
        self.rows += 1;
        self.since.get_or_insert_with(Instant::now);
        if reader.columns.rows() % ROWS_BETWEEN_SIZES == 1 {
            let bytes = reader.columns.bytes();
            self.bytes += bytes.saturating_sub(reader.bytes);
            reader.bytes = bytes;
        }
        Ok(None)
    }

    /// Have a decoder and a reader for the version that the record names.
    fn know_version(
        &mut self,
        headers: &RecordHeaders<'_>,
        schemas: &mut SchemaTopics,
    ) -> Result<Result<(), Refused>, Error> {
        let Some(id) = headers.schema.and_then(schema_id) else {
            return Ok(Err(Refused::DeadLetter(
                "header `tributary.schema` is no hexadecimal number".to_owned(),
            )));
        };
        if self.by_schema.contains_key(&id) {
            return Ok(Ok(()));
        }
        let Some(published) = schemas.get(id)? else {
            return Ok(Err(Refused::DeadLetter(format!(
                "nobody published version {id} of its table in a `.tributary.schemas` topic"
            ))));
        };
        if let Some(reason) = other_format(published.settings.value_format) {
            return Ok(Err(Refused::DeadLetter(reason.to_owned())));
        }
        let PublishedSchema { table, settings } = published.clone();
        let version = Arc::new(table);
        let decoder = EnvelopeDecoder::new(Arc::clone(&version), &settings);
        let namespace = self.namespace.clone().unwrap_or(settings.topic_prefix);
        let reader = add_reader(&mut self.readers, &mut self.assignment, namespace, version);
        self.by_schema.insert(id, (decoder, reader));
        Ok(Ok(()))
    }
}

fn schema_id(text: &[u8]) -> Option<SchemaId> {
    let text = std::str::from_utf8(text).ok()?;
    u64::from_str_radix(text, 16).ok().map(SchemaId)
}

/// An event of another Debezium: its version is told by its embedded schema, or guessed.
fn decode_foreign<'a, M: Message>(
    foreign: &'a mut HashMap<String, ForeignDecoders>,
    by_version: &mut HashMap<usize, usize>,
    readers: &mut Vec<VersionReader>,
    assignment: &mut Assignment,
    namespace: Option<&str>,
    record: &M,
    value: &'a [u8],
) -> Result<Option<(DecodedEvent<'a>, usize)>, DecodeError> {
    let decoders = match foreign.contains_key(record.topic()) {
        true => foreign.get_mut(record.topic()),
        false => Some(
            foreign
                .entry(record.topic().to_owned())
                .or_insert_with(|| ForeignDecoders::new(DEBEZIUM_PLACEHOLDER)),
        ),
    };
    let Some(decoders) = decoders else {
        return Ok(None);
    };
    let Some(decoder) = decoders.decoder_for(record.key(), value)? else {
        return match changes_no_row(value) {
            true => Ok(None),
            false => Err(DecodeError {
                offset: 0,
                reason: DecodeReason::MissingField("source"),
            }),
        };
    };
    let version = Arc::clone(decoder.table());
    let Some(event) = decoder.decode(value, &EventHeaders::default(), record.offset())? else {
        return Ok(None);
    };
    let address = Arc::as_ptr(&version) as usize;
    let reader = *by_version.entry(address).or_insert_with(|| {
        let namespace = namespace
            .map(str::to_owned)
            .or_else(|| event.source.topic_prefix())
            .unwrap_or_else(|| version.table.database.clone());
        add_reader(readers, assignment, namespace, version)
    });
    Ok(Some((event, reader)))
}

/// Debezium's records that are no change of a row: logical messages, truncates, the ends of transactions.
fn changes_no_row(value: &[u8]) -> bool {
    [
        &b"\"op\":\"m\""[..],
        b"\"op\":\"t\"",
        b"\"status\":\"BEGIN\"",
        b"\"status\":\"END\"",
    ]
    .iter()
    .any(|mark| memchr::memmem::find(value, mark).is_some())
}

fn add_reader(
    readers: &mut Vec<VersionReader>,
    assignment: &mut Assignment,
    namespace: String,
    version: Arc<TableSchema>,
) -> usize {
    let name = LakeTableName::new(namespace, &version.table);
    readers.push(VersionReader {
        table: assignment.table(&name.changes_path()),
        columns: ChangeColumns::new(Arc::clone(&version)),
        partitions: BTreeSet::new(),
        bytes: 0,
        name,
        version,
    });
    readers.len() - 1
}
