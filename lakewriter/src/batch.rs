//! Records of the assigned partitions -> columns of the tables they belong to.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};

use debezium::{
    Operation, SchemaId, TableSchema,
    decode::{EnvelopeDecoder, EventHeaders},
};
use rdkafka::message::Message;

use crate::{
    Error, LakeProgress,
    assignment::{Assignment, RecordOrder},
    columns::{ChangeColumns, RowMeta},
    dead_letter::DeadLetter,
    flush::OpenSize,
    lake::LakeTableName,
    progress::{CommitTimes, now_micros},
    source::kafka::{PublishedSchema, RecordHeaders, SchemaTopics, record_headers},
};

/// How often columns are asked for their size; asking costs more than a row.
const ROWS_BETWEEN_SIZES: usize = 64;

/// The reader of one version of one table, and its open rows.
pub(crate) struct VersionReader {
    pub(crate) name: LakeTableName,
    pub(crate) version: Arc<TableSchema>,
    /// Its table's number in the assignment.
    pub(crate) table: usize,
    pub(crate) columns: ChangeColumns,
    /// Numbers of the partitions that its open rows came from.
    pub(crate) partitions: BTreeSet<usize>,
    decoder: EnvelopeDecoder,
    bytes: usize,
}

/// Everything that was read and not yet handed to a commit.
pub(crate) struct OpenBatch {
    pub(crate) assignment: Assignment,
    pub(crate) readers: Vec<VersionReader>,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) times: CommitTimes,
    namespace: Option<String>,
    by_schema: HashMap<SchemaId, usize>,
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
        let reader = match self.reader(&headers, schemas)? {
            Ok(reader) => reader,
            Err(refused) => return Ok(Some(refused)),
        };
        let Some(reader) = self.readers.get_mut(reader) else {
            return Ok(Some(Refused::Nothing));
        };
        let Some(state) = self.assignment.partitions.get_mut(partition) else {
            return Ok(Some(Refused::Nothing));
        };
        let offset = record.offset();
        let progress = state.progress(reader.table);
        if progress
            .committed
            .is_some_and(|committed| offset < committed)
        {
            return Ok(Some(Refused::Nothing));
        }
        let event_headers = EventHeaders {
            position: headers.position,
            unavailable: headers.unavailable,
        };
        let event = match reader.decoder.decode(value, &event_headers, offset) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(Some(Refused::Nothing)),
            Err(error) => return Ok(Some(Refused::DeadLetter(error.to_string()))),
        };
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
            self.progress.dropped_duplicates(1);
            return Ok(Some(Refused::Duplicate));
        }
        let meta = RowMeta {
            ingest_micros: self.clock_micros,
            partition: record.partition(),
            offset,
        };
        let streamed = event.op != Operation::Read;
        let commit_micros = event.source.commit_micros;
        if let Err(error) = reader.columns.append_decoded(&event, meta) {
            let reason = service::render_error(&error, None);
            return Ok(Some(Refused::DeadLetter(reason)));
        }
        if order.is_some() {
            progress.last = order;
        }
        reader.partitions.insert(partition);
        if streamed {
            self.times.add(commit_micros);
        }
        self.rows += 1;
        self.since.get_or_insert_with(Instant::now);
        if reader.columns.rows() % ROWS_BETWEEN_SIZES == 1 {
            let bytes = reader.columns.bytes();
            self.bytes += bytes.saturating_sub(reader.bytes);
            reader.bytes = bytes;
        }
        Ok(None)
    }

    /// The reader of the record's version of its table.
    fn reader(
        &mut self,
        headers: &RecordHeaders<'_>,
        schemas: &mut SchemaTopics,
    ) -> Result<Result<usize, Refused>, Error> {
        let Some(text) = headers.schema else {
            return Ok(Err(Refused::DeadLetter(
                "the record has no header `tributary.schema`, and its type cannot be told without"
                    .to_owned(),
            )));
        };
        let id = std::str::from_utf8(text)
            .ok()
            .and_then(|text| u64::from_str_radix(text, 16).ok())
            .map(SchemaId);
        let Some(id) = id else {
            return Ok(Err(Refused::DeadLetter(
                "header `tributary.schema` is no hexadecimal number".to_owned(),
            )));
        };
        if let Some(&reader) = self.by_schema.get(&id) {
            return Ok(Ok(reader));
        }
        let Some(published) = schemas.get(id)?.cloned() else {
            return Ok(Err(Refused::DeadLetter(format!(
                "nobody published version {id} of its table in a `.tributary.schemas` topic"
            ))));
        };
        let reader = self.add_reader(published);
        self.by_schema.insert(id, reader);
        Ok(Ok(reader))
    }

    fn add_reader(&mut self, published: PublishedSchema) -> usize {
        let PublishedSchema { table, settings } = published;
        let version = Arc::new(table);
        let namespace = self
            .namespace
            .clone()
            .unwrap_or_else(|| settings.topic_prefix.clone());
        let name = LakeTableName::new(namespace, &version.table);
        self.readers.push(VersionReader {
            table: self.assignment.table(&name.changes_path()),
            columns: ChangeColumns::new(Arc::clone(&version)),
            decoder: EnvelopeDecoder::new(Arc::clone(&version), &settings),
            partitions: BTreeSet::new(),
            bytes: 0,
            name,
            version,
        });
        self.readers.len() - 1
    }
}
