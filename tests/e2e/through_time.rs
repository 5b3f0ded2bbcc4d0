//! Proves: the latest rows are PostgreSQL's, whatever the keys and the columns are called and become.
//! Steps: tables whose keys and columns have names of the lake's own, differ in case alone, are renamed, retyped, made
//! longer or replaced, have values that their lake column cannot hold, or are not there at all; a table that is dropped
//! and made again; unsent values under another key, name or type. Between the steps the lake catches up.
//! Requires: PostgreSQL, Kafka, MinIO.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};
use stack::until;

use crate::road::{PATIENCE, Road};
use crate::servers::shared;
use crate::truth::first_column;
use crate::verdict::run;

const TABLES: [&str; 17] = [
    "casekey",
    "toastkey",
    "keyseq",
    "keydate",
    "keyren",
    "notes",
    "notes_changes",
    "nokey",
    "colren",
    "retyped",
    "spelled",
    "scaled",
    "longer",
    "swapped",
    "endless",
    "again",
    "coltype",
];

const SCHEMA: &str = r#"
create table casekey ("id" int, "ID" int primary key, v text);
create table toastkey (id int primary key, n int, body text);
alter table toastkey alter body set storage external;
create table keyseq (_seq int primary key, v text);
create table keydate (_date date primary key, _op text, v text);
create table keyren (id int primary key, v text);
create table notes (id int primary key, v text);
create table notes_changes (id int primary key, w text);
create table nokey (a int, v text);
alter table nokey replica identity full;
create table colren (id int primary key, n int, body text);
alter table colren alter body set storage external;
create table retyped (id int primary key, v text);
create table spelled (id int primary key, v text);
create table scaled (id numeric(10, 2) primary key, v text);
create table longer (a int primary key, b int not null, v text);
create table swapped (a int primary key, b int not null, v text);
create table endless (d date primary key, v text);
create table again (id int primary key, v text);
create table coltype (id int primary key, n int, body varchar);
alter table coltype alter body set storage external;
insert into keyren values (1, 'a'), (2, 'b'), (3, 'c');
insert into nokey values (7, 'twice'), (7, 'twice');
"#;

/// Each step is in the lake before the next begins.
const STEPS: [&[&str]; 3] = [
    &[
        "insert into casekey values (1, 10, 'a'), (1, 20, 'b')",
        "insert into toastkey values (1, 1, repeat('B', 9000)), (2, 1, repeat('C', 9000))",
        "insert into keyseq values (1, 'a'), (2, 'b')",
        "insert into keydate values ('2020-01-01', 'x', 'a'), ('infinity', 'y', 'b'), ('-infinity', 'z', 'c')",
        "insert into notes values (1, 'n1')",
        "insert into notes_changes values (1, 'w1')",
        "insert into nokey values (1, 'a'), (2, 'b'), (3, 'c'), (3, 'c'), (3, 'c')",
        "insert into colren values (1, 1, repeat('B', 9000)), (2, 1, repeat('C', 9000))",
        "insert into coltype values (1, 1, repeat('B', 9000)), (2, 1, repeat('C', 9000))",
        "insert into retyped values (1, 'a'), (2, 'b'), (3, 'c')",
        "insert into spelled values (1, 'a'), (2, 'b'), (3, 'c')",
        "insert into scaled values (1.5, 'a'), (2.25, 'b'), (3, 'c')",
        "insert into longer values (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c'), (4, 40, 'd')",
        "insert into swapped values (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c'), (4, 40, 'd')",
        "delete from longer where a = 4",
        "delete from swapped where a = 4",
        "insert into endless values ('infinity', 'a'), ('-infinity', 'b'), ('2020-01-01', 'c')",
        "insert into again values (1, 'old'), (2, 'old')",
    ],
    &[
        "update casekey set v = 'a2' where \"ID\" = 10",
        "update toastkey set id = 11, n = 2 where id = 1",
        "update toastkey set n = 3 where id = 11",
        "insert into toastkey values (1, 9, 'another')",
        "update keyseq set v = 'a2' where _seq = 1",
        "delete from keyseq where _seq = 2",
        "update keydate set v = 'b2' where _date = 'infinity'",
        "delete from keydate where _date = '-infinity'",
        "alter table keyren rename column id to uid",
        "update keyren set v = 'a2' where uid = 1",
        "insert into keyren values (4, 'd')",
        "delete from keyren where uid = 3",
        "update nokey set v = 'a2' where a = 1",
        "delete from nokey where a = 2",
        "delete from nokey where ctid = (select min(ctid) from nokey where a = 3)",
        "delete from nokey where ctid = (select min(ctid) from nokey where a = 7)",
        "alter table colren rename column body to text_body",
        "update colren set n = 2 where id = 1",
        "alter table coltype alter body type bytea using convert_to(body, 'UTF8')",
        "update coltype set n = 2 where id = 1",
        "alter table retyped alter id type bigint",
        "update retyped set v = 'a2' where id = 1",
        "delete from retyped where id = 3",
        "alter table spelled alter id type text",
        "update spelled set v = 'a2' where id = '1'",
        "delete from spelled where id = '3'",
        "alter table scaled alter id type numeric(12, 3)",
        "update scaled set v = 'a2' where id = 1.5",
        "delete from scaled where id = 3",
        "begin; alter table longer drop constraint longer_pkey; alter table longer add primary key (a, b); commit",
        "update longer set v = 'a2' where a = 1",
        "delete from longer where a = 3",
        "insert into longer values (2, 21, 'another')",
        "begin; alter table swapped drop constraint swapped_pkey; alter table swapped add primary key (b); commit",
        "update swapped set v = 'a2' where a = 1",
        "delete from swapped where a = 3",
        "insert into swapped values (2, 21, 'another')",
        "update endless set v = 'a2' where d = 'infinity'",
        "delete from endless where d = '-infinity'",
        "drop table again",
        "create table again (v text, id int primary key)",
        "insert into again values ('new', 1)",
    ],
    &[
        "update toastkey set id = 111, n = 4 where id = 11",
        "update colren set n = 3",
        "alter table nokey add column w int",
        "update nokey set w = 1 where a = 7",
        "alter table nokey drop column v",
        "delete from nokey where a = 1",
        "update longer set b = 11 where a = 1",
        "update keyren set uid = 5 where uid = 4",
    ],
];

#[tokio::test]
async fn the_latest_rows_are_postgresqls_whatever_keys_and_columns_become() -> Result<()> {
    let tables: Vec<String> = TABLES
        .iter()
        .map(|table| format!("public.{table}"))
        .collect();
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    // A table that is made again is in a publication of all tables alone.
    let properties = [("publication.autocreate.mode", "all_tables")];
    let mut road = Road::prepare(
        shared().await?,
        "through_time",
        SCHEMA,
        &tables,
        &properties,
    )
    .await?;
    let client = road.servers.postgres.connect("through_time").await?;
    road.start_cdc().await?;
    road.streaming().await?;
    road.start_lakewriter().await?;
    for (number, step) in STEPS.iter().enumerate() {
        for sql in *step {
            client.batch_execute(sql).await.context(*sql)?;
        }
        for table in TABLES {
            agrees(&road, &client, table)
                .await
                .with_context(|| format!("after step {number}; {}", road.logs()))?;
        }
        road.say(&format!("step {number} is right"));
    }
    road.stop().await
}

/// Waits until our SQL shows the rows that PostgreSQL has.
pub async fn agrees(road: &Road, client: &tokio_postgres::Client, table: &str) -> Result<()> {
    let wanted = first_column(client, &format!("select to_jsonb(t)::text from {table} t")).await?;
    let wanted = wanted.iter().map(|row| Ok(serde_json::from_str(row)?));
    let wanted: Vec<Map<String, Value>> = wanted.collect::<Result<_>>()?;
    let mut found = None;
    let same = until("the lake to show the rows", PATIENCE, async || {
        let rows = match sql(road, &format!("select * from public.{table}")).await {
            Ok(rows) => shown(&wanted, &rows),
            // The table may not be there yet.
            Err(error) => vec![format!("{error:#}")],
        };
        let mut want: Vec<String> = wanted.iter().map(|row| text(row, row)).collect();
        want.sort();
        let same = rows == want;
        found = Some((want, rows));
        Ok(same.then_some(()))
    });
    let same = same.await;
    same.with_context(|| format!("{table}: PostgreSQL's rows and the lake's: {found:#?}"))
}

pub async fn sql(road: &Road, query: &str) -> Result<Vec<Map<String, Value>>> {
    let mut command = road.tributary(&["sql", "--format", "json", query])?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = run(command, &format!("tributary sql '{query}'")).await?;
    output
        .lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

fn shown(wanted: &[Map<String, Value>], rows: &[Map<String, Value>]) -> Vec<String> {
    let empty = Map::new();
    let columns = wanted.first().unwrap_or(&empty);
    let mut rows: Vec<String> = rows.iter().map(|row| text(columns, row)).collect();
    rows.sort();
    rows
}

/// The columns of PostgreSQL as text; what the lake's column cannot hold stands in its `_raw` column.
fn text(columns: &Map<String, Value>, row: &Map<String, Value>) -> String {
    let value = |name: &String| {
        let value = row.get(name).filter(|value| !value.is_null());
        match value.or_else(|| row.get(&format!("{name}_raw"))) {
            Some(Value::Number(number)) => number.as_f64().unwrap_or(f64::NAN).to_string(),
            // PostgreSQL writes bytes with `\x` before them.
            Some(Value::String(text)) => text.trim_start_matches("\\x").to_owned(),
            other => format!("{other:?}"),
        }
    };
    let values = columns
        .keys()
        .map(|name| format!("{name}: {}", short(value(name))));
    values.collect::<Vec<_>>().join(", ")
}

fn short(text: String) -> String {
    if text.len() > 40 {
        format!("{}.. ({})", &text[..8], text.len())
    } else {
        text
    }
}

/// Proves: a program that never heard of tributary reads tables whose columns were renamed and retyped.
#[tokio::test]
async fn other_readers_read_the_log() -> Result<()> {
    let mut road = Road::prepare(
        shared().await?,
        "other_readers",
        "create table t (id int primary key, v text)",
        &["public.t"],
        &[],
    )
    .await?;
    let client = road.servers.postgres.connect("other_readers").await?;
    road.start_cdc().await?;
    road.streaming().await?;
    road.start_lakewriter().await?;
    client
        .batch_execute(
            "insert into t values (1, 'a'); alter table t rename id to uid; \
             alter table t alter uid type text; update t set v = 'b'",
        )
        .await?;
    agrees(&road, &client, "t").await?;
    let minio = &road.servers.minio;
    let script = format!(
        "import lake_reader\nstorage = dict(endpoint='{}', access_key='{}', secret_key='{}')\n\
         for read in (lake_reader.read_duckdb, lake_reader.read_deltalake):\n\
         \x20   rows = read('{}', storage).to_pylist()\n\
         \x20   print(sorted((row['_op'], row['v'], row['_table_version'] > 0) for row in rows))\n",
        minio.endpoint(),
        minio.access_key(),
        minio.secret_key(),
        road.changes_url("public.t"),
    );
    let mut command = crate::verdict::python().await?;
    command.arg("-c").arg(script);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = run(command, "other readers").await?;
    let line = "[('c', 'a', True), ('u', 'b', True)]";
    ensure!(output.lines().eq([line, line]), "{output}");
    road.stop().await
}
