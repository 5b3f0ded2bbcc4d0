//! Servers whose settings stand in the way, slots that run out, and servers of every version that are well.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stack::{Postgres, PostgresOptions, PostgresVersion};

use crate::ask::{ask, paste};

async fn started(settings: &[(&str, &str)]) -> Result<Postgres> {
    let options = PostgresOptions {
        settings: settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..PostgresOptions::default()
    };
    Postgres::start_with(options).await
}

const TABLE: &str = "create table t (id int primary key, x text)";

/// Settings of a whole server, mended by what is pasted and a restart.
#[tokio::test]
async fn a_server_that_is_set_wrong_is_mended_by_what_is_pasted() -> Result<()> {
    for (code, severity, settings, sql) in [
        (
            "wal-level",
            "error",
            [("wal_level", "replica"), ("max_wal_senders", "10")],
            TABLE,
        ),
        (
            "slots-full",
            "warning",
            [("max_replication_slots", "1"), ("max_wal_senders", "10")],
            "create table t (id int primary key); select pg_create_physical_replication_slot('other')",
        ),
        (
            "no-slots",
            "error",
            [("max_replication_slots", "10"), ("max_wal_senders", "0")],
            TABLE,
        ),
        (
            "no-slot-limit",
            "note",
            [("max_replication_slots", "10"), ("max_wal_senders", "10")],
            TABLE,
        ),
    ] {
        let postgres = started(&settings).await?;
        let client = postgres.connect("postgres").await?;
        client.batch_execute(sql).await?;
        let dsn = postgres.dsn("postgres");
        let arguments = ["--from", dsn.as_str(), "--slot", "doc"];
        let answer = ask(&arguments).await?;
        ensure!(answer.severity(code) == severity, "{code}: {}", answer.text);
        let pasted = answer.remedy(code, "sql")?;
        // What the test's server has on its command line goes over what ALTER SYSTEM writes.
        drop(client);
        paste(&postgres, "postgres", &pasted).await?;
        let after = ask(&arguments).await?;
        ensure!(after.finding(code).is_none(), "{pasted:?}: {}", after.text);
    }
    Ok(())
}

/// A slot that nobody reads is told of before it is lost, and after.
#[tokio::test]
async fn a_slot_that_runs_out_is_told_and_one_that_is_lost_is_mended() -> Result<()> {
    let postgres = started(&[
        ("max_slot_wal_keep_size", "64MB"),
        ("min_wal_size", "32MB"),
        ("max_wal_size", "32MB"),
    ])
    .await?;
    let client = postgres.connect("postgres").await?;
    client.batch_execute(TABLE).await?;
    client
        .batch_execute("select pg_create_logical_replication_slot('doc', 'pgoutput')")
        .await?;
    let dsn = postgres.dsn("postgres");
    let arguments = ["--from", dsn.as_str(), "--slot", "doc", "--measure", "1s"];

    let writer = postgres.connect("postgres").await?;
    let writing = tokio::spawn(async move {
        while writer
            .batch_execute("select pg_logical_emit_message(false, 'x', repeat('x', 100000)) from generate_series(1, 2)")
            .await
            .is_ok()
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let warned = stack::until("a warning", Duration::from_secs(60), async || {
        let answer = ask(&arguments).await?;
        Ok(answer.finding("slot-runs-out").is_some().then_some(answer))
    })
    .await?;
    ensure!(
        warned.severity("slot-runs-out") == "warning",
        "{}",
        warned.text
    );
    writing.abort();
    let more = warned.remedy("slot-runs-out", "sql")?;
    let raised = more.first().context("a line")?;
    ensure!(
        raised.contains("max_slot_wal_keep_size = '2048MB'"),
        "{raised}"
    );

    let lost = stack::until("a lost slot", Duration::from_secs(90), async || {
        client
            .batch_execute("select pg_logical_emit_message(false, 'x', repeat('x', 1000000)) from generate_series(1, 40)")
            .await?;
        client.batch_execute("select pg_switch_wal()").await?;
        client.batch_execute("checkpoint").await?;
        let answer = ask(&arguments).await?;
        Ok(answer.finding("slot-lost").is_some().then_some(answer))
    })
    .await?;
    ensure!(
        lost.severity("slot-lost") == "error" && lost.code == 1,
        "{}",
        lost.text
    );
    paste(&postgres, "postgres", &lost.remedy("slot-lost", "sql")?).await?;
    let after = ask(&arguments).await?;
    ensure!(after.finding("slot-lost").is_none(), "{}", after.text);
    Ok(())
}

/// The server lets the role in, and has no place for another reader.
#[tokio::test]
async fn walsenders_that_are_all_in_use_are_told() -> Result<()> {
    let postgres = started(&[("max_wal_senders", "1")]).await?;
    postgres.execute("postgres", TABLE).await?;
    let slot = "select pg_create_physical_replication_slot('held')";
    postgres.execute("postgres", slot).await?;
    let psql = stack::psql().await?;
    let mut command = std::process::Command::new(psql);
    // A session that may replicate takes a walsender for as long as it is open.
    command
        .arg("-d")
        .arg(format!("{}?replication=database", postgres.dsn("postgres")))
        .args(["-c", "select pg_sleep(600)"]);
    let mut holder = stack::Process::spawn("psql", command)?;
    let dsn = postgres.dsn("postgres");
    let arguments = ["--from", dsn.as_str(), "--slot", "doc"];
    let answer = stack::until("the walsender", Duration::from_secs(30), async || {
        let answer = ask(&arguments).await?;
        Ok(answer
            .finding("walsenders-full")
            .is_some()
            .then_some(answer))
    })
    .await?;
    ensure!(
        answer.severity("walsenders-full") == "warning",
        "{}",
        answer.text
    );
    paste(
        &postgres,
        "postgres",
        &answer.remedy("walsenders-full", "sql")?,
    )
    .await?;
    holder.kill9()?;
    let after = ask(&arguments).await?;
    ensure!(after.finding("walsenders-full").is_none(), "{}", after.text);
    Ok(())
}

/// Every version of the server answers every question.
#[tokio::test]
async fn a_healthy_server_of_each_version_has_no_findings() -> Result<()> {
    for version in [
        PostgresVersion::V14,
        PostgresVersion::V16,
        PostgresVersion::V17,
        PostgresVersion::V18,
    ] {
        let postgres = Postgres::start_with(PostgresOptions {
            version: Some(version),
            max_slot_wal_keep_size: Some("1GB".to_owned()),
            ..PostgresOptions::default()
        })
        .await?;
        for sql in [
            TABLE,
            "create publication doc for table t with (publish_via_partition_root = true)",
            "select pg_create_logical_replication_slot('doc', 'pgoutput')",
        ] {
            postgres.execute("postgres", sql).await?;
        }
        let dsn = postgres.dsn("postgres");
        let answer = ask(&["--from", &dsn, "--slot", "doc"]).await?;
        ensure!(
            answer.code == 0 && answer.codes().is_empty(),
            "{version:?}: {}",
            answer.text
        );
    }
    Ok(())
}

/// Nobody there, a wrong password: what was asked for cannot be looked at, and the rest is.
#[tokio::test]
async fn a_database_that_cannot_be_looked_at_is_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().display().to_string();
    let from = "postgresql://me:Quartz-9-Heron@127.0.0.1:1/shop";
    let answer = ask(&["--from", from, "--to", &lake, "--slot", "doc"]).await?;
    ensure!(
        answer.code == 2 && answer.codes() == ["database-unreachable"],
        "{}",
        answer.text
    );
    ensure!(answer.text.contains("can be written"), "{}", answer.text);
    ensure!(!answer.text.contains("Quartz"), "{}", answer.text);
    Ok(())
}
