//! A topic, and the lake's tables as far as commits and positions go.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use debezium::ChangePosition;

use super::super::{Place, Positions, RecordOrder, Reread, StoredPartition, TxnAdvance};

pub(super) const PARTITIONS: usize = 2;
pub(super) const TABLES: usize = 3;
pub(super) const TOPIC: &str = "t";

/// What a topic holds at one offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// `id` grows within a partition. None: a row without an order of ours, which no producer sends again.
    Row {
        table: usize,
        id: u64,
        order: Option<RecordOrder>,
    },
    NoRow,
    Unreadable,
    /// The end of a Kafka transaction: an offset that no consumer is given.
    Marker,
}

#[derive(Debug, Default)]
pub(super) struct Topic {
    pub(super) logs: [Vec<Record>; PARTITIONS],
    /// What is below is gone.
    pub(super) low: [i64; PARTITIONS],
}

impl Topic {
    pub(super) fn append(&mut self, partition: usize, record: Record) {
        self.logs[partition].push(record);
    }

    pub(super) fn row(&mut self, partition: usize, table: usize, foreign: bool) {
        let id = self.logs[partition].len() as u64;
        // LSNs begin anew in a later incarnation.
        let position = ChangePosition::new(8 + id % 16, id).in_incarnation(id / 16);
        let order = (!foreign).then(|| RecordOrder::of(position, false).expect("a position"));
        self.append(partition, Record::Row { table, id, order });
    }

    pub(super) fn again(&mut self, partition: usize, back: usize) {
        let log = &self.logs[partition];
        let earlier = log.len().checked_sub(back + 1).map(|place| log[place]);
        if let Some(record @ Record::Row { order: Some(_), .. }) = earlier {
            self.append(partition, record);
        }
    }

    pub(super) fn forget_below(&mut self, partition: usize, offset: i64) {
        self.low[partition] = self.low[partition].max(offset);
    }
}

#[derive(Debug, Default)]
struct Table {
    txns: HashMap<String, i64>,
    /// Partition, and the row's id or the dead letter's offset.
    rows: Vec<(usize, u64)>,
}

#[derive(Debug, Default)]
pub(super) struct Lake {
    tables: BTreeMap<String, Table>,
}

pub(super) fn folder(table: usize) -> String {
    format!("table{table}")
}

const LETTERS: &str = "_letters";
const FLOORS: &str = "_floors";

impl Lake {
    /// As a session reads them when it is given the partitions.
    pub(super) fn positions(&self) -> Positions {
        let txn = |table: &str, app_id: &str| {
            let table = self.tables.get(table);
            table.and_then(|table| table.txns.get(app_id).copied())
        };
        let known = self.tables.keys().filter(|name| !name.starts_with('_'));
        let tables: Vec<String> = known.cloned().collect();
        let partitions = (0..PARTITIONS).map(|partition| {
            let app_id = format!("p{partition}");
            let stored = tables.iter().enumerate().filter_map(|(number, table)| {
                let last = RecordOrder::read(&app_id, |app_id| txn(table, app_id));
                Some((number, txn(table, &app_id)?, last))
            });
            StoredPartition {
                topic: TOPIC.to_owned(),
                partition: partition as i32,
                floor: txn(FLOORS, &app_id),
                dead_letters: txn(LETTERS, &app_id),
                tables: stored.collect(),
                app_id,
            }
        });
        let partitions = partitions.collect();
        Positions::read(tables, partitions, Instant::now())
    }

    /// Where a session would begin to read.
    pub(super) fn starts(&self) -> Vec<Option<i64>> {
        let positions = self.positions();
        positions.starts().map(|(_, _, start)| start).collect()
    }

    /// Its name, as the lake lists it.
    pub(super) fn name(place: Place, tables: &[String]) -> String {
        match place {
            Place::DeadLetters => LETTERS.to_owned(),
            Place::Floors => FLOORS.to_owned(),
            Place::Anchor(table) | Place::Table(table) => tables[table].clone(),
        }
    }

    /// What the table says of a commit.
    pub(super) fn reread(&self, table: &str, txns: &[TxnAdvance]) -> Reread {
        let table = self.tables.get(table);
        let found: Vec<Option<i64>> = txns
            .iter()
            .map(|txn| table.and_then(|table| table.txns.get(&txn.app_id).copied()))
            .collect();
        Reread::of(txns, &found)
    }

    /// One atomic put.
    pub(super) fn apply(&mut self, table: &str, txns: &[TxnAdvance], rows: &[(usize, u64)]) {
        let table = self.tables.entry(table.to_owned()).or_default();
        table.rows.extend(rows);
        for txn in txns {
            let stored = table.txns.insert(txn.app_id.clone(), txn.to);
            let is_offset = !txn.app_id.contains('/');
            assert!(
                !is_offset || stored <= Some(txn.to),
                "{txn:?} of {stored:?}"
            );
        }
    }

    /// What must hold after every step: a session that begins now reads whatever is not there, and no row is there
    /// twice or before an earlier one of its partition.
    pub(super) fn nothing_is_skipped_or_doubled(&self, topic: &Topic) {
        for (partition, start) in self.starts().into_iter().enumerate() {
            let low = topic.low[partition];
            let start = start.unwrap_or(0);
            assert!(
                start >= low,
                "partition {partition}: {start} is gone, {low}"
            );
            self.has_all_below(topic, partition, start);
        }
        for (name, table) in &self.tables {
            let mut last = [None; PARTITIONS];
            for &(partition, id) in &table.rows {
                let before = last[partition].replace(id);
                assert!(
                    before < Some(id),
                    "{name} [{partition}]: {id} after {before:?}"
                );
            }
        }
    }

    pub(super) fn has_everything(&self, topic: &Topic) {
        for (partition, log) in topic.logs.iter().enumerate() {
            self.has_all_below(topic, partition, log.len() as i64);
        }
    }

    fn has_all_below(&self, topic: &Topic, partition: usize, end: i64) {
        let rows = |table: &str| -> BTreeSet<u64> {
            let table = self.tables.get(table);
            let rows = table.map_or(&[][..], |table| &table.rows);
            let of_partition = rows.iter().filter(|(of, _)| *of == partition);
            of_partition.map(|&(_, id)| id).collect()
        };
        let tables: Vec<BTreeSet<u64>> = (0..TABLES).map(|table| rows(&folder(table))).collect();
        let letters = rows(LETTERS);
        for (offset, record) in topic.logs[partition].iter().take(end as usize).enumerate() {
            let is_there = match *record {
                Record::Row { table, id, .. } => tables[table].contains(&id),
                Record::Unreadable => letters.contains(&(offset as u64)),
                Record::NoRow | Record::Marker => true,
            };
            assert!(
                is_there,
                "[{partition}] offset {offset} was skipped: {record:?}"
            );
        }
    }
}
