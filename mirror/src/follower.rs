//! One table's `current`, brought on step by step. A step ends with a commit or changes nothing; whoever dies within one
//! goes on from the `txn` of the last.

use std::time::{Duration, Instant};

use console::{Keeping, SourceLog, Wholeness};
use datafusion::prelude::SessionContext;
use lakewriter::{
    lake::{
        CHANGES, CURRENT, Lake,
        delta::{LakeTable, LoggedEntry},
    },
    maintain::{CompactionLimits, Extent, compact},
};
use tokio_util::sync::CancellationToken;

use crate::{
    current::{self, Before, Current, Found, Outcome},
    error::{Attempted as _, Error},
    fold::{Fold, Folding, Open},
    folded::Recent,
    news::{self, News},
    plan::Reason,
    rebuild,
    rows::{Loaded, Lookup, Rows},
    snapshot::{Begun, Patience, Verdict, verdict},
    step::{Settings, Step},
};

/// So many files come before it is looked again whether some should be written anew.
const FILES_BETWEEN: usize = 32;

/// Brings one table on.
pub struct Follower {
    lake: Lake,
    session: SessionContext,
    settings: Settings,
    changes: String,
    current: String,
    open: Option<Open>,
    /// The log as it was read last.
    log: Option<SourceLog>,
    /// The newest version of the log, and since when it is.
    seen: Option<(u64, Instant)>,
    /// When it was made anew, and how long that took.
    rebuilt: Option<(Instant, Duration)>,
    /// At this version of the log rows of a snapshot were missing; that is looked at again with the next version, or then.
    held: Option<(u64, Instant)>,
    /// An entry of the table's log is gone: what it shows is not known until it is made anew.
    overwritten: bool,
}

impl Follower {
    /// `changes`: the folder of the table's log.
    pub fn new(lake: &Lake, session: &SessionContext, changes: &str, settings: Settings) -> Self {
        let table = changes.strip_suffix(CHANGES).unwrap_or(changes);
        Self {
            lake: lake.clone(),
            session: session.clone(),
            settings,
            changes: changes.to_owned(),
            current: format!("{table}{CURRENT}"),
            open: None,
            log: None,
            seen: None,
            rebuilt: None,
            held: None,
            overwritten: false,
        }
    }

    /// The folder of the table that it brings on.
    pub fn folder(&self) -> &str {
        &self.current
    }

    /// Brings the table on by what came, or by a part of it.
    ///
    /// # Errors
    /// The store's, or the log cannot be read. The table is as before or as after the step.
    pub async fn step(&mut self) -> Result<Step, Error> {
        let step = self.try_step().await;
        // After anything but a clean end the table is read again: only that tells what became of a commit.
        match step {
            Ok(
                Step::Idle
                | Step::Folded { .. }
                | Step::Held
                | Step::Missing { .. }
                | Step::Resting,
            ) => {}
            Ok(Step::Rebuilt { .. } | Step::Overtaken | Step::NoKey) | Err(_) => self.open = None,
        }
        step
    }

    async fn try_step(&mut self) -> Result<Step, Error> {
        if let Some((version, until)) = self.held
            && Instant::now() < until
            && !self.goes_on(version).await?
        {
            return Ok(Step::Held);
        }
        self.held = None;
        let Some(open) = self.open.take() else {
            self.log = None;
            return self.begin().await;
        };
        let attempted = || format!("look for commits to `{}`", self.changes);
        let log = self.lake.log_store(&self.changes).attempted(attempted)?;
        let news = news::news(&log, open.current.progress.changes_version).await?;
        let Some(version) = news.version else {
            self.open = Some(open);
            return Ok(Step::Idle);
        };
        if news.lost_rows {
            return self.anew(Reason::ForeignCommit, open).await;
        }
        // As long as the log's description is the same, what is known of it holds for later versions.
        let log = match self.log.take().filter(|_| !news.describes) {
            Some(log) => log,
            None => self.log(Some(version)).await?,
        };
        let step = self.bring_on(open, &log, version, news).await;
        if let Ok(Step::Folded { .. }) = step {
            self.log = Some(log);
        }
        step
    }

    async fn bring_on(
        &mut self,
        mut open: Open,
        log: &SourceLog,
        version: u64,
        news: News,
    ) -> Result<Step, Error> {
        let reason = match log.keeping() {
            Keeping::Never => return Ok(Step::NoKey),
            _ if !open.current.is_of(log.shape()) => Some(Reason::NewShape),
            Keeping::Anew => Some(Reason::NarrowerRows),
            Keeping::ByKey { .. } => None,
        };
        if let Some(reason) = reason {
            return self.anew(reason, open).await;
        }
        let files: Vec<String> = news.adds.iter().map(|add| add.path.clone()).collect();
        let fold = Fold {
            lake: &self.lake,
            relative: &self.current,
            log,
            version,
            files: &files,
        };
        let attempted = || format!("read version {version} of `{}`", self.changes);
        let small = news::read(&self.lake, &self.changes, log, &news.adds).await?;
        let folding = match small {
            Some(rows) => {
                let changes = log.changes_in(rows).attempted(attempted)?;
                fold.run(&mut open, changes).await?
            }
            None => Folding::LogIsBehind,
        };
        let folding = match folding {
            Folding::LogIsBehind => {
                let log = self.log(Some(version)).await?;
                let changes = log.changes(files.clone()).await.attempted(attempted)?;
                Fold { log: &log, ..fold }.run(&mut open, changes).await?
            }
            Folding::Done(_) | Folding::NotPlain(_) | Folding::Overtaken | Folding::Overwritten => {
                folding
            }
        };
        match folding {
            Folding::Done(step) => {
                if open.current.files.len() >= open.tidy_at {
                    self.tidy(&mut open, log).await?;
                }
                self.open = Some(open);
                Ok(step)
            }
            Folding::Overtaken => Ok(Step::Overtaken),
            Folding::Overwritten => {
                tracing::warn!(
                    table = self.current,
                    hint = "have no program write to `current` that does not ask the store to refuse a second entry of one version, as Spark's log stores do not",
                    "another program wrote over an entry of the log: `current` is made anew"
                );
                self.overwritten = true;
                Ok(Step::Overtaken)
            }
            Folding::LogIsBehind => Err(Error::new(format!(
                "{}: it was opened at another version",
                attempted()
            ))),
            Folding::NotPlain(reason) => self.anew(reason, open).await,
        }
    }

    async fn log(&self, version: Option<u64>) -> Result<SourceLog, Error> {
        let part_bytes = self.settings.part_bytes;
        SourceLog::open(
            &self.lake,
            &self.session,
            &self.changes,
            version,
            part_bytes,
        )
        .await
        .attempted(|| format!("open `{}`", self.changes))
    }

    /// Opens the table, and makes it if it is not there or not ours any more.
    async fn begin(&mut self) -> Result<Step, Error> {
        let log = self.log(None).await?;
        if log.keeping() == Keeping::Never {
            return Ok(Step::NoKey);
        }
        let mut current = match Current::open(&self.lake, &self.current).await? {
            Found::Nothing => return self.make(&log, Reason::NoCurrent, None, None).await,
            Found::Table(current) if self.overwritten => {
                let (version, id) = (current.version(), current.id().to_owned());
                let files = current::files_at(&self.lake, &self.current, version).await?;
                let before = Before { version, id, files };
                return self
                    .make(&log, Reason::ForeignCommit, Some(before), None)
                    .await;
            }
            Found::Foreign { version, id } => {
                let files = current::files_at(&self.lake, &self.current, version).await?;
                let before = Before { version, id, files };
                return self
                    .make(&log, Reason::ForeignCommit, Some(before), None)
                    .await;
            }
            Found::Table(current) => current,
        };
        current.keep_history(self.settings.history)?;
        let folded = current.progress.changes_version;
        let reason = if !current.is_of(log.shape()) {
            Some(Reason::NewShape)
        } else if folded > log.version() {
            // The log was replaced by another one.
            Some(Reason::LogGone)
        } else if folded < log.version() && !self.goes_on(folded).await? {
            Some(Reason::LogGone)
        } else {
            None
        };
        if let Some(reason) = reason {
            return self.replace(&log, reason, &current).await;
        }
        let lookup = if log.keeping() == Keeping::Anew {
            Lookup::Scan
        } else {
            let rows = Rows {
                lake: &self.lake,
                relative: &self.current,
                current: &current,
                schema: log.schema(),
            };
            match rows.load(&log, self.settings.index_bytes).await? {
                Loaded::Unique(lookup) => lookup,
                Loaded::TwoRows => return self.replace(&log, Reason::TwoRows, &current).await,
                Loaded::Unknown if matches!(log.keeping(), Keeping::ByKey { since: Some(_) }) => {
                    // Rows from before there was a key: which they are only the whole log tells.
                    if folded == log.version() {
                        return Ok(Step::Idle);
                    }
                    return self.replace(&log, Reason::NarrowerRows, &current).await;
                }
                Loaded::Unknown => Lookup::Scan,
            }
        };
        let recent = Recent::behind(current.progress.through);
        self.open = Some(Open {
            tidy_at: FILES_BETWEEN,
            current,
            lookup,
            recent,
        });
        Box::pin(self.try_step()).await
    }

    /// Whether the entry after this version of the log is still there.
    async fn goes_on(&self, version: u64) -> Result<bool, Error> {
        let attempted = || format!("open `{}`", self.changes);
        let log = self.lake.log_store(&self.changes).attempted(attempted)?;
        let next = LoggedEntry::read(&log, version + 1).await;
        Ok(next.attempted(attempted)?.is_some())
    }

    async fn anew(&mut self, reason: Reason, open: Open) -> Result<Step, Error> {
        let log = self.log(None).await?;
        let step = self.replace(&log, reason, &open.current).await;
        if matches!(step, Ok(Step::Held | Step::Missing { .. } | Step::Resting)) {
            // Nothing was committed.
            self.open = Some(open);
        }
        step
    }

    async fn replace(
        &mut self,
        log: &SourceLog,
        reason: Reason,
        current: &Current,
    ) -> Result<Step, Error> {
        let before = Before {
            version: current.version(),
            id: current.id().to_owned(),
            files: current
                .files
                .values()
                .map(|file| file.add.clone())
                .collect(),
        };
        let shown = current.progress.snapshot;
        self.make(log, reason, Some(before), Some(shown)).await
    }

    /// Makes the table anew, if it is time for it. `shown`: the snapshot whose rows it shows.
    async fn make(
        &mut self,
        log: &SourceLog,
        reason: Reason,
        before: Option<Before>,
        shown: Option<Option<(i64, i64)>>,
    ) -> Result<Step, Error> {
        if log.keeping() == Keeping::Never {
            return Ok(Step::NoKey);
        }
        if self
            .seen
            .is_none_or(|(version, _)| version != log.version())
        {
            self.seen = Some((log.version(), Instant::now()));
        }
        let attempted = || format!("look for a snapshot in `{}`", self.changes);
        let snapshot = log.snapshot().await.attempted(attempted)?;
        if let Some(begun) = snapshot
            && shown.is_none_or(|shown| shown != snapshot)
        {
            let wholeness = log.wholeness(begun).await.attempted(attempted)?;
            let goes_on = match wholeness {
                Wholeness::Untold => log.newest().await.attempted(attempted)?,
                Wholeness::Whole | Wholeness::More | Wholeness::Lacking { .. } => None,
            };
            let goes_on = goes_on.is_some_and(|(incarnation, lsn, _)| (incarnation, lsn) > begun);
            let begun = Begun {
                wholeness,
                goes_on,
                quiet: self
                    .seen
                    .map_or(Duration::ZERO, |(_, since)| since.elapsed()),
                replaces: before.is_some(),
            };
            let patience = Patience {
                uncounted: self.settings.snapshot_pause,
                counted: self.settings.missing_after,
            };
            match verdict(begun, patience) {
                Verdict::Show => {}
                Verdict::Wait => {
                    self.held = self
                        .seen
                        .map(|(version, since)| (version, since + patience.with(wholeness)));
                    return Ok(Step::Held);
                }
                Verdict::Missing { of, there } => return Ok(Step::Missing { of, there }),
            }
        }
        if reason.may_come_often()
            && let Some((when, took)) = self.rebuilt
            && when.elapsed() < took * 10
        {
            return Ok(Step::Resting);
        }
        let began = Instant::now();
        let outcome = rebuild::rebuild(
            &self.lake,
            &self.current,
            log,
            before,
            self.settings.history,
        )
        .await?;
        self.rebuilt = Some((Instant::now(), began.elapsed()));
        Ok(match outcome {
            Outcome::Overtaken | Outcome::Overwritten => Step::Overtaken,
            Outcome::Done => {
                self.overwritten = false;
                Step::Rebuilt {
                    version: log.version(),
                    reason,
                }
            }
        })
    }

    /// Writes small and hollow files anew, and finds the rows where they are then. The rows are the same.
    async fn tidy(&self, open: &mut Open, log: &SourceLog) -> Result<(), Error> {
        let attempted = || format!("compact `{}`", self.current);
        let table = LakeTable::open(&self.lake, &self.current).await;
        if let Some(mut table) = table.attempted(attempted)? {
            let (limits, stop) = (CompactionLimits::default(), CancellationToken::new());
            let done = compact(
                &self.lake,
                &mut table,
                &limits,
                Extent::Tiers,
                &stop,
                |_| {},
            );
            done.await.attempted(attempted)?;
        }
        let overtaken = || Error::new(format!("find `{}` as it was compacted", self.current));
        let Found::Table(mut current) = Current::open(&self.lake, &self.current).await? else {
            return Err(overtaken());
        };
        if current.progress != open.current.progress {
            return Err(overtaken());
        }
        current.keep_history(self.settings.history)?;
        let added = current.renumber(&open.current);
        let rows = Rows {
            lake: &self.lake,
            relative: &self.current,
            current: &current,
            schema: log.schema(),
        };
        if !rows.find_again(&mut open.lookup, log, &added).await? {
            return Err(overtaken());
        }
        open.tidy_at = current.files.len() + FILES_BETWEEN;
        open.current = current;
        Ok(())
    }
}
