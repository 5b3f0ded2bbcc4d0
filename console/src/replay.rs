//! Changes of a table in their order -> the rows that are in it.
//!
//! This is what PostgreSQL did, done again with nothing but the rows' identities and places: a change replaces, adds or
//! takes a row; TRUNCATE, a table made anew and a snapshot of a later history of the WAL take all that came before; an
//! UPDATE of the key moves a row; another key tells the same rows apart by other columns. The values are read afterwards,
//! of the rows that are left.

use std::collections::HashMap;

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

    /// Whether this creation and the delete before it are one UPDATE of the key. Their positions are equal. The events
    /// of another Debezium have the offset of the record in place of an ordinal; there the LSN of the change tells it,
    /// and that values were not sent, which an INSERT always sends.
    fn is_other_half(&self, deleted: Since, unsent: &[usize]) -> bool {
        let is_foreign = self.ordinal == self.offset && !unsent.is_empty();
        deleted == self.position()
            || is_foreign && (deleted.0, deleted.1) == (self.incarnation, self.lsn)
    }

    /// What nothing but this row has.
    fn as_identity(&self) -> Identity {
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
fn is_unknown(identity: &[u8]) -> bool {
    identity.iter().all(|byte| *byte == 0)
}

/// A column whose value PostgreSQL did not send, and the row that has it; None where no row does.
pub(crate) type Hole = (usize, Option<Place>);

/// A row that is in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) place: Place,
    pub(crate) holes: Box<[Hole]>,
    /// By era; empty where there is only one.
    identities: Box<[Identity]>,
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

#[derive(Debug, Clone, Copy)]
pub(crate) struct EraRule {
    pub(crate) since: Since,
    pub(crate) rule: Rule,
    pub(crate) new_table: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    Create,
    Update,
    Delete,
    Truncate,
}

impl Operation {
    pub(crate) fn of(letter: &str) -> Option<Self> {
        Some(match letter {
            "r" => Self::Read,
            "c" => Self::Create,
            "u" => Self::Update,
            "d" => Self::Delete,
            "t" => Self::Truncate,
            _ => return None,
        })
    }
}

/// A row of the log.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) operation: Operation,
    pub(crate) place: Place,
    /// By era, as many as there are eras.
    pub(crate) identities: Vec<Identity>,
    /// Columns whose values were not sent.
    pub(crate) unsent: Vec<usize>,
}

/// The rows of one identity: nearly always one.
#[derive(Debug)]
enum Rows {
    One(Row),
    Many(Vec<Row>),
}

impl Rows {
    fn bytes(&self) -> usize {
        match self {
            Self::One(row) => row.bytes(),
            Self::Many(rows) => rows.iter().map(Row::bytes).sum(),
        }
    }
}

/// Bytes of a row beside its identity: the entry of the map, and what the allocator adds.
const ROW_BYTES: usize = size_of::<Row>() + size_of::<Identity>() + 48;

#[derive(Debug)]
pub(crate) struct Replay {
    eras: Vec<EraRule>,
    era: usize,
    live: HashMap<Identity, Rows>,
    /// What the last delete took: the other half of an UPDATE of the key stands at the same position.
    taken: Option<(Since, Row)>,
    /// The history of the WAL that the newest snapshot was taken in.
    snapshot: Option<i64>,
    bytes: usize,
    /// Position of the last change.
    last: Since,
}

/// What a log is that cannot be played: going on would show wrong rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unplayable {
    /// It was not read in the order of its positions.
    #[error("the change at {position:?} was read after the one at {after:?}")]
    OutOfOrder { position: Since, after: Since },
    /// A change has an identity for each era.
    #[error("the change at {position:?} has no identity in era {era}")]
    NoIdentity { position: Since, era: usize },
}

impl Replay {
    pub(crate) fn new(eras: Vec<EraRule>) -> Self {
        Self {
            eras,
            era: 0,
            live: HashMap::new(),
            taken: None,
            snapshot: None,
            bytes: 0,
            last: (i64::MIN, 0, 0),
        }
    }

    /// About how much memory the rows take.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the next change: they come in the order of their positions, a delete before a creation at the same one.
    ///
    /// # Errors
    /// This one belongs before the last one. Applied now, it would bring back what later changes replaced or took.
    pub(crate) fn apply(&mut self, change: Change) -> Result<(), Unplayable> {
        let Change {
            operation,
            place,
            identities,
            unsent,
        } = change;
        let position = place.position();
        if position < self.last {
            return Err(Unplayable::OutOfOrder {
                position,
                after: self.last,
            });
        }
        self.last = position;
        while let Some(next) = self.eras.get(self.era + 1)
            && next.since <= position
        {
            self.enter(self.era + 1, next.new_table);
        }
        let rule = self.rule();
        // An empty identity would make one row of all of them.
        let Some(identity) = identities.get(self.era).cloned() else {
            return Err(Unplayable::NoIdentity {
                position,
                era: self.era,
            });
        };
        let identities = if self.eras.len() > 1 {
            identities.into_boxed_slice()
        } else {
            Box::default()
        };
        match operation {
            Operation::Truncate => self.clear(),
            Operation::Read => {
                self.begin_snapshot(place.incarnation);
                self.hold(identity, Row::new(place, &unsent, None, identities));
            }
            Operation::Create => {
                let moved = self.taken.take();
                let moved = moved.filter(|(position, _)| place.is_other_half(*position, &unsent));
                let from = moved.as_ref().map(|(_, row)| row);
                self.hold(identity, Row::new(place, &unsent, from, identities));
            }
            // An update of a row that no key tells apart is a delete and a creation; what comes as an update nobody can
            // assign to a row.
            Operation::Update if rule != Rule::Key => {}
            Operation::Update => {
                let before = match self.live.get(&identity) {
                    Some(Rows::One(row)) => Some(row),
                    Some(Rows::Many(rows)) => rows.last(),
                    None => None,
                };
                let row = Row::new(place, &unsent, before, identities);
                self.hold(identity, row);
            }
            Operation::Delete if rule == Rule::AddOnly => {}
            Operation::Delete => {
                self.taken = self.take(&identity).map(|row| (position, row));
            }
        }
        Ok(())
    }

    /// A row of a snapshot: the first of a later history takes all that earlier ones left.
    pub(crate) fn begin_snapshot(&mut self, incarnation: i64) {
        if self.snapshot.is_none_or(|last| last < incarnation) {
            self.snapshot = Some(incarnation);
            self.forget_before(incarnation);
        }
    }

    /// The rows that are in the table, by their places.
    pub(crate) fn finish(self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::with_capacity(self.live.len());
        for held in self.live.into_values() {
            match held {
                Rows::One(row) => rows.push(row),
                Rows::Many(many) => rows.extend(many),
            }
        }
        rows.sort_unstable_by_key(|row| row.place);
        rows
    }

    fn rule(&self) -> Rule {
        self.eras
            .get(self.era)
            .map_or(Rule::AddOnly, |era| era.rule)
    }

    fn enter(&mut self, era: usize, new_table: bool) {
        self.era = era;
        if new_table {
            self.clear();
            return;
        }
        let mut rows: Vec<Row> = Vec::with_capacity(self.live.len());
        for held in std::mem::take(&mut self.live).into_values() {
            match held {
                Rows::One(row) => rows.push(row),
                Rows::Many(many) => rows.extend(many),
            }
        }
        self.bytes = 0;
        // Where two have one identity by now, the later is the row.
        rows.sort_unstable_by_key(|row| row.place);
        for row in rows {
            let mut identity = row.identities.get(era).cloned().unwrap_or_default();
            if self.rule() == Rule::Key && is_unknown(&identity) {
                identity = row.place.as_identity();
            }
            self.hold(identity, row);
        }
    }

    fn clear(&mut self) {
        self.live.clear();
        self.taken = None;
        self.bytes = 0;
    }

    fn forget_before(&mut self, incarnation: i64) {
        let rows: Vec<(Identity, Rows)> = self.live.drain().collect();
        self.bytes = 0;
        for (identity, held) in rows {
            let held = match held {
                Rows::One(row) => vec![row],
                Rows::Many(many) => many,
            };
            for row in held {
                if row.place.incarnation >= incarnation {
                    self.hold(identity.clone(), row);
                }
            }
        }
    }

    fn hold(&mut self, identity: Identity, row: Row) {
        let rule = self.rule();
        let bytes = row.bytes() + identity.len();
        match self.live.get_mut(&identity) {
            None => {
                self.bytes += bytes;
                self.live.insert(identity, Rows::One(row));
            }
            Some(held) if rule == Rule::Key => {
                let replaced = std::mem::replace(held, Rows::One(row));
                // The identity is in the map already.
                self.bytes = (self.bytes + bytes).saturating_sub(replaced.bytes() + identity.len());
            }
            Some(held) => {
                self.bytes += bytes;
                let mut many = match std::mem::replace(held, Rows::Many(Vec::new())) {
                    Rows::One(first) => vec![first],
                    Rows::Many(many) => many,
                };
                many.push(row);
                *held = Rows::Many(many);
            }
        }
    }

    fn take(&mut self, identity: &Identity) -> Option<Row> {
        let row = match self.live.get_mut(identity) {
            Some(Rows::Many(rows)) if rows.len() > 1 => rows.pop(),
            _ => match self.live.remove(identity)? {
                Rows::One(row) => Some(row),
                Rows::Many(mut rows) => rows.pop(),
            },
        }?;
        self.bytes = self.bytes.saturating_sub(row.bytes() + identity.len());
        Some(row)
    }
}

impl Row {
    /// `before` is the same row before the change.
    fn new(
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

    fn bytes(&self) -> usize {
        let identities: usize = self.identities.iter().map(|i| i.len() + 32).sum();
        ROW_BYTES + size_of_val(&*self.holes) + identities
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
