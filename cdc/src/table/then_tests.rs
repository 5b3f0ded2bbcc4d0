//! What is said of a table at a place in the WAL, from its message, the versions of before and the catalog of now.

use std::sync::Arc;

use debezium::TableId;

use super::*;
use crate::table::{CatalogColumn, DroppedColumn, TypeName, not_in_old_rows};

/// A Relation message of integers; the columns behind a `*` are flagged.
fn relation(identity: ReplicaIdentity, columns: &[&str]) -> RelationDescription {
    let column = |name: &&str| RelationColumn {
        name: name.trim_start_matches('*').to_owned(),
        type_oid: 23,
        type_modifier: -1,
        part_of_key: name.starts_with('*'),
        type_name: None,
    };
    RelationDescription {
        id: 1,
        namespace: "public".to_owned(),
        name: "t".to_owned(),
        replica_identity: identity,
        columns: columns.iter().map(column).collect(),
    }
}

fn past_of(published: Vec<Arc<TableSchema>>) -> Past {
    let mut past = Past::default();
    past.extend(published);
    past
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The catalog of now: columns that cannot be null.
fn catalog(identity: ReplicaIdentity, columns: &[&str], keys: Vec<CatalogKey>) -> CatalogTable {
    let column = |(number, name): (i16, &&str)| CatalogColumn {
        name: (*name).to_owned(),
        number,
        type_oid: 23,
        type_modifier: -1,
        not_null: true,
        generated: false,
        older_rows: None,
        default_expression: Some("7".to_owned()),
        changed_by: None,
    };
    CatalogTable {
        oid: 1,
        schema: "public".to_owned(),
        name: "t".to_owned(),
        replica_identity: identity,
        columns: (1..).zip(columns).map(column).collect(),
        dropped: Vec::new(),
        keys,
    }
}

fn primary(columns: &[&str], changed_by: Option<u32>) -> CatalogKey {
    CatalogKey {
        columns: owned(columns),
        unique: owned(columns),
        primary: true,
        identity: true,
        changed_by,
    }
}

fn unique(columns: &[&str]) -> CatalogKey {
    CatalogKey {
        primary: false,
        identity: false,
        ..primary(columns, None)
    }
}

/// A version that was in force: nullable columns without defaults.
fn version(columns: &[&str], key: &[&str]) -> TableSchema {
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        pg_type: TypeCatalog::default().pg_type(23, -1),
        optional: true,
        default_expression: None,
        generated: false,
        older_rows: None,
        number: None,
        rule: None,
    };
    let index = |name: &&str| columns.iter().position(|column| column == name);
    TableSchema {
        table: TableId {
            database: "d".to_owned(),
            schema: "public".to_owned(),
            table: "t".to_owned(),
        },
        columns: columns.iter().map(column).collect(),
        key: key.iter().filter_map(index).collect(),
        replica_identity: ReplicaIdentity::Default,
        oid: None,
    }
}

#[test]
fn keys_are_those_of_the_message() {
    use ReplicaIdentity::{Default, Full, Index};
    let (now, later) = (None, Some(200));
    let order = |columns: &[&str]| Some(Doubt::KeyOrder(owned(columns)));
    let unknown = |columns: &[&str]| Some(Doubt::Key(owned(columns)));
    let ab = ["a", "b"];
    for (sent, flagged, keys, then, want, doubt) in [
        // The primary key of now is the one that is flagged: its order holds.
        (
            Default,
            ["*a", "*b"],
            vec![primary(&["b", "a"], now)],
            None,
            vec!["b", "a"],
            None,
        ),
        // The key is another one by now.
        (
            Default,
            ["*a", "b"],
            vec![primary(&["a", "b"], later)],
            None,
            vec!["a"],
            None,
        ),
        (
            Default,
            ["*a", "*b"],
            vec![primary(&["a"], later)],
            None,
            vec!["a", "b"],
            order(&ab),
        ),
        (
            Default,
            ["*a", "*b"],
            vec![primary(&["a"], later)],
            Some(vec!["b", "a"]),
            vec!["b", "a"],
            None,
        ),
        // The same columns in another order.
        (
            Default,
            ["*a", "*b"],
            vec![primary(&["a", "b"], later)],
            Some(vec!["b", "a"]),
            vec!["b", "a"],
            None,
        ),
        // There was no primary key then.
        (
            Default,
            ["a", "b"],
            vec![primary(&["a"], later)],
            Some(vec![]),
            vec![],
            None,
        ),
        (
            Default,
            ["a", "b"],
            vec![primary(&["a"], later), unique(&["b"])],
            None,
            vec!["b"],
            None,
        ),
        (
            Default,
            ["a", "b"],
            vec![primary(&["a"], later)],
            None,
            vec![],
            unknown(&[]),
        ),
        (
            Default,
            ["a", "b"],
            vec![unique(&["b"])],
            None,
            vec!["b"],
            None,
        ),
        // The identity is another index by now.
        (
            Index,
            ["*a", "b"],
            vec![unique(&["b"])],
            Some(vec!["a"]),
            vec!["a"],
            None,
        ),
        (
            Index,
            ["*a", "b"],
            vec![unique(&["b"])],
            None,
            vec!["a"],
            unknown(&["a"]),
        ),
        // The whole row says nothing of the key.
        (
            Full,
            ["*a", "*b"],
            vec![primary(&["a"], now)],
            None,
            vec!["a"],
            None,
        ),
        (
            Full,
            ["*a", "*b"],
            vec![primary(&["a"], later)],
            Some(vec!["b"]),
            vec!["b"],
            None,
        ),
        (
            Full,
            ["*a", "*b"],
            vec![primary(&["a"], later)],
            None,
            vec!["a"],
            unknown(&["a"]),
        ),
        (
            Full,
            ["*a", "*b"],
            vec![],
            Some(vec!["a"]),
            vec![],
            unknown(&[]),
        ),
    ] {
        let message = relation(sent, &flagged);
        let table = catalog(sent, &ab, keys);
        let then = then.map(|then| version(&ab, &then));
        let found = key_then(&message, Some(&table), then.as_ref());
        let case = format!("{sent:?} {flagged:?} {:?} {then:?}", table.keys);
        assert_eq!(found, (owned(&want), doubt), "{case}");
    }
}

#[test]
fn a_table_that_is_gone_has_the_key_of_its_message() {
    let message = relation(ReplicaIdentity::Default, &["*a", "b"]);
    assert_eq!(key_then(&message, None, None), (owned(&["a"]), None));
    let then = version(&["a", "b"], &["b"]);
    let message = relation(ReplicaIdentity::Full, &["*a", "*b"]);
    assert_eq!(key_then(&message, None, Some(&then)), (owned(&["b"]), None));
}

#[test]
fn what_changed_since_is_taken_from_the_version_before() {
    let message = relation(ReplicaIdentity::Default, &["*a", "b", "c"]);
    let mut table = catalog(
        ReplicaIdentity::Default,
        &["a", "b", "c"],
        vec![primary(&["a"], None)],
    );
    table.columns[1].changed_by = Some(3);
    table.columns[2].changed_by = Some(u32::MAX);
    let types = TypeCatalog::default();
    let known = |past: &Past| known_then(&message, u32::MAX - 5, Some(&table), &types, past);
    let (columns, doubts) = known(&past_of(vec![Arc::new(version(&["a", "b"], &["a"]))]));
    let facts: Vec<_> = columns
        .columns
        .iter()
        .map(|column| (column.optional, column.default_expression.as_deref()))
        .collect();
    // Of `c` nothing else is known, and it is said so.
    assert_eq!(
        facts,
        [(false, Some("7")), (true, None), (false, Some("7"))]
    );
    assert_eq!(doubts, [Doubt::Columns(owned(&["c"]))]);
    // Transaction ids go round: the nearest later one is the first.
    assert_eq!(columns.changed_by, Some(u32::MAX));
}

#[test]
fn types_that_are_gone_are_known_from_before_or_told() {
    let mut message = relation(ReplicaIdentity::Nothing, &["m", "p"]);
    let told = |namespace: &str, name: &str| {
        Some(TypeName {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    };
    for (column, oid, name) in [
        (0, 20_000, told("public", "mood")),
        (1, 20_001, told("pg_catalog", "numeric")),
    ] {
        message.columns[column].type_oid = oid;
        message.columns[column].type_name = name;
    }
    let kinds = |past: &Past| {
        let (known, doubts) = known_then(&message, 1, None, &TypeCatalog::default(), past);
        let columns = known.columns.into_iter();
        let kinds: Vec<_> = columns.map(|column| column.pg_type.kind).collect();
        (kinds, doubts)
    };
    let (unknown, doubts) = kinds(&Past::default());
    // Without the catalog not even the name of a type of PostgreSQL's own is known.
    assert_eq!(unknown, [PgTypeKind::Text, PgTypeKind::Text]);
    assert!(matches!(doubts.first(), Some(Doubt::Type { column, .. }) if column == "m"));
    let mut then = version(&["m", "p"], &[]);
    let mood = PgTypeKind::Enum {
        labels: owned(&["sad"]),
    };
    then.columns[0].pg_type.oid = 20_000;
    then.columns[0].pg_type.kind = mood.clone();
    let (known, _) = kinds(&past_of(vec![Arc::new(then)]));
    assert_eq!(known, [mood, PgTypeKind::Text]);
}

#[test]
fn a_renamed_column_keeps_its_number() {
    let numbers = |sent: &[&str], table: &CatalogTable| {
        let message = relation(ReplicaIdentity::Full, sent);
        let types = TypeCatalog::default();
        let (known, _) = known_then(&message, 1, Some(table), &types, &Past::default());
        let columns = known.columns.iter();
        columns.map(|column| column.number).collect::<Vec<_>>()
    };
    let now = |columns: &[&str]| catalog(ReplicaIdentity::Full, columns, Vec::new());
    let table = now(&["uid", "v", "w"]);
    assert_eq!(
        numbers(&["id", "v", "w"], &table),
        [Some(1), Some(2), Some(3)]
    );
    assert_eq!(
        numbers(&["id", "x", "w"], &table),
        [Some(1), Some(2), Some(3)]
    );
    // Names were swapped.
    assert_eq!(
        numbers(&["v", "x", "w"], &table),
        [Some(1), Some(2), Some(3)]
    );
    // A column was added, and one was renamed or two swapped their names: nobody knows.
    assert_eq!(numbers(&["id", "v"], &table), [None, Some(2)]);
    let mut swapped = now(&["v", "id", "w"]);
    swapped.columns[0].changed_by = Some(9);
    swapped.columns[1].changed_by = Some(9);
    assert_eq!(numbers(&["id", "v"], &swapped), [None, None]);
    // `x` was dropped and `y` was added.
    let mut dropped = now(&["id", "y"]);
    dropped.columns[1].number = 3;
    assert_eq!(numbers(&["id", "x"], &dropped), [Some(1), None]);
    // It was dropped and added again.
    let mut again = now(&["id", "x"]);
    again.columns[1].number = 3;
    again.columns[1].changed_by = Some(9);
    assert_eq!(numbers(&["id", "x"], &again), [Some(1), None]);
    // The catalog tells when the first of the two was dropped: since, or before.
    let gone = |changed_by| DroppedColumn {
        number: 2,
        changed_by,
    };
    again.dropped = vec![gone(Some(9))];
    assert_eq!(numbers(&["id", "x"], &again), [Some(1), Some(2)]);
    again.dropped = vec![gone(None)];
    assert_eq!(numbers(&["id", "x"], &again), [Some(1), Some(3)]);
    // Of three columns the publication sends two: the second need not be the dropped one.
    let mut three = now(&["id", "w", "x"]);
    three.columns[2].number = 4;
    three.columns[2].changed_by = Some(9);
    three.dropped = vec![DroppedColumn {
        number: 3,
        changed_by: Some(9),
    }];
    assert_eq!(
        numbers(&["id", "w", "x"], &three),
        [Some(1), Some(2), Some(3)]
    );
    assert_eq!(numbers(&["id", "x"], &three), [Some(1), None]);
}

#[test]
fn key_columns_that_deleted_rows_lack_are_found() {
    let types = TypeCatalog::default();
    let unsent = |identity, sent: &[&str], key: &[&str]| {
        let message = relation(identity, sent);
        let table = catalog(
            ReplicaIdentity::Default,
            &["id", "v"],
            vec![primary(key, None)],
        );
        let (known, _) = known_then(&message, 1, Some(&table), &types, &Past::default());
        let schema = TableSchema {
            table: TableId {
                database: "d".to_owned(),
                schema: "public".to_owned(),
                table: "t".to_owned(),
            },
            columns: known.columns,
            key: vec![1],
            replica_identity: identity,
            oid: Some(1),
        };
        not_in_old_rows(&message, &schema).join(",")
    };
    // `message.key.columns` names `v`.
    assert_eq!(
        unsent(ReplicaIdentity::Default, &["*id", "v"], &["id"]),
        "v"
    );
    assert_eq!(unsent(ReplicaIdentity::Full, &["*id", "*v"], &["id"]), "");
    assert_eq!(unsent(ReplicaIdentity::Nothing, &["id", "v"], &["id"]), "");
}
