use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::Difference;

/// Where a difference was found.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// A folder of `data/golden`.
    pub corpus: &'a str,
    pub scenario: &'a str,
    pub topic: &'a str,
    /// The record's number as it was recorded; None: it is about the topic, or all of the scenario.
    pub record: Option<usize>,
}

/// Differences that are on purpose, and which of them were met.
#[derive(Debug)]
pub struct Deviations {
    list: Vec<Deviation>,
    met: Mutex<BTreeSet<usize>>,
    whole: bool,
}

#[derive(Deserialize)]
struct DeviationsFile {
    #[serde(default, rename = "deviation")]
    list: Vec<Deviation>,
}

/// An entry of `tests/conformance/deviations.toml`, whose head explains the fields.
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
    /// # Errors
    /// The file is not there, has something else in it, or an entry without a reason.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let file: DeviationsFile = toml::from_str(&text)?;
        let reasons = file.list.iter().all(|deviation| !deviation.why.is_empty());
        ensure!(reasons, "{}: a deviation needs its reason", path.display());
        Ok(Self {
            list: file.list,
            met: Mutex::new(BTreeSet::new()),
            whole: true,
        })
    }

    /// For a comparison of the streamed part alone: the numbers of records that the entries tell have the rows of snapshots
    /// in them, and are not looked at.
    pub fn of_a_part(self) -> Self {
        Self {
            whole: false,
            ..self
        }
    }

    /// The reason of a difference that is on purpose.
    pub fn reason(&self, place: Place<'_>, difference: &Difference) -> Option<&str> {
        let is_or_any = |expected: &Option<String>, found: &str| {
            expected.as_deref().is_none_or(|expected| expected == found)
        };
        let any_values = !self.whole && difference.path == "records";
        let (at, deviation) = self.list.iter().enumerate().find(|(_, deviation)| {
            deviation.scenario == place.scenario
                && is_or_any(&deviation.corpus, place.corpus)
                && is_or_any(&deviation.topic, place.topic)
                && deviation
                    .record
                    .is_none_or(|record| Some(record) == place.record)
                && deviation.path == difference.path
                && (any_values || is_or_any(&deviation.theirs, &difference.theirs))
                && (any_values || is_or_any(&deviation.ours, &difference.ours))
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
