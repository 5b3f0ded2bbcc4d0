//! The positions of all partitions that this process may write, and of the flush that is on its way.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use super::{
    Ended, Flush, FlushStage, Place, PlannedCommit, RecordOrder, Skip, StoredPartition, TxnAdvance,
    partition::PartitionProgress,
};
use crate::{Error, error::defect};

/// Of all of them together: one flush at a time, and after one whose end was not seen there is none.
#[derive(Debug)]
enum State {
    Open,
    Flushing(Vec<(FlushStage, Place)>),
    Unknown,
    Lost,
}

/// The only one that changes positions of Kafka's partitions. Begins with what the lake was read to say.
#[derive(Debug)]
pub(crate) struct Positions {
    partitions: Vec<PartitionProgress>,
    by_place: HashMap<String, HashMap<i32, usize>>,
    /// Folders of the tables by their number.
    tables: Vec<String>,
    state: State,
}

impl Positions {
    /// As the lake says: the folders of its tables, and where they stand.
    pub(crate) fn read(tables: Vec<String>, stored: Vec<StoredPartition>, now: Instant) -> Self {
        let mut by_place: HashMap<String, HashMap<i32, usize>> = HashMap::new();
        for (number, partition) in stored.iter().enumerate() {
            by_place
                .entry(partition.topic.clone())
                .or_default()
                .insert(partition.partition, number);
        }
        let stored = stored.into_iter();
        Self {
            partitions: stored
                .map(|stored| PartitionProgress::read(stored, now))
                .collect(),
            by_place,
            tables,
            state: State::Open,
        }
    }

    /// The number of this partition; None: it is not assigned.
    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Option<usize> {
        self.by_place.get(topic)?.get(&partition).copied()
    }

    /// The number of the table in this folder.
    pub(crate) fn table(&mut self, relative: &str) -> usize {
        if let Some(number) = self.tables.iter().position(|known| known == relative) {
            return number;
        }
        self.tables.push(relative.to_owned());
        self.tables.len() - 1
    }

    /// Where each partition is to be read from: the lowest that any of its tables has. None: from its beginning.
    pub(crate) fn starts(&self) -> impl Iterator<Item = (&str, i32, Option<i64>)> {
        let partitions = self.partitions.iter();
        partitions.map(|it| (it.topic.as_str(), it.partition, it.start()))
    }

    /// The consumer stands at `next`: everything below was given to us or is no record (a marker, a record of a
    /// transaction that was aborted, an offset that compaction left empty, one below the beginning of the topic).
    pub(crate) fn passed(&mut self, topic: &str, partition: i32, next: i64) {
        if let Some(state) = self
            .partition(topic, partition)
            .and_then(|number| self.partitions.get_mut(number))
        {
            state.pass(next);
        }
    }

    /// Why a row of this table need not be appended; None: it must be.
    ///
    /// # Errors
    /// `Defect`: there is no such partition, and the record would be lost.
    pub(crate) fn skip(
        &self,
        partition: usize,
        table: usize,
        offset: i64,
        order: Option<RecordOrder>,
    ) -> Result<Option<Skip>, Error> {
        let state = self.partitions.get(partition);
        let state = state.ok_or_else(|| no_state(partition, offset))?;
        Ok(state.skip(table, offset, order))
    }

    /// The record at this offset was appended to the table's open rows.
    ///
    /// # Errors
    /// `Defect`: it was appended before, or is below what was handled.
    pub(crate) fn appended(
        &mut self,
        partition: usize,
        table: usize,
        offset: i64,
        order: Option<RecordOrder>,
    ) -> Result<(), Error> {
        self.state_mut(partition, offset)?
            .appended(table, offset, order)
    }

    /// The record at this offset cannot become a row. Whether it is still to be kept as a dead letter.
    ///
    /// # Errors
    /// `Defect`: it is below what was handled.
    pub(crate) fn set_aside(&mut self, partition: usize, offset: i64) -> Result<bool, Error> {
        self.state_mut(partition, offset)?.set_aside(offset)
    }

    /// The record at this offset makes no row.
    ///
    /// # Errors
    /// `Defect`: it is below what was handled.
    pub(crate) fn skipped(
        &mut self,
        partition: usize,
        offset: i64,
        reason: Skip,
    ) -> Result<(), Error> {
        tracing::trace!(partition, offset, ?reason, "skipped");
        self.state_mut(partition, offset)?.advance(offset)
    }

    fn state_mut(
        &mut self,
        partition: usize,
        offset: i64,
    ) -> Result<&mut PartitionProgress, Error> {
        let state = self.partitions.get_mut(partition);
        state.ok_or_else(|| no_state(partition, offset))
    }

    /// Whether the lake should be told how far partitions were handled though no row of them is open. Not while a flush
    /// is on its way: it may say so itself.
    pub(crate) fn floor_is_due(&self, at_once: bool, now: Instant) -> bool {
        matches!(self.state, State::Open)
            && self
                .partitions
                .iter()
                .any(|partition| partition.floor_is_due(at_once, now))
    }

    /// Send everything that is open on its way. `last`: no flush follows, so what was passed without a row is stored now.
    ///
    /// # Errors
    /// `Defect`: the flush before it was not seen to be committed, or an invariant of the rows does not hold.
    pub(crate) fn flush(&mut self, last: bool, now: Instant) -> Result<Flush, Error> {
        if !matches!(self.state, State::Open) {
            return Err(defect(
                "a flush begins after the one before it was seen to be committed",
                format!("a flush while it is {:?}", self.state),
            ));
        }
        let mut letters = Vec::new();
        let mut floors = Vec::new();
        let mut tables: BTreeMap<usize, PlannedCommit> = BTreeMap::new();
        let mut anchors: BTreeMap<usize, Vec<TxnAdvance>> = BTreeMap::new();
        let mut flush = Flush::default();
        for partition in &mut self.partitions {
            let moved = partition.flush(last, now)?;
            if !moved.tables.is_empty() || moved.dead_letters.is_some() || moved.floor.is_some() {
                let place = (partition.topic.clone(), partition.partition, moved.to);
                flush.offsets.push(place);
            }
            letters.extend(moved.dead_letters);
            floors.extend(moved.floor);
            for table in moved.tables {
                let commit = tables.entry(table.table).or_insert_with(|| PlannedCommit {
                    stage: FlushStage::Tables,
                    place: Place::Table(table.table),
                    txns: Vec::new(),
                    range: table.range,
                });
                commit.txns.extend(table.txns);
                if let Some(anchor) = table.anchor {
                    anchors.entry(table.table).or_default().push(anchor);
                }
            }
        }
        let anchors = anchors.into_iter();
        for (stage, place, txns) in [
            (FlushStage::DeadLetters, Place::DeadLetters, letters),
            (FlushStage::Floors, Place::Floors, floors),
        ]
        .into_iter()
        .chain(anchors.map(|(table, txns)| (FlushStage::Anchors, Place::Anchor(table), txns)))
        {
            if !txns.is_empty() {
                let range = String::new();
                flush.add(PlannedCommit {
                    stage,
                    place,
                    txns,
                    range,
                });
            }
        }
        for commit in tables.into_values() {
            flush.add(commit);
        }
        let places = flush.commits().iter();
        self.state = State::Flushing(places.map(|commit| (commit.stage, commit.place)).collect());
        Ok(flush)
    }

    /// What was seen of the commits of the flush that was on its way; what is not named is unknown.
    ///
    /// # Errors
    /// `Defect`: none was, or a stage was committed before the one below it. Of a position that is called committed here
    /// the commit was seen, whatever became of the others.
    pub(crate) fn settle(&mut self, seen: &[(Place, Ended)]) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.state, State::Unknown);
        let State::Flushing(commits) = before else {
            return Err(defect(
                "only a flush that is on its way ends",
                format!("one that is {before:?}"),
            ));
        };
        let told = |place: Place| {
            let told = seen.iter().find(|(told, _)| *told == place);
            told.map_or(Ended::Unknown, |&(_, ended)| ended)
        };
        let mut state = State::Open;
        // The lowest stage of which a commit is missing.
        let mut missing: Option<FlushStage> = None;
        for (stage, place) in commits {
            let ended = told(place);
            match ended {
                Ended::Committed => {
                    if let Some(missing) = missing.filter(|missing| *missing < stage) {
                        return Err(defect(
                            "a stage of a flush begins after the one before it was seen",
                            format!("{stage:?}, where {missing:?} was not seen"),
                        ));
                    }
                }
                Ended::Unknown | Ended::Lost => {
                    missing.get_or_insert(stage);
                    let is_lost = ended == Ended::Lost || matches!(state, State::Lost);
                    state = match is_lost {
                        true => State::Lost,
                        false => State::Unknown,
                    };
                }
            }
            for partition in &mut self.partitions {
                match place {
                    Place::DeadLetters => partition.end_dead_letters(ended),
                    Place::Table(table) => partition.end_table(table, ended),
                    Place::Floors => partition.end_floor(ended),
                    // What is on its way is the commit behind it.
                    Place::Anchor(_) => {}
                }
            }
        }
        self.state = state;
        Ok(())
    }

    /// Next offset of each partition: everything below was handled.
    #[cfg(test)]
    pub(crate) fn next_offsets(&self) -> Vec<i64> {
        self.partitions
            .iter()
            .map(PartitionProgress::next)
            .collect()
    }

    /// Partition 0 of each topic, of which nothing is stored.
    #[cfg(test)]
    pub(crate) fn fresh(topics: &[&str]) -> Self {
        let partitions = topics.iter().map(|topic| StoredPartition {
            topic: (*topic).to_owned(),
            app_id: (*topic).to_owned(),
            ..StoredPartition::default()
        });
        Self::read(Vec::new(), partitions.collect(), Instant::now())
    }
}

fn no_state(partition: usize, offset: i64) -> Error {
    let at = format!("offset {offset} of partition number {partition}");
    defect("an assigned partition has a state", at)
}
