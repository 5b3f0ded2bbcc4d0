//! Proves: publications that publish a part of a table are followed in the stream.
//! Requires: PostgreSQL 15, the first version with column lists and row filters.

use anyhow::{Result, ensure};
use debezium::Operation;
use stack::PostgresVersion;

use super::server;
use crate::{
    connector::{config_with, start, until_events},
    recording::Store,
};

#[tokio::test]
async fn column_lists_and_row_filters_are_followed() -> Result<()> {
    let postgres = server(PostgresVersion::V15, &[]).await?;
    postgres
        .execute(
            "postgres",
            "create table t(id int primary key, secret text not null default 's', n int);
             create publication dbz_publication for table t (n, id) where (id > 10)",
        )
        .await?;
    let store = Store::default();
    let properties = [("snapshot.mode", "no_data")];
    let running = start(&config_with(&postgres, &properties), &store, 50);
    running.streaming().await?;
    for sql in [
        "insert into t(id, n) values (1, 1), (11, 1)",
        "update t set n = 2",
        // From outside of the filter into it, and out again: an insert and a delete for who sees only the inside.
        "update t set id = 21 where id = 1",
        "update t set id = 2 where id = 21",
        "delete from t",
    ] {
        postgres.execute("postgres", sql).await?;
    }
    until_events(&store, 5).await?;
    running.stop().await?;
    let found: Vec<_> = store
        .events()
        .iter()
        .map(|event| (event.op, event.value("id").map(str::to_owned)))
        .collect();
    let id = |id: &str| Some(id.to_owned());
    ensure!(
        found
            == [
                (Operation::Create, id("11")),
                (Operation::Update, id("11")),
                (Operation::Create, id("21")),
                (Operation::Delete, id("21")),
                (Operation::Delete, id("11")),
            ],
        "{found:?}"
    );
    for event in store.events() {
        let columns: Vec<_> = event.table.columns.iter().map(|it| &*it.name).collect();
        ensure!(columns == ["id", "n"], "{event:?}");
        ensure!(event.table.key == [0], "{event:?}");
    }
    Ok(())
}
