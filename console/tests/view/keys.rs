//! Keys through time.

use anyhow::Result;
use debezium::PgTypeKind::{
    self, Bpchar, Bytea, Cidr, Citext, Date, Float4, Float8, Inet, Int4, Int8, Macaddr, Macaddr8,
    Money, Text, Time, Timestamp, UnconstrainedNumeric, Uuid, Varchar,
};

use crate::lake::{Lake, NULL, Table};

fn numeric(precision: u16, scale: i16) -> PgTypeKind {
    PgTypeKind::Numeric { precision, scale }
}

#[tokio::test]
async fn a_key_may_have_the_name_of_a_column_of_the_lake() -> Result<()> {
    for name in [
        "_seq",
        "_date",
        "_op",
        "_lsn",
        "_table_version",
        "_incarnation",
        "_OP",
    ] {
        let mut lake = Lake::new().await?;
        let table = Table::new("t", 1, &[(name, 1, Int4), ("v", 2, Text)], &[name]);
        lake.insert(&table, &["1", "a"]).await?;
        lake.insert(&table, &["2", "b"]).await?;
        lake.update(&table, None, &["1", "a2"]).await?;
        lake.delete(&table, &["2", NULL]).await?;
        let sql = format!("select \"{name}\", v from t");
        assert_eq!(lake.rows(&sql).await?, ["1|a2"], "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn names_that_differ_in_case_alone_are_two_columns() -> Result<()> {
    let mut lake = Lake::new().await?;
    let table = Table::new(
        "t",
        1,
        &[("id", 1, Int4), ("ID", 2, Int4), ("v", 3, Text)],
        &["ID"],
    );
    lake.insert(&table, &["1", "10", "a"]).await?;
    lake.insert(&table, &["1", "20", "b"]).await?;
    lake.update(&table, None, &["3", "10", "a2"]).await?;
    let rows = lake.rows("select id, \"ID\", v from t").await?;
    assert_eq!(rows, ["1|20|b", "3|10|a2"]);
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_renamed_is_the_same_key() -> Result<()> {
    for numbers in [true, false] {
        let mut lake = Lake::new().await?;
        let of = |name| {
            let table = Table::new("t", 1, &[(name, 1, Int4), ("v", 2, Text)], &[name]);
            if numbers {
                table
            } else {
                table.without_numbers()
            }
        };
        let (before, after) = (of("id"), of("uid"));
        for row in [["1", "a"], ["2", "b"], ["3", "c"]] {
            lake.insert(&before, &row).await?;
        }
        lake.update(&after, None, &["1", "a2"]).await?;
        lake.insert(&after, &["4", "d"]).await?;
        lake.delete(&after, &["3", NULL]).await?;
        let rows = lake.rows("select uid, v from t").await?;
        if numbers {
            assert_eq!(rows, ["1|a2", "2|b", "4|d"]);
            // And back.
            lake.update(&before, None, &["4", "d2"]).await?;
            let rows = lake.rows("select * from t").await?;
            assert_eq!(rows, ["1|a2", "2|b", "4|d2"]);
        } else {
            // Without numbers nobody can tell a new name from a new column, but no row is lost.
            assert!(rows.iter().any(|row| row.ends_with("|b")), "{rows:?}");
        }
    }
    Ok(())
}

/// What PostgreSQL makes of `1`, `2` and `3` when the type changes, all of it one key.
#[tokio::test]
async fn a_key_that_is_retyped_is_the_same_key() -> Result<()> {
    let stamp = Timestamp { precision: 6 };
    let types: [(PgTypeKind, [&str; 3], PgTypeKind, [&str; 3]); 23] = [
        (Int4, ["1", "2", "3"], Int8, ["1", "2", "3"]),
        (Int4, ["1", "2", "3"], Text, ["1", "2", "3"]),
        (Text, ["1", "2", "3"], Int8, ["1", "2", "3"]),
        (Text, ["a", "b", "c"], Varchar, ["a", "b", "c"]),
        (
            Int8,
            ["1", "2", "3"],
            numeric(10, 2),
            ["1.00", "2.00", "3.00"],
        ),
        (
            numeric(10, 2),
            ["1.50", "2.25", "3.00"],
            numeric(12, 3),
            ["1.500", "2.250", "3.000"],
        ),
        (
            numeric(10, 2),
            ["1.50", "2.25", "3.00"],
            Text,
            ["1.50", "2.25", "3.00"],
        ),
        (numeric(10, 1), ["1.5", "4.2", "3.0"], Int8, ["2", "9", "3"]),
        (
            numeric(10, 2),
            ["1.10", "2.00", "3.50"],
            UnconstrainedNumeric,
            ["1.1", "2", "3.5"],
        ),
        (Bpchar, ["a   ", "b   ", "c   "], Text, ["a", "b", "c"]),
        (Text, ["a", "b", "c"], Citext, ["a", "b", "c"]),
        (
            Text,
            [
                "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                "{b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
                "C0EEBC999C0B4EF8BB6D6BB9BD380A11",
            ],
            Uuid,
            [
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            ],
        ),
        (
            Float8,
            ["1.5", "2", "0.30000000000000004"],
            UnconstrainedNumeric,
            ["1.5", "2", "0.3"],
        ),
        (Float8, ["1", "1e+20", "0.1"], Text, ["1", "1e+20", "0.1"]),
        (Float4, ["0.1", "1e+10", "3"], Text, ["0.1", "1e+10", "3"]),
        (
            stamp.clone(),
            [
                "2020-01-01 00:00:00.5",
                "2020-01-02 00:00:00",
                "2020-01-03 10:00:00",
            ],
            Text,
            [
                "2020-01-01 00:00:00.5",
                "2020-01-02 00:00:00",
                "2020-01-03 10:00:00",
            ],
        ),
        (
            Date,
            ["2020-01-01", "2020-01-02", "0044-03-15 BC"],
            Text,
            ["2020-01-01", "2020-01-02", "0044-03-15 BC"],
        ),
        (
            Time { precision: 6 },
            ["10:00:00", "11:00:00.25", "24:00:00"],
            Text,
            ["10:00:00", "11:00:00.25", "24:00:00"],
        ),
        (
            Inet,
            ["10.0.0.1", "10.0.0.0/8", "::1"],
            Text,
            ["10.0.0.1/32", "10.0.0.0/8", "::1/128"],
        ),
        (
            Cidr,
            ["10.0.0.1/32", "10.0.0.0/8", "::1/128"],
            Inet,
            ["10.0.0.1", "10.0.0.0/8", "::1"],
        ),
        (
            Bytea,
            ["\\x01", "\\xff", "\\x"],
            Text,
            ["\\x01", "\\xff", "\\x"],
        ),
        (
            Money,
            ["$1.50", "$2.00", "$1,234.00"],
            UnconstrainedNumeric,
            ["1.5", "2", "1234"],
        ),
        (
            Macaddr,
            [
                "08:00:2b:01:02:03",
                "08:00:2b:01:02:04",
                "08:00:2b:01:02:05",
            ],
            Macaddr8,
            [
                "08:00:2b:ff:fe:01:02:03",
                "08:00:2b:ff:fe:01:02:04",
                "08:00:2b:ff:fe:01:02:05",
            ],
        ),
    ];
    for (before, old, after, new) in types {
        let case = format!("{before:?} to {after:?}");
        let mut lake = Lake::new().await?;
        let of = |kind| Table::new("t", 1, &[("id", 1, kind), ("v", 2, Text)], &["id"]);
        let (before, after) = (of(before), of(after));
        for (id, v) in old.iter().zip(["a", "b", "c"]) {
            lake.insert(&before, &[id, v]).await?;
        }
        lake.update(&after, None, &[new[0], "a2"]).await?;
        lake.delete(&after, &[new[2], NULL]).await?;
        let rows = lake.rows("select v from t").await?;
        assert_eq!(rows, ["a2", "b"], "{case}");
        // The old rows show their values in the new type.
        let found = lake
            .rows("select id from t where v = 'a2' or id is null")
            .await?;
        assert_eq!(found, [new[0]], "{case}");
    }
    Ok(())
}

#[tokio::test]
async fn keys_that_are_replaced_or_made_longer_or_shorter_tell_the_same_rows_apart() -> Result<()> {
    let columns = [("a", 1, Int4), ("b", 2, Int4), ("v", 3, Text)];
    let of = |key: &[&str]| Table::new("t", 1, &columns, key);
    for key in [&["a", "b"][..], &["b"], &["b", "a"]] {
        let mut lake = Lake::new().await?;
        let (before, after) = (of(&["a"]), of(key));
        lake.insert(&before, &["1", "10", "one"]).await?;
        lake.insert(&before, &["2", "20", "two"]).await?;
        lake.insert(&before, &["3", "30", "three"]).await?;
        lake.insert(&before, &["4", "40", "four"]).await?;
        lake.delete(&before, &["4", NULL, NULL]).await?;
        lake.update(&before, None, &["3", "31", "three too"])
            .await?;

        lake.update(&after, None, &["1", "10", "one too"]).await?;
        let gone = if key == ["b"] {
            [NULL, "20", NULL]
        } else {
            ["2", "20", NULL]
        };
        lake.delete(&after, &gone).await?;
        lake.insert(&after, &["2", "21", "another"]).await?;
        let rows = lake.rows("select * from t").await?;
        assert_eq!(
            rows,
            ["1|10|one too", "2|21|another", "3|31|three too"],
            "{key:?}"
        );

        // And back to the first.
        lake.delete(&before, &["1", NULL, NULL]).await?;
        lake.update(&before, None, &["2", "22", "again"]).await?;
        let rows = lake.rows("select * from t").await?;
        assert_eq!(rows, ["2|22|again", "3|31|three too"], "{key:?}");
    }
    Ok(())
}

#[tokio::test]
async fn keys_that_their_column_cannot_hold_are_told_apart() -> Result<()> {
    let cases: [(PgTypeKind, [&str; 3]); 4] = [
        (Date, ["infinity", "-infinity", "2020-01-01"]),
        (numeric(10, 2), ["NaN", "1.00", "2.00"]),
        (UnconstrainedNumeric, ["NaN", "Infinity", "-Infinity"]),
        (Float8, ["NaN", "Infinity", "-Infinity"]),
    ];
    for (kind, keys) in cases {
        let mut lake = Lake::new().await?;
        let table = Table::new("t", 1, &[("k", 1, kind.clone()), ("v", 2, Text)], &["k"]);
        for (key, v) in keys.iter().zip(["a", "b", "c"]) {
            lake.insert(&table, &[key, v]).await?;
        }
        lake.update(&table, None, &[keys[0], "a2"]).await?;
        lake.delete(&table, &[keys[1], NULL]).await?;
        assert_eq!(lake.rows("select v from t").await?, ["a2", "c"], "{kind:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_table_that_is_made_again_has_no_rows_of_the_one_before() -> Result<()> {
    let mut lake = Lake::new().await?;
    let columns = [("id", 1, Int4), ("v", 2, Text)];
    let first = Table::new("t", 1, &columns, &["id"]);
    // Column numbers begin anew, too.
    let second = Table::new("t", 2, &[("v", 1, Text), ("id", 2, Int4)], &["id"]);
    lake.insert(&first, &["1", "a"]).await?;
    lake.insert(&first, &["2", "b"]).await?;
    lake.insert(&second, &["new", "1"]).await?;
    assert_eq!(lake.rows("select id, v from t").await?, ["1|new"]);
    Ok(())
}

#[tokio::test]
async fn composite_keys_truncates_and_quoted_names() -> Result<()> {
    let mut lake = Lake::new().await?;
    let columns = [("a b", 1, Text), ("c\"d", 2, Int4), ("Ä", 3, Text)];
    let table = Table::new("My Table", 1, &columns, &["a b", "c\"d"]);
    lake.insert(&table, &["x", "1", "gone"]).await?;
    lake.truncate(&table).await?;
    lake.insert(&table, &["x", "1", "one"]).await?;
    lake.insert(&table, &["x1", NULL, "null"]).await?;
    lake.insert(&table, &["x", "2", "two"]).await?;
    lake.update(&table, Some(&["x", "2", NULL]), &["y", "2", "moved"])
        .await?;
    let rows = lake.rows("select * from \"My Table\"").await?;
    assert_eq!(rows, ["x1||null", "x|1|one", "y|2|moved"]);
    Ok(())
}

/// `ADD COLUMN tenant int DEFAULT 1`, and the key is `(tenant, id)` from then on.
#[tokio::test]
async fn rows_from_before_a_column_of_the_key_are_met_by_the_others() -> Result<()> {
    let mut lake = Lake::new().await?;
    let before = Table::new("t", 1, &[("id", 1, Int4), ("v", 2, Text)], &["id"]);
    let columns = &[("id", 1, Int4), ("v", 2, Text), ("tenant", 3, Int4)];
    let after = Table::new("t", 1, columns, &["tenant", "id"]);
    for row in [["1", "a"], ["2", "b"], ["3", "c"]] {
        lake.insert(&before, &row).await?;
    }
    lake.insert(&after, &["1", "of another", "2"]).await?;
    lake.update(&after, None, &["1", "of another later", "2"])
        .await?;
    lake.update(&after, None, &["1", "later", "1"]).await?;
    lake.update(&after, None, &["1", "later still", "1"])
        .await?;
    lake.delete(&after, &["2", NULL, "1"]).await?;
    let rows = lake.rows("select * from t").await?;
    assert_eq!(rows, ["1|later still|1", "1|of another later|2", "3|c|"]);
    Ok(())
}
