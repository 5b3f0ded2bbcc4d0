//! What the log does not tell is said with every query of the latest rows, until a new snapshot.

use anyhow::Result;
use console::SqlEngine;
use debezium::PgTypeKind::{self, Int4, Int8, Interval, Text, Timestamp, TimestampTz, Uuid};

use crate::lake::{Lake, NULL, Table, rows_of};

const COUNT: &str = "select count(*) from t";

fn of(kind: PgTypeKind) -> Table {
    Table::new("t", 1, &[("id", 1, kind), ("v", 2, Text)], &["id"])
}

#[tokio::test]
async fn a_key_that_is_retyped_is_said_while_rows_from_before_are_shown() -> Result<()> {
    let mut lake = Lake::new().await?;
    let (before, after) = (of(Int4), of(Int8));
    lake.insert(&before, &["1", "a"]).await?;
    lake.insert(&before, &["2", "b"]).await?;
    lake.silent(COUNT).await?;
    lake.update(&after, None, &["1", "a2"]).await?;
    lake.notice("Latest rows from before: 1;").await?;
    let (rows, notices) = lake
        .rows_and_notices("select a.id from t a join t b using (id)")
        .await?;
    assert_eq!(
        (rows.len(), notices.len()),
        (2, 1),
        "once a table: {notices:?}"
    );
    lake.update(&after, None, &["2", "b2"]).await?;
    lake.silent(COUNT).await
}

/// `ALTER COLUMN id TYPE timestamptz` depends on the time zone of the session.
#[tokio::test]
async fn what_postgresql_made_of_a_value_and_nobody_knows_is_said() -> Result<()> {
    let mut lake = Lake::new().await?;
    let before = of(Timestamp { precision: 6 });
    let after = of(TimestampTz { precision: 6 });
    lake.insert(&before, &["2020-01-01 12:00:00", "a"]).await?;
    lake.update(&after, None, &["2020-01-01 10:00:00+00", "a2"])
        .await?;
    lake.notice("how PostgreSQL made the old values new no log tells")
        .await?;
    lake.notice("changes of rows that were not found: 1")
        .await?;
    // The remedy.
    lake.begin_another_history();
    lake.snapshot(&after, &[["2020-01-01 10:00:00+00", "a2"]])
        .await?;
    lake.silent(COUNT).await?;
    assert_eq!(lake.rows(COUNT).await?, ["1"]);
    Ok(())
}

/// `ALTER TYPE ... RENAME VALUE`, of which the table's versions may tell nothing.
#[tokio::test]
async fn changes_of_rows_that_are_not_found_are_said() -> Result<()> {
    let mut lake = Lake::new().await?;
    lake.insert(&of(Text), &["a", "1"]).await?;
    lake.delete(&of(Text), &["AA", NULL]).await?;
    lake.notice("changes of rows that were not found: 1")
        .await?;
    lake.truncate(&of(Text)).await?;
    lake.silent(COUNT).await
}

/// `ADD COLUMN id serial PRIMARY KEY`.
#[tokio::test]
async fn a_key_that_came_later_than_its_rows_is_said() -> Result<()> {
    let mut lake = Lake::new().await?;
    let before = Table::new("t", 1, &[("v", 1, Text)], &[]).full();
    let after = Table::new("t", 1, &[("v", 1, Text), ("id", 2, Int4)], &["id"]).full();
    for v in ["a", "b"] {
        lake.insert(&before, &[v]).await?;
    }
    lake.update(&after, Some(&["a", "1"]), &["A", "1"]).await?;
    lake.notice("\"id\" came later than the table").await?;
    lake.notice("Latest rows from before: 2;").await
}

#[tokio::test]
async fn a_table_that_took_anothers_name_is_said_and_where_its_rows_are() -> Result<()> {
    let columns = [("id", 1, Int4), ("v", 2, Text)];
    let table = |name, oid| Table::new(name, oid, &columns, &["id"]);
    let mut lake = Lake::new().await?;
    lake.insert(&table("t", 1), &["1", "a"]).await?;
    lake.insert(&table("u", 2), &["2", "b"]).await?;
    lake.silent("select * from t, u").await?;
    // They swap names.
    lake.insert(&table("t", 2), &["20", "n"]).await?;
    lake.insert(&table("u", 1), &["10", "n"]).await?;
    lake.notice("are in the log of public.u and not shown here")
        .await?;
    let engine = SqlEngine::open(&lake.config(), None).await?;
    let described = engine.tables().flat_map(|table| &table.notes);
    let described: Vec<&String> = described.collect();
    assert!(
        described
            .iter()
            .any(|note| note.contains("another table has its name")),
        "{described:?}"
    );
    // A table that is renamed.
    lake.insert(&table("old", 5), &["1", "o"]).await?;
    lake.insert(&table("new", 5), &["2", "n"]).await?;
    let (_, notices) = lake.rows_and_notices("select * from old").await?;
    assert!(
        notices[0].contains("the table is called public.new"),
        "{notices:?}"
    );
    let (_, notices) = lake.rows_and_notices("select * from new").await?;
    assert!(
        notices[0].contains("was called public.old before"),
        "{notices:?}"
    );
    // The remedy.
    lake.begin_another_history();
    for (name, oid) in [("t", 2), ("new", 5)] {
        lake.snapshot(&table(name, oid), &[["1", "a"]]).await?;
        lake.silent(&format!("select * from {name}")).await?;
    }
    Ok(())
}

/// Keys that are one in an event, and `message.key.columns` that are not unique.
#[tokio::test]
async fn rows_that_share_a_key_are_said() -> Result<()> {
    let mut lake = Lake::new().await?;
    lake.insert(&of(Interval), &["1 mon", "a"]).await?;
    lake.silent(COUNT).await?;
    lake.insert(&of(Interval), &["30 days 10:30:00", "b"])
        .await?;
    lake.notice("only the later one is shown: 1").await?;
    let mut lake = Lake::new().await?;
    lake.begin_another_history();
    lake.snapshot(&of(Int4), &[["7", "a"], ["7", "b"], ["8", "c"]])
        .await?;
    lake.notice("only the later one is shown: 1").await?;
    // A row that leaves its key for another one, deferrable keys that a transaction moves.
    let mut lake = Lake::new().await?;
    for id in ["1", "2"] {
        lake.insert(&of(Int4), &[id, "a"]).await?;
    }
    lake.update(&of(Int4), Some(&["1", NULL]), &["3", "a"])
        .await?;
    lake.delete(&of(Int4), &["3", NULL]).await?;
    lake.insert(&of(Int4), &["1", "again"]).await?;
    lake.silent(COUNT).await
}

#[tokio::test]
async fn a_table_of_which_a_later_snapshot_has_no_row_is_said() -> Result<()> {
    let columns = [("id", 1, Int4), ("v", 2, Text)];
    let other = Table::new("u", 2, &columns, &["id"]);
    let mut lake = Lake::new().await?;
    lake.begin_another_history();
    lake.snapshot(&of(Int4), &[["1", "a"]]).await?;
    lake.snapshot(&other, &[["1", "a"]]).await?;
    lake.silent("select * from t, u").await?;
    lake.begin_another_history();
    lake.snapshot(&other, &[["1", "a"]]).await?;
    lake.notice("a later snapshot (incarnation 2) has rows of other tables")
        .await?;
    lake.silent("select * from u").await?;
    lake.insert(&of(Int4), &["2", "b"]).await?;
    lake.silent("select * from u").await
}

#[tokio::test]
async fn a_lake_that_was_read_often_says_it_each_time() -> Result<()> {
    let mut lake = Lake::new().await?;
    lake.insert(&of(Text), &["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a"])
        .await?;
    lake.insert(&of(Uuid), &["b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "b"])
        .await?;
    let engine = SqlEngine::open(&lake.config(), None).await?;
    for _ in 0..2 {
        rows_of(&engine, "select * from t limit 1").await?;
        assert_eq!(engine.take_notices().len(), 1);
        rows_of(&engine, "select 1").await?;
        assert!(engine.take_notices().is_empty());
    }
    Ok(())
}
