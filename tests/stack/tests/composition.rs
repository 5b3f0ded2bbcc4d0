//! The servers of docker-compose.yml start natively from their own lines, and the file means what Docker's own reader
//! takes it for. (Our services need the binary `tributary`: see the tests of the whole project.)

use std::path::Path;

use anyhow::{Context, Result, ensure};
use stack::{ComposeFile, Composition, Lifetime, Ports};

fn compose_file() -> Result<ComposeFile> {
    ComposeFile::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docker-compose.yml"))
}

#[tokio::test]
async fn the_servers_start_and_start_again_from_their_own_lines() -> Result<()> {
    let mut file = compose_file()?;
    file.services
        .retain(|_, service| service.build.is_none() && service.depends_on.is_empty());
    let folder = tempfile::tempdir()?;

    let mut composition = Composition::start(
        &file,
        Ports::Free,
        folder.path(),
        Lifetime::Owned,
        |_: &str| {},
    )
    .await?;
    assert_eq!(
        composition.services().collect::<Vec<_>>(),
        ["kafka", "minio", "postgres"]
    );

    let port = composition.port("postgres", 5432)?;
    let dsn = format!("host=127.0.0.1 port={port} user=cdc password=cdc dbname=tributary");
    let (client, connection) = tokio_postgres::connect(&dsn, tokio_postgres::NoTls)
        .await
        .context("as role cdc")?;
    tokio::spawn(connection);
    let row = client
        .query_one(
            "select current_setting('wal_level'), pubname::text from pg_publication",
            &[],
        )
        .await?;
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, &str>(1)),
        ("logical", "dbz_publication")
    );
    client
        .query("select from users, tweets", &[])
        .await
        .context("the tables of db/")?;
    drop(client);

    composition.stop().await;
    let again = Composition::start(
        &file,
        Ports::Free,
        folder.path(),
        Lifetime::Owned,
        |_: &str| {},
    )
    .await?;
    for service in again.services() {
        let (pid, log) = again.process(service)?;
        ensure!(
            log.exists() && Path::new(&format!("/proc/{pid}")).exists(),
            "{service}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn docker_compose_reads_the_same_file() -> Result<()> {
    let file = compose_file()?;
    let output = tokio::process::Command::new(stack::docker_compose().await?)
        .args(["--file"])
        .arg(file.root.join("docker-compose.yml"))
        .args(["config"])
        .output()
        .await?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let theirs: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text)?;
    for (name, service) in &file.services {
        let command = theirs["services"][name.as_str()]["command"]
            .as_sequence()
            .cloned()
            .unwrap_or_default();
        let command: Vec<&str> = command.iter().filter_map(|word| word.as_str()).collect();
        // it prints what it would read again: a dollar sign doubled
        let ours: Vec<String> = service
            .command
            .iter()
            .map(|word| word.replace('$', "$$"))
            .collect();
        assert_eq!(command, ours, "command of {name}");
        for (variable, value) in &service.environment {
            let their = &theirs["services"][name.as_str()]["environment"][variable.as_str()];
            assert_eq!(
                their.as_str(),
                Some(value.replace('$', "$$").as_str()),
                "{variable} of {name}"
            );
        }
    }
    Ok(())
}
