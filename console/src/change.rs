//! What a log of changes is made of, and what is left of it.

use debezium::Operation;
use lakewriter::lake::Since;

/// Where a row stands in the log. No two rows of a log that can be in a table stand at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Place {
    pub(crate) incarnation: i64,
    pub(crate) lsn: i64,
    pub(crate) ordinal: i64,
    pub(crate) offset: i64,
    pub(crate) partition: i64,
    /// Distinguishes the copies that a pipeline under another name wrote of a change.
    pub(crate) ingested: i64,
}

impl Place {
    pub(crate) const fn position(&self) -> Since {
        (self.incarnation, self.lsn, self.ordinal)
    }

    /// Whether the change at that position is this one, delivered once more. Ours has its position again; that of another
    /// Debezium has another offset and the LSN of its change, which no other change of a row with this key has.
    pub(crate) fn is_again(&self, other: Since) -> bool {
        other == self.position()
            || self.ordinal == self.offset && (other.0, other.1) == (self.incarnation, self.lsn)
    }

    /// Whether this creation and the delete before it are one UPDATE of the key. Their positions are equal. The events
    /// of another Debezium have the offset of the record in place of an ordinal; there the LSN of the change tells it,
    /// and that values were not sent, which an INSERT always sends.
    pub(crate) fn is_other_half(&self, deleted: Since, unsent: &[usize]) -> bool {
        let is_foreign = self.ordinal == self.offset && !unsent.is_empty();
        deleted == self.position()
            || is_foreign && (deleted.0, deleted.1) == (self.incarnation, self.lsn)
    }

    /// What nothing but this row has.
    pub(crate) fn as_identity(&self) -> Identity {
        let Self {
            incarnation,
            lsn,
            ordinal,
            offset,
            partition,
            ingested,
        } = self;
        let numbers = [incarnation, lsn, ordinal, offset, partition, ingested];
        let bytes = numbers.into_iter().flat_map(|number| number.to_le_bytes());
        // No identity of values begins so.
        std::iter::once(u8::MAX).chain(bytes).collect()
    }
}

/// What tells a row apart: the bytes of its key, or of its whole.
pub(crate) type Identity = Box<[u8]>;

/// No part of the key has a value: the row is from before there was such a column, as far as anybody knows.
pub(crate) fn is_unknown(identity: &[u8]) -> bool {
    identity.iter().all(|byte| *byte == 0)
}

/// A column whose value PostgreSQL did not send, and the row that has it; None where no row does.
pub(crate) type Hole = (usize, Option<Place>);

/// A row that is in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) place: Place,
    pub(crate) holes: Box<[Hole]>,
    /// As of its change; empty where there is only one.
    pub(crate) identities: Box<[Identity]>,
}

/// How rows are told apart in one era.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// One row for each identity.
    Key,
    /// As many as were added.
    Bag,
    /// Rows are only ever added.
    AddOnly,
}

#[derive(Debug, Clone)]
pub(crate) struct EraRule {
    pub(crate) since: Since,
    pub(crate) rule: Rule,
    pub(crate) new_table: bool,
    /// Rows that had fewer of the identity's columns when they were written.
    pub(crate) narrower: Vec<Narrower>,
}

/// Rows from before some columns of an identity were there. What those would be in such a row, a default for example, no
/// row tells: the others tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Narrower {
    pub(crate) from: Since,
    pub(crate) until: Since,
    /// Which of a change's identities is that of the other columns.
    pub(crate) identity: usize,
}

/// A row of the log.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) operation: Operation,
    pub(crate) place: Place,
    /// One for each era, by its number; then those that [`Narrower`] names.
    pub(crate) identities: Vec<Identity>,
    /// Columns whose values were not sent.
    pub(crate) unsent: Vec<usize>,
}

impl Change {
    /// A log is replayed in this order: the halves of an UPDATE of the key share a position, and the old row goes first.
    pub(crate) fn order(&self) -> (Since, bool, (i64, i64, i64)) {
        let second_half = self.operation != Operation::Delete;
        let Place {
            offset,
            partition,
            ingested,
            ..
        } = self.place;
        (
            self.place.position(),
            second_half,
            (offset, partition, ingested),
        )
    }
}

/// Bytes of a row beside its identity: the entry of the map, and what the allocator adds.
const ROW_BYTES: usize = size_of::<Row>() + size_of::<Identity>() + 48;

impl Narrower {
    /// Whether the row was written when its columns were these.
    pub(crate) fn holds(&self, row: &Row) -> bool {
        let position = row.place.position();
        self.from <= position && position < self.until
    }
}

impl Row {
    /// `before` is the same row before the change.
    pub(crate) fn new(
        place: Place,
        unsent: &[usize],
        before: Option<&Self>,
        identities: Box<[Identity]>,
    ) -> Self {
        let holes = unsent.iter().map(|&column| {
            let donor = before.and_then(|before| {
                let hole = before.holes.iter().find(|(hole, _)| *hole == column);
                hole.map_or(Some(before.place), |(_, donor)| *donor)
            });
            (column, donor)
        });
        Self {
            place,
            holes: holes.collect(),
            identities,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let identities: usize = self.identities.iter().map(|i| i.len() + 32).sum();
        ROW_BYTES + size_of_val(&*self.holes) + identities
    }
}
