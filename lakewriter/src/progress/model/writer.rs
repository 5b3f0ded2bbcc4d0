//! One session of a writer, as the pipeline and its publishing are: read, append, flush, commit, settle.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    super::{Ended, Flush, Place, Positions, Reread, Skip},
    lake::{Lake, PARTITIONS, Record, TOPIC, Topic, folder},
};

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Acknowledged,
    /// It never arrives; the table is read again, and it is made once more.
    RequestLost,
    /// It arrives; the answer does not, and the table is read again.
    AnswerLost,
    /// No answer comes, and the table cannot be read again.
    Unseen {
        applied: bool,
    },
    /// As that, and it arrives when everybody has gone on.
    Late,
}

type Rows = BTreeMap<usize, Vec<(usize, u64)>>;

/// A flush on its way.
#[derive(Debug)]
pub(super) struct Flight {
    flush: Flush,
    rows: Rows,
    letters: Vec<(usize, u64)>,
    /// The folders of the tables by their numbers.
    folders: Vec<String>,
    seen: Vec<(Place, Ended)>,
}

impl Flight {
    fn ended(&self, place: Place) -> Option<Ended> {
        let seen = self.seen.iter().find(|(seen, _)| *seen == place);
        seen.map(|&(_, ended)| ended)
    }

    /// The places of the stage that runs.
    fn running(&self) -> Vec<Place> {
        let failed = self.seen.iter().any(|(_, it)| *it != Ended::Committed);
        for (_, commits) in self.flush.stages() {
            let places = commits.iter().map(|commit| commit.place);
            let running: Vec<Place> = places.filter(|it| self.ended(*it).is_none()).collect();
            let begun = running.len() < commits.len();
            if !running.is_empty() {
                // The commits of a stage are made side by side; after one that failed no stage begins.
                return if failed && !begun {
                    Vec::new()
                } else {
                    running
                };
            }
        }
        Vec::new()
    }

    pub(super) fn is_over(&self) -> bool {
        self.running().is_empty()
    }

    /// Make one of the commits of the stage that runs. Given back: what is long on its way.
    pub(super) fn commit(&mut self, lake: &mut Lake, pick: usize, fate: Fate) -> Option<Self> {
        let running = self.running();
        let place = *running.get(pick % running.len().max(1))?;
        let planned = self.flush.of(place).expect("it was planned").clone();
        let table = Lake::name(place, &self.folders);
        let rows = match place {
            Place::Table(number) => self.rows.get(&number).cloned().unwrap_or_default(),
            Place::DeadLetters => self.letters.clone(),
            Place::Anchor(_) | Place::Floors => Vec::new(),
        };
        let mut late = None;
        let ended = loop {
            match lake.reread(&table, &planned.txns) {
                Reread::Committed => break Ended::Committed,
                Reread::Lost { .. } => break Ended::Lost,
                Reread::Open => {}
            }
            match fate {
                Fate::Unseen { applied: false } => break Ended::Unknown,
                Fate::Late => {
                    let mut flush = Flush::default();
                    flush.add(planned.clone());
                    late = Some(Self {
                        flush,
                        rows: self.rows.clone(),
                        letters: self.letters.clone(),
                        folders: self.folders.clone(),
                        seen: Vec::new(),
                    });
                    break Ended::Unknown;
                }
                Fate::Acknowledged
                | Fate::RequestLost
                | Fate::AnswerLost
                | Fate::Unseen { applied: true } => {
                    if fate == Fate::RequestLost {
                        assert_eq!(lake.reread(&table, &planned.txns), Reread::Open);
                    }
                    lake.apply(&table, &planned.txns, &rows);
                    if matches!(fate, Fate::Unseen { .. }) {
                        break Ended::Unknown;
                    }
                    // The answer, or what the table says in its place.
                    assert_eq!(lake.reread(&table, &planned.txns), Reread::Committed);
                }
            }
        };
        self.seen.push((place, ended));
        late
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    positions: Positions,
    /// Where the consumer stands.
    cursor: [i64; PARTITIONS],
    /// What is below was read by an earlier session, or its flush was settled.
    pub(super) unsettled: [i64; PARTITIONS],
    /// Where the flush that is on its way ends.
    flushed: [i64; PARTITIONS],
    folders: Vec<String>,
    rows: Rows,
    letters: Vec<(usize, u64)>,
    pub(super) flight: Option<Flight>,
    began: Instant,
}

impl Writer {
    /// Read the lake, and begin where it says.
    pub(super) fn start(topic: &Topic, lake: &Lake) -> Self {
        let mut positions = lake.positions();
        let mut cursor = [0; PARTITIONS];
        for (partition, start) in lake.starts().into_iter().enumerate() {
            let low = topic.low[partition];
            let end = topic.logs[partition].len() as i64;
            assert!(start.is_none_or(|start| start >= low && start <= end));
            cursor[partition] = start.unwrap_or(low);
            positions.passed(TOPIC, partition as i32, cursor[partition]);
        }
        Self {
            positions,
            cursor,
            unsettled: cursor,
            flushed: cursor,
            folders: Vec::new(),
            rows: Rows::new(),
            letters: Vec::new(),
            flight: None,
            began: Instant::now(),
        }
    }

    pub(super) fn read(&mut self, topic: &Topic, partition: usize, records: usize) {
        let log = &topic.logs[partition];
        for _ in 0..records {
            let offset = self.cursor[partition];
            let Some(record) = log.get(offset as usize) else {
                return;
            };
            self.cursor[partition] += 1;
            self.take(partition, offset, *record)
                .expect("no invariant is broken");
        }
    }

    fn take(&mut self, number: usize, offset: i64, record: Record) -> Result<(), crate::Error> {
        let positions = &mut self.positions;
        let partition = positions.partition(TOPIC, number as i32).expect("assigned");
        match record {
            Record::Marker => {}
            Record::NoRow => positions.skipped(partition, offset, Skip::NoRow)?,
            Record::Unreadable => {
                if positions.set_aside(partition, offset)? {
                    self.letters.push((number, offset as u64));
                }
            }
            Record::Row { table, id, order } => {
                let folder = folder(table);
                let table = positions.table(&folder);
                if self.folders.len() <= table {
                    self.folders.resize(table + 1, String::new());
                }
                self.folders[table] = folder;
                match positions.skip(partition, table, offset, order)? {
                    Some(reason) => positions.skipped(partition, offset, reason)?,
                    None => {
                        positions.appended(partition, table, offset, order)?;
                        self.rows.entry(table).or_default().push((number, id));
                    }
                }
            }
        }
        Ok(())
    }

    /// As the pipeline does: one flush at a time.
    pub(super) fn flush(&mut self, last: bool, old: bool) {
        if self.flight.is_some() {
            return;
        }
        for (partition, next) in self.cursor.iter().enumerate() {
            self.positions.passed(TOPIC, partition as i32, *next);
        }
        let later = if old { 3600 } else { 0 };
        let now = self.began + Duration::from_secs(later);
        let flush = self.positions.flush(last, now).expect("it is open");
        let flight = Flight {
            flush,
            rows: std::mem::take(&mut self.rows),
            letters: std::mem::take(&mut self.letters),
            folders: self.folders.clone(),
            seen: Vec::new(),
        };
        self.flight = Some(flight);
        self.flushed = self.cursor;
        self.settle();
    }

    /// Once the flush is over. False: it is to start over from the lake.
    pub(super) fn settle(&mut self) -> bool {
        let Some(flight) = self.flight.take_if(|flight| flight.is_over()) else {
            return true;
        };
        self.positions.settle(&flight.seen).expect("in order");
        let all = flight.flush.commits().iter();
        let mut all = all.map(|commit| flight.ended(commit.place));
        let is_in = all.all(|ended| ended == Some(Ended::Committed));
        if !is_in {
            // It takes no further flush: what is stored is not known.
            let refused = self.positions.flush(true, self.began);
            assert!(refused.is_err(), "{:?}", flight.seen);
        }
        self.unsettled = self.flushed;
        is_in
    }
}
