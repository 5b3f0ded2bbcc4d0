//! The reader lags behind changes of its tables: what was true where a change stands in the WAL is in its event, whatever
//! the catalog says when it is read.

use anyhow::{Result, ensure};
use debezium::PgTypeKind;
use stack::Postgres;

use crate::{
    connector::{config, start, until_events},
    recording::{Recorded, Store},
};

/// How the reader comes to lag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lag {
    /// It is stopped while everything happens, and knows the versions that it published.
    Stopped,
    /// The same, without them: as after the first start, or on the direct road.
    Forgetful,
    /// It runs, and everything is one transaction.
    OneTransaction,
    /// It is stopped, and tables are sent again although nothing has changed.
    Analyzed,
}

const LAGS: [Lag; 4] = [
    Lag::Stopped,
    Lag::Forgetful,
    Lag::OneTransaction,
    Lag::Analyzed,
];

/// A connector that has read `before`, then `steps` behind its back, then their events.
async fn events(
    lag: Lag,
    before: &[&str],
    read: usize,
    steps: &[&str],
    count: usize,
) -> Result<Vec<Recorded>> {
    let postgres = Postgres::start().await?;
    let store = Store::default();
    store.lock().forgets_versions = lag == Lag::Forgetful;
    let config = config(&postgres);
    let execute = async |sql: &str| postgres.execute("postgres", sql).await;
    let (tables, rows) = before.split_first().unwrap_or((&"", &[]));
    execute(tables).await?;
    let first = start(&config, &store, 100);
    first.streaming().await?;
    for sql in rows {
        execute(sql).await?;
    }
    until_events(&store, read).await?;
    if lag == Lag::OneTransaction {
        execute(&format!("begin; {}; commit", steps.join("; "))).await?;
        until_events(&store, read + count).await?;
        first.stop().await?;
    } else {
        first.stop().await?;
        for sql in steps {
            if lag == Lag::Analyzed {
                execute("analyze").await?;
            }
            execute(sql).await?;
        }
        let second = start(&config, &store, 100);
        until_events(&store, read + count).await?;
        second.stop().await?;
    }
    let events = store.events();
    ensure!(events.len() == read + count, "{}", events.len());
    Ok(events.into_iter().skip(read).collect())
}

fn key(event: &Recorded) -> Vec<&str> {
    let columns = event.table.key_columns();
    columns.map(|column| column.name.as_str()).collect()
}

fn keys(events: &[Recorded]) -> Vec<Vec<&str>> {
    events.iter().map(key).collect()
}

#[tokio::test]
async fn a_primary_key_that_changes() -> Result<()> {
    for lag in LAGS {
        let events = events(
            lag,
            &[
                "create table k(a int primary key, b int not null, v text); insert into k select i, i * 10, 'x' from generate_series(1, 9) i",
            ],
            9,
            &[
                "delete from k where a = 1",
                "alter table k drop constraint k_pkey, add primary key (b, a)",
                "delete from k where a = 2",
                "update k set a = 100 where a = 3",
                "alter table k drop constraint k_pkey, add column c int not null default 5, add primary key (c, a)",
                "delete from k where a = 4",
                "alter table k drop column c, add primary key (a)",
                "delete from k where a = 5",
            ],
            5,
        )
        .await?;
        let told = keys(&events);
        ensure!(told[0] == ["a"] && told[4] == ["a"], "{lag:?} {told:?}");
        for (event, columns) in [(1, ["b", "a"]), (2, ["b", "a"]), (3, ["c", "a"])] {
            // Nothing tells the order of a key that was made and dropped behind the reader's back.
            let mut told = told[event].clone();
            let mut columns = columns;
            told.sort_unstable();
            columns.sort_unstable();
            ensure!(told == columns, "{lag:?} {event} {told:?}");
        }
        for event in &events {
            let old = event.before.as_ref().expect("an old row");
            for index in &event.table.key {
                ensure!(old[*index].is_some(), "{lag:?} {event:?}");
                ensure!(!event.table.columns[*index].optional, "{lag:?} {event:?}");
            }
        }
    }
    Ok(())
}

/// The order of a key that was published is the one of then.
#[tokio::test]
async fn the_order_of_a_key_that_changes() -> Result<()> {
    let before = [
        "create table k(a int, b int, v text, primary key (b, a))",
        "insert into k values (1, 10, 'x'), (2, 20, 'x')",
    ];
    let steps = [
        "delete from k where a = 1",
        "alter table k drop constraint k_pkey, add primary key (a, b)",
        "delete from k where a = 2",
    ];
    for lag in [Lag::Stopped, Lag::Analyzed] {
        let events = events(lag, &before, 2, &steps, 2).await?;
        ensure!(keys(&events) == [["b", "a"], ["a", "b"]], "{lag:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_replica_identity_that_changes() -> Result<()> {
    for lag in LAGS {
        let events = events(
            lag,
            &[
                "create table u(a int not null, b int not null, v text); create unique index ua on u(a);
                 alter table u replica identity using index ua; insert into u select i, i * 10, 'x' from generate_series(1, 9) i",
            ],
            9,
            &[
                "delete from u where a = 1",
                "create unique index ub on u(b); alter table u replica identity using index ub; drop index ua",
                "delete from u where a = 2",
                "alter table u replica identity full; alter table u add primary key (b)",
                "delete from u where a = 3",
            ],
            3,
        )
        .await?;
        ensure!(
            keys(&events) == [["a"], ["b"], ["b"]],
            "{lag:?} {:?}",
            keys(&events)
        );
        ensure!(events[2].before_is_full, "{lag:?}");
    }
    Ok(())
}

/// Types, domains and enums that are gone when the rows are read.
#[tokio::test]
async fn types_that_are_dropped() -> Result<()> {
    for lag in [Lag::Stopped, Lag::OneTransaction, Lag::Analyzed] {
        let events = events(
            lag,
            &[
                "create type mood as enum ('sad', 'ok'); create domain price as numeric(10,2);
                 create table t(id int primary key, m mood, p price, ms mood[], v text)",
                "insert into t values (2, 'ok', 2.5, '{sad}', 'y')",
            ],
            1,
            &[
                "alter table t add column note text",
                "insert into t values (3, 'ok', 3.5, '{ok}', 'z', 'n')",
                "alter table t alter m type text using m::text, alter ms type text[] using ms::text[]",
                "drop type mood",
                "insert into t values (4, 'free', 4.5, '{a}', 'z', 'n')",
                "alter table t alter p type numeric",
                "drop domain price",
                "insert into t values (5, 'free', 5.555, '{a}', 'z', 'n')",
            ],
            3,
        )
        .await?;
        let kind = |event: usize, column: &str| {
            let mut columns = events[event].table.columns.iter();
            columns
                .find(|known| known.name == column)
                .map(|known| known.pg_type.kind.clone())
        };
        let labels = || vec!["sad".to_owned(), "ok".to_owned()];
        let price = PgTypeKind::Numeric {
            precision: 10,
            scale: 2,
        };
        ensure!(
            kind(0, "m") == Some(PgTypeKind::Enum { labels: labels() }),
            "{lag:?}"
        );
        ensure!(
            matches!(kind(0, "ms"), Some(PgTypeKind::Array { element })
                if element.kind == PgTypeKind::Enum { labels: labels() }),
            "{lag:?}"
        );
        ensure!(kind(0, "p") == Some(price.clone()), "{lag:?}");
        ensure!(kind(1, "p") == Some(price), "{lag:?}");
        ensure!(kind(1, "m") == Some(PgTypeKind::Text), "{lag:?}");
        ensure!(
            kind(2, "p") == Some(PgTypeKind::UnconstrainedNumeric),
            "{lag:?}"
        );
        ensure!(events[1].value("m") == Some("free") && events[2].value("p") == Some("5.555"));
    }
    Ok(())
}

/// Types that nobody published: the columns stay, as what their Type message tells of them.
#[tokio::test]
async fn types_that_were_never_known() -> Result<()> {
    for lag in LAGS {
        let events = events(
            lag,
            &["create table other(id int primary key)"],
            0,
            &[
                "create type mood as enum ('sad'); create domain price as numeric(10,2); create type pair as (a int, b int);
                 create table t(id int primary key, m mood, p price, c pair); insert into t values (1, 'sad', 1.5, '(1,2)')",
                "alter table t alter m type text, alter p type text, drop column c",
                "drop type mood; drop domain price; drop type pair",
                "insert into t values (2, 'free', 'free')",
            ],
            2,
        )
        .await?;
        let kinds = |event: usize| -> Vec<_> {
            let columns = events[event].table.columns.iter();
            columns.map(|column| column.pg_type.kind.clone()).collect()
        };
        let (int, text) = (PgTypeKind::Int4, PgTypeKind::Text);
        let first = [
            int.clone(),
            text.clone(),
            PgTypeKind::UnconstrainedNumeric,
            text.clone(),
        ];
        ensure!(kinds(0) == first, "{lag:?} {:?}", kinds(0));
        ensure!(kinds(1) == [int, text.clone(), text], "{lag:?}");
        ensure!(events[0].value("p") == Some("1.50") && events[0].value("c") == Some("(1,2)"));
    }
    Ok(())
}

#[tokio::test]
async fn nulls_before_not_null_is_set() -> Result<()> {
    for lag in LAGS {
        let events = events(
            lag,
            &[
                "create table t(id int primary key, v text)",
                "insert into t values (1, 'v')",
            ],
            1,
            &[
                "alter table t add column price int, add column note text, add column at timestamptz",
                "insert into t(id, v) values (2, 'nulls')",
                "update t set price = 10, note = 'n', at = '2024-01-01'",
                "alter table t alter price set not null, alter note set not null, alter note set default 'd', alter at set not null",
                "update t set price = 11 where id = 2",
            ],
            4,
        )
        .await?;
        let nulls = &events[0];
        for column in ["price", "note", "at"] {
            ensure!(nulls.value(column).is_none(), "{lag:?} {column}");
            let mut columns = nulls.table.columns.iter();
            let known = columns.find(|known| known.name == column);
            ensure!(
                known.is_some_and(|known| known.optional),
                "{lag:?} {column}"
            );
        }
        let last = &events[3].table.columns;
        ensure!(events[3].value("price") == Some("11"), "{lag:?}");
        ensure!(
            last.iter()
                .all(|column| column.name == "v" || !column.optional),
            "{lag:?} {last:?}"
        );
        let note = last.iter().find(|column| column.name == "note");
        ensure!(
            note.and_then(|note| note.default_expression.as_deref()) == Some("'d'::text"),
            "{lag:?}"
        );
    }
    Ok(())
}

/// A default that is set later is not that of the rows before.
#[tokio::test]
async fn defaults_that_are_set_later() -> Result<()> {
    for lag in [Lag::Stopped, Lag::Analyzed] {
        let events = events(
            lag,
            &[
                "create table t(id int primary key, n int, gone int default 1)",
                "insert into t values (1, 1)",
            ],
            1,
            &[
                "insert into t values (2, null, null)",
                "alter table t alter n set default 7, alter gone drop default",
                "insert into t values (3, null, null)",
            ],
            2,
        )
        .await?;
        let defaults = |event: usize| -> Vec<_> {
            let columns = events[event].table.columns.iter().skip(1);
            columns
                .map(|column| column.default_expression.as_deref())
                .collect()
        };
        ensure!(
            defaults(0) == [None, Some("1")],
            "{lag:?} {:?}",
            defaults(0)
        );
        ensure!(
            defaults(1) == [Some("7"), None],
            "{lag:?} {:?}",
            defaults(1)
        );
    }
    Ok(())
}

/// A restart without lag reads what is true now, although another version was published last.
#[tokio::test]
async fn a_restart_that_caught_up_reads_the_catalog() -> Result<()> {
    let postgres = Postgres::start().await?;
    let create = "create table t(id int primary key, n int); insert into t values (1, 1)";
    postgres.execute("postgres", create).await?;
    let (store, config) = (Store::default(), config(&postgres));
    let first = start(&config, &store, 100);
    until_events(&store, 1).await?;
    first.streaming().await?;
    first.stop().await?;
    let alter = "alter table t alter n set default 7, alter n set not null";
    postgres.execute("postgres", alter).await?;
    let second = start(&config, &store, 100);
    second.streaming().await?;
    postgres
        .execute("postgres", "insert into t values (2, 2)")
        .await?;
    until_events(&store, 2).await?;
    second.stop().await?;
    let column = &store.events()[1].table.columns[1];
    ensure!(!column.optional && column.default_expression.as_deref() == Some("7"));
    Ok(())
}
