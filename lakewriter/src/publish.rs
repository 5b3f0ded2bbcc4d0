//! The open batch -> commits, in the order of [`crate::progress`].

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

use arrow::record_batch::RecordBatch;
use debezium::TableSchema;
use futures::future::{join_all, try_join_all};

use crate::{
    Error, ErrorKind, LakeCounters,
    counters::{CommitTimes, now_micros},
    dead_letter::{DeadLetter, dead_letter_rows},
    error::defect,
    lake::{
        CountedSnapshots, DEAD_LETTERS, LakeTableName, LakeTables, POSITIONS,
        delta::{CommitOutcome, PreparedCommit, StagedFile, TableProperties},
    },
    progress::{Ended, Flush, FlushStage, NextOffsets, Place, PlannedCommit},
    source::kafka::{Lease, OpenBatch, RunningCommit},
};

/// Rows of one version of a table.
struct VersionRows {
    name: LakeTableName,
    version: Arc<TableSchema>,
    rows: RecordBatch,
    snapshots: CountedSnapshots,
}

/// What one table takes over.
#[derive(Default)]
struct TableRows {
    /// Its folder.
    relative: String,
    versions: Vec<VersionRows>,
}

/// Everything of one flush: what moves, and the rows that move it.
pub(crate) struct FlushSet {
    lake: Arc<LakeTables>,
    lease: Arc<Lease>,
    flush: Flush,
    dead_letters: Vec<DeadLetter>,
    /// By the number of the table.
    tables: BTreeMap<usize, TableRows>,
    times: CommitTimes,
}

/// What a flush has come to.
pub(crate) struct Published {
    /// Of each commit that was tried, what was seen of it.
    pub(crate) seen: Vec<(Place, Ended)>,
    /// Next offsets for the group, or why not everything is in.
    pub(crate) result: Result<NextOffsets, Error>,
}

/// Files that are uploaded and that nobody sees yet.
type Staged = HashMap<Place, Vec<StagedFile>>;

impl FlushSet {
    /// Take everything that is open. If a commit fails, the batch is thrown away with the rows that are taken here, and
    /// the lake says where to read them again. `last`: no flush follows, so what was passed without a row is stored now.
    pub(crate) fn take(open: &mut OpenBatch, last: bool) -> Result<Self, Error> {
        let flush = open.assignment.positions.flush(last, Instant::now())?;
        let mut tables: BTreeMap<usize, TableRows> = BTreeMap::new();
        for reader in open.readers.iter_mut() {
            if reader.columns.rows() == 0 {
                continue;
            }
            if flush.of(Place::Table(reader.table)).is_none() {
                return Err(defect("open rows come from a partition", &reader.name));
            }
            let rows = reader.columns.finish().map_err(|error| {
                Error::new(
                    ErrorKind::Encode,
                    format!("finish columns of `{}`", reader.name),
                )
                .with_source(error)
            })?;
            let table = tables.entry(reader.table).or_default();
            table.relative = reader.name.changes_path();
            table.versions.push(VersionRows {
                name: reader.name.clone(),
                version: Arc::clone(&reader.version),
                rows,
                snapshots: std::mem::take(&mut reader.snapshots),
            });
        }
        let dead_letters = std::mem::take(&mut open.dead_letters);
        for commit in flush.commits() {
            let has_rows = match commit.place {
                Place::Table(table) => tables.contains_key(&table),
                Place::DeadLetters => !dead_letters.is_empty(),
                Place::Anchor(_) | Place::Floors => true,
            };
            if !has_rows {
                return Err(defect(
                    "a position that moves for rows has them",
                    format!("{:?} of a flush", commit.place),
                ));
            }
        }
        if !dead_letters.is_empty() && flush.of(Place::DeadLetters).is_none() {
            let at = format!("{} dead letters", dead_letters.len());
            return Err(defect("open dead letters come from a partition", at));
        }
        let times = std::mem::take(&mut open.times);
        open.emptied();
        Ok(Self {
            lake: Arc::clone(&open.assignment.lake),
            lease: Arc::clone(&open.assignment.lease),
            flush,
            dead_letters,
            tables,
            times,
        })
    }

    /// Who may commit it.
    pub(crate) const fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// Upload and commit everything. The errors of its result are `Fenced`: the partitions belong to another process
    /// now; `Storage`: what is in is unknown until the tables are read again.
    pub(crate) async fn publish(
        self,
        counters: Arc<LakeCounters>,
        running: RunningCommit,
    ) -> Published {
        let _running = running;
        let mut seen = Vec::new();
        let result = self.publish_stages(&counters, &mut seen).await;
        Published {
            seen,
            result: result.map(|()| self.flush.into_offsets()),
        }
    }

    async fn publish_stages(
        &self,
        counters: &LakeCounters,
        seen: &mut Vec<(Place, Ended)>,
    ) -> Result<(), Error> {
        let mut staged = Staged::new();
        let mut tables_are_staged = false;
        let mut times = Some(&self.times);
        for (stage, commits) in self.flush.stages() {
            match stage {
                FlushStage::DeadLetters => staged.extend(self.stage_dead_letters().await?),
                FlushStage::Anchors | FlushStage::Tables => {
                    if !std::mem::replace(&mut tables_are_staged, true) {
                        staged.extend(self.stage_tables().await?);
                    }
                }
                FlushStage::Floors => {
                    if let Some(times) = times.take() {
                        counters.visible(times, now_micros());
                    }
                    self.lake.have_positions().await?;
                }
            }
            let commits = commits.iter().map(|commit| {
                let files = staged.remove(&commit.place).unwrap_or_default();
                async move { (commit.place, self.commit(commit, files, counters).await) }
            });
            // Each is seen to its end, whatever becomes of the others.
            let mut failed = None;
            for (place, (ended, result)) in join_all(commits.collect::<Vec<_>>()).await {
                seen.push((place, ended));
                failed = failed.or(result.err());
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
        if let Some(times) = times {
            counters.visible(times, now_micros());
        }
        Ok(())
    }

    /// Upload the rows of all tables, which are made or widened first.
    async fn stage_tables(&self) -> Result<Staged, Error> {
        let tables = self.tables.iter().map(|(&table, rows)| async move {
            let place = Place::Table(table);
            let range = self.flush.of(place).map_or("", |commit| &commit.range);
            let mut files: Vec<StagedFile> = Vec::new();
            for version in &rows.versions {
                let file = format!("{range}-{}", uuid::Uuid::new_v4().simple());
                let rows = (version.rows.clone(), &version.snapshots);
                let staged = self
                    .lake
                    .stage_changes(&version.name, &version.version, rows, &file)
                    .await?;
                files.extend(staged);
            }
            Ok::<_, Error>((place, files))
        });
        Ok(try_join_all(tables).await?.into_iter().collect())
    }

    async fn stage_dead_letters(&self) -> Result<Staged, Error> {
        let mut staged = Staged::new();
        if !self.dead_letters.is_empty() {
            let rows =
                dead_letter_rows(&self.dead_letters, now_micros() / 1000).map_err(|error| {
                    Error::new(ErrorKind::Encode, "make rows of dead letters").with_source(error)
                })?;
            let file = format!("part-{}", uuid::Uuid::new_v4().simple());
            let files = self
                .lake
                .stage_rows(DEAD_LETTERS, &TableProperties(Vec::new()), rows, &file)
                .await?;
            staged.insert(Place::DeadLetters, files);
        }
        Ok(staged)
    }

    async fn commit(
        &self,
        planned: &PlannedCommit,
        files: Vec<StagedFile>,
        counters: &LakeCounters,
    ) -> (Ended, Result<(), Error>) {
        let relative = match planned.place {
            Place::DeadLetters => DEAD_LETTERS,
            Place::Floors => POSITIONS,
            // `take` has seen that there are rows.
            Place::Anchor(table) | Place::Table(table) => {
                self.tables.get(&table).map_or("", |rows| &rows.relative)
            }
        };
        let rows = files.iter().map(|file| file.rows).sum();
        let answer = self.attempt(relative, planned, files).await;
        let ended = seen(&answer);
        let result = match answer {
            Ok(CommitOutcome::Committed(version)) => {
                tracing::debug!(table = relative, version, rows, "committed");
                match planned.place {
                    Place::Table(_) => counters.committed(rows),
                    Place::DeadLetters => counters.dead_lettered(rows),
                    Place::Anchor(_) | Place::Floors => {}
                }
                Ok(())
            }
            Ok(CommitOutcome::Fenced { app_id, found }) => Err(Error::new(
                ErrorKind::Fenced,
                format!(
                    "commit to `{relative}`: `{app_id}` stands at {found:?}, where another process put it"
                ),
            )),
            Err(error) => Err(error),
        };
        (ended, result)
    }

    async fn attempt(
        &self,
        relative: &str,
        planned: &PlannedCommit,
        files: Vec<StagedFile>,
    ) -> Result<CommitOutcome, Error> {
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
        let prepared = PreparedCommit {
            adds: files.into_iter().map(|file| file.add).collect(),
            txns: planned.txns.clone(),
            info: HashMap::new(),
        };
        table.lock().await.commit(&prepared).await
    }
}

/// What a table's answer to a commit has shown. The table answers only after it has read itself again wherever the store
/// did not acknowledge; where it could not, nobody knows.
fn seen(answer: &Result<CommitOutcome, Error>) -> Ended {
    match answer {
        Ok(CommitOutcome::Committed(_)) => Ended::Committed,
        Ok(CommitOutcome::Fenced { .. }) => Ended::Lost,
        // The partitions are another process's, so the positions are as well.
        Err(error) if error.kind() == ErrorKind::Fenced => Ended::Lost,
        Err(_) => Ended::Unknown,
    }
}
