//! Proves: `tributary status` tells what runs, what is failed and what cannot be reached, by its words and its exit code.
//! Steps: a connector and a lake's writer that run; a connector that fails; a writer that is gone; a screen that is watched.
//! Requires: PostgreSQL, Kafka.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::{Kafka, Postgres, Process, free_port, request, until};

const PATIENCE: Duration = Duration::from_secs(90);

struct Place<'a> {
    folder: &'a Path,
}

impl Place<'_> {
    fn tributary(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = stack::tributary()?;
        command.args(arguments).current_dir(self.folder);
        Ok(command)
    }

    /// Exit code, standard output.
    async fn status(&self, arguments: &[&str]) -> Result<(i32, String)> {
        let command = self.tributary(&[&["status"], arguments].concat())?;
        let output = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, output).await??;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr);
        Ok((output.status.code().context("killed")?, text + &said))
    }

    async fn document(&self, arguments: &[&str]) -> Result<(i32, Value)> {
        let (code, text) = self.status(&[arguments, &["--json"]].concat()).await?;
        let document = serde_json::from_str(text.lines().next().unwrap_or_default());
        Ok((code, document.context(text)?))
    }
}

fn connector(postgres: &Postgres, name: &str) -> Value {
    json!({
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": "127.0.0.1", "database.port": postgres.port().to_string(),
        "database.user": postgres.user(), "database.password": postgres.password(),
        "database.dbname": "postgres", "topic.prefix": name, "slot.name": name,
        "publication.name": name, "publication.autocreate.mode": "filtered",
    })
}

#[tokio::test]
async fn what_runs_what_fails_and_what_is_not_there_is_told() -> Result<()> {
    let (postgres, kafka) = tokio::try_join!(Postgres::start(), Kafka::start())?;
    for sql in [
        "create table orders (id int primary key)",
        "insert into orders select generate_series(1, 7)",
        "select pg_create_logical_replication_slot('foreign', 'test_decoding')",
    ] {
        postgres.execute("postgres", sql).await?;
    }
    let folder = tempfile::tempdir()?;
    let place = Place {
        folder: folder.path(),
    };
    let (code, text) = place.status(&[]).await?;
    ensure!(
        code == 2 && text.matches("cannot be reached").count() == 2,
        "{code} {text}"
    );

    let (cdc_port, writer_port) = (free_port()?, free_port()?);
    let settings = format!(
        "[kafka]\nbootstrap_servers = \"{}\"\n[cdc]\nlisten = \"127.0.0.1:{cdc_port}\"\n[lakewriter]\nlisten = \"127.0.0.1:{writer_port}\"\ntopics = \"shop\\\\..*\"\n[lake]\nurl = \"lake\"\n",
        kafka.bootstrap()
    );
    std::fs::write(folder.path().join("tributary.toml"), settings)?;
    let mut cdc = Process::spawn("tributary cdc", place.tributary(&["cdc"])?)?;
    let url = format!("http://127.0.0.1:{cdc_port}");
    cdc.wait_for_http(&format!("{url}/readyz"), PATIENCE)
        .await?;
    let config = connector(&postgres, "shop").to_string();
    let answer = request(
        "PUT",
        &format!("{url}/connectors/shop/config"),
        Some(&config),
    )
    .await?;
    ensure!(answer.status == 201, "{answer:?}");
    let mut writer = Process::spawn("tributary lakewriter", place.tributary(&["lakewriter"])?)?;
    let bootstrap = kafka.bootstrap();

    let seen = until("rows in the lake", PATIENCE, async || {
        let (code, seen) = place.document(&["--kafka", &bootstrap]).await?;
        let changes = seen["lake"]["reached"]["tables"][0]["changes"].as_u64();
        ensure!(code == 0, "{code} {seen}");
        Ok(changes.filter(|changes| *changes >= 7).map(|_| seen))
    })
    .await?;
    let shop = &seen["services"][0]["connectors"][0];
    ensure!(
        shop["name"] == "shop" && shop["state"] == "RUNNING",
        "{seen}"
    );
    ensure!(
        shop["events"].as_u64() >= Some(7) && shop["lag_bytes"].is_u64(),
        "{seen}"
    );
    let lakewriter = &seen["services"][1]["lakewriter"];
    ensure!(lakewriter["rows"].as_u64() >= Some(7), "{seen}");
    ensure!(lakewriter["dead_letters"] == 0, "{seen}");
    let table = &seen["lake"]["reached"]["tables"][0];
    ensure!(
        table["name"] == "public.orders" && table["last_commit_seconds"].is_number(),
        "{seen}"
    );
    ensure!(seen["kafka"]["reached"].is_array(), "{seen}");
    let (_, screen) = place.status(&[]).await?;
    for words in [
        "shop",
        "RUNNING",
        "public.orders",
        "7 changes",
        "nothing is failed",
    ] {
        ensure!(screen.contains(words), "{words}: {screen}");
    }

    // The slot is another plugin's.
    let config = connector(&postgres, "foreign").to_string();
    let answer = request(
        "PUT",
        &format!("{url}/connectors/foreign/config"),
        Some(&config),
    )
    .await?;
    ensure!(answer.status == 201, "{answer:?}");
    until("the failure", PATIENCE, async || {
        let (code, seen) = place.document(&[]).await?;
        Ok((code == 1 && seen["failed"] == json!(["connector foreign"])).then_some(()))
    })
    .await?;
    let (_, screen) = place.status(&[]).await?;
    ensure!(screen.contains("FAILED: connector foreign"), "{screen}");
    ensure!(
        screen.contains("foreign") && screen.contains("test_decoding"),
        "{screen}"
    );

    writer.kill9()?;
    let mut watched = Process::spawn(
        "tributary status",
        place.tributary(&["status", "--watch", "--json"])?,
    )?;
    until("two looks", PATIENCE, async || {
        let output = watched.output()?;
        Ok((output.lines().count() >= 2).then_some(()))
    })
    .await?;
    let output = watched.output()?;
    let seen: Value = serde_json::from_str(output.lines().next().unwrap_or_default())?;
    ensure!(seen["services"][1]["unreached"].is_string(), "{seen}");
    watched.interrupt()?;
    let status = watched.wait(PATIENCE).await?;
    ensure!(status.code() == Some(1), "{status}");
    Ok(())
}
