//! Proves: a column with NOT NULL NOT VALID may be null in an event, until it is validated.
//! Requires: PostgreSQL 18, the first version with NOT NULL constraints that are not valid.

use anyhow::{Result, ensure};
use stack::PostgresVersion;

use super::server;
use crate::{
    connector::{config, start, until_events},
    recording::Store,
};

#[tokio::test]
async fn old_rows_may_be_null() -> Result<()> {
    let postgres = server(PostgresVersion::V18, &[]).await?;
    postgres
        .execute(
            "postgres",
            "create table t(id int primary key, n int, v text); insert into t values (1, null, 'a');
             alter table t add constraint filled not null n not valid",
        )
        .await?;
    let store = Store::default();
    let running = start(&config(&postgres), &store, 50);
    running.streaming().await?;
    postgres
        .execute(
            "postgres",
            "update t set v = 'b' where id <> 1; insert into t values (2, 2, 'c')",
        )
        .await?;
    until_events(&store, 2).await?;
    for sql in [
        "delete from t where id = 1",
        "alter table t validate constraint filled",
        "insert into t values (3, 3, 'd')",
    ] {
        postgres.execute("postgres", sql).await?;
    }
    until_events(&store, 4).await?;
    running.stop().await?;
    let events = store.events();
    let optional: Vec<bool> = events
        .iter()
        .map(|event| event.table.columns[1].optional)
        .collect();
    ensure!(events[0].value("n").is_none(), "{:?}", events[0]);
    ensure!(
        optional == [true, true, true, false],
        "null would become 0: {optional:?}"
    );
    Ok(())
}
