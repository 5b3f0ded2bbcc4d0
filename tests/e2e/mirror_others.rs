//! Proves: a table that may not be read stops no other one and is copied when it may be; a table that was renamed is copied
//! under its new name; the rows that a partition brings along are copied.
//! Steps: each of these while the mirror runs, and while it does not.
//! Requires: PostgreSQL.

use std::{path::Path, process::Stdio, sync::Arc};

use anyhow::{Context, Result, ensure};
use stack::{Process, until};
use tempfile::TempDir;

use crate::{
    mirror::{PATIENCE, ended, ends_well, mirror, rows_in_the_lake},
    mirror_tables::ask,
    servers::{Servers, shared},
    truth::first_column,
};

/// The lake answers this at last.
async fn answers(lake: &Path, query: &str, wanted: &[&str], running: &Process) -> Result<()> {
    until("the answer of the lake", PATIENCE, async || {
        let rows = ask(lake, query).await.unwrap_or_default();
        Ok((rows == wanted).then_some(()))
    })
    .await
    .with_context(|| format!("{query}: {}", running.output().unwrap_or_default()))
}

async fn streams(running: &Process) -> Result<()> {
    until("rows in the lake", PATIENCE, async || {
        Ok(rows_in_the_lake(&running.output()?).filter(|rows| *rows > 0))
    })
    .await
    .map(drop)
    .with_context(|| running.output().unwrap_or_default())
}

#[tokio::test]
async fn a_table_that_may_not_be_read_stops_no_other() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    servers.postgres.create_database("unreadable").await?;
    let client = servers.postgres.connect("unreadable").await?;
    client
        .batch_execute(
            "create role \"Reader\" login replication password 'x';
             create table open (id int primary key); insert into open values (1);
             grant select on open to \"Reader\";
             create publication unreadable for all tables with (publish_via_partition_root = true)",
        )
        .await?;
    let port = servers.postgres.port();
    let mut command = stack::tributary()?;
    command
        .args(["mirror", "--freshness", "300ms", "--slot", "unreadable"])
        .args([
            "--from",
            &format!("postgresql://Reader:x@127.0.0.1:{port}/unreadable"),
        ])
        .arg("--to")
        .arg(&lake)
        .current_dir(folder.path())
        .stdin(Stdio::null());
    let mut running = Process::spawn("tributary mirror", command)?;
    streams(&running).await?;
    client
        .batch_execute(
            "create table secret (id int primary key); insert into secret values (1), (2)",
        )
        .await?;
    let grant = "grant select on \"public\".\"secret\" to \"Reader\";";
    until("the GRANT", PATIENCE, async || {
        Ok(running.output()?.contains(grant).then_some(()))
    })
    .await
    .with_context(|| running.output().unwrap_or_default())?;
    client
        .batch_execute("insert into open values (2); insert into secret values (3)")
        .await?;
    let of_open = "select id from public.open order by id";
    answers(&lake, of_open, &["1", "2"], &running).await?;
    ensure!(
        running.output()?.matches(grant).count() == 1,
        "{}",
        running.output()?
    );
    client.batch_execute(grant).await?;
    let of_secret = "select id from public.secret order by id";
    answers(&lake, of_secret, &["1", "2", "3"], &running).await?;
    client
        .batch_execute("delete from secret where id = 1")
        .await?;
    answers(&lake, of_secret, &["2", "3"], &running).await?;
    ends_well(&mut running).await?;
    Ok(())
}

#[tokio::test]
async fn a_renamed_table_is_copied_under_its_new_name() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    servers.postgres.create_database("renamed").await?;
    let client = servers.postgres.connect("renamed").await?;
    client
        .batch_execute(
            "create table one (id int primary key); insert into one values (1), (2);
             create table three (id int primary key); insert into three values (1);
             create schema other",
        )
        .await?;
    let start = || Process::spawn("tributary mirror", mirror(&servers, "renamed", &lake, &[])?);
    let mut running = start()?;
    streams(&running).await?;
    client
        .batch_execute("insert into one values (3); alter table one rename to two; insert into two values (4); delete from two where id = 1")
        .await?;
    let of_two = "select id from public.two order by id";
    answers(&lake, of_two, &["2", "3", "4"], &running).await?;
    ends_well(&mut running).await?;
    // While nobody reads, into another schema, and two that swap their names.
    client
        .batch_execute(
            "insert into two values (5); alter table three rename to swap; alter table two rename to three;
             alter table swap rename to two; alter table two set schema other; update other.two set id = 7",
        )
        .await?;
    let (output, said) = ended(mirror(&servers, "renamed", &lake, &["--once"])?).await?;
    ensure!(output.status.success(), "{said}");
    for table in ["public.three", "other.two"] {
        let query = format!("select id::text as shown from {table} order by shown");
        let wanted = first_column(&client, &query).await?;
        ensure!(
            ask(&lake, &query).await? == wanted,
            "{table}: {wanted:?}, {said}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn rows_that_a_partition_brings_along_are_copied() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    servers.postgres.create_database("attached").await?;
    let client = servers.postgres.connect("attached").await?;
    client
        .batch_execute(
            "create table p (id int primary key) partition by range (id);
             create table p0 partition of p for values from (0) to (10); insert into p values (1), (2);
             create table still (id int primary key); insert into still values (1)",
        )
        .await?;
    let start = || {
        Process::spawn(
            "tributary mirror",
            mirror(&servers, "attached", &lake, &[])?,
        )
    };
    let mut running = start()?;
    streams(&running).await?;
    // One that is made as a partition begins empty: nothing is copied again.
    client
        .batch_execute("create table p1 partition of p for values from (10) to (20); insert into p values (11)")
        .await?;
    let of_p = "select id from public.p order by id";
    answers(&lake, of_p, &["1", "2", "11"], &running).await?;
    let log = ask(&lake, "select count(*) from public.p_changes").await?;
    ensure!(log == ["3"], "{log:?}");
    client
        .batch_execute("create table p2 (id int primary key); insert into p2 values (21), (22)")
        .await?;
    client
        .batch_execute("alter table p attach partition p2 for values from (20) to (30); delete from p where id = 2")
        .await?;
    answers(&lake, of_p, &["1", "11", "21", "22"], &running).await?;
    ends_well(&mut running).await?;
    client
        .batch_execute("create table p3 (id int primary key); insert into p3 values (31)")
        .await?;
    client
        .batch_execute("alter table p attach partition p3 for values from (30) to (40)")
        .await?;
    let (output, said) = ended(mirror(&servers, "attached", &lake, &["--once"])?).await?;
    ensure!(output.status.success(), "{said}");
    let rows = ask(&lake, of_p).await?;
    ensure!(rows == ["1", "11", "21", "22", "31"], "{rows:?} {said}");
    // The others were not copied again.
    let log = ask(&lake, "select count(*) from public.still_changes").await?;
    ensure!(log == ["1"], "{log:?}");
    Ok(())
}
