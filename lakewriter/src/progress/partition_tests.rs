//! What one partition moves, and what it refuses.

use super::*;

fn partition(tables: &[Option<i64>], next: i64) -> (PartitionProgress, Instant) {
    let now = Instant::now();
    let stored = tables.iter().enumerate();
    let mut partition = PartitionProgress::read(
        StoredPartition {
            topic: "t".to_owned(),
            tables: stored
                .filter_map(|(table, offset)| offset.map(|offset| (table, offset, None)))
                .collect(),
            ..StoredPartition::default()
        },
        now,
    );
    partition.pass(next);
    (partition, now)
}

#[test]
fn the_floor_is_due_where_a_table_lags_behind_what_was_seen() {
    let (young, old) = (Duration::ZERO, FLOOR_ADVANCE);
    for (tables, next, age, at_once, due) in [
        // Nothing is stored of it: it is read from its beginning, wherever that is.
        (vec![], 9, old, true, false),
        (vec![None], 9, old, true, false),
        (vec![Some(9)], 9, old, true, false),
        // A marker.
        (vec![Some(8)], 9, young, false, false),
        (vec![Some(8)], 9, young, true, true),
        (vec![Some(8)], 9, old, false, true),
        // A table that others' records passed by.
        (vec![Some(2), None, Some(9)], 9, old, false, true),
    ] {
        let (mut partition, now) = partition(&tables, next);
        let due_now = partition.floor_is_due(at_once, now + age);
        assert_eq!(due_now, due, "{tables:?} of {next}");
        let moved = partition
            .flush(at_once, now + age)
            .expect("nothing is open");
        let want = due.then(|| TxnAdvance {
            app_id: String::new(),
            from: None,
            to: next,
        });
        assert_eq!(moved.floor, want, "{tables:?} of {next}");
    }
}

/// The table gets a row with the same flush, so that it needs no floor.
#[test]
fn a_table_that_is_flushed_needs_no_floor() {
    let (mut partition, now) = partition(&[Some(4)], 6);
    partition.appended(0, 6, None).expect("a new row");
    let moved = partition.flush(true, now).expect("it is open");
    assert_eq!(moved.floor, None);
    let [table] = moved.tables.as_slice() else {
        panic!("one table");
    };
    assert_eq!((table.txns[0].from, table.txns[0].to), (Some(4), 7));
    assert_eq!(table.range, "p0-4-7");
}

#[test]
fn a_table_that_is_new_beside_others_keeps_its_place_first() {
    for (stored, rows, anchors) in [
        (
            vec![],
            vec![(2, 5), (0, 6), (1, 7)],
            vec![Some(5), Some(5), Some(5)],
        ),
        (vec![], vec![(1, 5), (1, 6)], vec![None]),
        // The table that gets none keeps the place of the other.
        (vec![Some(4)], vec![(2, 5)], vec![None]),
        (vec![Some(4)], vec![(0, 5), (1, 6)], vec![None, Some(5)]),
        (
            vec![Some(4), Some(5)],
            vec![(0, 5), (1, 6)],
            vec![None, None],
        ),
    ] {
        let (mut partition, now) = partition(&stored, 5);
        for (table, offset) in &rows {
            let appended = partition.appended(*table, *offset, None);
            appended.expect("a new row");
        }
        let moved = partition.flush(false, now).expect("it is open").tables;
        let tables = moved.iter();
        let found: Vec<_> = tables
            .map(|table| table.anchor.as_ref().map(|txn| (txn.from, txn.to)))
            .collect();
        let want: Vec<_> = anchors.iter().map(|it| it.map(|to| (None, to))).collect();
        assert_eq!(found, want, "{stored:?} {rows:?}");
        for (table, anchor) in moved.iter().zip(anchors) {
            let stored = stored.get(table.table).copied().flatten();
            assert_eq!(table.txns[0].from, stored.or(anchor));
        }
    }
}

#[test]
fn an_offset_that_comes_again_halts() {
    let (mut partition, _) = partition(&[], 5);
    for offset in [4, 0] {
        let error = partition.set_aside(offset).expect_err("it was handled");
        assert_eq!(error.kind(), crate::ErrorKind::Defect);
        let place = format!("`t` [0] offset {offset}");
        assert!(error.to_string().contains(&place), "{error}");
    }
    assert!(partition.set_aside(5).expect("the next"));
    assert_eq!(partition.next(), 6);
}

#[test]
fn a_row_that_the_table_has_is_not_appended() {
    let (mut partition, _) = partition(&[Some(5)], 3);
    assert_eq!(partition.skip(0, 4, None), Some(Skip::Stored));
    assert_eq!(partition.skip(0, 5, None), None);
    assert_eq!(partition.skip(1, 4, None), None);
    let error = partition.appended(0, 4, None).expect_err("it is there");
    assert!(error.to_string().contains("appended once"), "{error}");
}
