//! A sink that remembers, in memory that outlives it as Kafka outlives a connector.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cdc::{
    Error, EventSink, IdleMark, PipelineStatus, Progress, TransactionEnd,
    checkpoint::{Resume, StartPosition, TablesRead, Witness},
};
use debezium::{
    ChangeEvent, ChangePosition, ColumnValue, OldRow, Operation, Source, SourceRecord, TableSchema,
};
use pgoutput::Lsn;

/// One event, its values as text.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub table: Arc<TableSchema>,
    pub op: Operation,
    pub before: Option<Vec<Option<String>>>,
    pub before_is_full: bool,
    pub after: Option<Vec<Option<String>>>,
    pub source: Source,
    /// Name, and its commit there.
    pub origin: Option<(String, Option<u64>)>,
    pub position: ChangePosition,
}

impl Recorded {
    pub fn name(&self) -> String {
        self.table.table.to_string()
    }

    /// The value of a column, after the change or else before it.
    pub fn value(&self, column: &str) -> Option<&str> {
        let index = self.table.columns.iter().position(|c| c.name == column)?;
        let row = self.after.as_ref().or(self.before.as_ref())?;
        row.get(index)?.as_deref()
    }
}

/// What is durable.
#[derive(Debug, Default)]
pub struct Durable {
    pub events: Vec<Recorded>,
    /// The contents of logical messages.
    pub messages: Vec<String>,
    pub resume: Option<Resume>,
    pub ends: Vec<TransactionEnd>,
    pub idle_marks: Vec<TransactionEnd>,
    /// The versions of tables are not kept, as on the direct road.
    pub forgets_versions: bool,
    /// No more events and messages than this are taken, as by a destination that is down.
    pub limit: Option<usize>,
}

/// The durable side, shared by all lives of the sink.
#[derive(Debug, Clone, Default)]
pub struct Store(Arc<Mutex<Durable>>);

impl Store {
    pub fn lock(&self) -> MutexGuard<'_, Durable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn start(&self) -> StartPosition {
        StartPosition {
            resume: self.lock().resume.clone(),
        }
    }

    pub fn len(&self) -> usize {
        self.lock().events.len()
    }

    pub fn events(&self) -> Vec<Recorded> {
        self.lock().events.clone()
    }
}

/// Takes `room` events at a time and makes them durable with the next step of progress, whether or not a transaction has
/// ended: what a killed process leaves behind is any prefix.
pub struct RecordingSink {
    store: Store,
    status: Arc<PipelineStatus>,
    room: usize,
    open: Vec<Recorded>,
    open_messages: Vec<String>,
    /// Position and source of the last event or message.
    open_last: Option<(ChangePosition, Source)>,
    open_end: Option<TransactionEnd>,
    open_idle: bool,
    in_flight: bool,
    end_lsn: Option<u64>,
    snapshot_completed: bool,
    tables_read: Option<TablesRead>,
}

impl RecordingSink {
    pub fn new(store: &Store, status: &Arc<PipelineStatus>, room: usize) -> Self {
        let resume = store.lock().resume.clone();
        Self {
            store: store.clone(),
            status: Arc::clone(status),
            room,
            open: Vec::new(),
            open_messages: Vec::new(),
            open_last: None,
            open_end: None,
            open_idle: false,
            in_flight: false,
            end_lsn: resume.as_ref().and_then(|resume| resume.end_lsn),
            snapshot_completed: resume.is_some_and(|resume| resume.snapshot_completed),
            tables_read: None,
        }
    }

    fn deliver(&mut self) -> Progress {
        self.in_flight = false;
        let mut store = self.store.lock();
        let read = self.status.read();
        let stored = store.resume.as_ref().map(|resume| resume.position);
        let mut resume = store.resume.clone().unwrap_or_default();
        resume.slot = read.slot.or(resume.slot);
        resume.selection = read.selection.or(resume.selection);
        resume.read_micros = resume.read_micros.max(read.read_micros);
        let events = self.open.len() as u64;
        if let Some(last) = self.open.last() {
            self.snapshot_completed |= last.op != Operation::Read && self.tables_read.is_none();
        }
        let last = self.open_last.take();
        if let Some((position, source)) = last {
            resume.position = position;
            resume.last_commit_lsn = source.last_commit_lsn;
            resume.last_commit_micros = Some(source.commit_micros);
            resume.witness = Witness::of(position, &source).or(resume.witness);
        }
        if let Some(end) = self.open_end.take() {
            self.snapshot_completed |= self.tables_read.is_none();
            self.end_lsn = self.end_lsn.max(Some(end.end_lsn.0));
            if self.open_idle {
                store.idle_marks.push(end);
            } else {
                store.ends.push(end);
                resume.last_commit_lsn = Some(end.end_lsn.0);
            }
            let reached = last.map(|(position, _)| position);
            resume.position = end.position.max(reached.unwrap_or_default());
            self.open_idle = false;
        }
        assert!(
            stored.is_none_or(|stored| stored <= resume.position),
            "position {} is to be stored after {stored:?}",
            resume.position
        );
        resume.end_lsn = self.end_lsn;
        resume.snapshot_completed = self.snapshot_completed;
        resume.tables_read.clone_from(&self.tables_read);
        store.events.append(&mut self.open);
        store.messages.append(&mut self.open_messages);
        store.resume = Some(resume);
        Progress {
            flushed: self.end_lsn.map(Lsn),
            events,
        }
    }
}

fn text(row: &[ColumnValue<'_>]) -> Vec<Option<String>> {
    row.iter()
        .map(|value| match value {
            ColumnValue::Null => None,
            ColumnValue::Unchanged => Some("<unchanged>".to_owned()),
            ColumnValue::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        })
        .collect()
}

impl EventSink for RecordingSink {
    /// As the schema topic has them.
    fn published_versions(&mut self) -> Vec<Arc<TableSchema>> {
        let store = self.store.lock();
        let events = store.events.iter().filter(|_| !store.forgets_versions);
        events.map(|event| Arc::clone(&event.table)).collect()
    }

    fn begin_snapshot(&mut self, read: Option<&TablesRead>, point: Lsn) {
        if read.is_none() {
            self.end_lsn = Some(point.0);
            let mut store = self.store.lock();
            let position = store.resume.as_ref().map(|resume| resume.position);
            // What is known of the older position says nothing any more, but the position still grows.
            store.resume = position.map(|position| Resume {
                position,
                ..Resume::default()
            });
        }
        self.snapshot_completed = false;
        self.tables_read = Some(read.cloned().unwrap_or_default());
    }

    fn begin_table(&mut self, oid: u32) {
        if let Some(read) = &mut self.tables_read {
            read.begin(oid);
        }
    }

    fn finish_table(&mut self, oid: u32) {
        if let Some(read) = &mut self.tables_read {
            read.finish(oid);
        }
    }

    fn end_snapshot(&mut self, end: TransactionEnd) -> Result<(), Error> {
        self.tables_read = None;
        self.end_transaction(end)
    }

    fn write(&mut self, event: &ChangeEvent<'_>) -> Result<(), Error> {
        self.open.push(Recorded {
            table: Arc::clone(event.table),
            op: event.op,
            before: event.before.columns().map(text),
            before_is_full: matches!(event.before, OldRow::Full(_)),
            after: event.after.map(text),
            source: event.source,
            origin: event
                .origin
                .map(|origin| (origin.name.to_owned(), origin.lsn)),
            position: event.position,
        });
        self.open_last = Some((event.position, event.source));
        Ok(())
    }

    fn write_record(&mut self, record: &SourceRecord<'_>) -> Result<(), Error> {
        if let SourceRecord::Message(message) = record {
            let content = String::from_utf8_lossy(message.content).into_owned();
            self.open_messages.push(content);
            self.open_last = Some((message.position, message.source));
            self.snapshot_completed = true;
        }
        Ok(())
    }

    fn end_transaction(&mut self, end: TransactionEnd) -> Result<(), Error> {
        self.open_end = Some(end);
        Ok(())
    }

    fn has_room(&self) -> bool {
        let store = self.store.lock();
        let limit = store.limit.unwrap_or(usize::MAX);
        let open = self.open.len() + self.open_messages.len();
        open < self.room && store.events.len() + store.messages.len() + open < limit
    }

    fn dispatch(&mut self) -> Result<(), Error> {
        self.in_flight |= self.open_last.is_some() || self.open_end.is_some();
        Ok(())
    }

    async fn progress(&mut self) -> Result<Progress, Error> {
        if !self.in_flight {
            if self.has_room() {
                return std::future::pending().await;
            }
            while !self.has_room() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // A destination that was down is up again.
            return Ok(Progress::default());
        }
        // Lets a test end this life between two steps, as a kill would.
        tokio::task::yield_now().await;
        Ok(self.deliver())
    }

    fn begin_drain(&mut self) {}

    fn is_idle(&self) -> bool {
        !self.in_flight && self.open_last.is_none() && self.open_end.is_none()
    }

    fn mark_idle(&mut self, end: TransactionEnd) -> Result<IdleMark, Error> {
        self.open_idle = true;
        self.open_end = Some(end);
        Ok(IdleMark::Deferred)
    }
}
