use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stack::{Postgres, PostgresOptions, Process, until};

use crate::ask::{ask, paste};

const PATIENCE: Duration = Duration::from_secs(90);

/// While a mirror runs it is told who reads the slot, and that is no finding. What happens behind its back is one.
#[tokio::test]
async fn a_running_mirror_is_no_finding() -> Result<()> {
    let postgres = Postgres::start_with(PostgresOptions {
        max_slot_wal_keep_size: Some("1GB".to_owned()),
        ..PostgresOptions::default()
    })
    .await?;
    let sql = "create table t (id int primary key, x text); insert into t values (1, 'one')";
    postgres.execute("postgres", sql).await?;
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake").display().to_string();
    let dsn = postgres.dsn("postgres");
    let mut command = stack::tributary()?;
    command
        .args(["mirror", "--from", &dsn, "--to", &lake, "--slot", "doc"])
        .current_dir(folder.path());
    let mut mirror = Process::spawn("tributary mirror", command)?;
    let arguments = [
        "--from",
        dsn.as_str(),
        "--to",
        lake.as_str(),
        "--slot",
        "doc",
    ];
    let answer = until("the reader of the slot", PATIENCE, async || {
        let answer = ask(&arguments).await?;
        Ok(answer.text.contains("read by process").then_some(answer))
    })
    .await
    .with_context(|| mirror.output().unwrap_or_default())?;
    ensure!(
        answer.code == 0 && answer.codes().is_empty(),
        "{}",
        answer.text
    );
    ensure!(
        answer.text.contains("application tributary"),
        "{}",
        answer.text
    );

    let narrowed = "alter publication doc set (publish = 'insert')";
    postgres.execute("postgres", narrowed).await?;
    let answer = ask(&arguments).await?;
    ensure!(
        answer.codes() == ["publication-lacks-operations"],
        "{}",
        answer.text
    );
    let sql = answer.remedy("publication-lacks-operations", "sql")?;
    paste(&postgres, "postgres", &sql).await?;
    let answer = ask(&arguments).await?;
    ensure!(
        answer.code == 0 && answer.codes().is_empty(),
        "{}",
        answer.text
    );
    mirror.terminate()?;
    let status = mirror.wait(PATIENCE).await?;
    ensure!(status.success(), "{status}: {}", mirror.output()?);
    Ok(())
}
