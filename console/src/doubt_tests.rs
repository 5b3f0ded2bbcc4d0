use debezium::PgTypeKind;
use lakewriter::lake::{RowIdentity, TableShape, VersionColumn};

use super::*;
use crate::history::History;

fn version(lsn: i64, oid: u32, columns: &[(&str, i16, PgTypeKind)]) -> TableVersion {
    let columns = columns.iter().map(|(name, number, kind)| VersionColumn {
        number: Some(*number),
        name: (*name).to_owned(),
        lake: (*name).to_owned(),
        raw: None,
        of: Some(ColumnType {
            name: format!("{kind:?}").to_lowercase(),
            modifier: -1,
            kind: kind.clone(),
        }),
        older_rows: None,
    });
    TableVersion {
        id: i32::try_from(lsn).unwrap(),
        since: (0, lsn, 0),
        shape: TableShape {
            oid: Some(oid),
            columns: columns.collect(),
            identity: RowIdentity::Key(vec![0]),
        },
    }
}

fn found(versions: Vec<TableVersion>) -> Vec<Doubt> {
    History::new(versions, None, &arrow::datatypes::Schema::empty()).doubts
}

fn retyped(column: &str, from: &str, to: &str, known: bool) -> About {
    About::Retyped {
        column: column.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        known,
    }
}

#[test]
fn what_the_versions_do_not_tell_is_found_in_them() {
    use PgTypeKind::{Int4, Text, TimestampTz, Uuid, Varchar};
    let id = |kind| [("id", 1, kind), ("v", 2, Text)];
    assert_eq!(found(vec![version(1, 7, &id(Text))]), []);
    // Another type of a column that tells nothing apart.
    let other = [("id", 1, Text), ("v", 2, Varchar)];
    assert_eq!(
        found(vec![version(1, 7, &id(Text)), version(2, 7, &other)]),
        []
    );
    let types = found(vec![
        version(1, 7, &id(Text)),
        version(5, 7, &id(Uuid)),
        version(9, 7, &id(TimestampTz { precision: 6 })),
    ]);
    let places: Vec<i64> = types.iter().map(|doubt| doubt.since.1).collect();
    assert_eq!(places, [5, 9]);
    assert_eq!(types[0].about, retyped("id", "text", "uuid", true));
    assert!(matches!(
        types[1].about,
        About::Retyped { known: false, .. }
    ));
    let later = [("id", 3, Int4), ("v", 2, Text)];
    let later = found(vec![version(1, 7, &id(Text)), version(5, 7, &later)]);
    let columns = vec!["id".to_owned()];
    assert_eq!(later[0].about, About::LaterKey { columns });
    // Of the rows of the table before nothing is in doubt any more.
    let another = found(vec![
        version(1, 7, &id(Text)),
        version(3, 7, &id(Uuid)),
        version(5, 8, &id(Int4)),
    ]);
    assert_eq!(another.len(), 1);
    assert!(matches!(
        another[0].about,
        About::OtherTable {
            before: 7,
            now: 8,
            ..
        }
    ));
}

#[test]
fn a_doubt_is_said_as_long_as_rows_from_before_it_are_shown() {
    let doubt = |lsn, about| Doubt {
        since: (0, lsn, 0),
        about,
    };
    let doubts = [doubt(0x10, retyped("id", "text", "uuid", true))];
    let nothing = Evidence::default();
    assert!(notices("public.t", &doubts, &[0], &nothing).is_empty());
    let said = notices("public.t", &doubts, &[3], &nothing);
    let [said] = said.as_slice() else {
        panic!("{said:?}");
    };
    for part in [
        "public.t, since LSN 0/10",
        "\"id\"",
        "text",
        "uuid",
        "Latest rows from before: 3;",
        REMEDY,
    ] {
        assert!(said.contains(part), "{said} lacks {part}");
    }
    let other = [doubt(
        0x10,
        About::OtherTable {
            before: 1,
            now: 2,
            stands: Some("public.old".to_owned()),
        },
    )];
    let said = notices("public.t", &other, &[0], &nothing);
    assert!(said[0].contains("in the log of public.old"), "{said:?}");
    let read_anew = Evidence {
        began: Some((1, 0x5, 0)),
        ..nothing
    };
    assert!(notices("public.t", &other, &[0], &read_anew).is_empty());
    let mut evidence = Evidence::default();
    evidence.unmet((0, 0x20, 0));
    evidence.unmet((0, 0x30, 0));
    evidence.shared((3, 0x40, 0));
    let said = notices("public.t", &[], &[], &evidence);
    assert!(
        said[0].contains("only the later one is shown: 1"),
        "{said:?}"
    );
    assert!(said[0].contains("LSN 0/40 of incarnation 3"), "{said:?}");
    assert!(
        said[1].contains("since LSN 0/20: changes of rows that were not found: 2"),
        "{said:?}"
    );
}
