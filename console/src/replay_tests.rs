//! Which rows a log of changes leaves, and from where each unsent value is taken.

use super::*;
use crate::change::Hole;

fn era(since: i64, rule: Rule) -> EraRule {
    EraRule {
        since: (0, since, 0),
        rule,
        new_table: false,
        narrower: Vec::new(),
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
        operation: Operation::from_code(operation.as_bytes()[0]).expect("a letter"),
        place,
        identities: identities.iter().map(|id| id.as_bytes().into()).collect(),
        unsent: unsent.to_vec(),
    }
}

/// The LSNs of the rows that are left, with the LSNs that their holes are filled from.
fn left(eras: Vec<EraRule>, changes: Vec<Change>) -> Vec<(i64, Vec<Option<i64>>)> {
    let mut replay = Replay::new(eras);
    for change in changes {
        replay.apply(change).expect("changes in their order");
    }
    let rows = replay.finish().0.into_iter();
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
    for (rule, again) in [(Rule::Bag, "c"), (Rule::Key, "u")] {
        let mut replay = Replay::new(vec![era(0, rule)]);
        let mut apply = |change| {
            replay.apply(change).expect("changes in their order");
            replay.bytes()
        };
        let one = apply(change("c", at(1), &["a"], &[]));
        let next = apply(change(again, at(2), &["a"], &[1]));
        match rule {
            Rule::Key => assert_eq!(next, one + size_of::<Hole>()),
            Rule::Bag | Rule::AddOnly => assert!(next >= 2 * one),
        }
        apply(change("d", at(3), &["a"], &[]));
        assert_eq!(apply(change("d", at(4), &["a"], &[])), 0);
    }
}

#[test]
fn a_change_that_comes_too_late_is_refused() {
    let mut replay = Replay::new(vec![era(0, Rule::Key)]);
    let update = |place| change("u", place, &["a"], &[]);
    assert_eq!(replay.apply(update(place(0, 7, 2))), Ok(()));
    assert_eq!(replay.apply(update(place(0, 7, 2))), Ok(()));
    for late in [place(0, 7, 1), place(0, 6, 9), place(-1, 9, 9)] {
        assert!(replay.apply(update(late)).is_err());
    }
    assert_eq!(replay.apply(update(place(1, 3, 0))), Ok(()));
}

#[test]
fn a_change_without_an_identity_is_refused() {
    let mut replay = Replay::new(vec![era(0, Rule::Key), era(5, Rule::Key)]);
    assert_eq!(replay.apply(change("c", at(1), &["a", "a"], &[])), Ok(()));
    assert_eq!(
        replay.apply(change("c", at(6), &["b"], &[])),
        Err(Unplayable::NoIdentity {
            position: (0, 6, 0),
            era: 1
        })
    );
}

#[test]
fn keys_that_a_transaction_moves_over_each_other_are_all_there_afterwards() {
    let both = |lsn, old: &str, ordinal, new: &str| {
        let old = change("d", place(0, lsn, ordinal), &[old], &[]);
        [old, change("c", place(0, lsn, ordinal), &[new], &[])]
    };
    let mut changes = vec![
        change("c", at(1), &["1"], &[]),
        change("c", at(2), &["2"], &[]),
    ];
    // set id = 3 - id, twice
    changes.extend(both(5, "1", 0, "2"));
    changes.extend(both(5, "2", 1, "1"));
    changes.extend(both(5, "1", 2, "2"));
    changes.extend(both(5, "2", 3, "1"));
    // set id = id + 1
    changes.extend(both(7, "1", 0, "2"));
    changes.extend(both(7, "2", 1, "3"));
    let rows = left(vec![era(0, Rule::Key)], changes);
    assert_eq!(rows.len(), 2);
    // A key is unique at the end of a transaction: what comes to it in another one has replaced the row before.
    let twice = vec![
        change("c", at(1), &["1"], &[]),
        change("c", at(2), &["1"], &[]),
        change("d", at(3), &["1"], &[]),
    ];
    assert_eq!(left(vec![era(0, Rule::Key)], twice), []);
}

#[test]
fn a_table_that_is_read_again_in_the_same_history_is_read_as_a_whole() {
    for (incarnation, rows) in [(9, 2), (0, 3)] {
        let read = |lsn, ordinal, id| change("r", place(incarnation, lsn, ordinal), &[id], &[]);
        let changes = vec![read(10, 0, "a"), read(20, 0, "a"), read(20, 1, "b")];
        assert_eq!(left(vec![era(0, Rule::Bag)], changes).len(), rows);
    }
}

#[test]
fn rows_from_before_a_column_of_the_identity_are_met_by_the_others() {
    let narrower = |rule| EraRule {
        narrower: vec![Narrower {
            from: (0, 0, 0),
            until: (0, 5, 0),
            identity: 1,
        }],
        ..era(0, rule)
    };
    for rule in [Rule::Key, Rule::Bag] {
        let changes = vec![
            change("c", at(1), &["-1", "1"], &[]),
            change("c", at(2), &["-2", "2"], &[]),
            change("c", at(3), &["-3", "3"], &[]),
            // The new column has a value in the rows from before, too.
            change("d", at(6), &["71", "1"], &[]),
            change("c", at(7), &["72", "4"], &[]),
            change("d", at(8), &["72", "4"], &[]),
        ];
        let mut replay = Replay::new(vec![narrower(rule)]);
        for change in changes {
            replay.apply(change).expect("changes in their order");
        }
        let lsns: Vec<i64> = replay.finish().0.iter().map(|row| row.place.lsn).collect();
        assert_eq!(lsns, [2, 3], "{rule:?}");
    }
    let mut replay = Replay::new(vec![narrower(Rule::Key)]);
    for change in [
        change("c", at(1), &["-1", "1"], &[]),
        change("u", at(6), &["71", "1"], &[]),
        change("u", at(7), &["71", "1"], &[]),
    ] {
        replay.apply(change).expect("changes in their order");
    }
    let lsns: Vec<i64> = replay.finish().0.iter().map(|row| row.place.lsn).collect();
    assert_eq!(lsns, [7]);
}

/// How many changes found no row, and how many rows came to a key of another one.
fn evidence(changes: Vec<Change>) -> (u64, u64) {
    let mut replay = Replay::new(vec![era(0, Rule::Key)]);
    for change in changes {
        replay.apply(change).expect("changes in their order");
    }
    let (_, evidence) = replay.finish();
    (evidence.unmet, evidence.shared)
}

#[test]
fn what_no_log_should_have_is_counted_until_all_rows_are_known_again() {
    let strange = vec![
        change("c", at(1), &["1"], &[]),
        change("c", at(2), &["1"], &[]),
        change("u", at(3), &["2"], &[]),
        change("d", at(4), &["3"], &[]),
    ];
    assert_eq!(evidence(strange.clone()), (2, 1));
    for all in [
        change("t", at(5), &[""], &[]),
        change("r", place(1, 1, 0), &["9"], &[]),
    ] {
        let mut changes = strange.clone();
        changes.push(all);
        assert_eq!(evidence(changes), (0, 0));
    }
    let shared = [0, 1].map(|ordinal| change("r", place(1, 1, ordinal), &["9"], &[]));
    assert_eq!(evidence(shared.to_vec()), (0, 1));
    // A row of a snapshot on demand of another Debezium.
    let on_demand = [1, 2].map(|lsn| change("r", at(lsn), &["9"], &[]));
    assert_eq!(evidence(on_demand.to_vec()), (0, 0));
}

#[test]
fn what_comes_once_more_and_what_a_transaction_moves_is_nothing_strange() {
    let ours = |operation, lsn| vec![change(operation, at(lsn), &["1"], &[]); 2];
    let log = [ours("c", 1), ours("u", 2), ours("d", 3), ours("c", 4)].concat();
    assert_eq!(evidence(log), (0, 0));
    // Another Debezium's have the offset of the record in place of an ordinal.
    let at = |lsn, offset| Place {
        lsn,
        ordinal: offset,
        offset,
        ..Place::default()
    };
    let theirs = |operation, lsn, offset| {
        [0_i64, 100].map(|later| change(operation, at(lsn, offset + later), &["1"], &[]))
    };
    let log = [
        theirs("c", 1, 1),
        theirs("u", 2, 2),
        theirs("d", 3, 3),
        theirs("c", 4, 4),
    ];
    assert_eq!(evidence(log.concat()), (0, 0));
    // Two rows change keys.
    let swapped = vec![
        change("c", place(0, 1, 0), &["1"], &[]),
        change("c", place(0, 1, 1), &["2"], &[]),
        change("d", place(0, 2, 0), &["1"], &[]),
        change("c", place(0, 2, 0), &["2"], &[]),
        change("d", place(0, 2, 1), &["2"], &[]),
        change("c", place(0, 2, 1), &["1"], &[]),
    ];
    assert_eq!(evidence(swapped), (0, 0));
}

#[test]
fn a_moved_row_that_comes_once_more_keeps_what_it_took() {
    let again = |lsn| Place {
        offset: 9,
        ..at(lsn)
    };
    let changes = vec![
        change("c", at(1), &["1"], &[]),
        change("d", at(2), &["1"], &[]),
        change("d", again(2), &["1"], &[]),
        change("c", at(2), &["2"], &[7]),
        change("c", again(2), &["2"], &[7]),
    ];
    let rows = left(vec![era(0, Rule::Key)], changes);
    assert_eq!(rows, [(2, vec![Some(1)])]);
}
