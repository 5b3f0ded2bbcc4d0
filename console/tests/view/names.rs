//! What stands under which name, and what is left out.

use anyhow::Result;
use console::{OutputFormat, SqlEngine, write_result};
use debezium::PgTypeKind::{Int4, Text};

use crate::lake::{Lake, Table, rows_of};

fn table(name: &str, column: &str) -> Table {
    Table::new(name, 1, &[("id", 1, Int4), (column, 2, Text)], &["id"])
}

async fn listed(engine: &SqlEngine, name: &str) -> Result<String> {
    let mut out = Vec::new();
    write_result(engine.describe(name).await?, OutputFormat::Csv, &mut out).await?;
    Ok(String::from_utf8(out)?)
}

#[tokio::test]
async fn a_table_may_have_the_name_of_the_log_of_another() -> Result<()> {
    let mut lake = Lake::new().await?;
    lake.insert(&table("notes", "v"), &["1", "n1"]).await?;
    lake.insert(&table("notes_changes", "w"), &["1", "w1"])
        .await?;
    assert_eq!(lake.rows("select id, v from notes").await?, ["1|n1"]);
    assert_eq!(
        lake.rows("select id, w from notes_changes").await?,
        ["1|w1"]
    );
    assert_eq!(
        lake.rows("select _op, v from notes__changes").await?,
        ["c|n1"]
    );
    assert_eq!(
        lake.rows("select _op, w from notes_changes_changes")
            .await?,
        ["c|w1"]
    );
    Ok(())
}

#[tokio::test]
async fn one_table_that_cannot_be_shown_is_named_and_left_out() -> Result<()> {
    let mut lake = Lake::new().await?;
    lake.insert(&table("good", "v"), &["1", "a"]).await?;
    lake.insert(&table("bad", "v"), &["1", "a"]).await?;
    let log = lake.path().join("shop/public.bad/changes/_delta_log");
    for entry in std::fs::read_dir(&log)? {
        std::fs::write(entry?.path(), "nonsense")?;
    }
    let engine = SqlEngine::open(&lake.config(), None).await?;
    assert_eq!(rows_of(&engine, "select * from good").await?, ["1|a"]);
    let warnings = engine.warnings();
    assert!(
        warnings.len() == 1 && warnings[0].contains("shop/public.bad/changes"),
        "{warnings:?}"
    );
    Ok(())
}

#[tokio::test]
async fn two_prefixes_may_have_one_table_name() -> Result<()> {
    let mut lake = Lake::new().await?;
    lake.insert(&table("t", "v"), &["1", "shop's"]).await?;
    let mut other = table("t", "v");
    std::sync::Arc::make_mut(&mut other.0).table.database = "bank".to_owned();
    lake.insert(&other, &["1", "bank's"]).await?;
    lake.insert(&table("only", "v"), &["1", "a"]).await?;
    assert_eq!(lake.rows("select v from shop.public.t").await?, ["shop's"]);
    assert_eq!(lake.rows("select v from bank.public.t").await?, ["bank's"]);
    assert_eq!(
        lake.rows("select v from bank.public.t_changes").await?,
        ["bank's"]
    );
    assert_eq!(lake.rows("select v from only").await?, ["a"]);
    assert_eq!(lake.rows("select v from shop.public.only").await?, ["a"]);
    let engine = SqlEngine::open(&lake.config(), None).await?;
    assert!(engine.query("select * from public.t").await.is_err());
    let list = listed(&engine, "").await?;
    for line in [
        "bank.public,t,latest rows",
        "shop.public,t_changes,changes",
        "public,only,latest rows",
    ] {
        assert!(list.contains(line), "{list}");
    }
    Ok(())
}

#[tokio::test]
async fn columns_with_other_names_in_the_log_are_told() -> Result<()> {
    let mut lake = Lake::new().await?;
    lake.insert(&table("t", "_lsn"), &["1", "a"]).await?;
    let engine = SqlEngine::open(&lake.config(), None).await?;
    let list = listed(&engine, "").await?;
    assert!(list.contains("_lsn__2"), "{list}");
    assert_eq!(
        rows_of(&engine, "select _lsn__2 from t_changes").await?,
        ["a"]
    );
    let columns = listed(&engine, "Public.t").await?;
    assert!(
        columns.starts_with("column,type\nid,Int64\n_lsn,Utf8"),
        "{columns}"
    );
    assert!(engine.describe("nothing").await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_reader_makes_no_lake() -> Result<()> {
    let lake = Lake::new().await?;
    let mut config = lake.config();
    config.url = lake.path().join("typo").display().to_string();
    assert!(SqlEngine::open(&config, None).await.is_err());
    assert!(!lake.path().join("typo").exists());
    let engine = SqlEngine::open(&lake.config(), None).await?;
    assert!(
        engine.warnings()[0].contains("holds no table"),
        "{:?}",
        engine.warnings()
    );
    Ok(())
}
