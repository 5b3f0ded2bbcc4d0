//! How far one partition is, in every table that it feeds.

use std::time::{Duration, Instant};

use super::{
    Ended, RecordOrder, TxnAdvance,
    position::{OpenRows, Position},
};
use crate::{Error, error::defect};

/// A floor that has risen in memory is stored after this long: far below any retention, and one commit for all
/// partitions of the process.
const FLOOR_ADVANCE: Duration = Duration::from_secs(60);

/// Why a record makes no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skip {
    /// It is no change of a row.
    NoRow,
    /// Its table has it, by its offset.
    Stored,
    /// Its table has it, by its order: the producer sent it again.
    Duplicate,
}

/// What the lake says of one partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredPartition {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// `tributary/<pipeline>/<topic id>/<partition>`.
    pub(crate) app_id: String,
    /// Next offset that the table of positions has.
    pub(crate) floor: Option<i64>,
    /// Next offset that the dead-letter table has.
    pub(crate) dead_letters: Option<i64>,
    /// By the number of the table: next offset, and the last row.
    pub(crate) tables: Vec<(usize, i64, Option<RecordOrder>)>,
}

/// One table in one partition.
#[derive(Debug)]
struct TableProgress {
    /// Next offset that the table itself stores.
    offset: Position<i64>,
    /// Its last row.
    order: Position<RecordOrder>,
    /// The last row that was taken: open, on its way, or stored.
    last: Option<RecordOrder>,
    /// Each at the offset behind it.
    open: Option<OpenRows<i64>>,
}

impl Default for TableProgress {
    fn default() -> Self {
        Self {
            offset: Position::read(None),
            order: Position::read(None),
            last: None,
            open: None,
        }
    }
}

/// One partition that this process reads.
#[derive(Debug)]
pub(super) struct PartitionProgress {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) app_id: String,
    /// Everything below was appended, set aside, or skipped for a reason.
    next: i64,
    /// By the number of the table.
    tables: Vec<TableProgress>,
    dead_letters: Position<i64>,
    open_letters: Option<OpenRows<i64>>,
    floor: Position<i64>,
    floor_since: Instant,
}

/// What one table's commit moves of a partition.
pub(super) struct TableMove {
    pub(super) table: usize,
    /// To be stored before anything of the flush is.
    pub(super) anchor: Option<TxnAdvance>,
    pub(super) txns: Vec<TxnAdvance>,
    pub(super) range: String,
}

/// What a flush moves of a partition.
pub(super) struct PartitionMove {
    pub(super) to: i64,
    pub(super) dead_letters: Option<TxnAdvance>,
    pub(super) tables: Vec<TableMove>,
    pub(super) floor: Option<TxnAdvance>,
}

impl PartitionProgress {
    pub(super) fn read(stored: StoredPartition, now: Instant) -> Self {
        let mut read = Self {
            topic: stored.topic,
            partition: stored.partition,
            app_id: stored.app_id,
            next: 0,
            tables: Vec::new(),
            dead_letters: Position::read(stored.dead_letters),
            open_letters: None,
            floor: Position::read(stored.floor),
            floor_since: now,
        };
        for (table, offset, last) in stored.tables {
            *read.table_mut(table) = TableProgress {
                offset: Position::read(Some(offset)),
                order: Position::read(last),
                last,
                open: None,
            };
        }
        read
    }

    /// Of this table, made where there is none.
    #[expect(clippy::indexing_slicing, reason = "it was just made long enough")]
    fn table_mut(&mut self, table: usize) -> &mut TableProgress {
        if self.tables.len() <= table {
            self.tables.resize_with(table + 1, TableProgress::default);
        }
        &mut self.tables[table]
    }

    /// Everything below is in the table, by its own word or by the floor; None: it has nothing of the partition.
    fn has(&self, table: &TableProgress) -> Option<i64> {
        let stored = table.offset.stored()?;
        let floor = self.floor.stored();
        Some(floor.map_or(stored, |floor| floor.max(stored)))
    }

    fn table_has(&self, table: usize) -> Option<i64> {
        self.tables.get(table).and_then(|table| self.has(table))
    }

    /// Where to start reading: the lowest that any table has.
    pub(super) fn start(&self) -> Option<i64> {
        self.tables.iter().filter_map(|table| self.has(table)).min()
    }

    #[cfg(test)]
    pub(super) const fn next(&self) -> i64 {
        self.next
    }

    /// Nothing below comes any more.
    pub(super) fn pass(&mut self, next: i64) {
        self.next = self.next.max(next);
    }

    /// Why a row of this table need not be appended; None: it must be.
    pub(super) fn skip(
        &self,
        table: usize,
        offset: i64,
        order: Option<RecordOrder>,
    ) -> Option<Skip> {
        if self.table_has(table).is_some_and(|has| offset < has) {
            return Some(Skip::Stored);
        }
        let last = self.tables.get(table).and_then(|table| table.last);
        match (order, last) {
            (Some(order), Some(last)) if order <= last => Some(Skip::Duplicate),
            _ => None,
        }
    }

    /// The record at this offset was appended to a table.
    pub(super) fn appended(
        &mut self,
        table: usize,
        offset: i64,
        order: Option<RecordOrder>,
    ) -> Result<(), Error> {
        if let Some(skip) = self.skip(table, offset, order) {
            return Err(defect(
                "a row is appended once",
                format!("{}: it is {skip:?}", self.at(offset)),
            ));
        }
        self.advance(offset)?;
        let progress = self.table_mut(table);
        if order.is_some() {
            progress.last = order;
        }
        OpenRows::add(&mut progress.open, offset + 1);
        Ok(())
    }

    /// The record at this offset is no row; whether it is still to be kept as a dead letter.
    pub(super) fn set_aside(&mut self, offset: i64) -> Result<bool, Error> {
        self.advance(offset)?;
        let stored = self.dead_letters.stored();
        let wanted = stored.is_none_or(|stored| offset >= stored);
        if wanted {
            OpenRows::add(&mut self.open_letters, offset + 1);
        }
        Ok(wanted)
    }

    /// The record at this offset was handled.
    pub(super) fn advance(&mut self, offset: i64) -> Result<(), Error> {
        if offset < self.next {
            return Err(defect(
                "the offsets of a partition only grow",
                format!("{}, after {}", self.at(offset), self.next),
            ));
        }
        self.next = offset + 1;
        Ok(())
    }

    fn at(&self, offset: i64) -> String {
        format!("`{}` [{}] offset {offset}", self.topic, self.partition)
    }

    /// Whether the lake should be told how far this partition was handled though no row of it is open. Not while a flush
    /// is on its way: where the tables stand is not known then.
    pub(super) fn floor_is_due(&self, at_once: bool, now: Instant) -> bool {
        self.start().is_some_and(|start| start < self.next) && self.floor_may_move(at_once, now)
    }

    fn floor_may_move(&self, at_once: bool, now: Instant) -> bool {
        at_once || now.saturating_duration_since(self.floor_since) >= FLOOR_ADVANCE
    }

    /// Where several tables have rows, the first of which is at this offset: a table that stores nothing of the partition
    /// yet stores this before any of them commits. Otherwise one that has committed would be the only one that knows the
    /// partition, and a crash before the next commit would pass over what the others are to have.
    fn anchor(&self) -> Option<i64> {
        let open = self.tables.iter().filter_map(|table| table.open);
        let several = open.clone().count() > 1;
        let first = open.map(|rows| rows.first() - 1).min();
        first.filter(|_| several)
    }

    /// Send everything that is open on its way.
    pub(super) fn flush(&mut self, last: bool, now: Instant) -> Result<PartitionMove, Error> {
        let (to, app_id, floor) = (self.next, self.app_id.as_str(), self.floor.stored());
        let partition = self.partition;
        let advance = |from| TxnAdvance {
            app_id: app_id.to_owned(),
            from,
            to,
        };
        let anchor = self.anchor();
        let mut tables = Vec::new();
        // Where the table that is furthest behind stands once this flush is in.
        let mut behind: Option<i64> = None;
        for (table, progress) in self.tables.iter_mut().enumerate() {
            let stored = progress.offset.stored();
            let has = stored.map(|stored| floor.map_or(stored, |floor| floor.max(stored)));
            let Some(rows) = progress.open.take() else {
                behind = behind.into_iter().chain(has).min();
                continue;
            };
            rows.stand_between(has, to, app_id)?;
            progress.offset.flush(to, app_id)?;
            behind = Some(behind.map_or(to, |behind| behind.min(to)));
            let anchor = anchor.filter(|_| stored.is_none());
            let mut txns = vec![advance(stored.or(anchor))];
            if let Some(last) = progress.last
                && progress.last != progress.order.stored()
            {
                txns.extend(last.advances(progress.order.stored(), app_id));
                progress.order.flush(last, app_id)?;
            }
            tables.push(TableMove {
                table,
                anchor: anchor.map(|to| TxnAdvance {
                    app_id: app_id.to_owned(),
                    from: None,
                    to,
                }),
                txns,
                // Only names the file: a table's first rows are named from zero.
                range: format!("p{partition}-{}-{to}", has.unwrap_or(0)),
            });
        }
        let dead_letters = match self.open_letters.take() {
            None => None,
            Some(letters) => {
                letters.stand_between(self.dead_letters.stored(), to, app_id)?;
                self.dead_letters.flush(to, app_id)?;
                Some(advance(self.dead_letters.stored()))
            }
        };
        // No row below `to` is left open: what no table stores by itself was shown to all of them.
        let floor_rises = behind.is_some_and(|behind| behind < to);
        let floor = match floor_rises && self.floor_may_move(last, now) {
            false => None,
            true => {
                self.floor.flush(to, app_id)?;
                self.floor_since = now;
                Some(advance(floor))
            }
        };
        Ok(PartitionMove {
            to,
            dead_letters,
            tables,
            floor,
        })
    }

    pub(super) fn end_table(&mut self, table: usize, ended: Ended) {
        if let Some(progress) = self.tables.get_mut(table) {
            progress.offset.end(ended);
            progress.order.end(ended);
        }
    }

    pub(super) fn end_dead_letters(&mut self, ended: Ended) {
        self.dead_letters.end(ended);
    }

    pub(super) fn end_floor(&mut self, ended: Ended) {
        self.floor.end(ended);
    }
}

#[cfg(test)]
#[path = "partition_tests.rs"]
mod tests;
