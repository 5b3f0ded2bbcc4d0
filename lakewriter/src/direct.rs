//! Change events of the same process -> the lake, without Kafka.
//!
//! The writer takes events as they come and commits only where a source transaction ends, so every version of a table
//! holds whole transactions. Delta has no commit over several tables; this is how a batch that touches many of them is
//! all or nothing all the same:
//!
//! 1. Files of all tables are uploaded. Nobody sees them.
//! 2. One position record is put (`If-None-Match: *`) with the new position and the list of files of each table.
//!    **This is the commit point.** Died before: the files are orphans, the old position stands, PostgreSQL sends the
//!    same changes again. Died after: the new position stands, and the rest is bound to happen.
//! 3. Each table commits its files with `txn(tributary/<pipeline>/direct, number)`, which grows with every commit.
//! 4. Only now the position is reported durable.
//!
//! Opening reads the last record and does step 3 for every table whose `txn` is still where the record says it was, so
//! a kill between two tables neither loses nor doubles a row. A table that is where the record wants it is left alone.
//! Two writers of one pipeline collide at step 2, where the loser has changed nothing; and a writer that comes back
//! from the dead within step 3 meets its successor's `txn` on the table. Events at or below the position that was
//! found at opening are skipped, so it does no harm if PostgreSQL sends more than was asked for.
//!
//! A transaction larger than memory is uploaded in parts while it comes (step 1 early); its parts become visible
//! together or not at all.
//!
//! A stored position never decreases, by incarnation, LSN and ordinal: [`PositionLog::append`] asserts it, and the commit
//! asserts that its rows stand between the stored position and the new one. A `txn` is no LSN, because a restored backup
//! gives LSNs out again; positions of a later incarnation are greater with any LSN.

mod commit;
mod open_batch;
mod position;
mod staging;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use debezium::{ChangeEvent, ChangePosition};
use tokio::sync::Mutex;

pub use commit::Committed;
pub use position::DirectPosition;

use self::{open_batch::OpenBatch, staging::Staging};
use crate::{
    Error, ErrorKind, LakeConfig, LakeCounters,
    error::task_ended,
    lake::{Lake, LakeTables, PositionLog},
    maintain::{Maintainer, Maintenance, MaintenanceTask},
};

/// A table whose open columns reach this size is uploaded before its transaction ends. Larger files read faster;
/// encoding one needs about this much memory again.
const STAGE_BYTES: usize = 32 << 20;

/// All open columns together stay below this: the largest table is uploaded when they reach it. What waits to be
/// uploaded gives its memory back by itself, so a limit above this always comes to have room again.
const STAGE_ALL_BYTES: usize = 64 << 20;

/// What the open batch and the commits in flight share.
#[derive(Debug)]
struct Shared {
    tables: LakeTables,
    app_id: String,
    namespace: Option<String>,
    /// Distinguishes the files of this process from those of all others.
    writer: String,
    /// Numbers them.
    files: AtomicU64,
    log: Mutex<PositionLog>,
    counters: Arc<LakeCounters>,
    staging: Staging,
    failed: AtomicBool,
}

/// Writes change events of the same process to the lake. After an error, drop it and open a new one.
#[derive(Debug)]
pub struct DirectWriter {
    shared: Arc<Shared>,
    /// Everything at or below it is in the lake already.
    durable: Option<ChangePosition>,
    open: OpenBatch,
    /// For as long as the writer is there.
    maintenance: Option<MaintenanceTask>,
}

impl DirectWriter {
    /// Open the lake, finish what a killed predecessor left half done, and say where it stands: None before the first
    /// commit of this pipeline.
    ///
    /// # Errors
    /// As [`Lake::open`]; `Table` if the lake contradicts its own position record.
    pub async fn open(
        config: LakeConfig,
        pipeline: &str,
        counters: Arc<LakeCounters>,
    ) -> Result<(Self, Option<DirectPosition>), Error> {
        let lake = Lake::open(&config).await?;
        Self::open_on(lake, config.namespace, pipeline, counters).await
    }

    /// The same on a lake that is already open.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_on(
        lake: Lake,
        namespace: Option<String>,
        pipeline: &str,
        counters: Arc<LakeCounters>,
    ) -> Result<(Self, Option<DirectPosition>), Error> {
        let writer = uuid::Uuid::new_v4().simple().to_string();
        let (log, record) = PositionLog::open(&lake, pipeline, &writer).await?;
        let shared = Arc::new(Shared {
            tables: LakeTables::new(lake, None),
            app_id: format!("tributary/{pipeline}/direct"),
            namespace,
            writer,
            files: AtomicU64::new(0),
            log: Mutex::new(log),
            counters,
            staging: Staging::default(),
            failed: AtomicBool::new(false),
        });
        let position = match record {
            None => None,
            Some(record) => {
                shared.commit_tables(&record.tables).await?;
                Some(record.position)
            }
        };
        let writer = Self {
            shared,
            durable: position.as_ref().map(|position| position.position),
            open: OpenBatch::default(),
            maintenance: None,
        };
        Ok((writer, position))
    }

    /// Keep the tables of the lake small from now on, for as long as this writer is there.
    pub fn keep_small(&mut self, wanted: Maintenance) {
        let lake = self.shared.tables.lake().clone();
        self.maintenance = Maintainer::new(lake, wanted).start();
    }

    /// Take one event into the open batch. Nothing of it is borrowed after the return. Must run within a tokio runtime.
    ///
    /// # Errors
    /// `Encode`: a value cannot become what its column's type promises. `Storage`: an earlier upload or commit failed.
    pub fn append(&mut self, event: &ChangeEvent<'_>) -> Result<(), Error> {
        if self
            .durable
            .is_some_and(|durable| event.position <= durable)
        {
            self.shared.counters.dropped_duplicates(1);
            return Ok(());
        }
        if self.shared.failed.load(Ordering::Relaxed) {
            return Err(failed_before());
        }
        self.open.append(&self.shared, event)
    }

    /// Bytes of memory that open rows take, those on their way to the store included.
    pub fn open_bytes(&self) -> usize {
        self.open.bytes() + self.shared.staging.bytes()
    }

    /// Rows that the next commit takes.
    pub fn open_rows(&self) -> usize {
        self.open.rows()
    }

    /// Wait until uploads that run ahead of their commit have given back enough memory for `open_bytes` to be below
    /// `limit`, or none of them runs any more. Cancel-safe.
    pub fn wait_room(&self, limit: usize) -> impl Future<Output = ()> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        let limit = limit.saturating_sub(self.open.bytes());
        async move { shared.staging.wait_below(limit).await }
    }

    /// Commit everything that is open. Call it only where a source transaction has ended: `end` is that end, and all
    /// events up to it were appended. What is open is swapped out at once, so the next transaction may be appended
    /// while the future runs; commits take effect in the order of the calls. The work goes on if the future is dropped.
    /// With nothing open, only the position moves.
    ///
    /// # Errors
    /// `Fenced`: another process writes for this pipeline. `Storage`: what is durable is unknown until the lake is
    /// opened again. `Defect`: `end` is before a stored position, or the open rows are not those up to it. After any error this writer takes nothing more.
    pub fn commit_open(
        &mut self,
        end: DirectPosition,
    ) -> impl Future<Output = Result<Committed, Error>> + Send + 'static {
        let open = self.open.take(&self.shared);
        let shared = Arc::clone(&self.shared);
        let turn = shared.staging.turn();
        let task = tokio::spawn(async move {
            let result = shared.commit(open, end, turn).await;
            if result.is_err() {
                shared.failed.store(true, Ordering::Relaxed);
            }
            result
        });
        async move {
            task.await
                .unwrap_or_else(|error| Err(task_ended("commit the open batch", error)))
        }
    }
}

fn failed_before() -> Error {
    Error::new(
        ErrorKind::Storage,
        "append to the lake: an earlier commit or upload of this writer failed",
    )
}
