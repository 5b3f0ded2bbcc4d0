//! Proves: what the log of a table does not tell is said with every query of its latest rows, and the new snapshot that
//! the notice asks for puts it right.
//! Steps: keys that are retyped with and without a cast that is known, renamed labels, keys that came later than their
//! rows, tables that swap names or are renamed, keys that are one in an event; then a new snapshot, which finds one of the
//! tables empty.
//! Requires: PostgreSQL, Kafka, MinIO.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use stack::{request, until};

use crate::road::{PATIENCE, Road};
use crate::servers::shared;
use crate::through_time::agrees;

const SCHEMA: &str = r#"
create table uuids (k text primary key, v text);
insert into uuids values ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a'), ('b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'b'), ('C0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'c');
create table numbers (k numeric(10, 2) primary key, v text);
insert into numbers values (1.10, 'a'), (2, 'b'), (3, 'c');
create table padded (k char(4) primary key, v text);
insert into padded values ('1', 'a'), ('2', 'b'), ('3', 'c');
create table floats (k float8 primary key, v text);
insert into floats values (1, 'a'), (1e20, 'b'), (0.5, 'c');
create table bag (a numeric(10, 2), r char(4), v text);
alter table bag replica identity full;
insert into bag values (1.10, '1', 'a'), (2, '2', 'b'), (3, '3', 'c');
create table zones (k timestamp primary key, v text);
insert into zones values ('2020-01-01 12:00', 'a'), ('2020-01-02 12:00', 'b');
create table shifted (k int primary key, v text);
insert into shifted values (1, 'a'), (2, 'b');
create type label as enum ('a', 'b');
create table labels (k label primary key, v text);
insert into labels values ('a', '1'), ('b', '2');
create table serials (v text);
alter table serials replica identity full;
insert into serials values ('a'), ('b');
create table swap_a (id int primary key, v text);
create table swap_b (id int primary key, v text);
insert into swap_a values (1, 'A1');
insert into swap_b values (1, 'B1');
create table former (id int primary key, v text);
insert into former values (1, 'o1'), (2, 'o2');
create table spans (k interval primary key, v text);
insert into spans values ('1 mon', 'a'), ('30 days 10:30:00', 'b');
create table emptied (id int primary key, v text);
insert into emptied values (1, 'a');
"#;

const BEFORE: [&str; 13] = [
    "uuids", "numbers", "padded", "floats", "bag", "zones", "shifted", "labels", "serials",
    "swap_a", "swap_b", "former", "emptied",
];

const CHANGES: [&str; 30] = [
    "alter table uuids alter k type uuid using k::uuid",
    "update uuids set v = 'a2' where v = 'a'",
    "delete from uuids where v = 'b'",
    "alter table numbers alter k type numeric",
    "update numbers set v = 'a2' where v = 'a'",
    "delete from numbers where v = 'b'",
    "alter table padded alter k type text",
    "update padded set v = 'a2' where v = 'a'",
    "delete from padded where v = 'b'",
    "alter table floats alter k type text",
    "update floats set v = 'a2' where v = 'a'",
    "delete from floats where v = 'b'",
    "alter table bag alter a type numeric, alter r type text",
    "update bag set v = 'a2' where v = 'a'",
    "delete from bag where v = 'b'",
    "set timezone = 'Europe/Berlin'; alter table zones alter k type timestamptz",
    "update zones set v = 'a2' where v = 'a'",
    "alter table shifted alter k type int using k + 1000",
    "delete from shifted where v = 'a'",
    "alter type label rename value 'a' to 'AA'",
    "delete from labels where k = 'AA'",
    "alter table serials add column id serial primary key",
    "update serials set v = 'A' where v = 'a'",
    "begin; alter table swap_a rename to t; alter table swap_b rename to swap_a; alter table t rename to swap_b; commit",
    "insert into swap_a values (10, 'n')",
    "insert into swap_b values (20, 'n')",
    "alter table former rename to latter",
    "update latter set v = 'u1' where id = 1",
    "update spans set v = 'c' where v = 'b'",
    "update emptied set v = 'b'",
];

/// Tables whose latest rows are PostgreSQL's all the same.
const KNOWN: [&str; 5] = ["uuids", "numbers", "padded", "floats", "bag"];

/// Tables whose latest rows are PostgreSQL's after a new snapshot.
const REMEDIED: [&str; 6] = ["shifted", "labels", "serials", "swap_a", "swap_b", "latter"];

/// What is said with a query of the table, in part.
const SAID: [(&str, &str); 14] = [
    (
        "uuids",
        "\"k\", which tells its rows apart, was text and is uuid",
    ),
    ("numbers", "Latest rows from before: 1;"),
    ("padded", "was bpchar and is text"),
    ("floats", "was float8 and is text"),
    (
        "bag",
        "\"r\", which tells its rows apart, was bpchar and is text",
    ),
    (
        "zones",
        "how PostgreSQL made the old values new no log tells",
    ),
    ("shifted", "changes of rows that were not found: 1"),
    ("labels", "changes of rows that were not found: 1"),
    ("serials", "\"id\" came later than the table"),
    (
        "swap_a",
        "are in the log of public.swap_b and not shown here",
    ),
    (
        "swap_b",
        "are in the log of public.swap_a and not shown here",
    ),
    ("former", "the table is called public.latter"),
    ("latter", "the table was called public.former before"),
    ("spans", "only the later one is shown: 1"),
];

#[tokio::test]
async fn what_the_log_does_not_tell_is_said_and_a_new_snapshot_puts_it_right() -> Result<()> {
    let tables: Vec<String> = BEFORE
        .iter()
        .chain(&["spans", "latter"])
        .map(|table| format!("public.{table}"))
        .collect();
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    let properties = [("publication.autocreate.mode", "all_tables")];
    let mut road = Road::prepare(shared().await?, "doubts", SCHEMA, &tables, &properties).await?;
    let client = road.servers.postgres.connect("doubts").await?;
    road.start_cdc().await?;
    road.streaming().await?;
    road.start_lakewriter().await?;
    for table in BEFORE {
        agrees(&road, &client, table)
            .await
            .with_context(|| road.logs())?;
    }
    let said = notices(&road, "select count(*) from public.uuids").await?;
    ensure!(said.is_empty(), "{said}");
    for sql in CHANGES {
        client.batch_execute(sql).await.context(sql)?;
    }
    for table in KNOWN {
        agrees(&road, &client, table)
            .await
            .with_context(|| road.logs())?;
    }
    for (table, part) in SAID {
        let mut last = String::new();
        let found = until("the notice", PATIENCE, async || {
            last = notices(&road, &format!("select count(*) from public.{table}")).await?;
            Ok(last.contains(part).then_some(()))
        });
        found
            .await
            .with_context(|| format!("{table}: {part}, but {last}"))?;
        let said = notices(
            &road,
            &format!("select count(*) from public.{table}_changes"),
        )
        .await?;
        ensure!(said.is_empty(), "{table}: {said}");
    }
    road.say("everything that is not known is said");

    // The remedy that the notices name. What happens until it is resumed no event tells.
    let connector = road.cdc_url(&format!("connectors/{}", road.name));
    let call = async |method: &str, path: &str| {
        let url = format!("{connector}/{path}");
        until(&format!("{method} {url}"), PATIENCE, async || {
            Ok((request(method, &url, None).await?.status < 300).then_some(()))
        })
        .await
    };
    call("PUT", "stop").await?;
    call("DELETE", "offsets").await?;
    client.batch_execute("delete from emptied").await?;
    call("PUT", "resume").await?;
    for table in REMEDIED {
        agrees(&road, &client, table)
            .await
            .with_context(|| road.logs())?;
        let said = notices(&road, &format!("select count(*) from public.{table}")).await?;
        ensure!(said.is_empty(), "{table}: {said}");
    }
    let said = notices(&road, "select count(*) from public.emptied").await?;
    ensure!(said.contains("none of this one"), "emptied: {said}");
    road.stop().await
}

/// What stands on standard error.
async fn notices(road: &Road, query: &str) -> Result<String> {
    let mut command = road.tributary(&["sql", "--format", "json", query])?;
    command.stdin(Stdio::null());
    let output = tokio::process::Command::from(command).output().await?;
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}
