//! A table as PostgreSQL would have it, and the events of what is done to it, in partitions.

use std::collections::{BTreeMap, VecDeque};

use crate::log::{Body, Event};

/// Numbers that a seed gives.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    pub fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

/// What happens beside changes of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    pub partitions: i64,
    pub truncates: bool,
    pub snapshots: bool,
    /// Keys move over each other within a transaction.
    pub swaps: bool,
    /// What was delivered comes once more, at other offsets.
    pub repeats: bool,
}

pub struct Source {
    habits: Habits,
    rows: BTreeMap<i64, (i64, Option<String>)>,
    incarnation: i64,
    lsn: i64,
    seq: i64,
    offset: i64,
    pub queues: Vec<VecDeque<Event>>,
    delivered: Vec<Vec<Event>>,
}

/// Keys are few, so that they come again.
const KEYS: u64 = 14;

impl Source {
    pub fn new(habits: Habits) -> Self {
        let partitions = usize::try_from(habits.partitions).expect("a few");
        Self {
            habits,
            rows: BTreeMap::new(),
            incarnation: 1,
            lsn: 100,
            seq: 0,
            offset: 0,
            queues: vec![VecDeque::new(); partitions],
            delivered: vec![Vec::new(); partitions],
        }
    }

    /// One transaction.
    pub fn transact(&mut self, dice: &mut Dice) {
        self.lsn += 10;
        self.seq = 0;
        if self.habits.truncates && dice.one_in(25) {
            self.rows.clear();
            self.say('t', 0, 0, Body::Sent(None));
            return;
        }
        if self.habits.snapshots && dice.one_in(25) {
            self.incarnation += 1;
            // The WAL of another history.
            self.lsn = 100 + i64::try_from(dice.below(3)).unwrap() * 10;
            for (id, (n, body)) in self.rows.clone() {
                self.say('r', id, n, Body::Sent(body));
                self.seq += 1;
            }
            return;
        }
        for _ in 0..=dice.below(4) {
            self.change(dice);
            self.seq += 1;
        }
    }

    fn change(&mut self, dice: &mut Dice) {
        let id = i64::try_from(dice.below(KEYS)).unwrap();
        let n = i64::try_from(dice.below(1_000)).unwrap();
        let Some((_, old)) = self.rows.get(&id).cloned() else {
            let body = Self::body(dice);
            self.rows.insert(id, (n, body.clone()));
            self.say('c', id, n, Body::Sent(body));
            return;
        };
        let other = i64::try_from(dice.below(KEYS)).unwrap();
        match dice.below(10) {
            0..=3 => {
                // A large value that the UPDATE does not touch is not sent.
                let is_unsent = old.as_ref().is_some_and(|old| old.len() > 8) && !dice.one_in(3);
                let (kept, body) = if is_unsent {
                    (old, Body::Unsent)
                } else {
                    let body = Self::body(dice);
                    (body.clone(), Body::Sent(body))
                };
                self.rows.insert(id, (n, kept));
                self.say('u', id, n, body);
            }
            4..=6 => {
                self.rows.remove(&id);
                self.say('d', id, 0, Body::Sent(None));
            }
            _ if self.rows.contains_key(&other) && other != id => {
                if self.habits.swaps {
                    let first = self.rows.remove(&id).expect("there");
                    let second = self.rows.remove(&other).expect("there");
                    self.moved(id, other, n, first);
                    self.seq += 1;
                    self.moved(other, id, n + 1, second);
                }
            }
            _ if other == id => {}
            _ => {
                let row = self.rows.remove(&id).expect("there");
                self.moved(id, other, n, row);
            }
        }
    }

    fn moved(&mut self, from: i64, to: i64, n: i64, row: (i64, Option<String>)) {
        let is_large = row.1.as_ref().is_some_and(|body| body.len() > 8);
        let body = if is_large {
            Body::Unsent
        } else {
            Body::Sent(row.1.clone())
        };
        self.rows.insert(to, (n, row.1));
        self.say('d', from, 0, Body::Sent(None));
        self.say('c', to, n, body);
    }

    fn body(dice: &mut Dice) -> Option<String> {
        match dice.below(4) {
            0 => None,
            1 => Some(format!("s{}", dice.below(100))),
            _ => Some(format!("a large value {}", dice.below(1_000))),
        }
    }

    fn say(&mut self, op: char, id: i64, n: i64, body: Body) {
        self.offset += 1;
        let partition = id % self.habits.partitions;
        let event = Event {
            op,
            incarnation: self.incarnation,
            lsn: self.lsn,
            seq: self.seq,
            id,
            n,
            body,
            partition: i32::try_from(partition).unwrap(),
            offset: self.offset,
        };
        self.queues[usize::try_from(partition).unwrap()].push_back(event);
    }

    /// Some of what waits, of each partition in its order.
    pub fn deliver(&mut self, dice: &mut Dice) -> Vec<Event> {
        let mut events = Vec::new();
        for (queue, delivered) in self.queues.iter_mut().zip(&mut self.delivered) {
            let most = u64::try_from(queue.len()).unwrap() + 1;
            let count = usize::try_from(dice.below(most)).unwrap();
            let some: Vec<Event> = queue.drain(..count).collect();
            delivered.extend(some.iter().cloned());
            events.extend(some);
            if self.habits.repeats && dice.one_in(4) {
                let from = delivered.len().saturating_sub(3);
                for event in delivered.clone().into_iter().skip(from) {
                    self.offset += 1;
                    let offset = self.offset;
                    events.push(Event { offset, ..event });
                }
            }
        }
        events
    }

    /// All that waits.
    pub fn drain(&mut self) -> Vec<Event> {
        self.queues
            .iter_mut()
            .flat_map(|queue| queue.drain(..))
            .collect()
    }

    /// The rows that are in the table, as `id|n|body`.
    pub fn rows(&self) -> Vec<String> {
        let rows = self.rows.iter();
        let rows =
            rows.map(|(id, (n, body))| format!("{id}|{n}|{}", body.as_deref().unwrap_or("NULL")));
        let mut rows: Vec<String> = rows.collect();
        rows.sort();
        rows
    }
}
