//! Proves: after every change of a table's columns, types, key and identity `current` equals PostgreSQL by value, read by
//! a program that never heard of tributary, and `tributary lake history` tells what became of it.
//! Steps: the same changes twice, once with a run of `tributary mirror --once` after each, once beneath one that runs.
//! Requires: PostgreSQL, DuckDB.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};
use stack::{Process, until};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::{
    mirror::{ended, mirror},
    servers::shared,
    truth::first_column,
    verdict,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// What is done, and what is told of it in the table's history.
const STEPS: [(&str, &[&str]); 13] = [
    (
        "insert into t values (1, 'one', 1.50), (2, 'two', 2.50), (3, null, null)",
        &[],
    ),
    (
        "alter table t add plain int; insert into t values (4, 'four', 4, 4); update t set plain = 1 where id = 1",
        &["column \"plain\" int4 came: older rows have null"],
    ),
    (
        "alter table t add with_default int not null default 5; alter table t add day date default '2020-02-29'; \
         alter table t add words text[] default '{a,\"b c\"}'; alter table t alter day set default '1999-01-01'; \
         update t set with_default = 7, day = null where id = 2; insert into t (id) values (5)",
        &[
            "column \"with_default\" int4 came: older rows have 5",
            "column \"day\" date came: older rows have 2020-02-29",
        ],
    ),
    (
        "alter table t alter plain set default 9; insert into t (id) values (6)",
        &[],
    ),
    (
        "alter table t rename a to name; update t set name = 'zwei' where id = 2",
        &["column \"a\" was renamed to \"name\""],
    ),
    (
        "alter table t alter with_default type bigint; insert into t (id, with_default) values (7, 5000000000)",
        &["is int8 now, was int4"],
    ),
    (
        "alter table t alter plain type text; update t set plain = 'x' where id = 4",
        &["goes on as \"plain__v2\"", "is text now, was int4"],
    ),
    (
        "alter table t alter name set not null; update t set name = 'drei' where id = 1",
        &[],
    ),
    (
        "alter table t drop n; insert into t (id, name) values (8, 'eight')",
        &["column \"n\" was dropped"],
    ),
    (
        "alter table t add n int default 1; delete from t where id = 3; update t set n = 2 where id = 4",
        &["column \"n\" int4 came as \"n__v2\": older rows have 1"],
    ),
    (
        "alter table t replica identity full; update t set name = 'full' where id = 5; delete from t where id = 6",
        &[],
    ),
    (
        "alter table t drop constraint t_pkey, add primary key (id, name); update t set name = 'moved' where id = 7; \
         alter table t replica identity default; insert into t (id, name) values (7, 'seven')",
        &["rows are told apart by the key (\"id\", \"name\")"],
    ),
    (
        "vacuum full t; insert into t (id, name) values (9, 'nine')",
        &[],
    ),
];

/// The publication forgets a table that is dropped, and is made to have the new one when the mirror starts.
const DROPPED: &str =
    "drop table t; create table t (id int primary key, name int, \"other\" text default 'd')";
const INTO_THE_NEW_ONE: &str = "insert into t values (1, 1), (20, 2)";
const MADE_AGAIN: &str = "the table was dropped and made again";

/// NOT NULL wants a value in all rows.
const BEFORE_NOT_NULL: &str = "update t set name = 'n' where name is null";

async fn equal(client: &Client, lake: &Path, database: &str) -> Result<()> {
    let wanted = first_column(client, "select to_jsonb(t)::text from t").await?;
    let wanted: Vec<Map<String, Value>> = wanted
        .iter()
        .map(|row| Ok(serde_json::from_str(row)?))
        .collect::<Result<_>>()?;
    let shown = current(lake, database, "public.t").await?;
    let columns: Vec<String> = wanted.first().context("no row")?.keys().cloned().collect();
    let line = |row: &Map<String, Value>| {
        let values = columns.iter().map(|name| match row.get(name) {
            None => format!("{name} is missing"),
            Some(Value::String(text)) => format!("{name}: {text}"),
            Some(other) => format!("{name}: {other}"),
        });
        values.collect::<Vec<_>>().join(", ")
    };
    let sorted = |rows: &[Map<String, Value>]| {
        let mut lines: Vec<String> = rows.iter().map(line).collect();
        lines.sort();
        lines
    };
    let (wanted, shown) = (sorted(&wanted), sorted(&shown));
    ensure!(
        wanted == shown,
        "PostgreSQL:\n{}\n`current`:\n{}",
        wanted.join("\n"),
        shown.join("\n")
    );
    Ok(())
}

/// All rows of a table's `current`, by DuckDB.
async fn current(lake: &Path, database: &str, folder: &str) -> Result<Vec<Map<String, Value>>> {
    let script = format!(
        "import json, lake_reader\n\
         rows = lake_reader.read_duckdb('{}/{database}/{folder}/current', None).to_pylist()\n\
         plain = lambda value: float(value) if type(value).__name__ == 'Decimal' else str(value)\n\
         for row in rows: print(json.dumps(row, default=plain))\n",
        lake.display()
    );
    let mut command = verdict::python().await?;
    command.arg("-c").arg(script).stdin(Stdio::null());
    let (output, said) = ended(command).await?;
    ensure!(output.status.success(), "{said}");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    lines
        .lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

fn decisions() -> impl Iterator<Item = &'static str> {
    STEPS.iter().flat_map(|(_, told)| told.iter().copied())
}

async fn history(lake: &Path) -> Result<String> {
    let mut command: Command = stack::tributary()?;
    command
        .args(["lake", "history", "public.t", "--lake"])
        .arg(lake)
        .current_dir(lake.parent().context("a folder")?)
        .stdin(Stdio::null());
    let (output, said) = ended(command).await?;
    ensure!(output.status.success(), "{said}");
    Ok(said)
}

async fn prepared(database: &str) -> Result<Client> {
    let servers = shared().await?;
    servers.postgres.create_database(database).await?;
    let client = servers.postgres.connect(database).await?;
    client
        .batch_execute("create table t (id int primary key, a text, n numeric(10,2))")
        .await?;
    Ok(client)
}

/// Statement by statement: some may not stand in a transaction.
async fn execute(client: &Client, step: &str) -> Result<()> {
    if step.contains("set not null") {
        client.batch_execute(BEFORE_NOT_NULL).await?;
    }
    for statement in step.split("; ") {
        client
            .batch_execute(statement)
            .await
            .context(statement.to_owned())?;
    }
    Ok(())
}

#[tokio::test]
async fn current_equals_its_table_after_each_change_across_restarts() -> Result<()> {
    let servers = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    let client = prepared("evolving").await?;
    for (step, _) in STEPS {
        execute(&client, step).await?;
        let (output, said) = ended(mirror(&servers, "evolving", &lake, &["--once"])?).await?;
        ensure!(output.status.success(), "{step}: {said}");
        equal(&client, &lake, "evolving")
            .await
            .with_context(|| step.to_owned())?;
    }
    for step in [DROPPED, INTO_THE_NEW_ONE] {
        execute(&client, step).await?;
        let (output, said) = ended(mirror(&servers, "evolving", &lake, &["--once"])?).await?;
        ensure!(output.status.success(), "{step}: {said}");
    }
    equal(&client, &lake, "evolving").await.context(DROPPED)?;
    let told = history(&lake).await?;
    for decision in decisions().chain([MADE_AGAIN]) {
        ensure!(told.contains(decision), "no `{decision}` in\n{told}");
    }
    Ok(())
}

#[tokio::test]
async fn current_equals_its_table_after_each_change_in_mid_stream() -> Result<()> {
    let servers = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    let client = prepared("evolving_on").await?;
    let (step, _) = STEPS[0];
    execute(&client, step).await?;
    let command = mirror(&servers, "evolving_on", &lake, &[])?;
    let mut running = Process::spawn("tributary mirror", command)?;
    for (step, _) in STEPS {
        if step != STEPS[0].0 {
            execute(&client, step).await?;
        }
        let mut last = None;
        let equals = until(
            "`current` to equal its table",
            PATIENCE,
            async || match equal(&client, &lake, "evolving_on").await {
                Ok(()) => Ok(Some(())),
                Err(error) => {
                    last = Some(error);
                    Ok(None)
                }
            },
        )
        .await;
        if let Err(error) = equals {
            return Err(error.context(format!("{step}: {last:?}\n{}", running.output()?)));
        }
    }
    running.terminate()?;
    let status = running.wait(PATIENCE).await?;
    ensure!(status.success(), "{status}: {}", running.output()?);
    let told = history(&lake).await?;
    for decision in decisions() {
        ensure!(told.contains(decision), "no `{decision}` in\n{told}");
    }
    Ok(())
}
