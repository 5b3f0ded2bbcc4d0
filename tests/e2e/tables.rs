//! Proves: every kind of change on every kind of table arrives once, with its values, by every reader.
//! Steps: rows from before the snapshot, then inserts, updates, deletes, changed keys, values out of line, TRUNCATE,
//! added, dropped and renamed columns, values of every type.
//! Requires: PostgreSQL, Kafka, MinIO, DuckDB.

use anyhow::{Result, ensure};
use stack::until;

use crate::road::{PATIENCE, Road};
use crate::servers::shared;
use crate::truth::{self, first_column};
use crate::verdict::Load;
use crate::workload::{EARLIER_ROWS, SCHEMA, TABLES, Workload};

/// Statements with a purpose, one transaction each line.
pub const CHANGES: &[&str] = &[
    "update every_type set c_int4 = 7 where id = 2",
    "update every_type set c_text = null, a_text = null, c_dec = null where id = 2",
    "insert into every_type select (every_type).* from (select every_type #= hstore('id', (id + 100)::text) as every_type from every_type) t",
    "delete from every_type where id = 102",
    "update every_type set id = 203 where id = 103",
    "update every_type set id = id where id = 3",
    // one transaction, several tables, one key again and again
    "begin; update tweets set like_count = 1 where id = -100; update tweets set like_count = 2 where id = -100; \
     delete from tweets where id = -100; insert into tweets (id, author_id, text, lang, source, created_at) values (-100, 1, 'again', 'en', 'x', now()); \
     update users set name = 'again' where id = -100; commit",
    // long values that are not sent, twice, then sent
    "update tweets set like_count = 5 where id between -20 and -1",
    "update tweets set quote_count = 6 where id between -20 and -10",
    "update tweets set text = text || '!' where id between -12 and -8",
    "update full_identity set note = 'new' where id < -10",
    "update full_identity set id = id - 100 where id = -3",
    "update composite_key set region = 'us' where number = 7",
    "update composite_key set note = null where number < 5",
    "delete from no_key where n = -3",
    "update no_key set note = 'changed' where n = -4",
    // a column more, a column less, a new name
    "alter table tweets add column mood text",
    "insert into tweets (id, author_id, text, lang, source, created_at, mood) values (1, 1, 'has a mood', 'en', 'x', now(), 'glad')",
    "update tweets set mood = 'sad' where id in (-200, -201)",
    "begin; alter table tweets add column score numeric(6, 3); update tweets set score = 1.5 where id = -200; \
     alter table tweets drop column place; update tweets set score = 2.25 where id = -201; commit",
    "delete from tweets where id = -202",
    "alter table users rename column location to home",
    "update users set home = 'Köln'",
    "insert into users (id, username, name, home, created_at, updated_at) values (1, 'one', 'One', null, now(), now())",
    "alter table composite_key add column extra jsonb",
    "update composite_key set extra = '{\"a\": [1, null]}' where number = 9",
    // streamed before its commit, with a part that is taken back
    "begin; insert into no_key select i, md5(i::text) from generate_series(10000, 12000) i; \
     savepoint s; insert into no_key select i, md5(i::text) from generate_series(20000, 22000) i; rollback to s; \
     update tweets set like_count = like_count + 1 where id between -300 and -250; commit",
    "begin; insert into no_key select i, md5(i::text) from generate_series(30000, 32000) i; rollback",
    // everything goes, in a transaction that goes on
    "begin; insert into full_identity values (500, 'short lived', 'x'); truncate full_identity; \
     insert into full_identity values (500, 'stays', 'y'); commit",
    "truncate no_key, composite_key",
    "insert into composite_key values ('eu', 1, 'after', '[]')",
    "insert into no_key values (900000000, 'after')",
];

/// Transactions that the slot's reader got before their commit.
const STREAMED: &str = "select stream_txns from pg_stat_replication_slots where slot_name = 'road'";

#[tokio::test]
async fn every_change_arrives_once_with_its_values() -> Result<()> {
    let mut road = Road::prepare(shared().await?, "road", SCHEMA, &TABLES, &[]).await?;
    let servers = road.servers.clone();
    let postgres = &servers.postgres;
    let client = postgres.connect("road").await?;
    client.batch_execute(EARLIER_ROWS).await?;
    truth::watch(&client, &TABLES).await?;

    road.start_cdc().await?;
    road.streaming().await?;
    road.start_lakewriter().await?;
    for sql in CHANGES {
        client.batch_execute(sql).await?;
    }
    let mut workload = Workload::new(1, 42);
    for _ in 0..150 {
        client.batch_execute(&workload.transaction()).await?;
    }
    client.batch_execute(&workload.rolled_back()).await?;

    road.verdict(Load::AfterSnapshot).await?;
    // version 14 tells it a moment later
    until(
        "a transaction streamed before its commit",
        PATIENCE,
        async || Ok((first_column(&client, STREAMED).await? != ["0"]).then_some(())),
    )
    .await?;
    let complaints = road.complaints();
    ensure!(
        complaints.is_empty(),
        "nothing was wrong, and yet: {complaints:#?}"
    );
    road.stop().await
}

/// Proves: the lake's values are the same in whatever form they come.
/// Steps: every property of Debezium's that changes the form of values has another value than above; numbers that are
/// none, which only these forms can tell.
#[tokio::test]
async fn other_forms_of_events_give_the_same_values() -> Result<()> {
    let tables = ["public.every_type", "public.composite_key"];
    let properties = [
        ("delivery.guarantee", "at_least_once"),
        ("key.converter.schemas.enable", "true"),
        ("value.converter.schemas.enable", "true"),
        ("decimal.handling.mode", "string"),
        ("time.precision.mode", "adaptive_time_microseconds"),
        ("interval.handling.mode", "string"),
        ("hstore.handling.mode", "map"),
        ("binary.handling.mode", "hex"),
        ("tombstones.on.delete", "false"),
    ];
    let servers = shared().await?;
    let mut road = Road::prepare(servers.clone(), "forms", SCHEMA, &tables, &properties).await?;
    let client = servers.postgres.connect("forms").await?;
    truth::watch(&client, &tables).await?;
    road.start_cdc().await?;
    road.streaming().await?;
    road.start_lakewriter().await?;
    for sql in [
        "insert into every_type (id, c_dec, c_dec_beyond, c_numeric, a_dec) values (6, 'NaN', 'NaN', 'NaN', '{1.5,-2}')",
        "insert into every_type (id, c_numeric) values (7, 'Infinity'), (8, '-Infinity')",
        "insert into every_type select (every_type).* from (select every_type #= hstore('id', (id + 100)::text) as every_type from every_type) t",
        "update every_type set c_int4 = 7 where id in (2, 102)",
        "delete from every_type where id = 103",
        "insert into composite_key values ('eu', 1, 'a'), ('eu', 2, null)",
        "update composite_key set number = 3 where number = 2",
        "truncate composite_key",
        "insert into composite_key values ('eu', 1, 'b')",
    ] {
        client.batch_execute(sql).await?;
    }
    road.verdict(Load::AfterSnapshot).await?;
    road.stop().await
}
