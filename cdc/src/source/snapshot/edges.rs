//! Which rows of a snapshot are the first and the last, of their table and of all: `source.snapshot` in events.
//!
//! One row of each open table is held back until the next one, or the end, tells what it is. So every row goes out
//! exactly once, and exactly one is the last of all.

use debezium::SnapshotMarker;

/// Which rows stand at the edges: of each table, and of everything. One row of each table that is being read is held
/// back, for only the next one, or the end, tells whether it was the table's last; the last row of the table that ended
/// last is held until any other row, or the end of everything.
///
/// Rows go in and come out in the same order within a table; tables may come interleaved, each in a place of its own.
#[derive(Debug)]
pub(super) struct Edges<T, R> {
    places: Vec<Option<Open<T, R>>>,
    /// Of a table that ended, while no other table has a row.
    ended: Option<(T, Held<R>)>,
    first: FirstRow,
}

/// Which row is `first`. It is the first of its table either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstRow {
    /// The first table's in the order of the snapshot. Where that table is empty there is none.
    OfFirstTable,
    /// That which comes first: with several tables at a time nobody knows whose that is.
    OfAny,
    /// It has come.
    Written,
}

#[derive(Debug)]
struct Open<T, R> {
    table: T,
    first_table: bool,
    /// Rows that it had so far.
    rows: u64,
    held: Option<Held<R>>,
}

#[derive(Debug)]
struct Held<R> {
    row: R,
    /// Of the first table in the order of the snapshot.
    first_table: bool,
    /// Among the rows of its table, from 1 on.
    number: u64,
}

/// What comes after a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follower {
    SameTable,
    OtherTable,
    Nothing,
}

/// A row that may go, and what `source.snapshot` says of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marked<T, R> {
    pub(super) table: T,
    pub(super) row: R,
    pub(super) marker: SnapshotMarker,
    /// Among the rows of its table, from 1 on: of the last one how many there are.
    pub(super) number: u64,
    pub(super) last_of_table: bool,
}

impl<T: Clone, R> Edges<T, R> {
    /// For `places` tables at a time.
    pub(super) fn new(places: usize) -> Self {
        Self {
            places: std::iter::repeat_with(|| None).take(places).collect(),
            ended: None,
            first: if places > 1 {
                FirstRow::OfAny
            } else {
                FirstRow::OfFirstTable
            },
        }
    }

    /// A table takes the place, which is free. `index` is its place in the order of the snapshot.
    pub(super) fn open(&mut self, place: usize, index: usize, table: T) {
        if let Some(slot) = self.places.get_mut(place) {
            *slot = Some(Open {
                table,
                first_table: index == 0,
                rows: 0,
                held: None,
            });
        }
    }

    /// The next row of the table in that place; the row that may go because of it.
    pub(super) fn row(&mut self, place: usize, row: R) -> Option<Marked<T, R>> {
        let open = self.places.get_mut(place)?.as_mut()?;
        open.rows += 1;
        let next = Held {
            row,
            first_table: open.first_table,
            number: open.rows,
        };
        if let Some(held) = open.held.replace(next) {
            let table = open.table.clone();
            return Some(self.mark(table, held, Follower::SameTable));
        }
        // It only waits while no table holds a row, so there never are two that may go.
        let (table, held) = self.ended.take()?;
        Some(self.mark(table, held, Follower::OtherTable))
    }

    /// The table in that place, as long as it had no row.
    pub(super) fn empty(&self, place: usize) -> Option<&T> {
        let open = self.places.get(place)?.as_ref()?;
        (open.rows == 0).then_some(&open.table)
    }

    /// The table in that place has no more rows; the row that may go because of it.
    pub(super) fn close(&mut self, place: usize) -> Option<Marked<T, R>> {
        let Open { table, held, .. } = self.places.get_mut(place)?.take()?;
        let held = held?;
        let mut others = self.places.iter().flatten();
        if others.any(|open| open.held.is_some()) {
            return Some(self.mark(table, held, Follower::OtherTable));
        }
        self.ended = Some((table, held));
        None
    }

    /// Every table was closed; the last row of all, unless there was none.
    pub(super) fn finish(&mut self) -> Option<Marked<T, R>> {
        let (table, held) = self.ended.take()?;
        Some(self.mark(table, held, Follower::Nothing))
    }

    /// Last, then first, then the table's last, then its first.
    fn mark(&mut self, table: T, held: Held<R>, follower: Follower) -> Marked<T, R> {
        let first = match self.first {
            FirstRow::OfFirstTable => held.first_table && held.number == 1,
            FirstRow::OfAny => true,
            FirstRow::Written => false,
        };
        if first {
            self.first = FirstRow::Written;
        }
        let marker = match follower {
            Follower::Nothing => SnapshotMarker::Last,
            _ if first => SnapshotMarker::First,
            Follower::OtherTable => SnapshotMarker::LastInDataCollection,
            Follower::SameTable if held.number == 1 => SnapshotMarker::FirstInDataCollection,
            Follower::SameTable => SnapshotMarker::True,
        };
        Marked {
            table,
            row: held.row,
            marker,
            number: held.number,
            last_of_table: follower != Follower::SameTable,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use SnapshotMarker::{First, FirstInDataCollection, Last, LastInDataCollection, True};

    /// Read tables of so many rows, the next piece from the place that `choices` says; what comes out: table, row,
    /// marker.
    fn read(
        tables: &[usize],
        places: usize,
        choices: &[usize],
    ) -> Vec<(usize, usize, SnapshotMarker)> {
        let mut edges = Edges::new(places);
        let mut out = Vec::new();
        let mut next_table = 0;
        let mut reading: Vec<Option<(usize, usize)>> = vec![None; places];
        let mut choices = choices.iter().cycle();
        loop {
            for (place, slot) in reading.iter_mut().enumerate() {
                if slot.is_none() && next_table < tables.len() {
                    edges.open(place, next_table, next_table);
                    *slot = Some((next_table, 0));
                    next_table += 1;
                }
            }
            let busy: Vec<usize> = (0..places).filter(|&p| reading[p].is_some()).collect();
            if busy.is_empty() {
                break;
            }
            let place = busy[choices.next().copied().unwrap_or(0) % busy.len()];
            let slot = &mut reading[place];
            let Some((table, row)) = *slot else { continue };
            let marked = if row < tables[table] {
                *slot = Some((table, row + 1));
                edges.row(place, row)
            } else {
                *slot = None;
                edges.close(place)
            };
            out.extend(marked);
        }
        out.extend(edges.finish());
        for it in &out {
            assert_eq!(it.number, it.row as u64 + 1, "{it:?}");
            assert_eq!(it.last_of_table, it.row + 1 == tables[it.table], "{it:?}");
        }
        out.into_iter()
            .map(|it| (it.table, it.row, it.marker))
            .collect()
    }

    #[test]
    fn one_table_after_the_other() {
        for (tables, want) in [
            (&[][..], &[][..]),
            (&[0, 0], &[]),
            (&[1], &[Last]),
            (&[2], &[First, Last]),
            (&[3, 0], &[First, True, Last]),
            (&[1, 1], &[First, Last]),
            // Nobody is first where the first table is empty.
            (
                &[0, 3, 1],
                &[FirstInDataCollection, True, LastInDataCollection, Last],
            ),
            (
                &[2, 1, 0, 2],
                &[
                    First,
                    LastInDataCollection,
                    LastInDataCollection,
                    FirstInDataCollection,
                    Last,
                ],
            ),
        ] {
            let markers: Vec<_> = read(tables, 1, &[0]).iter().map(|it| it.2).collect();
            assert_eq!(markers, want, "{tables:?}");
        }
    }

    #[test]
    fn two_tables_at_a_time() {
        let out = read(&[2, 2], 2, &[1, 0]);
        assert_eq!(
            out,
            [
                (1, 0, First),
                (0, 0, FirstInDataCollection),
                (1, 1, LastInDataCollection),
                (0, 1, Last),
            ]
        );
        // The second table turns out to be empty after the first has ended.
        let out = read(&[2, 0], 2, &[0, 0, 0, 0]);
        assert_eq!(out, [(0, 0, First), (0, 1, Last)]);
        // The third has a row after both of the others ended.
        let out = read(&[1, 0, 1], 2, &[0, 0, 1, 0]);
        assert_eq!(out, [(0, 0, First), (2, 0, Last)]);
    }

    proptest! {
        #[test]
        fn edges_are_where_they_are_however_tables_interleave(
            tables in prop::collection::vec(0_usize..5, 0..7),
            places in 1_usize..5,
            choices in prop::collection::vec(0_usize..5, 1..40),
        ) {
            let out = read(&tables, places, &choices);
            prop_assert_eq!(out.len(), tables.iter().sum::<usize>());
            for (table, &rows) in tables.iter().enumerate() {
                let of_table: Vec<_> = out.iter().filter(|it| it.0 == table).collect();
                let order: Vec<usize> = of_table.iter().map(|it| it.1).collect();
                prop_assert_eq!(order, (0..rows).collect::<Vec<_>>());
                for &&(_, row, marker) in &of_table {
                    let edge = match marker {
                        First | FirstInDataCollection => row == 0,
                        LastInDataCollection | Last => row + 1 == rows,
                        SnapshotMarker::True | SnapshotMarker::Incremental | SnapshotMarker::False => {
                            row > 0 && row + 1 < rows
                        }
                    };
                    prop_assert!(edge, "{table} {row} {marker:?}");
                }
            }
            let places_of = |marker| {
                let is = |it: &(usize, (usize, usize, SnapshotMarker))| it.1.2 == marker;
                out.iter().copied().enumerate().filter(is).map(|it| it.0).collect::<Vec<_>>()
            };
            if !out.is_empty() {
                prop_assert_eq!(places_of(Last), vec![out.len() - 1]);
            }
            let has_first = out.len() > 1 && (places > 1 || tables[0] > 0);
            prop_assert_eq!(places_of(First), if has_first { vec![0] } else { vec![] });
        }
    }
}
