//! Changes of a table in their order -> the rows that are in it.
//!
//! This is what PostgreSQL did, done again with nothing but the rows' identities and places: a change replaces, adds or
//! takes a row; TRUNCATE, a table made anew and a snapshot of a later history of the WAL take all that came before; an
//! UPDATE of the key moves a row; another key tells the same rows apart by other columns. The values are read afterwards,
//! of the rows that are left.

use std::collections::HashMap;

use debezium::Operation;
use lakewriter::lake::Since;

use crate::{
    change::{Change, EraRule, Identity, Narrower, Place, Row, Rule, is_unknown},
    doubt::Evidence,
};

/// The rows of one identity: nearly always one.
#[derive(Debug)]
enum Rows {
    One(Row),
    Many(Vec<Row>),
}

impl Rows {
    fn first(&self) -> Option<&Row> {
        match self {
            Self::One(row) => Some(row),
            Self::Many(rows) => rows.first(),
        }
    }

    fn last(&self) -> Option<&Row> {
        match self {
            Self::One(row) => Some(row),
            Self::Many(rows) => rows.last(),
        }
    }

    fn push(&mut self, row: Row) {
        let mut rows = match std::mem::replace(self, Self::Many(Vec::new())) {
            Self::One(first) => vec![first],
            Self::Many(rows) => rows,
        };
        rows.push(row);
        *self = Self::Many(rows);
    }

    fn bytes(&self) -> usize {
        match self {
            Self::One(row) => row.bytes(),
            Self::Many(rows) => rows.iter().map(Row::bytes).sum(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Replay {
    eras: Vec<EraRule>,
    era: usize,
    live: HashMap<Identity, Rows>,
    /// What the last delete took: the other half of an UPDATE of the key stands at the same position.
    taken: Option<(Since, Row)>,
    /// The newest snapshot: its history of the WAL, and its LSN.
    snapshot: Option<(i64, i64)>,
    /// Identities that more than one row has, while a transaction moves keys over each other: a deferrable key is unique
    /// only at its end.
    doubled: Vec<Identity>,
    /// Rows of [`EraRule::narrower`], by their narrower identities; None until the era needs it.
    narrower: Option<HashMap<(usize, Identity), Vec<Identity>>>,
    /// Of the rule of each era, and of what is narrower.
    several_identities: bool,
    bytes: usize,
    /// Position of the last change.
    last: Since,
    /// What tells that rows are not told apart as PostgreSQL does.
    evidence: Evidence,
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
        let several_identities = eras.len() > 1 || eras.iter().any(|era| !era.narrower.is_empty());
        Self {
            eras,
            era: 0,
            live: HashMap::new(),
            taken: None,
            snapshot: None,
            doubled: Vec::new(),
            narrower: None,
            several_identities,
            bytes: 0,
            last: (i64::MIN, 0, 0),
            evidence: Evidence::default(),
        }
    }

    /// Goes on from rows that a replay left, one for each key. `snapshot`: the newest that it met, as the incarnation and
    /// the LSN of its rows.
    pub(crate) fn resumed(
        rows: impl Iterator<Item = (Identity, Place)>,
        snapshot: Option<(i64, i64)>,
    ) -> Self {
        let mut replay = Self::new(vec![EraRule {
            since: (i64::MIN, 0, 0),
            rule: Rule::Key,
            new_table: false,
            narrower: Vec::new(),
        }]);
        // Before the first one nothing is forgotten that is no snapshot's.
        replay.snapshot = Some(snapshot.unwrap_or((0, i64::MIN)));
        for (identity, place) in rows {
            let row = Row::new(place, &[], None, Box::default());
            replay.hold(identity, row);
        }
        replay
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
        if (position.0, position.1) != (self.last.0, self.last.1) {
            self.settle();
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
        let older = match operation {
            Operation::Update | Operation::Delete => self.met(&identity, &identities),
            Operation::Read | Operation::Create | Operation::Truncate => None,
        };
        let identities = if self.several_identities {
            identities.into_boxed_slice()
        } else {
            Box::default()
        };
        match operation {
            Operation::Truncate => {
                self.clear();
                self.begin_evidence(position);
            }
            Operation::Read => {
                self.begin_snapshot(&place);
                // One snapshot reads a row once.
                let other = self.live.get(&identity).and_then(Rows::last);
                if rule == Rule::Key
                    && let Some(Row { place: other, .. }) = other
                    && place.incarnation > 0
                    && (other.incarnation, other.lsn) == (place.incarnation, place.lsn)
                    && other.ordinal != place.ordinal
                {
                    self.evidence.shared(position);
                }
                self.hold(identity, Row::new(place, &unsent, None, identities));
            }
            Operation::Create => {
                let moved = self.taken.take();
                let moved = moved.filter(|(position, _)| place.is_other_half(*position, &unsent));
                let from = moved.as_ref().map(|(_, row)| row);
                self.add(identity, Row::new(place, &unsent, from, identities));
            }
            // An update of a row that no key tells apart is a delete and a creation; what comes as an update nobody can
            // assign to a row.
            Operation::Update if rule != Rule::Key => {}
            Operation::Update => {
                let before = self.live.get(older.as_ref().unwrap_or(&identity));
                let before = before.and_then(Rows::last);
                if before.is_none() {
                    self.evidence.unmet(position);
                }
                let row = Row::new(place, &unsent, before, identities);
                // From now on the row has all of its identity.
                if let Some(older) = older {
                    self.take(&older);
                }
                self.hold(identity, row);
            }
            Operation::Delete if rule == Rule::AddOnly => {}
            Operation::Delete => {
                let taken = self.take(older.as_ref().unwrap_or(&identity));
                let again = matches!(&self.taken, Some((last, _)) if place.is_again(*last));
                match taken {
                    Some(row) => self.taken = Some((position, row)),
                    // The same delete once more.
                    None if again => {}
                    None => {
                        self.taken = None;
                        self.evidence.unmet(position);
                    }
                }
            }
        }
        Ok(())
    }

    /// A row of a snapshot: the first of a later history takes all that earlier ones left. So does the first of a later
    /// snapshot in the same history: a table that was read in part when its reader was killed is read again as a whole.
    /// Rows of the history 0 may be those of another Debezium, whose snapshots on demand are read piece by piece.
    pub(crate) fn begin_snapshot(&mut self, place: &Place) {
        let this = (place.incarnation, place.lsn);
        match self.snapshot {
            Some(last) if last.0 == this.0 => {
                if last.1 < this.1 && this.0 > 0 {
                    self.snapshot = Some(this);
                    self.clear();
                    self.begin_evidence(place.position());
                }
            }
            Some(last) if last > this => {}
            Some(_) | None => {
                self.snapshot = Some(this);
                self.forget_before(place.incarnation);
                self.begin_evidence(place.position());
            }
        }
    }

    /// The transaction has ended: a key is unique again.
    fn settle(&mut self) {
        for identity in std::mem::take(&mut self.doubled) {
            if let Some(held) = self.live.get_mut(&identity)
                && let Rows::Many(rows) = held
                && let Some(newest) = rows.pop()
            {
                let older: usize = rows.iter().map(|row| row.bytes() + identity.len()).sum();
                for row in rows.iter() {
                    if !newest.place.is_again(row.place.position()) {
                        self.evidence.shared(newest.place.position());
                    }
                }
                self.bytes = self.bytes.saturating_sub(older);
                *held = Rows::One(newest);
            }
        }
    }

    /// Where no row has the identity of an UPDATE or a DELETE: that of the only row from before some of its columns were
    /// there that is equal to it in the others.
    fn met(&mut self, identity: &Identity, identities: &[Identity]) -> Option<Identity> {
        let era = self.eras.get(self.era)?;
        if era.narrower.is_empty() || self.live.contains_key(identity) {
            return None;
        }
        let narrower = era.narrower.clone();
        if self.narrower.is_none() {
            self.narrower = Some(self.index(&narrower));
        }
        for of in narrower {
            let Some(own) = identities.get(of.identity) else {
                continue;
            };
            let found = self
                .narrower
                .as_mut()
                .and_then(|index| index.get_mut(&(of.identity, own.clone())));
            let Some(found) = found else { continue };
            // What was met by all of its identity meanwhile, or replaced, is not from before.
            let live = &self.live;
            found.retain(|held| {
                live.get(held)
                    .is_some_and(|rows| rows.first().is_some_and(|row| of.holds(row)))
            });
            if let [only] = found.as_slice() {
                return Some(only.clone());
            }
        }
        None
    }

    fn index(&self, narrower: &[Narrower]) -> HashMap<(usize, Identity), Vec<Identity>> {
        let mut index: HashMap<(usize, Identity), Vec<Identity>> = HashMap::new();
        for (held, rows) in &self.live {
            let Some(row) = rows.first() else { continue };
            for of in narrower.iter().filter(|of| of.holds(row)) {
                if let Some(own) = row.identities.get(of.identity)
                    && !is_unknown(own)
                {
                    let key = (of.identity, own.clone());
                    index.entry(key).or_default().push(held.clone());
                }
            }
        }
        index
    }

    /// The rows that are in the table, by their places, and what the log showed beside them.
    pub(crate) fn finish(mut self) -> (Vec<Row>, Evidence) {
        self.settle();
        (self.take_all(), self.evidence)
    }

    /// From here on all rows are known: whatever was there before is gone.
    fn begin_evidence(&mut self, position: Since) {
        self.evidence = Evidence {
            began: Some(position),
            ..Evidence::default()
        };
    }

    /// All rows, by their places; none is left.
    fn take_all(&mut self) -> Vec<Row> {
        let held = std::mem::take(&mut self.live).into_values();
        let mut rows: Vec<Row> = Vec::with_capacity(held.len());
        for held in held {
            match held {
                Rows::One(row) => rows.push(row),
                Rows::Many(many) => rows.extend(many),
            }
        }
        rows.sort_unstable_by_key(|row| row.place);
        self.bytes = 0;
        rows
    }

    fn rule(&self) -> Rule {
        self.eras
            .get(self.era)
            .map_or(Rule::AddOnly, |era| era.rule)
    }

    fn enter(&mut self, era: usize, new_table: bool) {
        self.settle();
        self.narrower = None;
        self.era = era;
        if new_table {
            self.clear();
            // A snapshot of the table before says nothing of this one.
            self.evidence = Evidence::default();
            return;
        }
        // Where two have one identity by now, the later is the row.
        for row in self.take_all() {
            let mut identity = row.identities.get(era).cloned().unwrap_or_default();
            if self.rule() == Rule::Key && is_unknown(&identity) {
                identity = row.place.as_identity();
            }
            self.hold(identity, row);
        }
    }

    fn clear(&mut self) {
        self.live.clear();
        self.doubled.clear();
        self.narrower = None;
        self.taken = None;
        self.bytes = 0;
    }

    fn forget_before(&mut self, incarnation: i64) {
        self.doubled.clear();
        self.narrower = None;
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

    /// A row that comes to an identity. Another one may still be there, until the same transaction moves or deletes it.
    fn add(&mut self, identity: Identity, row: Row) {
        let rule = self.rule();
        let held = self.live.get_mut(&identity).filter(|_| rule == Rule::Key);
        let Some(held) = held else {
            return self.hold(identity, row);
        };
        // The same change once more is no other row, and it does not know any more what the first one took from the row
        // that moved here.
        if let Some(last) = held.last()
            && last.place.position() == row.place.position()
        {
            return;
        }
        self.bytes += row.bytes() + identity.len();
        held.push(row);
        self.doubled.push(identity);
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
                held.push(row);
            }
        }
    }

    /// Of several rows that have a key for a moment, the one that had it first: the others have just come to it.
    fn take(&mut self, identity: &Identity) -> Option<Row> {
        let row = match self.live.get_mut(identity) {
            Some(Rows::Many(rows)) if rows.len() > 1 => Some(rows.remove(0)),
            _ => match self.live.remove(identity)? {
                Rows::One(row) => Some(row),
                Rows::Many(mut rows) => rows.pop(),
            },
        }?;
        self.bytes = self.bytes.saturating_sub(row.bytes() + identity.len());
        Some(row)
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
