//! Proves: tables that come later, that are made anew, and that were left out for a while are copied while the mirror runs,
//! exactly once against the WAL.
//! Steps: a load that counts each row up by one; tables that are made, filled and altered meanwhile; kills; a table that is
//! dropped and made anew, one that is excluded and included again, one that is taken out of the publication by hand.
//! Requires: PostgreSQL.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use stack::{Process, until};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::{
    mirror::{PATIENCE, ended, ends_well, mirror, rows_in_the_lake},
    servers::{Servers, shared},
    truth::first_column,
};

/// Lines of our SQL's answer, without its head.
pub async fn ask(lake: &Path, query: &str) -> Result<Vec<String>> {
    let mut command = stack::tributary()?;
    command
        .args(["sql", "--format", "csv", "--lake"])
        .arg(lake)
        .arg(query)
        .current_dir(lake.parent().context("a folder")?)
        .stdin(Stdio::null());
    let (output, said) = ended(command).await?;
    ensure!(output.status.success(), "{query}: {said}");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(shown.lines().skip(1).map(str::to_owned).collect())
}

/// The lake's rows of a table are those of PostgreSQL.
async fn equals(client: &Client, lake: &Path, table: &str) -> Result<()> {
    let query = format!(
        "select id::text || ' ' || n::text || ' ' || coalesce(v, '-') as row from public.{table} order by id"
    );
    let wanted = first_column(client, &query).await?;
    let shown = ask(lake, &query).await?;
    if wanted != shown {
        let differ = wanted.iter().zip(&shown).find(|(one, other)| one != other);
        bail!(
            "{table}: {} rows in PostgreSQL, {} in the lake; first difference {differ:?}",
            wanted.len(),
            shown.len()
        );
    }
    Ok(())
}

/// In the log of changes each row counts up by one from its copy on: nothing is missing, twice or out of order.
async fn counts_up(lake: &Path, table: &str) -> Result<u64> {
    let query = format!(
        "select _op, id, n, _incarnation, _lsn, _seq from public.{table}_changes order by _incarnation, _lsn, _seq"
    );
    let mut rows: BTreeMap<String, i64> = BTreeMap::new();
    let mut last = None;
    let mut changes = 0;
    for line in ask(lake, &query).await? {
        let fields: Vec<&str> = line.split(',').collect();
        let [operation, id, n, incarnation, lsn, number] = fields.as_slice() else {
            bail!("{table}: {line}");
        };
        let place = Some((
            incarnation.parse::<i64>()?,
            lsn.parse::<i64>()?,
            number.parse::<i64>()?,
        ));
        ensure!(
            last < place,
            "{table}: {line} stands where another one does"
        );
        last = place;
        if *operation == "t" {
            rows.clear();
            continue;
        }
        if *operation == "d" {
            ensure!(rows.remove(*id).is_some(), "{table}: {line} was not there");
            continue;
        }
        let n: i64 = n.parse()?;
        let before = rows.insert((*id).to_owned(), n);
        match *operation {
            "r" => ensure!(before.is_none(), "{table}: {line} is copied twice"),
            "c" => ensure!(before.is_none(), "{table}: {line} is there already"),
            "u" => ensure!(before == Some(n - 1), "{table}: {line} after {before:?}"),
            other => bail!("{table}: {other}"),
        }
        changes += 1;
    }
    Ok(changes)
}

/// Counts rows of all tables with a column `n` up, one transaction after the other, until it is told to stop.
fn load(
    servers: &Arc<Servers>,
    database: &'static str,
) -> (Arc<AtomicBool>, tokio::task::JoinHandle<Result<()>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, servers) = (Arc::clone(&stop), Arc::clone(servers));
    let task = tokio::spawn(async move {
        let client = servers.postgres.connect(database).await?;
        let mut round = 1_000_000;
        while !stopped.load(Ordering::Relaxed) {
            round += 1;
            let tables = first_column(
                &client,
                "select table_name from information_schema.columns where table_schema = 'public' and column_name = 'n'",
            )
            .await?;
            let mut transaction = String::from("begin;");
            for table in tables {
                transaction.push_str(&format!(
                    "update {table} set n = n + 1 where id % 7 = {};
                     delete from {table} where id = {};
                     insert into {table} (id, n) values ({round}, 0);",
                    round % 7,
                    round - 5
                ));
            }
            transaction.push_str("commit");
            // A table may be dropped meanwhile.
            if client.batch_execute(&transaction).await.is_err() {
                client.batch_execute("rollback").await?;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    });
    (stop, task)
}

fn make(table: &str, rows: u32) -> String {
    format!(
        "create table {table} (id int primary key, n int not null, v text);
         insert into {table} select i, 0, repeat('x', i % 50) from generate_series(1, {rows}) i;"
    )
}

#[tokio::test]
async fn tables_that_come_later_are_copied_while_the_mirror_runs() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    servers.postgres.create_database("later").await?;
    let client = servers.postgres.connect("later").await?;
    client.batch_execute(&make("first", 500)).await?;
    let (stop, task) = load(&servers, "later");
    let start = || Process::spawn("tributary mirror", mirror(&servers, "later", &lake, &[])?);
    let streams = async |process: &Process| {
        until("changes in the lake", PATIENCE, async || {
            Ok(rows_in_the_lake(&process.output()?).filter(|rows| *rows > 0))
        })
        .await
        .with_context(|| process.output().unwrap_or_default())
    };
    let seen = async |process: &Process, table: &str| {
        let query = format!("select count(*) from public.{table}");
        until("the new table in the lake", PATIENCE, async || {
            let rows = ask(&lake, &query).await.unwrap_or_default();
            Ok(rows.first().is_some_and(|rows| rows != "0").then_some(()))
        })
        .await
        .with_context(|| format!("{table}: {}", process.output().unwrap_or_default()))
    };

    let mut running = start()?;
    streams(&running).await?;
    // Made, filled and altered under load, without a restart.
    client.batch_execute(&make("second", 3000)).await?;
    client
        .batch_execute("alter table second add more int default 7")
        .await?;
    seen(&running, "second").await?;
    // Without rows it is there too.
    client
        .batch_execute("create table without_rows (id int primary key, v text)")
        .await?;
    until("the empty table", PATIENCE, async || {
        Ok(ask(&lake, "select count(*) from public.without_rows")
            .await
            .ok())
    })
    .await
    .with_context(|| running.output().unwrap_or_default())?;
    // One that nothing can tell apart is not published, and stops nothing.
    client
        .batch_execute("create table keyless (a int); insert into keyless values (1); update keyless set a = 2")
        .await?;
    // Killed at any moment of a copy.
    for (number, millis) in [50, 700, 1400, 2100, 2800].into_iter().enumerate() {
        client
            .batch_execute(&make(&format!("killed{number}"), 4000))
            .await?;
        tokio::time::sleep(Duration::from_millis(millis)).await;
        running.kill9()?;
        running = start()?;
        streams(&running).await?;
    }
    client.batch_execute("update keyless set a = 3").await?;
    seen(&running, "killed4").await?;
    // Another table of the same name.
    client
        .batch_execute(&format!("drop table second; {}", make("second", 100)))
        .await?;
    // Out of the publication, changed, and in again.
    let publication = first_column(&client, "select pubname from pg_publication").await?;
    let publication = publication.first().context("no publication")?;
    client
        .batch_execute(&format!(
            "alter publication {publication} drop table killed1"
        ))
        .await?;
    client
        .batch_execute("delete from killed1 where id between 1 and 1000")
        .await?;
    // Left out for a while, changed, and included again.
    tokio::time::sleep(Duration::from_secs(1)).await;
    ends_well(&mut running).await?;
    let without = [
        "--once",
        "--exclude",
        "oracle.*,public.killed2,public.keyless",
    ];
    let mut command = stack::tributary()?;
    command
        .args(["mirror", "--from", &servers.postgres.dsn("later"), "--to"])
        .arg(&lake)
        .args(without)
        .current_dir(folder.path())
        .stdin(Stdio::null());
    let (output, said) = ended(command).await?;
    ensure!(output.status.success(), "{said}");
    client
        .batch_execute("delete from killed2 where id between 1 and 1000")
        .await?;
    stop.store(true, Ordering::Relaxed);
    task.await??;
    client.batch_execute("drop table keyless").await?;
    let (output, said) = ended(mirror(&servers, "later", &lake, &["--once"])?).await?;
    ensure!(output.status.success(), "{said}");
    let tables = [
        "first", "second", "killed0", "killed1", "killed2", "killed3", "killed4",
    ];
    for table in tables {
        equals(&client, &lake, table).await?;
        let changes = counts_up(&lake, table).await?;
        eprintln!("{table}: {changes} changes");
    }
    // A mirror that has everything copies nothing again.
    let before = ask(&lake, "select count(*) from public.killed1_changes").await?;
    let (output, said) = ended(mirror(&servers, "later", &lake, &["--once"])?).await?;
    ensure!(output.status.success(), "{said}");
    ensure!(ask(&lake, "select count(*) from public.killed1_changes").await? == before);
    Ok(())
}

/// What a lake missed is told with what mends it, and a table that is empty by the next copy is empty in the lake.
#[tokio::test]
async fn what_was_missed_is_copied_anew() -> Result<()> {
    let servers: Arc<Servers> = shared().await?;
    let folder = TempDir::new()?;
    let lake = folder.path().join("lake");
    servers.postgres.create_database("missed").await?;
    let client = servers.postgres.connect("missed").await?;
    for table in ["emptied", "kept"] {
        client.batch_execute(&make(table, 100)).await?;
    }
    let once = async |more: &[&str]| {
        let more: Vec<&str> = ["--once"].iter().chain(more).copied().collect();
        ended(mirror(&servers, "missed", &lake, &more)?).await
    };
    let (output, said) = once(&[]).await?;
    ensure!(output.status.success(), "{said}");
    let name = first_column(&client, "select pubname from pg_publication").await?;
    let name = name.first().context("no publication")?;

    // A slot that is gone.
    client
        .batch_execute(&format!("select pg_drop_replication_slot('{name}')"))
        .await?;
    client
        .batch_execute("delete from emptied; update kept set n = n + 1 where id < 50")
        .await?;
    let (output, said) = once(&[]).await?;
    ensure!(
        !output.status.success() && said.contains("--snapshot when_needed"),
        "{said}"
    );
    ensure!(!said.contains("offsets"), "{said}");
    let (output, said) = once(&["--snapshot", "when_needed"]).await?;
    ensure!(output.status.success(), "{said}");
    for table in ["emptied", "kept"] {
        equals(&client, &lake, table).await?;
    }

    // A publication that is gone.
    client
        .batch_execute(&format!(
            "drop publication {name}; delete from kept where id < 10"
        ))
        .await?;
    let (output, said) = once(&[]).await?;
    let wanted = format!("create publication \"{name}\" for table");
    ensure!(!output.status.success() && said.contains(&wanted), "{said}");
    let sql = said
        .lines()
        .find_map(|line| line.strip_prefix("hint: ")?.split(';').next())
        .context("no hint")?;
    client.batch_execute(sql).await?;
    client
        .batch_execute("delete from kept where id > 90")
        .await?;
    let (output, said) = once(&[]).await?;
    ensure!(output.status.success(), "{said}");
    for table in ["emptied", "kept"] {
        equals(&client, &lake, table).await?;
    }
    Ok(())
}
