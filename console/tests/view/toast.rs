//! Values that PostgreSQL did not send.

use anyhow::Result;
use debezium::PgTypeKind::{Bytea, Int4, Text, Varchar};

use crate::lake::{Lake, NULL, Table, UNSENT};

#[tokio::test]
async fn they_are_found_after_the_key_has_changed() -> Result<()> {
    let mut lake = Lake::new().await?;
    let columns = [
        ("id", 1, Int4),
        ("n", 2, Int4),
        ("body", 3, Text),
        ("note", 4, Text),
    ];
    let table = Table::new("t", 1, &columns, &["id"]);
    // An earlier life of the new key.
    lake.insert(&table, &["11", "0", "WRONG", "WRONG"]).await?;
    lake.delete(&table, &["11", NULL, NULL, NULL]).await?;
    lake.insert(&table, &["1", "1", "BBB", "first"]).await?;
    lake.update(&table, None, &["1", "2", UNSENT, "second"])
        .await?;
    lake.update(
        &table,
        Some(&["1", NULL, NULL, NULL]),
        &["11", "3", UNSENT, UNSENT],
    )
    .await?;
    // The old key is taken by another row.
    lake.insert(&table, &["1", "0", "other", "other"]).await?;
    lake.update(&table, None, &["11", "4", UNSENT, UNSENT])
        .await?;
    lake.update(
        &table,
        Some(&["11", NULL, NULL, NULL]),
        &["111", "5", UNSENT, UNSENT],
    )
    .await?;
    let rows = lake.rows("select * from t").await?;
    assert_eq!(rows, ["111|5|BBB|second", "1|0|other|other"]);
    // Columns that are not asked for do not matter.
    let rows = lake.rows("select note from t where id > 1").await?;
    assert_eq!(rows, ["second"]);
    assert_eq!(lake.rows("select count(*) from t").await?, ["2"]);
    Ok(())
}

#[tokio::test]
async fn they_are_found_after_a_rename_and_a_change_of_the_type() -> Result<()> {
    let mut lake = Lake::new().await?;
    let of = |name, kind| {
        Table::new(
            "t",
            1,
            &[("id", 1, Int4), ("n", 2, Int4), (name, 3, kind)],
            &["id"],
        )
    };
    let (first, renamed) = (of("body", Text), of("text_body", Text));
    lake.insert(&first, &["1", "1", "BBB"]).await?;
    lake.insert(&first, &["2", "1", "CCC"]).await?;
    lake.update(&renamed, None, &["1", "2", UNSENT]).await?;
    assert_eq!(
        lake.rows("select id, n, text_body from t").await?,
        ["1|2|BBB", "2|1|CCC"]
    );

    // Another lake type: the column goes on as `text_body__v2`.
    let binary = of("text_body", Bytea);
    lake.update(&binary, None, &["1", "3", UNSENT]).await?;
    lake.insert(&binary, &["3", "3", "\\x414141"]).await?;
    lake.update(&binary, None, &["3", "4", UNSENT]).await?;
    let rows = lake
        .rows("select id, n, arrow_cast(text_body, 'Utf8') from t")
        .await?;
    assert_eq!(rows, ["1|3|BBB", "2|1|CCC", "3|4|AAA"]);

    // The name of a dropped column says nothing about a new one.
    let table = |column: &str, number| {
        Table::new(
            "u",
            2,
            &[("id", 1, Int4), (column, number, Varchar)],
            &["id"],
        )
    };
    lake.insert(&table("x", 2), &["1", "old"]).await?;
    lake.update(&table("x", 3), None, &["1", UNSENT]).await?;
    assert_eq!(lake.rows("select * from u").await?, ["1|"]);
    Ok(())
}

#[tokio::test]
async fn columns_that_swap_their_names_keep_their_values() -> Result<()> {
    let mut lake = Lake::new().await?;
    let of = |a, b| {
        Table::new(
            "t",
            1,
            &[("id", 1, Int4), (a, 2, Text), (b, 3, Text)],
            &["id"],
        )
    };
    lake.insert(&of("a", "b"), &["1", "A", "B"]).await?;
    lake.insert(&of("a", "b"), &["2", "A", "B"]).await?;
    lake.update(&of("b", "a"), None, &["2", "A2", UNSENT])
        .await?;
    assert_eq!(
        lake.rows("select id, a, b from t").await?,
        ["1|B|A", "2|B|A2"]
    );
    Ok(())
}
