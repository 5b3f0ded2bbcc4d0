//! The open batch -> commits, in the order that lets a crash between any two of them be made good by reading again.
//!
//! 1. Dead letters, in their own table with their own positions: before any offset moves past them.
//! 2. Tables that store no position for a partition yet: after the commit they hold one, and the seek rule knows them.
//! 3. All other tables. A partition is read again from the lowest position of its tables, so until the last of them
//!    has committed nothing is passed over, and those that have committed skip what they have.
//! 4. The floors of the partitions, once everything below them is in: what tables without rows were shown.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};

use arrow::record_batch::RecordBatch;
use debezium::TableSchema;
use futures::future::try_join_all;

use crate::{
    Error, ErrorKind, LakeCounters,
    counters::{CommitTimes, now_micros},
    dead_letter::{DeadLetter, dead_letter_rows},
    error::defect,
    lake::{
        DEAD_LETTERS, LakeTableName, LakeTables, POSITIONS,
        delta::{CommitOutcome, PreparedCommit, StagedFile, TableProperties, TxnAdvance},
    },
    source::kafka::{Lease, OpenBatch, RunningCommit},
};

/// Topic, partition, and the next offset that is not in the lake.
pub(crate) type NextOffsets = Vec<(String, i32, i64)>;

/// Rows of one version of a table.
struct VersionRows {
    name: LakeTableName,
    version: Arc<TableSchema>,
    rows: RecordBatch,
}

/// What one table takes over.
#[derive(Default)]
struct TableCommit {
    versions: Vec<VersionRows>,
    txns: Vec<TxnAdvance>,
    /// Stores no position for one of the partitions yet.
    is_new: bool,
    /// `p<partition>-<from>-<to>` of its first partition, for the names of files.
    range: String,
}

/// Everything of one flush: a (from, to] interval per partition, and what every table makes of it.
pub(crate) struct FlushSet {
    lake: Arc<LakeTables>,
    lease: Arc<Lease>,
    dead_letters: Vec<DeadLetter>,
    dead_letter_txns: Vec<TxnAdvance>,
    tables: BTreeMap<String, TableCommit>,
    floors: Vec<TxnAdvance>,
    times: CommitTimes,
    /// Next offsets, for the group.
    offsets: NextOffsets,
}

impl FlushSet {
    /// Take everything that is open. From here on the batch counts it as committed; if the commit fails, the batch is
    /// thrown away with it. `last`: no flush follows, so what was passed without a row is stored now.
    pub(crate) fn take(open: &mut OpenBatch, last: bool) -> Result<Self, Error> {
        let mut set = Self {
            lake: Arc::clone(&open.assignment.lake),
            lease: Arc::clone(&open.assignment.lease),
            dead_letters: std::mem::take(&mut open.dead_letters),
            dead_letter_txns: Vec::new(),
            tables: BTreeMap::new(),
            floors: Vec::new(),
            times: std::mem::take(&mut open.times),
            offsets: Vec::new(),
        };
        let mut touched: BTreeSet<(usize, usize)> = BTreeSet::new();
        for reader in open.readers.iter_mut() {
            if reader.columns.rows() == 0 {
                continue;
            }
            let rows = reader.columns.finish().map_err(|error| {
                Error::new(
                    ErrorKind::Encode,
                    format!("finish columns of `{}`", reader.name),
                )
                .with_source(error)
            })?;
            if reader.partitions.is_empty() {
                return Err(defect("open rows come from a partition", &reader.name));
            }
            touched.extend(
                reader
                    .partitions
                    .iter()
                    .map(|&partition| (reader.table, partition)),
            );
            set.tables
                .entry(reader.name.changes_path())
                .or_default()
                .versions
                .push(VersionRows {
                    name: reader.name.clone(),
                    version: Arc::clone(&reader.version),
                    rows,
                });
        }
        for (number, state) in open.assignment.partitions.iter_mut().enumerate() {
            let to = state.next;
            let mut moved = false;
            for (table, relative) in open.assignment.tables.iter().enumerate() {
                let app_id = &state.app_id;
                let has_rows = touched.contains(&(table, number));
                if !has_rows {
                    continue;
                }
                let progress = state
                    .tables
                    .get_mut(table)
                    .ok_or_else(|| defect("a table with open rows has a position", app_id))?;
                let commit = set.tables.entry(relative.clone()).or_default();
                if commit.range.is_empty() {
                    // Only names the file: a table's first rows are named from zero.
                    let from = progress.committed.unwrap_or(0);
                    commit.range = format!("p{}-{from}-{to}", state.partition);
                }
                commit.is_new |= progress.stored.is_none();
                commit.txns.push(TxnAdvance {
                    app_id: app_id.clone(),
                    from: progress.stored,
                    to,
                });
                if let Some(last) = progress.last
                    && progress.last != progress.last_committed
                {
                    let advances = last.advances(progress.last_committed, app_id);
                    commit.txns.extend(advances);
                }
                progress.stored = Some(to);
                progress.committed = Some(to);
                progress.last_committed = progress.last;
                moved = true;
            }
            if state.floor_is_due(last) {
                set.floors.push(TxnAdvance {
                    app_id: state.app_id.clone(),
                    from: state.floor,
                    to,
                });
                state.floor = Some(to);
                state.floor_stored = Instant::now();
                let known = state
                    .tables
                    .iter_mut()
                    .filter_map(|table| table.committed.as_mut());
                known.for_each(|committed| *committed = to);
                moved = true;
            }
            let has_letters = set
                .dead_letters
                .iter()
                .any(|letter| letter.topic == state.topic && letter.partition == state.partition);
            if has_letters {
                set.dead_letter_txns.push(TxnAdvance {
                    app_id: state.app_id.clone(),
                    from: state.dead_letters,
                    to,
                });
                state.dead_letters = Some(to);
            }
            if moved || has_letters {
                set.offsets.push((state.topic.clone(), state.partition, to));
            }
        }
        open.emptied();
        Ok(set)
    }

    /// Upload and commit everything.
    ///
    /// # Errors
    /// `Fenced`: the partitions belong to another process now. `Storage`: what is in is unknown until the tables are
    /// read again.
    pub(crate) async fn publish(
        self,
        progress: Arc<LakeCounters>,
        running: RunningCommit,
    ) -> Result<NextOffsets, Error> {
        let _running = running;
        self.publish_dead_letters(&progress).await?;
        let lake = &self.lake;
        let staged = try_join_all(self.tables.iter().map(|(relative, commit)| async move {
            let mut files: Vec<StagedFile> = Vec::new();
            for version in &commit.versions {
                let file = format!("{}-{}", commit.range, uuid::Uuid::new_v4().simple());
                let rows = version.rows.clone();
                files.extend(
                    lake.stage_changes(&version.name, &version.version, rows, &file)
                        .await?,
                );
            }
            Ok::<_, Error>((relative, commit, files))
        }))
        .await?;
        let (new, known): (Vec<_>, Vec<_>) =
            staged.into_iter().partition(|(_, commit, _)| commit.is_new);
        for wave in [new, known] {
            try_join_all(wave.into_iter().map(|(relative, commit, files)| {
                self.commit(relative, commit.txns.clone(), files, Some(&progress))
            }))
            .await?;
        }
        progress.visible(&self.times, now_micros());
        if !self.floors.is_empty() {
            lake.have_positions().await?;
            self.commit(POSITIONS, self.floors.clone(), Vec::new(), None)
                .await?;
        }
        Ok(self.offsets)
    }

    async fn publish_dead_letters(&self, progress: &LakeCounters) -> Result<(), Error> {
        if self.dead_letters.is_empty() {
            return Ok(());
        }
        let rows = dead_letter_rows(&self.dead_letters, now_micros() / 1000).map_err(|error| {
            Error::new(ErrorKind::Encode, "make rows of dead letters").with_source(error)
        })?;
        let file = format!("part-{}", uuid::Uuid::new_v4().simple());
        let files = self
            .lake
            .stage_rows(DEAD_LETTERS, &TableProperties(Vec::new()), rows, &file)
            .await?;
        self.commit(DEAD_LETTERS, self.dead_letter_txns.clone(), files, None)
            .await?;
        progress.dead_lettered(self.dead_letters.len() as u64);
        Ok(())
    }

    async fn commit(
        &self,
        relative: &str,
        txns: Vec<TxnAdvance>,
        files: Vec<StagedFile>,
        progress: Option<&LakeCounters>,
    ) -> Result<(), Error> {
        let attempted = || format!("commit to `{relative}`");
        if !self.lease.is_held() {
            return Err(Error::new(
                ErrorKind::Fenced,
                format!(
                    "{}: its partitions were given to another process",
                    attempted()
                ),
            ));
        }
        let table =
            self.lake.get(relative).await?.ok_or_else(|| {
                Error::new(ErrorKind::Table, format!("{}: it is gone", attempted()))
            })?;
        let rows = files.iter().map(|file| file.rows).sum();
        let prepared = PreparedCommit {
            adds: files.into_iter().map(|file| file.add).collect(),
            txns,
            info: HashMap::new(),
        };
        match table.lock().await.commit(&prepared).await? {
            CommitOutcome::Committed(version) => {
                tracing::debug!(table = relative, version, rows, "committed");
                if let Some(progress) = progress {
                    progress.committed(rows);
                }
                Ok(())
            }
            CommitOutcome::Fenced { app_id, found } => Err(Error::new(
                ErrorKind::Fenced,
                format!(
                    "{}: `{app_id}` stands at {found:?}, where another process put it",
                    attempted()
                ),
            )),
        }
    }
}
