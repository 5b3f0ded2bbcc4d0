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
