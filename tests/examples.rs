//! The examples that need a server do what their first lines say.

#[path = "../crates/postgres-tls/examples/connect.rs"]
#[allow(dead_code, reason = "its `main` is for the command line")]
mod connect;
#[path = "../examples/mirror.rs"]
#[allow(dead_code, reason = "its `main` is for the command line")]
mod mirror;
#[path = "../console/examples/query.rs"]
#[allow(dead_code, reason = "its `main` is for the command line")]
mod query;

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use stack::{Postgres, until};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_says_who_it_is() -> Result<()> {
    let postgres = Postgres::start().await?;
    let text = format!(
        "host='{}' port={} user={} dbname=postgres",
        postgres.socket_dir().display(),
        postgres.port(),
        postgres.user()
    );
    let (_, version) = connect::run(&text)
        .await
        .map_err(|error| anyhow!("{error}"))?;
    assert!(version.starts_with("PostgreSQL "), "{version}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_mirrored_into_a_folder() -> Result<()> {
    let postgres = Postgres::start().await?;
    let client = postgres.connect("postgres").await?;
    let made = "create table notes (id int primary key, text text); insert into notes values (1, 'before')";
    client.batch_execute(made).await?;
    let folder = tempfile::tempdir()?;
    let lake = folder
        .path()
        .to_str()
        .context("a path in UTF-8")?
        .to_owned();
    let connection = [
        format!("database.hostname={}", postgres.socket_dir().display()),
        format!("database.port={}", postgres.port()),
        format!("database.user={}", postgres.user()),
        "database.dbname=postgres".to_owned(),
    ];
    let stop = CancellationToken::new();
    let mirror = tokio::spawn({
        let (lake, stop) = (lake.clone(), stop.clone());
        async move { mirror::run((&lake, "public.notes"), &connection, stop).await }
    });
    let shows = async |expected: &str| {
        until(expected, Duration::from_secs(60), async || {
            let rows = query::run(&lake, "select id, text from public.notes order by id").await;
            let rows = rows.map_err(|error| anyhow!("{error}"))?;
            Ok((rows == expected).then_some(()))
        })
        .await
    };
    shows("id,text\n1,before\n").await?;
    let changed =
        "insert into notes values (2, 'after'); update notes set text = 'changed' where id = 1";
    client.batch_execute(changed).await?;
    shows("id,text\n1,changed\n2,after\n").await?;
    stop.cancel();
    mirror.await?
}
