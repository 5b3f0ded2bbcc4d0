//! Random lives of writers over a model of Kafka and of the lake: records, duplicates, flushes, lost requests and lost
//! acknowledgements, fencing, rebalances, kills, retention. Nothing is skipped, nothing is there twice.

mod lake;
mod writer;

use proptest::prelude::*;

use self::{
    lake::{Lake, PARTITIONS, Record, TABLES, Topic},
    writer::{Fate, Flight, Writer},
};

/// What happens next.
#[derive(Debug, Clone)]
enum Event {
    Row {
        partition: usize,
        table: usize,
        foreign: bool,
    },
    /// The producer sends an earlier record again.
    Again {
        partition: usize,
        back: usize,
    },
    Other {
        partition: usize,
        record: Record,
    },
    Read {
        partition: usize,
        records: usize,
    },
    /// `last`: as at a stop. `old`: a minute has gone by.
    Flush {
        last: bool,
        old: bool,
    },
    Commit {
        pick: usize,
        fate: Fate,
    },
    /// A commit of a writer that is believed to be dead, or one that was long on its way.
    LateCommit {
        pick: usize,
        fate: Fate,
    },
    /// Another process takes over; what this one has on its way goes on.
    Rebalance,
    Kill,
    /// The topic forgets what no writer would read again, and what is not open: retention takes longer than a flush and
    /// than a request on its way.
    Retention {
        partition: usize,
    },
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Acknowledged),
        1 => Just(Fate::RequestLost),
        1 => Just(Fate::AnswerLost),
        1 => any::<bool>().prop_map(|applied| Fate::Unseen { applied }),
        1 => Just(Fate::Late),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let partition = || 0..PARTITIONS;
    let other = prop_oneof![
        Just(Record::NoRow),
        Just(Record::Unreadable),
        Just(Record::Marker)
    ];
    prop_oneof![
        8 => (partition(), 0..TABLES, any::<bool>())
            .prop_map(|(partition, table, foreign)| Event::Row { partition, table, foreign }),
        3 => (partition(), 0..6_usize).prop_map(|(partition, back)| Event::Again { partition, back }),
        4 => (partition(), other).prop_map(|(partition, record)| Event::Other { partition, record }),
        8 => (partition(), 1..5_usize).prop_map(|(partition, records)| Event::Read { partition, records }),
        5 => (any::<bool>(), any::<bool>()).prop_map(|(last, old)| Event::Flush { last, old }),
        12 => (0..4_usize, fate()).prop_map(|(pick, fate)| Event::Commit { pick, fate }),
        3 => (0..9_usize, fate()).prop_map(|(pick, fate)| Event::LateCommit { pick, fate }),
        1 => Just(Event::Rebalance),
        1 => Just(Event::Kill),
        2 => partition().prop_map(|partition| Event::Retention { partition }),
    ]
}

/// Everything there is.
struct World {
    topic: Topic,
    lake: Lake,
    writer: Writer,
    /// Flushes of which nobody waits for the end.
    late: Vec<Flight>,
}

impl World {
    fn new() -> Self {
        let (topic, lake) = (Topic::default(), Lake::default());
        let writer = Writer::start(&topic, &lake);
        Self {
            topic,
            lake,
            writer,
            late: Vec::new(),
        }
    }

    fn restart(&mut self) {
        self.writer = Writer::start(&self.topic, &self.lake);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Row {
                partition,
                table,
                foreign,
            } => self.topic.row(partition, table, foreign),
            Event::Again { partition, back } => self.topic.again(partition, back),
            Event::Other { partition, record } => self.topic.append(partition, record),
            Event::Read { partition, records } => {
                self.writer.read(&self.topic, partition, records);
            }
            Event::Flush { last, old } => self.writer.flush(last, old),
            Event::Commit { pick, fate } => {
                if let Some(mut flight) = self.writer.flight.take() {
                    self.late.extend(flight.commit(&mut self.lake, pick, fate));
                    self.writer.flight = Some(flight);
                    if !self.writer.settle() {
                        self.restart();
                    }
                }
            }
            Event::LateCommit { pick, fate } => {
                if !self.late.is_empty() {
                    let number = pick % self.late.len();
                    let mut flight = self.late.swap_remove(number);
                    self.late.extend(flight.commit(&mut self.lake, pick, fate));
                    if !flight.is_over() {
                        self.late.push(flight);
                    }
                }
            }
            Event::Rebalance => {
                self.late.extend(self.writer.flight.take());
                self.restart();
            }
            Event::Kill => self.restart(),
            Event::Retention { partition } => {
                if let Some(start) = self.lake.starts()[partition]
                    && self.late.is_empty()
                {
                    let offset = start.min(self.writer.unsettled[partition]);
                    self.topic.forget_below(partition, offset);
                }
            }
        }
        self.lake.nothing_is_skipped_or_doubled(&self.topic);
    }

    /// Nothing goes wrong any more: everything comes in.
    fn come_to_rest(&mut self) {
        for _ in 0..2 {
            // Whatever is on its way still, of this writer and of those before it.
            while let Some(mut flight) = self.late.pop() {
                while !flight.is_over() {
                    flight.commit(&mut self.lake, 0, Fate::Acknowledged);
                }
            }
            self.restart();
            for partition in 0..PARTITIONS {
                self.writer.read(&self.topic, partition, usize::MAX);
            }
            self.writer.flush(true, true);
            while self.writer.flight.is_some() {
                self.happen(Event::Commit {
                    pick: 0,
                    fate: Fate::Acknowledged,
                });
            }
        }
        self.lake.has_everything(&self.topic);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_skipped_and_nothing_is_there_twice(
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
        }
        world.come_to_rest();
    }
}
