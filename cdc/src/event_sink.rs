//! What a destination of change events does.

use std::sync::Arc;

use debezium::{ChangeEvent, ChangePosition, SourceRecord, TableSchema};
use pgoutput::Lsn;
use tokio::time::Instant;

use crate::{Error, checkpoint::TablesRead};

/// The end of a source transaction (or of the snapshot) whose events were all written to the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionEnd {
    /// All of it: beyond its last change message, below everything that is sent after it.
    pub position: ChangePosition,
    /// May be confirmed to PostgreSQL once everything written so far is durable: the end of the COMMIT record, or the
    /// snapshot's consistent point.
    pub end_lsn: Lsn,
}

/// How far delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Everything up to this LSN is durable downstream; None while the first transaction is not yet whole.
    pub flushed: Option<Lsn>,
    /// Events that became durable with this step.
    pub events: u64,
}

/// What a sink does with a position at which PostgreSQL has nothing for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleMark {
    /// Nothing has to be stored: confirm it now.
    Confirm,
    /// It is being stored; `progress` reports it when it is durable.
    Deferred,
}

/// A destination of change events, driven by one task.
///
/// ```text
/// while sink.has_room() { sink.write(event)?; .. sink.end_transaction(end)?; }   // borrowed, never waits
/// sink.dispatch()?;                                                             // start delivery if none runs
/// let progress = sink.progress().await?;                                        // durable: confirm progress.flushed
/// ```
///
/// One batch is open and at most one in flight. Memory is bounded by `has_room`: when it answers false the caller stops
/// reading the socket, so PostgreSQL keeps the WAL and nothing grows here.
pub trait EventSink: Send {
    /// The versions of tables that this sink keeps durably, in the order in which they came in force, as far as they were
    /// not asked for before. A sink that keeps none leaves the catalog of now as the only witness of the past.
    fn published_versions(&mut self) -> Vec<Arc<TableSchema>> {
        Vec::new()
    }

    /// A snapshot as of `point` is about to be written. One that goes on has delivered `read` already, and what is written
    /// before its next row are changes of those tables; for one that starts from scratch positions that were stored before
    /// say nothing any more.
    fn begin_snapshot(&mut self, _read: Option<&TablesRead>, _point: Lsn) {}

    /// The first row of that table is about to be written to the snapshot.
    fn begin_table(&mut self, _oid: u32) {}

    /// Every row of that table was written to the snapshot. It becomes durable with the last of them.
    fn finish_table(&mut self, _oid: u32) {}

    /// All of the snapshot was written.
    ///
    /// # Errors
    /// The sink has failed.
    fn end_snapshot(&mut self, end: TransactionEnd) -> Result<(), Error> {
        self.end_transaction(end)
    }

    /// Take one event into the open batch. Nothing of it is borrowed after the return.
    ///
    /// # Errors
    /// The event cannot be encoded (`Encode`), or the sink has failed before.
    fn write(&mut self, event: &ChangeEvent<'_>) -> Result<(), Error>;

    /// Take the last row of a table's snapshot, which has this many. A sink that puts rows where a reader may meet a part of
    /// them tells the number.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn write_last(&mut self, event: &ChangeEvent<'_>, _rows: u64) -> Result<(), Error> {
        self.write(event)
    }

    /// Take one record that is no change of a row. Sinks that only keep rows leave it out.
    ///
    /// # Errors
    /// The sink has failed before.
    fn write_record(&mut self, _record: &SourceRecord<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// All events of a source transaction were written. Transactions without captured changes are not told one by one:
    /// see `mark_idle`.
    ///
    /// # Errors
    /// The sink has failed.
    fn end_transaction(&mut self, end: TransactionEnd) -> Result<(), Error>;

    /// Whether one more event fits the budget. May be exceeded by one event.
    fn has_room(&self) -> bool;

    /// Start delivering the open batch if none is in flight and the sink's own policy says so. Never waits.
    ///
    /// # Errors
    /// The sink has failed.
    fn dispatch(&mut self) -> Result<(), Error>;

    /// Until when `dispatch` sends nothing, as far as the sink knows now: a caller that has nothing else to do may leave what comes
    /// meanwhile in the socket and read it all at once. None: now is as good a time as any.
    fn rests_until(&self) -> Option<Instant> {
        None
    }

    /// The next step of delivery. Cancel-safe. Pending while nothing is in flight and no timer of the sink runs.
    ///
    /// # Errors
    /// The batch in flight could not be made durable.
    fn progress(&mut self) -> impl Future<Output = Result<Progress, Error>> + Send;

    /// From now on `dispatch` delivers whatever is open without waiting for more (shutdown).
    fn begin_drain(&mut self);

    /// Nothing open and nothing in flight: every position before the last `end_transaction` is durable.
    fn is_idle(&self) -> bool;

    /// Only while idle: everything before `end.end_lsn` was delivered, or was not for us. Asked for at most once per
    /// status interval.
    ///
    /// A sink whose stored `end_lsn` tells a recreated slot must store this one before it is confirmed, which is what the
    /// default does: it is an end like any other. A sink that stores nothing answers `Confirm`.
    ///
    /// # Errors
    /// The sink has failed.
    fn mark_idle(&mut self, end: TransactionEnd) -> Result<IdleMark, Error> {
        self.end_transaction(end)?;
        Ok(IdleMark::Deferred)
    }
}
