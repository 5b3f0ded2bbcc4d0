//! Tables that change while they are streamed, values that were not sent, tables that are gone, filters and keys.

use anyhow::{Context, Result, ensure};
use debezium::{Operation, PgTypeKind, ReplicaIdentity};
use stack::Postgres;

use crate::{
    connector::{config, matching, start, until_events},
    recording::Store,
};

#[tokio::test]
async fn tables_change_while_they_are_streamed() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table t(id int primary key, v text not null default 'd');",
        )
        .await?;
    let store = Store::default();
    let running = start(&config(&postgres), &store, 100);
    running.streaming().await?;
    for (sql, count) in [
        ("insert into t values (1, 'a')", 1),
        (
            "alter table t add column n numeric(8,3); insert into t values (2, 'b', 1.5)",
            2,
        ),
        (
            "begin; insert into t values (3, 'c', 2); alter table t rename column v to w; insert into t values (4, 'd', 3); commit",
            4,
        ),
        (
            "alter table t drop column n; insert into t values (5, 'e')",
            5,
        ),
        (
            "alter table t alter id type bigint; update t set w = 'f' where id = 5",
            6,
        ),
        (
            "create table later(k text, x int, primary key (x, k)); insert into later values ('k', 1)",
            7,
        ),
        (
            "alter table t replica identity full; update t set w = 'g' where id = 5; delete from t where id = 4",
            9,
        ),
        ("truncate t, later", 11),
    ] {
        postgres.execute("postgres", sql).await?;
        until_events(&store, count)
            .await
            .with_context(|| sql.to_owned())?;
    }
    running.stop().await?;
    let events = store.events();
    let columns = |i: usize| -> String {
        let columns = events[i]
            .table
            .columns
            .iter()
            .map(|column| column.name.as_str());
        columns.collect::<Vec<_>>().join(",")
    };
    let shapes: Vec<String> = (0..events.len()).map(columns).collect();
    ensure!(
        shapes
            == [
                "id,v", "id,v,n", "id,v,n", "id,w,n", "id,w", "id,w", "k,x", "id,w", "id,w",
                "id,w", "k,x"
            ],
        "{shapes:?}"
    );
    ensure!(
        events[1].table.columns[2].pg_type.kind
            == PgTypeKind::Numeric {
                precision: 8,
                scale: 3
            }
    );
    ensure!(!events[0].table.columns[1].optional);
    ensure!(events[0].table.columns[1].default_expression.as_deref() == Some("'d'::text"));
    ensure!(events[4].table.columns[0].pg_type.kind == PgTypeKind::Int4);
    ensure!(events[5].table.columns[0].pg_type.kind == PgTypeKind::Int8);
    ensure!(events[6].table.key == [1, 0], "{:?}", events[6].table.key);
    ensure!(events[7].table.replica_identity == ReplicaIdentity::Full && events[7].before_is_full);
    ensure!(events[8].op == Operation::Delete && events[8].before_is_full);
    ensure!(events[9].op == Operation::Truncate && events[9].after.is_none());
    ensure!(events[9].position < events[10].position);
    Ok(())
}

/// A value that an UPDATE did not touch comes from the old row where the whole of it is there.
#[tokio::test]
async fn unchanged_toast_and_old_keys() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table small(id int primary key, n int, big text); create table whole(id int primary key, n int, big text);
             alter table small alter big set storage external; alter table whole alter big set storage external;
             alter table whole replica identity full;",
        )
        .await?;
    let store = Store::default();
    let running = start(&config(&postgres), &store, 100);
    running.streaming().await?;
    for table in ["small", "whole"] {
        postgres
            .execute(
                "postgres",
                &format!(
                    "insert into {table} values (1, 1, repeat('x', 9000)); update {table} set n = 2; update {table} set id = 2; delete from {table}"
                ),
            )
            .await?;
    }
    until_events(&store, 8).await?;
    running.stop().await?;
    let events = store.events();
    ensure!(events[1].value("big") == Some("<unchanged>"));
    ensure!(events[1].before.is_none());
    ensure!(
        events[2].before == Some(vec![Some("1".to_owned()), None, None])
            && !events[2].before_is_full
    );
    ensure!(events[3].before == Some(vec![Some("2".to_owned()), None, None]));
    ensure!(events[5].value("big").is_some_and(|big| big.len() == 9000));
    ensure!(events[5].before_is_full && events[6].before_is_full && events[7].before_is_full);
    Ok(())
}

/// A table that is gone when its rows are read, and nothing was ever published of it: they arrive, with what their
/// messages tell.
#[tokio::test]
async fn rows_of_a_dropped_table_arrive() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute("postgres", "create type mood as enum ('sad', 'ok'); create table t(id int primary key, m mood not null);")
        .await?;
    let store = Store::default();
    let first = start(&config(&postgres), &store, 100);
    first.streaming().await?;
    first.stop().await?;
    postgres
        .execute(
            "postgres",
            "insert into t values (1, 'ok'); drop table t; drop type mood",
        )
        .await?;
    let second = start(&config(&postgres), &store, 100);
    until_events(&store, 1).await?;
    second.stop().await?;
    let event = store.events().remove(0);
    ensure!(event.table.key == [0] && !event.table.columns[0].optional);
    ensure!(event.value("m") == Some("ok") && event.table.columns[1].optional);
    let told = &event.table.columns[1].pg_type;
    ensure!(told.kind == PgTypeKind::Text && told.name == "mood");
    Ok(())
}

#[tokio::test]
async fn filters_and_message_keys() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table t(id int primary key, secret text, a int, b int); create table u(a int not null, b int not null, c int);
             create unique index on u(b, a); create table hidden(id int primary key);",
        )
        .await?;
    let mut config = config(&postgres);
    config.filter.table_exclude = matching(&["public\\.hidden"]);
    config.filter.column_exclude = matching(&["public\\.t\\.secret", "public\\.t\\.id"]);
    config.message_key_columns = vec![connector::MessageKeyColumns {
        table: matching(&["public\\.t"]).remove(0),
        columns: matching(&["b", "a"]),
    }];
    let store = Store::default();
    let running = start(&config, &store, 100);
    running.streaming().await?;
    postgres
        .execute(
            "postgres",
            "insert into hidden values (1); insert into t values (1, 's', 2, 3); insert into u values (1, 2, 3); update t set a = 4",
        )
        .await?;
    until_events(&store, 3).await?;
    running.stop().await?;
    let events = store.events();
    ensure!(events.len() == 3);
    let names: Vec<_> = events[0]
        .table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    ensure!(
        names == ["a", "b"] && events[0].table.key == [1, 0],
        "{names:?}"
    );
    ensure!(events[0].after == Some(vec![Some("2".to_owned()), Some("3".to_owned())]));
    ensure!(events[1].table.key == [1, 0]);
    // Each batch of statements is one transaction, and the uncaptured row has an ordinal too.
    ensure!(events[0].position.ordinal == 1 && events[2].position.ordinal == 3);
    Ok(())
}
