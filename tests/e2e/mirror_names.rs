//! Proves: tables and columns of any name are mirrored, and read by `tributary sql` under their names and by DuckDB with
//! all their values, from `changes` and from `current`.
//! Steps: names that differ in case alone, with spaces, dots, quotes, slashes and emoji, that are names of ours, and long
//! ones; a copy and a change of each.
//! Requires: PostgreSQL, DuckDB.

use std::{process::Stdio, sync::Arc};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    mirror::{ended, mirror},
    mirror_tables::ask,
    servers::{Servers, shared},
    verdict,
};

const NAMES: [&str; 30] = [
    "plain",
    "Case",
    "case",
    "CASE",
    "with space",
    " ",
    "a.b",
    "a_x2E_b",
    ".",
    "..",
    "quo\"ted",
    "quo'ted",
    "back\\slash",
    "sl/ash",
    "per%cent",
    "com,ma",
    "new\nline",
    "🦀",
    "ä",
    "Ä",
    "_op",
    "_lsn",
    "_seq",
    "_table_version",
    "_unavailable",
    "_dead_letters",
    "changes",
    "current",
    "name__v2",
    "l23456789012345678901234567890123456789012345678901234567890123",
];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[tokio::test]
async fn names_of_any_kind_are_mirrored() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    servers.postgres.create_database("names").await?;
    let client = servers.postgres.connect("names").await?;
    let columns: Vec<String> = NAMES.iter().map(|name| quoted(name)).collect();
    // Each value is of one column and one table.
    let value = |table: usize, column: usize| 1_000_000 + table * 1000 + column;
    for (table, name) in NAMES.iter().enumerate() {
        let made: Vec<String> = columns.iter().map(|name| format!("{name} int")).collect();
        let values: Vec<String> = (0..NAMES.len())
            .map(|column| value(table, column).to_string())
            .collect();
        let name = quoted(name);
        client
            .batch_execute(&format!(
                "create table {name} ({}, primary key ({})); insert into {name} values ({})",
                made.join(", "),
                columns[table],
                values.join(", ")
            ))
            .await
            .context(name)?;
    }
    let once = async || ended(mirror(&servers, "names", &lake, &["--once"])?).await;
    let (output, said) = once().await?;
    ensure!(output.status.success(), "{said}");
    for (table, name) in NAMES.iter().enumerate() {
        let changed = (table + 1) % NAMES.len();
        client
            .batch_execute(&format!(
                "update {} set {} = -{}",
                quoted(name),
                columns[changed],
                value(table, changed)
            ))
            .await?;
    }
    let (output, said) = once().await?;
    ensure!(output.status.success(), "{said}");

    for (table, name) in NAMES.iter().enumerate() {
        let sums: Vec<String> = columns.iter().map(|name| format!("{name}::text")).collect();
        let query = format!(
            "select concat_ws(' ', {}) as shown from public.{}",
            sums.join(", "),
            quoted(name)
        );
        let changed = (table + 1) % NAMES.len();
        let wanted: Vec<String> = (0..NAMES.len())
            .map(|column| {
                let sign = if column == changed { "-" } else { "" };
                format!("{sign}{}", value(table, column))
            })
            .collect();
        let shown = ask(&lake, &query).await?;
        ensure!(shown == [wanted.join(" ")], "{name:?}: {shown:?}");
    }

    let script = format!(
        "import json, os, lake_reader\n\
         root = '{}/names'\n\
         for folder in os.listdir(root):\n\
         \x20   for part in ('changes', 'current'):\n\
         \x20       for row in lake_reader.read_duckdb(f'{{root}}/{{folder}}/{{part}}', None).to_pylist():\n\
         \x20           values = [v for v in row.values() if type(v) is int and 1_000_000 <= abs(v) < 1_100_000]\n\
         \x20           print(json.dumps([part, values]))\n",
        lake.display()
    );
    let mut command = verdict::python().await?;
    command.arg("-c").arg(script).stdin(Stdio::null());
    let (output, said) = ended(command).await?;
    ensure!(output.status.success(), "{said}");
    let mut rows = 0;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (part, values): (String, Vec<i64>) = serde_json::from_str(line)?;
        let table = (values.first().context("no value")?.abs() - 1_000_000) / 1000;
        let mut columns: Vec<i64> = values
            .iter()
            .map(|v| v.abs() - 1_000_000 - table * 1000)
            .collect();
        columns.sort_unstable();
        let all: Vec<i64> = (0..i64::try_from(NAMES.len())?).collect();
        ensure!(
            columns == all,
            "{part} of {:?}: {values:?}",
            NAMES[usize::try_from(table)?]
        );
        rows += 1;
    }
    // A copy and a change of each, and the row as it is now.
    ensure!(rows == 3 * NAMES.len(), "{rows} rows");
    Ok(())
}
