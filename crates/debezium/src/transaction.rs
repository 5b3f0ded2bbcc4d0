//! The order of events in their transaction, and the ends of transactions (`provide.transaction.metadata`).
//!
//! Tables are listed in the order in which Java's HashMap would list them, as Debezium does.

use crate::{ChangePosition, TableId};

/// Entries of a new `java.util.HashMap`.
const JAVA_BUCKETS: usize = 16;

/// The place of an event among those of its transaction: the envelope's `transaction` block, whose id is made from the
/// transaction id and the LSN of `source`. Both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionOrder {
    /// Among all events of the transaction.
    pub total_order: u64,
    /// Among the events of the same table.
    pub data_collection_order: u64,
}

impl TransactionOrder {
    /// That of the next event of the same table.
    pub const fn next(self) -> Self {
        Self {
            total_order: self.total_order + 1,
            data_collection_order: self.data_collection_order + 1,
        }
    }
}

/// One end of a transaction, as a record of the transaction topic (`provide.transaction.metadata`).
#[derive(Debug, Clone, Copy)]
pub struct TransactionMetadata<'a> {
    /// PostgreSQL's transaction id.
    pub tx_id: u64,
    /// BEGIN: position of the first change that pgoutput sent. END: end of the COMMIT record.
    pub lsn: u64,
    /// Commit time, microseconds since the Unix epoch.
    pub commit_micros: i64,
    /// End of the COMMIT before this transaction; none before the first.
    pub last_commit_lsn: Option<u64>,
    /// BEGIN: that of the transaction's first record, which follows at once. END: an ordinal beyond the last change's.
    pub position: ChangePosition,
    /// None for BEGIN.
    pub counts: Option<&'a CollectionCounts>,
}

/// Emitted events of one transaction, by table.
#[derive(Debug, Clone)]
pub struct CollectionCounts {
    counts: Vec<(String, u64)>,
    total: u64,
    /// The entry that was counted last: most changes are of the same table as the one before.
    last: usize,
    /// Of Debezium's map, which keeps its size from transaction to transaction and decides the order of its tables.
    java_buckets: usize,
}

impl Default for CollectionCounts {
    fn default() -> Self {
        Self {
            counts: Vec::new(),
            total: 0,
            last: 0,
            java_buckets: JAVA_BUCKETS,
        }
    }
}

impl CollectionCounts {
    /// Count `events` of a table, at least one; answers the place of the first of them.
    pub fn count(&mut self, table: &TableId, events: u64) -> TransactionOrder {
        let is_it = |(name, _): &(String, u64)| {
            name.strip_prefix(table.schema.as_str())
                .and_then(|rest| rest.strip_prefix('.'))
                == Some(table.table.as_str())
        };
        if !self.counts.get(self.last).is_some_and(is_it) {
            self.last = match self.counts.iter().position(is_it) {
                Some(found) => found,
                None => self.add(table.to_string()),
            };
        }
        self.count_last(events)
    }

    /// Count one event of a collection that is no table.
    pub fn count_other(&mut self, collection: &str) -> TransactionOrder {
        self.last = match self.counts.iter().position(|(name, _)| name == collection) {
            Some(found) => found,
            None => self.add(collection.to_owned()),
        };
        self.count_last(1)
    }

    fn add(&mut self, name: String) -> usize {
        self.counts.push((name, 0));
        while self.counts.len() * 4 > self.java_buckets * 3 {
            self.java_buckets *= 2;
        }
        self.counts.len() - 1
    }

    fn count_last(&mut self, events: u64) -> TransactionOrder {
        let before = self.total;
        self.total += events;
        let of_collection = self.counts.get_mut(self.last).map_or(0, |(_, count)| {
            *count += events;
            *count - events
        });
        TransactionOrder {
            total_order: before + 1,
            data_collection_order: of_collection + 1,
        }
    }

    /// Emitted events of the transaction.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// For the next transaction.
    pub fn clear(&mut self) {
        self.counts.clear();
        self.total = 0;
        self.last = 0;
    }

    /// Names and counts in the order in which Java's `HashMap` lists them.
    pub fn in_java_order(&self) -> Vec<(&str, u64)> {
        let mut entries: Vec<(&str, u64)> = self
            .counts
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .collect();
        // Stable: within one bucket the order is that of insertion.
        entries.sort_by_key(|(name, _)| java_bucket(name, self.java_buckets));
        entries
    }
}

/// The bucket of a string in a `HashMap` of `buckets` entries, a power of two.
fn java_bucket(text: &str, buckets: usize) -> u32 {
    let hash = text.encode_utf16().fold(0_u32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(u32::from(unit))
    });
    let mask = u32::try_from(buckets - 1).unwrap_or(u32::MAX);
    (hash ^ (hash >> 16)) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> TableId {
        TableId {
            database: "d".to_owned(),
            schema: "public".to_owned(),
            table: name.to_owned(),
        }
    }

    #[test]
    fn events_are_numbered_in_all_and_by_table() {
        let mut counts = CollectionCounts::default();
        let order = |total_order, data_collection_order| TransactionOrder {
            total_order,
            data_collection_order,
        };
        assert_eq!(counts.count(&table("a"), 1), order(1, 1));
        assert_eq!(counts.count(&table("b"), 2), order(2, 1));
        assert_eq!(counts.count(&table("b"), 1), order(4, 3));
        assert_eq!(counts.count(&table("a"), 1), order(5, 2));
        assert_eq!(counts.count_other("M"), order(6, 1));
        assert_eq!(counts.count(&table("a"), 1).next(), order(8, 4));
        assert_eq!(counts.total(), 7);
        counts.clear();
        assert_eq!(counts.total(), 0);
        assert_eq!(counts.count(&table("b"), 1), order(1, 1));
    }

    #[test]
    fn tables_stand_in_the_order_of_javas_map() {
        let mut counts = CollectionCounts::default();
        for name in ["tweets", "users"] {
            counts.count(&table(name), 1);
        }
        // `public.users` falls into bucket 0, `public.tweets` into bucket 9.
        assert_eq!(
            counts.in_java_order(),
            [("public.users", 1), ("public.tweets", 1)]
        );
        for i in 0..11 {
            counts.count_other(&i.to_string());
        }
        assert_eq!(counts.java_buckets, 32);
        counts.clear();
        assert_eq!(counts.java_buckets, 32);
    }
}
