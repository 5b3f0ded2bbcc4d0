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
        }
    }

    /// About how much memory the rows take.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the next change. They come in the order of their positions, a delete before a creation at the same one.
    pub(crate) fn apply(&mut self, change: Change) {
        let Change {
            operation,
            place,
            identities,
            unsent,
        } = change;
        while let Some(next) = self.eras.get(self.era + 1)
            && next.since <= place.position()
        {
            self.enter(self.era + 1, next.new_table);
        }
        let rule = self.rule();
        let identity = identities.get(self.era).cloned().unwrap_or_default();
        let identities = if self.eras.len() > 1 {
            identities.into_boxed_slice()
        } else {
            Box::default()
        };
        match operation {
            Operation::Truncate => self.clear(),
            Operation::Read => {
                self.begin_snapshot(place.incarnation);
                self.put(identity, Row::new(place, &unsent, None, identities));
            }
            Operation::Create => {
                let moved = self.taken.take();
                let moved = moved.filter(|(position, _)| place.is_other_half(*position, &unsent));
                let from = moved.as_ref().map(|(_, row)| row);
                self.put(identity, Row::new(place, &unsent, from, identities));
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
                self.put(identity, row);
            }
            Operation::Delete if rule == Rule::AddOnly => {}
            Operation::Delete => {
                self.taken = self.take(&identity).map(|row| (place.position(), row));
            }
        }
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
            self.put(identity, row);
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
                    self.put(identity.clone(), row);
                }
            }
        }
    }

    fn put(&mut self, identity: Identity, row: Row) {
        let rule = self.rule();
        let bytes = row.bytes() + identity.len();
        match self.live.get_mut(&identity) {
            None => {
                self.bytes += bytes;
                self.live.insert(identity, Rows::One(row));
            }
            Some(held) if rule == Rule::Key => *held = Rows::One(row),
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
mod tests {
    use super::*;

    fn era(since: i64, rule: Rule) -> EraRule {
        EraRule {
            since: (0, since, 0),
            rule,
            new_table: false,
        }
    }

    fn place(incarnation: i64, lsn: i64, ordinal: i64) -> Place {
        Place {
            incarnation,
            lsn,
            ordinal,
            ..Place::default()
        }
    }

    fn change(operation: &str, place: Place, identities: &[&str], unsent: &[usize]) -> Change {
        Change {
            operation: Operation::of(operation).expect("a letter"),
            place,
            identities: identities.iter().map(|id| id.as_bytes().into()).collect(),
            unsent: unsent.to_vec(),
        }
    }

    /// The LSNs of the rows that are left, with the LSNs that their holes are filled from.
    fn left(eras: Vec<EraRule>, changes: Vec<Change>) -> Vec<(i64, Vec<Option<i64>>)> {
        let mut replay = Replay::new(eras);
        changes.into_iter().for_each(|change| replay.apply(change));
        let rows = replay.finish().into_iter();
        rows.map(|row| {
            let holes = row
                .holes
                .iter()
                .map(|(_, donor)| donor.map(|donor| donor.lsn));
            (row.place.lsn, holes.collect())
        })
        .collect()
    }

    fn at(lsn: i64) -> Place {
        place(0, lsn, 0)
    }

    #[test]
    fn the_newest_change_of_a_key_is_its_row() {
        let changes = vec![
            change("c", at(1), &["1"], &[]),
            change("c", at(2), &["2"], &[]),
            change("u", at(3), &["1"], &[]),
            change("d", at(4), &["2"], &[]),
            change("r", at(5), &["3"], &[]),
        ];
        let rows = left(vec![era(0, Rule::Key)], changes);
        assert_eq!(rows, [(3, vec![]), (5, vec![])]);
    }

    #[test]
    fn unsent_values_come_from_the_change_that_has_them_also_through_moves() {
        let changes = vec![
            // An earlier life of key 2 has nothing to do with it.
            change("c", at(1), &["2"], &[]),
            change("d", at(2), &["2"], &[]),
            change("c", at(3), &["1"], &[]),
            change("u", at(4), &["1"], &[7]),
            change("d", at(5), &["1"], &[]),
            change("c", at(5), &["2"], &[7]),
            change("c", at(6), &["1"], &[]),
            change("d", at(7), &["2"], &[]),
            change("c", at(7), &["4"], &[7, 8]),
            change("u", at(8), &["9"], &[7]),
        ];
        let rows = left(vec![era(0, Rule::Key)], changes);
        assert_eq!(
            rows,
            [(6, vec![]), (7, vec![Some(3), Some(5)]), (8, vec![None]),]
        );
    }

    #[test]
    fn the_halves_of_another_debezium_are_found_by_their_lsn() {
        let at = |lsn, offset| Place {
            lsn,
            ordinal: offset,
            offset,
            ..Place::default()
        };
        let changes = vec![
            change("c", at(1, 10), &["1"], &[]),
            change("d", at(2, 11), &["1"], &[]),
            change("c", at(2, 13), &["2"], &[7]),
            change("d", at(3, 14), &["2"], &[]),
            change("c", at(4, 15), &["3"], &[7]),
        ];
        assert_eq!(
            left(vec![era(0, Rule::Key)], changes.clone()),
            [(4, vec![None])]
        );
        let moved = changes.into_iter().take(3).collect();
        assert_eq!(left(vec![era(0, Rule::Key)], moved), [(2, vec![Some(1)])]);
    }

    #[test]
    fn equal_rows_count() {
        let changes = vec![
            change("c", at(1), &["a"], &[]),
            change("c", at(2), &["a"], &[]),
            change("c", at(3), &["a"], &[]),
            change("d", at(4), &["a"], &[]),
            change("c", at(4), &["b"], &[]),
            change("d", at(5), &["b"], &[]),
            change("d", at(6), &["never there"], &[]),
        ];
        assert_eq!(left(vec![era(0, Rule::Bag)], changes.clone()).len(), 2);
        assert_eq!(left(vec![era(0, Rule::AddOnly)], changes).len(), 4);
    }

    #[test]
    fn another_key_tells_the_same_rows_apart() {
        let eras = vec![era(0, Rule::Key), era(10, Rule::Key), era(20, Rule::Bag)];
        let changes = vec![
            change("c", at(1), &["1", "x", "1x"], &[]),
            change("c", at(2), &["2", "y", "2y"], &[]),
            change("c", at(3), &["3", "z", "3z"], &[]),
            // A delete knows the key of its time alone.
            change("d", at(4), &["3", "", ""], &[]),
            change("u", at(11), &["5", "x", "5x"], &[]),
            change("d", at(12), &["", "y", ""], &[]),
            change("c", at(13), &["6", "w", "6w"], &[]),
            change("d", at(21), &["6", "w", "6w"], &[]),
        ];
        assert_eq!(left(eras, changes), [(11, vec![])]);
    }

    #[test]
    fn rows_without_a_value_for_another_key_stay() {
        let eras = vec![era(0, Rule::Key), era(10, Rule::Key)];
        let changes = vec![
            change("c", at(1), &["1", "\0"], &[]),
            change("c", at(2), &["2", "\0"], &[]),
            change("c", at(11), &["3", "x"], &[]),
        ];
        assert_eq!(left(eras, changes).len(), 3);
    }

    #[test]
    fn truncates_new_tables_and_later_snapshots_take_what_came_before() {
        let mut new_table = era(10, Rule::Key);
        new_table.new_table = true;
        let eras = vec![era(0, Rule::Key), new_table];
        let two = |id| [id, id];
        let mut changes = vec![
            change("c", at(1), &two("1"), &[]),
            change("t", at(2), &two(""), &[]),
            change("c", place(0, 2, 1), &two("2"), &[]),
        ];
        assert_eq!(left(eras.clone(), changes.clone()), [(2, vec![])]);
        changes.push(change("c", at(11), &two("3"), &[]));
        assert_eq!(left(eras.clone(), changes.clone()), [(11, vec![])]);
        // Another history began: its LSNs are lower, its snapshot holds.
        changes.push(change("r", place(7, 3, 0), &two("4"), &[]));
        changes.push(change("r", place(7, 3, 1), &two("5"), &[]));
        changes.push(change("c", place(7, 4, 0), &two("6"), &[]));
        assert_eq!(left(eras, changes), [(3, vec![]), (3, vec![]), (4, vec![])]);
    }

    #[test]
    fn the_memory_of_rows_is_counted_and_given_back() {
        let mut replay = Replay::new(vec![era(0, Rule::Bag)]);
        replay.apply(change("c", at(1), &["a"], &[]));
        let one = replay.bytes();
        replay.apply(change("c", at(2), &["a"], &[1]));
        assert!(replay.bytes() > 2 * one - 1);
        replay.apply(change("d", at(3), &["a"], &[]));
        replay.apply(change("d", at(4), &["a"], &[]));
        assert_eq!(replay.bytes(), 0);
    }
}
