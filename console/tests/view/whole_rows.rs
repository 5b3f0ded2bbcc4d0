//! Tables without a key.

use anyhow::Result;
use console::SqlEngine;
use debezium::{
    ColumnRule,
    PgTypeKind::{Int4, Text},
};

use crate::lake::{Lake, NULL, Table, rows_of};

fn table(columns: &[(&str, i16)]) -> Table {
    let columns: Vec<_> = columns
        .iter()
        .map(|(name, number)| (*name, *number, if *name == "a" { Int4 } else { Text }))
        .collect();
    Table::new("t", 1, &columns, &[])
}

#[tokio::test]
async fn under_full_identity_the_old_row_is_the_key_and_equal_rows_count() -> Result<()> {
    let mut lake = Lake::new().await?;
    let table = table(&[("a", 1), ("v", 2)]).full();
    for row in [
        ["1", "a"],
        ["2", "b"],
        ["3", "c"],
        ["3", "c"],
        ["3", "c"],
        ["4", NULL],
    ] {
        lake.insert(&table, &row).await?;
    }
    lake.update(&table, Some(&["1", "a"]), &["1", "a2"]).await?;
    lake.update(&table, Some(&["1", "a2"]), &["1", "a2"])
        .await?;
    lake.delete(&table, &["2", "b"]).await?;
    lake.delete(&table, &["3", "c"]).await?;
    lake.update(&table, Some(&["3", "c"]), &["4", NULL]).await?;
    let rows = lake.rows("select * from t").await?;
    assert_eq!(rows, ["1|a2", "3|c", "4|", "4|"]);
    Ok(())
}

#[tokio::test]
async fn columns_come_and_go_and_a_key_comes() -> Result<()> {
    let mut lake = Lake::new().await?;
    let first = table(&[("a", 1), ("v", 2)]).full();
    let wide = table(&[("a", 1), ("v", 2), ("w", 3)]).full();
    let narrow = table(&[("a", 1), ("w", 3)]).full();
    lake.insert(&first, &["1", "x"]).await?;
    lake.insert(&first, &["1", "y"]).await?;
    lake.insert(&first, &["2", "z"]).await?;
    lake.update(&wide, Some(&["1", "x", NULL]), &["1", "x", "w"])
        .await?;
    lake.delete(&wide, &["1", "y", NULL]).await?;
    lake.delete(&narrow, &["2", NULL]).await?;
    lake.insert(&narrow, &["3", "n"]).await?;
    assert_eq!(lake.rows("select * from t").await?, ["1|w", "3|n"]);
    let keyed = Table::new("t", 1, &[("a", 1, Int4), ("w", 3, Text)], &["a"]);
    lake.update(&keyed, None, &["1", "w2"]).await?;
    lake.delete(&keyed, &["3", NULL]).await?;
    assert_eq!(lake.rows("select * from t").await?, ["1|w2"]);
    Ok(())
}

#[tokio::test]
async fn where_nobody_can_tell_rows_apart_the_view_says_so() -> Result<()> {
    let mut lake = Lake::new().await?;
    let mut table = Table::new("t", 1, &[("a", 1, Int4), ("v", 2, Text)], &["a"]);
    let columns = &mut std::sync::Arc::make_mut(&mut table.0).columns;
    columns[0].rule = Some(ColumnRule::KeyOnly);
    lake.insert(&table, &["1", "a"]).await?;
    lake.update(&table, None, &["1", "a2"]).await?;
    let engine = SqlEngine::open(&lake.config(), None).await?;
    assert_eq!(rows_of(&engine, "select v from t").await?, ["a"]);
    let info = engine.tables().next().expect("a table");
    assert!(
        info.notes
            .iter()
            .any(|note| note.contains("every row that was inserted")),
        "{info:?}"
    );
    let said = engine.take_notices();
    assert!(said[0].contains("every row that was inserted"), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn a_snapshot_of_a_later_history_is_all_there_is() -> Result<()> {
    let keyed = Table::new("k", 1, &[("a", 1, Int4), ("v", 2, Text)], &["a"]);
    for table in [table(&[("a", 1), ("v", 2)]).full(), keyed] {
        let mut lake = Lake::new().await?;
        lake.snapshot(&table, &[["1", "a"], ["2", "b"]]).await?;
        lake.insert(&table, &["3", "c"]).await?;
        lake.begin_another_history();
        // Row 3 was deleted while nobody read.
        lake.snapshot(&table, &[["1", "a"], ["2", "b2"]]).await?;
        lake.insert(&table, &["4", "d"]).await?;
        let sql = format!("select * from {}", table.0.table.table);
        assert_eq!(lake.rows(&sql).await?, ["1|a", "2|b2", "4|d"]);
        // A snapshot that was killed in the middle of the table reads it again.
        lake.begin_another_history();
        lake.snapshot(&table, &[["1", "a"], ["2", "b2"]]).await?;
        let rows = [["1", "a"], ["2", "b3"], ["4", "d"]];
        lake.snapshot(&table, &rows).await?;
        assert_eq!(lake.rows(&sql).await?, ["1|a", "2|b3", "4|d"]);
    }
    Ok(())
}

/// `ADD COLUMN w ... DEFAULT 'd'`: the rows from before have it, too, and no change has told so.
#[tokio::test]
async fn rows_from_before_a_column_are_met_by_the_others() -> Result<()> {
    let mut lake = Lake::new().await?;
    let first = table(&[("a", 1), ("v", 2)]).full();
    let wide = table(&[("a", 1), ("v", 2), ("w", 3)]).full();
    for row in [["1", "x"], ["2", "y"], ["2", "y"], ["3", "z"]] {
        lake.insert(&first, &row).await?;
    }
    lake.insert(&wide, &["3", "z", "other"]).await?;
    lake.delete(&wide, &["3", "z", "d"]).await?;
    lake.update(&wide, Some(&["1", "x", "d"]), &["1", "x", "new"])
        .await?;
    lake.delete(&wide, &["2", "y", "d"]).await?;
    let rows = lake.rows("select * from t").await?;
    assert_eq!(rows, ["1|x|new", "2|y|", "3|z|other"]);
    Ok(())
}
