//! Proves: a lake is the same one however its address is written and wherever its folder is; a lake that cannot be written
//! ends a mirror that ends by itself, and no other one.
//! Steps: one lake by many spellings, moved, and another one in its old place; files that cannot grow.
//! Requires: PostgreSQL.

use std::{path::Path, process::Command, process::Stdio, sync::Arc};

use anyhow::{Context, Result, ensure};
use stack::{Process, until};
use tempfile::TempDir;

use crate::{
    mirror::{PATIENCE, ended, mirror},
    mirror_tables::ask,
    servers::{Servers, shared},
    truth::first_column,
};

const SLOTS: &str = "select slot_name::text from pg_replication_slots where database = current_database() order by 1";

/// A mirror once, into a lake by an address as it is written.
fn once(servers: &Servers, database: &str, folder: &Path, to: &str) -> Result<Command> {
    let mut command = stack::tributary()?;
    command
        .args([
            "mirror",
            "--once",
            "--from",
            &servers.postgres.dsn(database),
            "--to",
            to,
        ])
        .current_dir(folder)
        .stdin(Stdio::null());
    Ok(command)
}

#[tokio::test]
async fn a_lake_is_the_same_one_however_its_address_is_written() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let place = folder.path().canonicalize()?;
    servers.postgres.create_database("spelled").await?;
    let client = servers.postgres.connect("spelled").await?;
    client
        .batch_execute("create table t (id int primary key); insert into t values (0)")
        .await?;
    let absolute = place.join("lake").display().to_string();
    let spellings = [
        "lake".to_owned(),
        "./lake".to_owned(),
        "lake/".to_owned(),
        "./x/../lake/".to_owned(),
        absolute.clone(),
        format!("{absolute}/"),
        format!("file://{absolute}"),
        format!("file://{absolute}/"),
    ];
    std::fs::create_dir(place.join("x"))?;
    for (number, to) in spellings.iter().enumerate() {
        client
            .batch_execute(&format!("insert into t values ({})", number + 1))
            .await?;
        let (output, said) = ended(once(&servers, "spelled", &place, to)?).await?;
        ensure!(output.status.success(), "{to}: {said}");
    }
    let slots = first_column(&client, SLOTS).await?;
    ensure!(slots.len() == 1, "{slots:?}");

    // Moved, with another lake in its old place.
    std::fs::rename(place.join("lake"), place.join("moved"))?;
    client.batch_execute("insert into t values (100)").await?;
    let (output, said) = ended(once(&servers, "spelled", &place, "moved")?).await?;
    ensure!(output.status.success(), "{said}");
    ensure!(first_column(&client, SLOTS).await? == slots);
    let (output, said) = ended(once(&servers, "spelled", &place, "lake")?).await?;
    ensure!(output.status.success(), "{said}");
    ensure!(said.contains("another lake has the name"), "{said}");
    let both = first_column(&client, SLOTS).await?;
    ensure!(both.len() == 2 && both.contains(&slots[0]), "{both:?}");
    client.batch_execute("insert into t values (101)").await?;
    for lake in ["moved", "lake"] {
        let (output, said) = ended(once(&servers, "spelled", &place, lake)?).await?;
        ensure!(output.status.success(), "{lake}: {said}");
        let query = "select count(*), max(id) from public.t";
        let rows = ask(&place.join(lake), query).await?;
        ensure!(rows == ["11,101"], "{lake}: {rows:?}");
        let log = ask(
            &place.join(lake),
            "select count(distinct id), count(*) from public.t_changes",
        )
        .await?;
        ensure!(log == ["11,11"], "{lake}: {log:?}");
    }
    ensure!(first_column(&client, SLOTS).await? == both);

    // One of a version that did not put the name there has it with its position.
    for name in std::fs::read_dir(place.join("moved/_position"))? {
        std::fs::remove_file(name?.path().join("slot.json"))?;
    }
    std::fs::rename(place.join("moved"), place.join("moved_again"))?;
    let (output, said) = ended(once(&servers, "spelled", &place, "moved_again")?).await?;
    ensure!(output.status.success(), "{said}");
    ensure!(first_column(&client, SLOTS).await? == both);
    Ok(())
}

/// As a full disk: no file grows beyond some kilobytes.
fn on_a_full_disk(command: &Command) -> Command {
    let mut full = Command::new("sh");
    full.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        full.current_dir(folder);
    }
    full.stdin(Stdio::null());
    full
}

#[tokio::test]
async fn a_full_disk_ends_a_mirror_that_ends_by_itself_and_no_other() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    servers.postgres.create_database("full").await?;
    let client = servers.postgres.connect("full").await?;
    client
        .batch_execute(
            "create table t (id int primary key, v text);
             insert into t select i, md5(i::text) || md5((i * 7)::text) from generate_series(1, 20000) i",
        )
        .await?;
    let command = mirror(&servers, "full", &lake, &["--once"])?;
    let begun = std::time::Instant::now();
    let (output, said) = ended(on_a_full_disk(&command)).await?;
    ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
    for part in [
        "given up",
        "File too large",
        "start it again",
        "trying again",
    ] {
        ensure!(said.contains(part), "no `{part}` in: {said}");
    }
    eprintln!("given up after {:?}", begun.elapsed());

    let command = mirror(&servers, "full", &lake, &[])?;
    let mut running = Process::spawn("tributary mirror", on_a_full_disk(&command))?;
    until("two starts again", PATIENCE, async || {
        let tries = running.output()?.matches("trying again").count();
        Ok((tries > 1).then_some(()))
    })
    .await
    .with_context(|| running.output().unwrap_or_default())?;
    ensure!(running.status()?.is_none(), "{}", running.output()?);
    running.terminate()?;
    running.wait(PATIENCE).await?;

    // There is room again.
    let (output, said) = ended(mirror(&servers, "full", &lake, &["--once"])?).await?;
    ensure!(output.status.success(), "{said}");
    ensure!(ask(&lake, "select count(*) from public.t").await? == ["20000"]);
    Ok(())
}
