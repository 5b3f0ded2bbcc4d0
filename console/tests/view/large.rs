//! Many changes in little memory.

use std::time::Instant;

use anyhow::Result;
use console::SqlEngine;
use debezium::{
    PgType,
    PgTypeKind::{Array, Int4, Text},
};

use crate::lake::{Lake, Table, rows_of};

/// 20,000 keys and 40,000 changes: in one part, in two, and in less memory than sorting needs.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_do_not_fit_are_read_part_by_part() -> Result<()> {
    let mut lake = Lake::new().await?;
    let element = PgType {
        oid: 25,
        name: "text".to_owned(),
        modifier: -1,
        kind: Text,
    };
    let tags = Array {
        element: Box::new(element),
    };
    let table = Table::new(
        "t",
        1,
        &[("id", 1, Int4), ("n", 2, Int4), ("tags", 3, tags)],
        &["id"],
    );
    for n in ["0", "1"] {
        let rows = (0..20_000).map(|id| vec![id.to_string(), n.to_owned(), format!("{{a,b{id}}}")]);
        lake.insert_many(&table, rows).await?;
    }
    for limit in [4 << 20, 64 << 20, 1 << 30] {
        let began = Instant::now();
        let engine = SqlEngine::open(&lake.config(), Some(limit)).await?;
        let sql = "select count(*), count(distinct id), sum(n), count(distinct tags[2]) from t";
        let found = rows_of(&engine, sql).await;
        eprintln!("{limit} bytes: {:?} in {:?}", found, began.elapsed());
        if limit > 4 << 20 {
            assert_eq!(found?, ["20000|20000|20000|20000"]);
            assert_eq!(
                rows_of(&engine, "select id, n from t limit 3").await?.len(),
                3
            );
        } else {
            // Less than sorting needs: an error with a hint, never more memory.
            let hint = found.err().map(|error| format!("{error:#}"));
            assert!(hint.is_none_or(|hint| hint.contains("run the query")));
        }
    }
    Ok(())
}

/// More changes than a batch holds, and the first of the second batch are the newer ones of the same rows: whichever way
/// they are read and however often, the newer ones win.
#[tokio::test(flavor = "multi_thread")]
async fn changes_in_several_batches_are_replayed_in_their_order() -> Result<()> {
    let mut lake = Lake::new().await?;
    let columns = &[("id", 1, Int4), ("n", 2, Int4), ("text", 3, Text)];
    let table = Table::new("t", 1, columns, &["id"]);
    for n in 0..5 {
        let text = "a row is as long as this sentence".to_owned();
        let rows = (0..2_000).map(|id| vec![id.to_string(), n.to_string(), text.clone()]);
        lake.insert_many(&table, rows).await?;
    }
    let engine = SqlEngine::open(&lake.config(), Some(1 << 30)).await?;
    for _ in 0..50 {
        let found = rows_of(&engine, "select count(*), min(n), max(text) from t").await?;
        assert_eq!(found, ["2000|4|a row is as long as this sentence"]);
    }
    Ok(())
}
