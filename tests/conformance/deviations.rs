use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::compare::Difference;

/// Differences that are on purpose, and which of them were met.
pub struct Deviations {
    list: Vec<Deviation>,
    met: Mutex<BTreeSet<usize>>,
}

#[derive(Deserialize)]
struct DeviationsFile {
    #[serde(default, rename = "deviation")]
    list: Vec<Deviation>,
}

/// An entry of `deviations.toml`, whose head explains the fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    corpus: Option<String>,
    scenario: String,
    topic: Option<String>,
    record: Option<usize>,
    path: String,
    theirs: Option<String>,
    ours: Option<String>,
    why: String,
}

impl Deviations {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let file: DeviationsFile = toml::from_str(&text)?;
        let reasons = file.list.iter().all(|deviation| !deviation.why.is_empty());
        ensure!(reasons, "{}: a deviation needs its reason", path.display());
        Ok(Self {
            list: file.list,
            met: Mutex::new(BTreeSet::new()),
        })
    }

    /// The reason of a difference that is on purpose.
    pub fn reason(&self, corpus: &str, scenario: &str, difference: &Difference) -> Option<&str> {
        let is_or_any = |expected: &Option<String>, found: &str| {
            expected.as_deref().is_none_or(|expected| expected == found)
        };
        let (at, deviation) = self.list.iter().enumerate().find(|(_, deviation)| {
            deviation.scenario == scenario
                && is_or_any(&deviation.corpus, corpus)
                && is_or_any(&deviation.topic, &difference.topic)
                && deviation
                    .record
                    .is_none_or(|record| Some(record) == difference.record)
                && deviation.path == difference.path
                && is_or_any(&deviation.theirs, &difference.theirs)
                && is_or_any(&deviation.ours, &difference.ours)
        })?;
        self.met
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(at);
        Some(&deviation.why)
    }

    /// Entries that no difference was found for.
    pub fn unmet(&self) -> Vec<String> {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let unmet = self.list.iter().enumerate();
        unmet
            .filter(|(at, _)| !met.contains(at))
            .map(|(_, deviation)| format!("{deviation:?}"))
            .collect()
    }
}
