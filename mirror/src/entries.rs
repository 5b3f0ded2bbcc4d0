//! The last entries of `current`'s log, as they were read or put: another program may write over one.
//!
//! Invariant: an entry is put only if the one before it is what it was when it was read or put, and the eight before that were
//! a few commits ago. Deletion vectors are made for the files and rows of exactly those entries; where one is gone,
//! `current` is made anew.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hasher as _},
};

use deltalake_core::logstore::LogStoreRef;
use futures::future::try_join_all;

use crate::error::{Attempted as _, Error};

/// The time between a look and a write of another program is some requests long: it writes over one of the newest.
const KEPT: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// Version, and a hash of what stands in its entry.
    seen: VecDeque<(u64, u64)>,
    puts: usize,
}

impl Entries {
    pub(crate) async fn read(log: &LogStoreRef, version: u64) -> Result<Self, Error> {
        let found = hash_of(log, version).await?;
        Ok(Self {
            seen: found.map(|hash| (version, hash)).into_iter().collect(),
            puts: 0,
        })
    }

    /// The table was opened again, and these were seen before.
    pub(crate) fn behind(&mut self, before: &Self) {
        let first = self.seen.front().map_or(0, |(version, _)| *version);
        let before = before.seen.iter().filter(|(version, _)| *version < first);
        for seen in before.rev() {
            self.seen.push_front(*seen);
        }
    }

    pub(crate) fn remember(&mut self, version: u64, bytes: &[u8]) {
        self.seen.push_back((version, hash(bytes)));
        self.puts += 1;
        while self.seen.len() > KEPT {
            self.seen.pop_front();
        }
    }

    /// Whether they are what they were: the newest each time, all of them every few commits.
    pub(crate) async fn stand(&self, log: &LogStoreRef) -> Result<bool, Error> {
        let checked = if self.puts.is_multiple_of(KEPT / 2) {
            KEPT
        } else {
            1
        };
        let newest: Vec<(u64, u64)> = self.seen.iter().rev().take(checked).copied().collect();
        let found = newest.iter().map(|(version, _)| hash_of(log, *version));
        let found = try_join_all(found.collect::<Vec<_>>()).await?;
        let mut found = found.into_iter().zip(newest);
        // One whose number is gone was deleted with the history before a checkpoint.
        Ok(found.all(|(found, (_, hash))| found.is_none_or(|found| found == hash)))
    }
}

async fn hash_of(log: &LogStoreRef, version: u64) -> Result<Option<u64>, Error> {
    let bytes = log.read_commit_entry(version).await;
    let bytes = bytes.attempted(|| format!("read version {version} of `{}`", log.root_url()))?;
    Ok(bytes.map(|bytes| hash(&bytes)))
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
