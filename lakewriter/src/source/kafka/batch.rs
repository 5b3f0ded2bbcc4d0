//! Records of the assigned partitions -> columns of the tables they belong to.

use std::{collections::HashMap, sync::Arc, time::Instant};

use debezium::{
    Operation, SchemaId,
    decode::{EnvelopeDecoder, EventHeaders},
    wire,
};
use rdkafka::message::Message;

use super::{
    assignment::Assignment,
    foreign::{ForeignEvents, ForeignRecord},
    headers::{RecordHeaders, record_headers},
    readers::Readers,
    schemas::SchemaTopics,
    unreadable::{confluent, other_format},
};
use crate::{
    Error, LakeCounters,
    columns::RowMeta,
    counters::{CommitTimes, now_micros},
    dead_letter::DeadLetter,
    error::defect,
    flush::OpenSize,
    progress::{RecordOrder, Skip},
};

/// What a row takes beside the text of its event, which is longer than the values that are made of it.
const ROW_OVERHEAD: usize = 128;

/// Everything that was read and not yet handed to a commit.
pub(crate) struct OpenBatch {
    pub(crate) assignment: Assignment,
    pub(crate) readers: Readers,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) times: CommitTimes,
    namespace: Option<String>,
    /// Our own cdc's events: decoder and reader of each version.
    by_schema: HashMap<SchemaId, (EnvelopeDecoder, usize)>,
    foreign: ForeignEvents,
    counters: Arc<LakeCounters>,
    /// Not less than the open rows and dead letters take: the length of their records, until they are measured.
    bytes: usize,
    rows: usize,
    since: Option<Instant>,
    clock_micros: i64,
}

/// What became of a record.
enum Taken {
    /// It was appended to the open rows of the table with this number.
    Row {
        table: usize,
        order: Option<RecordOrder>,
    },
    Skipped(Skip),
    DeadLetter(String),
}

impl OpenBatch {
    pub(crate) fn new(
        assignment: Assignment,
        namespace: Option<String>,
        counters: Arc<LakeCounters>,
    ) -> Self {
        Self {
            assignment,
            readers: Readers::default(),
            dead_letters: Vec::new(),
            times: CommitTimes::default(),
            namespace,
            by_schema: HashMap::new(),
            foreign: ForeignEvents::default(),
            counters,
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
    }

    /// Where the open rows seem to be more than `limit`, see how much they really are: an event with an embedded schema
    /// is many times as long as its row. Near the limit they are left for what they seem, so that this is not done for
    /// each of the last records.
    pub(crate) fn measure(&mut self, limit: usize) {
        if self.bytes >= limit {
            let letters = self.dead_letters.iter().map(DeadLetter::bytes);
            let measured = self.readers.bytes() + letters.sum::<usize>();
            if measured < limit - limit / 8 {
                self.bytes = measured;
            }
        }
    }

    /// The consumer stands here: nothing more comes from below.
    pub(crate) fn pass(&mut self, positions: &[(String, i32, i64)]) {
        for (topic, partition, next) in positions {
            self.assignment.positions.passed(topic, *partition, *next);
        }
    }

    /// Whether the lake should be told how far partitions were handled though no row of them is open.
    pub(crate) fn floor_is_due(&self, at_once: bool) -> bool {
        let positions = &self.assignment.positions;
        positions.floor_is_due(at_once, Instant::now())
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
    /// The schema topics or the lake cannot be read; `Defect` where going on would lose the record. Anything that is
    /// wrong with the record itself makes it a dead letter.
    pub(crate) fn take<M: Message>(
        &mut self,
        record: &M,
        schemas: &mut SchemaTopics,
    ) -> Result<(), Error> {
        let (topic, offset) = (record.topic(), record.offset());
        let at = || format!("`{topic}` [{}] offset {offset}", record.partition());
        let partition = self
            .assignment
            .positions
            .partition(topic, record.partition())
            .ok_or_else(|| defect("a record comes from an assigned partition", at()))?;
        // The offset moves for whatever the record was: each arm says what keeps its rows from being lost.
        match self.append(record, partition, schemas)? {
            Taken::Row { table, order } => {
                let positions = &mut self.assignment.positions;
                positions.appended(partition, table, offset, order)?;
            }
            Taken::Skipped(reason) => {
                if reason == Skip::Duplicate {
                    self.counters.dropped_duplicates(1);
                }
                let positions = &mut self.assignment.positions;
                positions.skipped(partition, offset, reason)?;
            }
            Taken::DeadLetter(reason) => {
                if self.assignment.positions.set_aside(partition, offset)? {
                    self.set_aside(record, reason);
                }
            }
        }
        Ok(())
    }

    fn set_aside<M: Message>(&mut self, record: &M, reason: String) {
        let letter = DeadLetter {
            reason,
            topic: record.topic().to_owned(),
            partition: record.partition(),
            offset: record.offset(),
            timestamp_ms: record.timestamp().to_millis(),
            key: record.key().map(<[u8]>::to_vec),
            value: record.payload().map(<[u8]>::to_vec),
        };
        tracing::warn!(
            topic = letter.topic,
            partition = letter.partition,
            offset = letter.offset,
            reason = letter.reason,
            "record set aside"
        );
        self.bytes += letter.bytes();
        self.dead_letters.push(letter);
        self.since.get_or_insert_with(Instant::now);
    }

    fn append<M: Message>(
        &mut self,
        record: &M,
        partition: usize,
        schemas: &mut SchemaTopics,
    ) -> Result<Taken, Error> {
        let Some(value) = record.payload() else {
            return Ok(Taken::Skipped(Skip::NoRow));
        };
        let headers = record_headers(record)?;
        let offset = record.offset();
        let at = || {
            format!(
                "`{}` [{}] offset {offset}",
                record.topic(),
                record.partition()
            )
        };
        if headers.schema.is_some()
            && let Some(refused) = self.know_version(&headers, schemas)?
        {
            return Ok(refused);
        }
        let (event, reader) = match headers.schema.and_then(wire::schema_id) {
            Some(id) => {
                let (decoder, reader) = self
                    .by_schema
                    .get_mut(&id)
                    .ok_or_else(|| defect("a version that was made known has a decoder", at()))?;
                let event_headers = EventHeaders {
                    position: headers.position,
                    unavailable: headers.unavailable,
                };
                match decoder.decode(value, &event_headers, offset) {
                    Ok(Some(event)) => (event, *reader),
                    // A logical message, by its `op`.
                    Ok(None) => return Ok(Taken::Skipped(Skip::NoRow)),
                    Err(error) => {
                        let reason = confluent(value).unwrap_or_else(|| error.to_string());
                        return Ok(Taken::DeadLetter(reason));
                    }
                }
            }
            None => match self.foreign.read(
                &mut self.readers,
                &mut self.assignment,
                self.namespace.as_deref(),
                record,
                value,
            )? {
                ForeignRecord::Change(event, reader) => (event, reader),
                ForeignRecord::NoRow => return Ok(Taken::Skipped(Skip::NoRow)),
                ForeignRecord::Unreadable(reason) => return Ok(Taken::DeadLetter(reason)),
            },
        };
        let reader = self
            .readers
            .get_mut(reader)
            .ok_or_else(|| defect("a decoder's reader exists", at()))?;
        // Only positions of our own cdc are totally ordered; a foreign Debezium's are not.
        let order = match headers.position {
            Some(_) => match RecordOrder::of(event.position, headers.second_half) {
                None => {
                    return Ok(Taken::DeadLetter(format!(
                        "header `{}` is out of range: {}",
                        wire::header::POSITION,
                        event.position
                    )));
                }
                order => order,
            },
            None => None,
        };
        let (positions, table) = (&self.assignment.positions, reader.table);
        if let Some(reason) = positions.skip(partition, table, offset, order)? {
            return Ok(Taken::Skipped(reason));
        }
        let meta = RowMeta {
            ingest_micros: self.clock_micros,
            partition: record.partition(),
            offset,
        };
        if let Err(error) = reader.columns.append_decoded(&event, meta) {
            if error.is_full() && reader.columns.rows() > 0 {
                return Err(
                    defect("an open batch is committed before 2 GiB", at()).with_source(error)
                );
            }
            let reason = service::render_error(&error, None);
            return Ok(Taken::DeadLetter(reason));
        }
        if let (Some(rows), Some(order)) = (headers.snapshot_rows, order) {
            reader.snapshots.add(order.moment(), rows);
        }
        if event.op != Operation::Read {
            self.times.add(event.source.commit_micros);
        }
        self.rows += 1;
        self.bytes += value.len() + ROW_OVERHEAD;
        self.since.get_or_insert_with(Instant::now);
        Ok(Taken::Row { table, order })
    }

    /// Have a decoder and a reader for the version that the record names; what becomes of the record without.
    fn know_version(
        &mut self,
        headers: &RecordHeaders<'_>,
        schemas: &mut SchemaTopics,
    ) -> Result<Option<Taken>, Error> {
        let Some(id) = headers.schema.and_then(wire::schema_id) else {
            return Ok(Some(Taken::DeadLetter(format!(
                "header `{}` is no hexadecimal number",
                wire::header::SCHEMA
            ))));
        };
        if self.by_schema.contains_key(&id) {
            return Ok(None);
        }
        let Some(published) = schemas.get(id)? else {
            return Ok(Some(Taken::DeadLetter(schemas.unpublished(id))));
        };
        if let Some(reason) = other_format(published.settings.value_format) {
            return Ok(Some(Taken::DeadLetter(reason.to_owned())));
        }
        let wire::PublishedSchema { table, settings } = published.clone();
        let version = Arc::new(table);
        let decoder = EnvelopeDecoder::new(Arc::clone(&version), &settings);
        let namespace = self.namespace.clone().unwrap_or(settings.topic_prefix);
        let reader = self
            .readers
            .of_version(&mut self.assignment.positions, namespace, version);
        self.by_schema.insert(id, (decoder, reader));
        Ok(None)
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
