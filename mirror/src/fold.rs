//! Changes folded into `current`: rows that go are marked, rows that come are a file, and all of it is one commit.

use std::collections::HashSet;

use console::{Keeping, LoggedChange, LoggedChanges, RowKey, SourceLog};
use debezium::Operation;
use lakewriter::lake::Lake;

use crate::{
    current::{Current, Outcome},
    deletions::deletions,
    error::{Attempted as _, Error},
    files,
    folded::{Progress, Recent},
    key_index::Spot,
    plan::{Plan, Reason, open_moves, plan, remember},
    rows::{Lookup, Rows},
    step::Step,
};

/// The table as it was read, with what is known of its rows.
pub(crate) struct Open {
    pub(crate) current: Box<Current>,
    pub(crate) lookup: Lookup,
    pub(crate) recent: Recent,
    /// With so many files it is looked whether some should be written anew.
    pub(crate) tidy_at: usize,
}

/// What became of a fold.
pub(crate) enum Folding {
    Done(Step),
    NotPlain(Reason),
    Overtaken,
    Overwritten,
    /// Older changes are needed, and the log has to be read to the version of these.
    LogIsBehind,
}

/// A fold up to a version of the log.
pub(crate) struct Fold<'a> {
    pub(crate) lake: &'a Lake,
    /// The folder of `current`.
    pub(crate) relative: &'a str,
    /// The log at that version, or at one before it that had the same description.
    pub(crate) log: &'a SourceLog,
    pub(crate) version: u64,
    /// Those of the changes.
    pub(crate) files: &'a [String],
}

impl Fold<'_> {
    pub(crate) async fn run(
        &self,
        open: &mut Open,
        mut changes: LoggedChanges,
    ) -> Result<Folding, Error> {
        let version = self.version;
        let attempted = || format!("bring `{}` to version {version} of its log", self.relative);
        let log = self.log;
        let Keeping::ByKey { since } = log.keeping() else {
            return Ok(Folding::NotPlain(Reason::NarrowerRows));
        };
        if changes
            .iter()
            .any(|change| since.is_some_and(|since| change.position < since))
        {
            return Ok(Folding::NotPlain(Reason::OlderEra));
        }
        let progress = &open.current.progress;
        let stale = loop {
            match plan(changes.iter(), progress, &open.recent) {
                Plan::Fold { stale } => break stale,
                Plan::Rebuild(reason) => return Ok(Folding::NotPlain(reason)),
                Plan::LookBack { from } => {
                    if log.version() < version {
                        return Ok(Folding::LogIsBehind);
                    }
                    open.recent.lower(from);
                    let earlier = log.changes_from(from, self.files).await;
                    let earlier = earlier.attempted(attempted)?;
                    for LoggedChange {
                        operation,
                        position,
                        key,
                        is_partial,
                    } in earlier.iter()
                    {
                        open.recent.tell(key, position, operation, is_partial, None);
                    }
                }
            }
        };
        let mut through = progress.through;
        for change in changes.iter() {
            through = through.max(change.position);
        }
        changes.without(&stale);
        let keys = log.keys().attempted(attempted)?;
        let wanted: HashSet<RowKey> = changes.iter().map(|change| change.key.clone()).collect();
        let rows = Rows {
            lake: self.lake,
            relative: self.relative,
            current: &open.current,
            schema: log.schema(),
        };
        let Some(kept) = rows.find(&open.lookup, &keys, &wanted).await? else {
            return Ok(Folding::NotPlain(Reason::TwoRows));
        };
        let folded = changes
            .clone()
            .replay(&kept, progress.snapshot)
            .attempted(attempted)?;
        if !open_moves(changes.iter(), folded.lacking()).is_empty() {
            return Ok(Folding::NotPlain(Reason::SplitMove));
        }
        // A row that a snapshot read twice: which of the two stands where, only the log tells.
        let read_again = changes.iter().any(|change| {
            change.operation == Operation::Read
                && change.position.0 > 0
                && kept.contains_key(change.key)
        });
        let mut evidence = progress.evidence.clone().filter(|_| !read_again);
        if let Some(evidence) = &mut evidence {
            evidence.join(&folded.evidence);
        }
        let gone = folded.gone.clone();
        let come = folded.rows();
        let old = rows.read(&folded.needed()).await?;
        let added = match come {
            0 => None,
            _ => Some(folded.values(old).await.attempted(attempted)?),
        };
        let next = Progress {
            changes_version: version,
            through,
            snapshot: progress.snapshot,
            open_halves: progress.open_halves.clone(),
            evidence,
        };
        let (deletions, vectors) = deletions(self.relative, &open.current, &gone)?;
        if let Some((path, bytes)) = vectors {
            let uploaded = lakewriter::lake::upload(self.lake, self.relative, &path, bytes);
            uploaded.await.attempted(attempted)?;
        }
        let add = match &added {
            Some(rows) => Some(files::write(self.lake, self.relative, vec![rows.clone()]).await?),
            None => None,
        };
        let (outcome, number) = open.current.commit(deletions, add, next).await?;
        match outcome {
            Outcome::Done => {}
            Outcome::Overtaken => return Ok(Folding::Overtaken),
            Outcome::Overwritten => return Ok(Folding::Overwritten),
        }
        remember(changes.iter(), &mut open.recent, |key| {
            kept.contains_key(key)
        });
        open.recent.bound(through);
        if let Lookup::Index(index) = &mut open.lookup {
            let taken: HashSet<u64> = gone.iter().copied().collect();
            for (key, row) in &kept {
                if taken.contains(row) {
                    index.remove(key);
                }
            }
            if let (Some(rows), Some(file)) = (&added, number) {
                let rows = rows.project(&keys.columns).attempted(attempted)?;
                for (key, row) in keys.of(&rows).attempted(attempted)?.iter().zip(0..) {
                    if index.insert(key, Spot { file, row }).is_some() {
                        // It is committed: the next step finds it when it reads the table.
                        return Err(Error::new(format!(
                            "keep one row for each key of `{}`",
                            self.relative
                        )));
                    }
                }
            }
        }
        Ok(Folding::Done(Step::Folded {
            version,
            gone: gone.len(),
            come,
        }))
    }
}
