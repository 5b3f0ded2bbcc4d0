//! Databases that are wrong in one way each; what is told is pasted, and they are so no more.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stack::{Postgres, PostgresOptions};

use crate::ask::{ask, paste, run};

/// Nobody else has this password, so that it would be found wherever it is shown.
const PASSWORD: &str = "Quartz-9-Heron";

/// A database that is wrong in one way, and who looks at it.
struct Case {
    code: &'static str,
    setup: &'static str,
    /// The role with this password and REPLICATION, or the superuser.
    by: By,
    severity: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Superuser,
    /// It owns nothing.
    Reader,
    /// It has no REPLICATION.
    Weak,
}

const fn case(code: &'static str, severity: &'static str, by: By, setup: &'static str) -> Case {
    Case {
        code,
        setup,
        by,
        severity,
    }
}

const CASES: [Case; 21] = [
    case("no-key", "error", By::Superuser, "create table t (id int)"),
    case(
        "identity-nothing",
        "error",
        By::Superuser,
        "create table t (id int primary key); alter table t replica identity nothing",
    ),
    case(
        "identity-misses-key",
        "error",
        By::Superuser,
        "create table t (id int primary key, code text not null); create unique index by_code on t (code);
         alter table t replica identity using index by_code",
    ),
    case(
        "toast-unsent",
        "note",
        By::Superuser,
        "create table t (id int primary key, body text); alter table t alter body set storage external;
         insert into t values (1, repeat('x', 100000))",
    ),
    case(
        "unlogged",
        "warning",
        By::Superuser,
        "create table t (id int primary key); create unlogged table \"Un logged\" (id int primary key)",
    ),
    case(
        "numeric-without-scale",
        "note",
        By::Superuser,
        "create table t (id int primary key, \"a price\" numeric)",
    ),
    case(
        "no-select",
        "error",
        By::Reader,
        "create schema s; create table s.t (id int primary key)",
    ),
    case(
        "row-security",
        "error",
        By::Reader,
        "create table t (id int primary key); grant select on t to reader; alter table t enable row level security",
    ),
    case(
        "no-replication-right",
        "error",
        By::Weak,
        "create table t (id int primary key); grant select on t to weak",
    ),
    case(
        "no-create-right",
        "error",
        By::Reader,
        "create table t (id int primary key); grant select on t to reader",
    ),
    case(
        "not-owner",
        "error",
        By::Reader,
        "create table t (id int primary key); grant select on t to reader",
    ),
    case(
        "sessions-unseen",
        "note",
        By::Reader,
        "create table t (id int primary key); grant select on t to reader",
    ),
    case(
        "publication-of-all-tables",
        "error",
        By::Superuser,
        "create table t (id int primary key); create publication doc for all tables",
    ),
    case(
        "publication-lacks-tables",
        "warning",
        By::Reader,
        "create table t (id int primary key); create table u (id int primary key); grant select on t, u to reader;
         create publication doc for table t",
    ),
    case(
        "publication-not-via-root",
        "warning",
        By::Superuser,
        "create table t (id int primary key) partition by range (id); create table t1 partition of t default;
         create publication doc for table t",
    ),
    case(
        "publication-row-filter",
        "error",
        By::Superuser,
        "create table t (id int primary key); create publication doc for table t where (id > 5)",
    ),
    case(
        "publication-column-list",
        "error",
        By::Superuser,
        "create table t (id int primary key, x text); create publication doc for table t (id)",
    ),
    case(
        "publication-lacks-operations",
        "error",
        By::Superuser,
        "create table t (id int primary key); create publication doc for table t with (publish = 'insert, update')",
    ),
    case(
        "slot-other-plugin",
        "error",
        By::Superuser,
        "create table t (id int primary key); select pg_create_logical_replication_slot('doc', 'test_decoding')",
    ),
    case(
        "slot-other-database",
        "error",
        By::Superuser,
        "create table t (id int primary key)",
    ),
    case(
        "prepared-transaction",
        "warning",
        By::Superuser,
        "create table t (id int primary key); begin; insert into t values (1); prepare transaction 'it''s mine'",
    ),
];

/// Every finding is told in its own database; who pastes what mends it has no such finding any more.
#[tokio::test]
async fn each_wrong_database_is_mended_by_what_is_pasted() -> Result<()> {
    let postgres = server().await?;
    for (number, case) in CASES.iter().enumerate() {
        let name = format!("wrong_{number}");
        told_and_mended(&postgres, &name, case)
            .await
            .with_context(|| format!("{} in {name}", case.code))?;
    }
    Ok(())
}

async fn server() -> Result<Postgres> {
    let settings = [
        ("max_slot_wal_keep_size", "10GB"),
        ("max_prepared_transactions", "10"),
    ];
    let options = PostgresOptions {
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..PostgresOptions::default()
    };
    let postgres = Postgres::start_with(options).await?;
    for (role, more) in [("reader", "replication"), ("weak", "")] {
        let sql = format!("create role {role} login password '{PASSWORD}' {more}");
        postgres.execute("postgres", &sql).await?;
    }
    Ok(postgres)
}

fn dsn(postgres: &Postgres, database: &str, by: By) -> String {
    let role = match by {
        By::Superuser => return postgres.dsn(database),
        By::Reader => "reader",
        By::Weak => "weak",
    };
    format!(
        "postgresql://{role}:{PASSWORD}@127.0.0.1:{}/{database}",
        postgres.port()
    )
}

async fn told_and_mended(postgres: &Postgres, database: &str, case: &Case) -> Result<()> {
    postgres.create_database(database).await?;
    let setup: Vec<String> = vec![format!("{};", case.setup)];
    paste(postgres, database, &setup).await?;
    if case.code == "slot-other-database" {
        let slot = "select pg_create_logical_replication_slot('doc', 'pgoutput')";
        postgres.execute("postgres", slot).await?;
    }
    let dsn = dsn(postgres, database, case.by);
    let arguments = [
        "--from",
        dsn.as_str(),
        "--slot",
        "doc",
        "--long-transaction",
        "1ms",
    ];
    let answer = ask(&arguments).await?;
    ensure!(
        answer.severity(case.code) == case.severity,
        "{}",
        answer.text
    );
    let wanted = i32::from(
        answer
            .codes()
            .iter()
            .any(|code| answer.severity(code) != "note"),
    );
    ensure!(answer.code == wanted, "{}", answer.text);
    let screen = run(&arguments, &[]).await?;
    ensure!(screen.1.contains(&format!("[{}]", case.code)), "{screen:?}");
    for text in [&answer.text, &screen.1, &screen.2] {
        ensure!(!text.contains(PASSWORD), "a password is shown: {text}");
    }
    let sql = answer.remedy(case.code, "sql")?;
    let place = if case.code == "slot-other-database" {
        "postgres"
    } else {
        database
    };
    paste(postgres, place, &sql).await?;
    let after = ask(&arguments).await?;
    ensure!(
        after.finding(case.code).is_none(),
        "after {sql:?}: {}",
        after.text
    );
    Ok(())
}

#[tokio::test]
async fn a_healthy_database_has_no_findings() -> Result<()> {
    let postgres = server().await?;
    postgres.create_database("healthy").await?;
    let setup = "create table t (id int primary key, name text, price numeric(10, 2), at timestamptz);
        insert into t values (1, 'one', 1.5, now());
        create table p (id int primary key) partition by range (id); create table p1 partition of p default;";
    postgres.execute("healthy", setup).await?;
    let dsn = postgres.dsn("healthy");
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake").display().to_string();
    let arguments = [
        "--from",
        dsn.as_str(),
        "--to",
        lake.as_str(),
        "--slot",
        "doc",
    ];
    let answer = ask(&arguments).await?;
    ensure!(
        answer.code == 0 && answer.codes().is_empty(),
        "{}",
        answer.text
    );
    let left = std::fs::read_dir(folder.path())?.count();
    ensure!(left == 0, "something was made where the lake will be");
    let made = "select (select count(*) from pg_publication) + (select count(*) from pg_replication_slots)";
    let made = postgres.query("healthy", made).await?;
    ensure!(
        made == [[Some("0".to_owned())]],
        "something was made: {made:?}"
    );
    let screen = run(&arguments, &[]).await?;
    ensure!(screen.1.contains("nothing is in the way"), "{screen:?}");
    Ok(())
}

/// What no SQL mends is told with the property or the flag that does.
#[tokio::test]
async fn what_cannot_be_mended_there_is_told() -> Result<()> {
    let postgres = server().await?;
    postgres.create_database("odd").await?;
    let setup = "create table t (id int primary key, \"A\" int, a int, g int generated always as (id * 2) stored,
            v tsvector, c point);
        create table \"T\" (id int primary key); create table other (id int primary key);
        create foreign data wrapper w; create server s foreign data wrapper w; create foreign table f (id int) server s;";
    postgres.execute("odd", setup).await?;
    let dsn = postgres.dsn("odd");
    let arguments = ["--from", dsn.as_str(), "--slot", "doc"];
    let answer = ask(&arguments).await?;
    for (code, severity) in [
        ("columns-alike", "note"),
        ("tables-alike", "note"),
        ("generated-column", "note"),
        ("type-left-out", "warning"),
        ("foreign-table", "note"),
    ] {
        ensure!(answer.severity(code) == severity, "{code}: {}", answer.text);
    }
    let without = [&arguments[..], &["--exclude", "public.f,public.t"]].concat();
    let answer = ask(&without).await?;
    ensure!(answer.codes().is_empty(), "{}", answer.text);
    Ok(())
}

/// Who holds a slot back is told, and ending it as told ends it.
#[tokio::test]
async fn an_open_transaction_is_told_and_ended_by_what_is_pasted() -> Result<()> {
    let postgres = server().await?;
    postgres.create_database("held").await?;
    let sql = "create table t (id int primary key)";
    postgres.execute("held", sql).await?;
    let client = postgres.connect("held").await?;
    client
        .batch_execute("begin; insert into t values (1)")
        .await?;
    let dsn = postgres.dsn("held");
    let arguments = [
        "--from",
        dsn.as_str(),
        "--slot",
        "doc",
        "--long-transaction",
        "10ms",
    ];
    let answer = ask(&arguments).await?;
    ensure!(
        answer.severity("long-transaction") == "warning",
        "{}",
        answer.text
    );
    paste(
        &postgres,
        "held",
        &answer.remedy("long-transaction", "sql")?,
    )
    .await?;
    stack::until("the session's end", Duration::from_secs(30), async || {
        let answer = ask(&arguments).await?;
        Ok(answer.finding("long-transaction").is_none().then_some(()))
    })
    .await
}
