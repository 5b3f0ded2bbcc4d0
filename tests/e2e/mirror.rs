//! Proves: `tributary mirror` makes a lake that equals its database, row for row and change for change, and ends, stops and
//! dies without losing or repeating anything.
//! Steps: a copy that ends by itself; a second one that has nothing to do; one that is killed again and again under load; one
//! that catches up and ends; what would stop it is told before anything is made.
//! Requires: PostgreSQL, DuckDB.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use stack::{Process, until};
use tempfile::TempDir;

use crate::{
    servers::{Servers, shared},
    truth::{self, first_column},
    verdict::of_folder,
    workload::{EARLIER_ROWS, Load, SCHEMA, TABLES},
};

pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn mirror(servers: &Servers, database: &str, lake: &Path, more: &[&str]) -> Result<Command> {
    let mut command = stack::tributary()?;
    command
        .arg("mirror")
        .arg("--from")
        .arg(servers.postgres.dsn(database))
        .arg("--to")
        .arg(lake)
        .args(["--exclude", "oracle.*", "--freshness", "300ms"])
        .args(more)
        .current_dir(lake.parent().context("a folder")?)
        .stdin(Stdio::null());
    Ok(command)
}

/// Ended by SIGTERM, with success.
pub async fn ends_well(running: &mut Process) -> Result<()> {
    running.terminate()?;
    let status = running.wait(PATIENCE).await?;
    ensure!(status.success(), "{status}: {}", running.output()?);
    Ok(())
}

/// Run to its end.
pub async fn ended(command: Command) -> Result<(Output, String)> {
    let output = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await??;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((output, said))
}

#[tokio::test]
async fn a_mirror_equals_its_database_whatever_becomes_of_it() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    servers.postgres.create_database("mirrored").await?;
    let client = servers.postgres.connect("mirrored").await?;
    client
        .batch_execute(&servers.schema(SCHEMA))
        .await
        .context("make the tables")?;
    client.batch_execute(EARLIER_ROWS).await?;
    truth::watch(&client, &TABLES).await?;

    // What is there comes over, and that is all.
    for _ in 0..2 {
        let (output, said) = ended(mirror(&servers, "mirrored", &lake, &["--once"])?).await?;
        ensure!(output.status.success(), "{said}");
        ensure!(said.contains("the lake has everything up to LSN"), "{said}");
    }
    let lsn = first_column(&client, "select (pg_current_wal_lsn() - '0/0')::text").await?;
    let after_lsn: u64 = lsn.first().context("no LSN")?.parse()?;

    let load = Load::start(&servers, "mirrored", 2);
    for _ in 0..4 {
        let command = mirror(&servers, "mirrored", &lake, &[])?;
        let mut killed = Process::spawn("tributary mirror", command)?;
        until("changes in the lake", PATIENCE, async || {
            let output = killed.output()?;
            Ok(rows_in_the_lake(&output).filter(|rows| *rows > 200))
        })
        .await
        .with_context(|| killed.output().unwrap_or_default())?;
        killed.kill9()?;
    }
    let command = mirror(&servers, "mirrored", &lake, &[])?;
    let mut stopped = Process::spawn("tributary mirror", command)?;
    until("changes in the lake", PATIENCE, async || {
        Ok(rows_in_the_lake(&stopped.output()?).filter(|rows| *rows > 0))
    })
    .await
    .with_context(|| stopped.output().unwrap_or_default())?;
    // From cron, beside one that runs.
    let (output, said) = ended(mirror(&servers, "mirrored", &lake, &["--once"])?).await?;
    ensure!(
        output.status.code() == Some(2) && said.contains("another mirror runs"),
        "{said}"
    );
    ends_well(&mut stopped).await?;
    load.finish().await?;

    let (output, said) = ended(mirror(&servers, "mirrored", &lake, &["--once"])?).await?;
    ensure!(output.status.success(), "{said}");
    let truth = folder.path().join("truth.jsonl");
    let tables = truth::export(&client, &truth).await?;
    let verdict = of_folder(
        folder.path(),
        (&lake, "mirrored"),
        &tables,
        &truth,
        after_lsn,
    )
    .await
    .context(said)?;
    ensure!(verdict.changes > 800, "{verdict:?}");
    eprintln!("mirror: {verdict:?}");
    Ok(())
}

/// The newest number that the mirror has shown.
pub fn rows_in_the_lake(output: &str) -> Option<u64> {
    output.lines().rev().find_map(|line| {
        let (before, _) = line.split_once(" rows in the lake")?;
        before.rsplit(' ').next()?.parse().ok()
    })
}

/// Tables whose copy and whose changes could come under two names, and one that cannot be published.
#[tokio::test]
async fn partitions_heirs_and_unlogged_tables_show_what_postgresql_shows() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    servers.postgres.create_database("peculiar").await?;
    let client = servers.postgres.connect("peculiar").await?;
    client
        .batch_execute(
            "create table p (id int primary key) partition by range (id);
             create table p1 partition of p for values from (0) to (10); insert into p values (1), (2);
             create table inh (id int primary key); create table heir (primary key (id)) inherits (inh);
             insert into inh values (1); insert into heir values (2), (3);
             create unlogged table un (id int primary key); insert into un values (1)",
        )
        .await?;
    let once = async || ended(mirror(&servers, "peculiar", &lake, &["--once"])?).await;
    let (output, said) = once().await?;
    ensure!(
        output.status.success() && said.contains("public.un"),
        "{said}"
    );
    client
        .batch_execute(
            "create table p2 partition of p for values from (10) to (20); insert into p values (3), (11);
             delete from p where id = 1; delete from heir where id = 2; delete from inh where id = 1",
        )
        .await?;
    let (output, said) = once().await?;
    ensure!(output.status.success(), "{said}");
    for (table, rows) in [("p", "2\n3\n11"), ("heir", "3"), ("inh", "")] {
        let mut command = stack::tributary()?;
        command
            .args(["sql", "--format", "csv", "--lake"])
            .arg(&lake)
            .arg(format!("select id from public.{table} order by id"))
            .current_dir(folder.path())
            .stdin(Stdio::null());
        let (output, said) = ended(command).await?;
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let wanted = format!("id\n{rows}\n").replace("\n\n", "\n");
        ensure!(shown == wanted, "{table}: {said}");
    }
    Ok(())
}

/// The catalog is read after columns were dropped and made anew under their old names, which the rows in between are from
/// before.
#[tokio::test]
async fn columns_that_are_made_anew_while_nobody_reads_are_others() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    servers.postgres.create_database("anew").await?;
    let client = servers.postgres.connect("anew").await?;
    client
        .batch_execute(
            "create table e (id int primary key, c int); insert into e values (1, 1);
             create table f (id int primary key, c int default 5, d int); insert into f values (1)",
        )
        .await?;
    let once = async || ended(mirror(&servers, "anew", &lake, &["--once"])?).await;
    let (output, said) = once().await?;
    ensure!(output.status.success(), "{said}");
    for statement in [
        "insert into e values (5, 5)",
        "alter table e drop c",
        "alter table e add c int",
        "insert into e values (6, 6)",
        "insert into f values (2)",
        "alter table f drop c",
        "alter table f add c text",
        "alter table f drop d",
        "insert into f values (3)",
        "alter table f alter c set default 'e'",
        "insert into f values (4)",
    ] {
        client.batch_execute(statement).await.context(statement)?;
    }
    let (output, said) = once().await?;
    ensure!(output.status.success(), "{said}");
    for table in ["e", "f"] {
        let query = format!(
            "select id::text || ' ' || coalesce(c::text, '-') from public.{table} order by id"
        );
        let wanted = first_column(&client, &query).await?;
        let mut command = stack::tributary()?;
        command
            .args(["sql", "--format", "csv", "--lake"])
            .arg(&lake)
            .arg(&query)
            .current_dir(folder.path())
            .stdin(Stdio::null());
        let (output, said) = ended(command).await?;
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let shown: Vec<&str> = shown.lines().skip(1).collect();
        ensure!(
            shown == wanted,
            "{table}: {wanted:?}, and in the lake {said}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_would_stop_a_mirror_is_told_before_anything_is_made() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    servers.postgres.create_database("refused").await?;
    let client = servers.postgres.connect("refused").await?;
    client
        .batch_execute(
            "create table keyless (n int); create table keyed (id int primary key);
             create role nobody_special login password 'x'",
        )
        .await?;
    let (output, said) = ended(mirror(&servers, "refused", &lake, &["--once"])?).await?;
    ensure!(output.status.code() == Some(2), "{said}");
    for part in [
        "\"public\".\"keyless\"",
        "alter table \"public\".\"keyless\" replica identity full",
        "--exclude",
    ] {
        ensure!(said.contains(part), "no `{part}` in: {said}");
    }
    // Nothing was made.
    let slots = "select count(*)::text from pg_replication_slots where database = 'refused'";
    ensure!(first_column(&client, slots).await? == ["0"]);
    let publications = "select count(*)::text from pg_publication";
    ensure!(first_column(&client, publications).await? == ["0"]);

    let mut command = mirror(
        &servers,
        "refused",
        &lake,
        &["--once", "--tables", "public.keyed"],
    )?;
    command.env("TRIBUTARY_LOG", "warn");
    let (output, said) = ended(command).await?;
    ensure!(output.status.success(), "{said}");

    // A table that came later is copied.
    client
        .batch_execute("create table later (id int primary key); insert into later values (1)")
        .await?;
    let wider = ["--once", "--tables", "public.keyed,public.later"];
    let (output, said) = ended(mirror(&servers, "refused", &lake, &wider)?).await?;
    ensure!(output.status.success(), "{said}");
    let mut command = stack::tributary()?;
    command
        .args([
            "sql",
            "--format",
            "csv",
            "select id from public.later",
            "--lake",
        ])
        .arg(&lake)
        .current_dir(folder.path())
        .stdin(Stdio::null());
    let (_, said) = ended(command).await?;
    ensure!(said.starts_with("id\n1\n"), "{said}");

    let port = servers.postgres.port();
    let unprivileged = format!("postgresql://nobody_special:x@127.0.0.1:{port}/refused");
    for (from, told) in [
        (
            "postgresql://nobody_special:x@127.0.0.1:1/refused".to_owned(),
            "check --from",
        ),
        (unprivileged, "replication"),
        (servers.postgres.dsn("not_there"), "not_there"),
    ] {
        let mut command = stack::tributary()?;
        command
            .args(["mirror", "--once", "--from", &from, "--to"])
            .arg(&lake)
            .args(["--tables", "public.keyed", "--slot", "another"])
            .current_dir(folder.path())
            .stdin(Stdio::null());
        let (output, said) = ended(command).await?;
        ensure!(
            output.status.code() == Some(2) && said.to_lowercase().contains(told),
            "{from}: {} {said}",
            output.status
        );
        ensure!(!said.contains(":x@"), "a password is shown: {said}");
    }
    Ok(())
}
