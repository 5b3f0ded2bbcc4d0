//! Proves: whoever waits says soon for what and on which host; what no retry can mend is told at once and ends; what
//! matches nothing is told with what there is.
//! Steps: addresses that are none, where nothing listens, where something listens and never answers, and where a password is asked for;
//! then real servers that lack what is asked of them.
//! Requires: PostgreSQL, Kafka, MinIO.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use stack::{Kafka, Minio, Postgres, Process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Far more than the two seconds that it may take, far less than what the waits themselves allow: on a busy machine.
const SOON: Duration = Duration::from_secs(9);
const PATIENCE: Duration = Duration::from_secs(90);

/// `tributary` in a folder of its own, with no settings of anybody's.
fn tributary(folder: &TempDir, words: &[&str]) -> Result<Command> {
    let mut command = stack::tributary()?;
    command
        .args(words)
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder.path())
        .stdin(Stdio::null());
    Ok(command)
}

/// What a command says that must end by itself.
async fn ends(command: Command) -> Result<(Output, String)> {
    let shown = format!("{command:?}");
    let run = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SOON, run)
        .await
        .with_context(|| format!("{shown} has not ended after {SOON:?}"))??;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((output, said))
}

/// A listener that takes connections, answers the first bytes of each with `answers` in turn, and then says nothing.
async fn listener(answers: &'static [&'static [u8]]) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; 512];
                for answer in answers {
                    let _some = stream.read(&mut bytes).await?;
                    stream.write_all(answer).await?;
                }
                while stream.read(&mut bytes).await? > 0 {}
                std::io::Result::Ok(())
            });
        }
    });
    Ok(port)
}

#[tokio::test]
async fn who_waits_says_for_what() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let nobody = format!("127.0.0.1:{}", stack::free_port()?);
    let listen = || Ok::<_, anyhow::Error>(format!("127.0.0.1:{}", stack::free_port()?));
    let silent = listener(&[]).await?;
    let (s3, dsn) = (
        format!("http://127.0.0.1:{silent}"),
        format!("postgresql://u:p@127.0.0.1:{silent}/d?sslmode=disable"),
    );
    let (cdc, lakewriter, lake) = (listen()?, listen()?, listen()?);
    for (words, environment, said) in [
        (
            &["cdc", "--bootstrap-servers", &nobody, "--listen", &cdc][..],
            vec![],
            format!("waiting for Kafka at `{nobody}`"),
        ),
        (
            &[
                "lakewriter",
                "--lake",
                "lake",
                "--bootstrap-servers",
                &nobody,
                "--listen",
                &lakewriter,
            ],
            vec![],
            format!("waiting for Kafka at `{nobody}`"),
        ),
        (
            &["lakewriter", "--lake", "s3://lake", "--listen", &lake],
            vec![
                ("TRIBUTARY_LAKE__ENDPOINT", s3.as_str()),
                ("TRIBUTARY_LAKE__ACCESS_KEY_ID", "a"),
                ("TRIBUTARY_LAKE__SECRET_ACCESS_KEY", "b"),
            ],
            format!("waiting for the lake at `s3://lake` on `{s3}`"),
        ),
        (
            &["generate", "--dsn", &dsn],
            vec![],
            format!("waiting for PostgreSQL at `127.0.0.1` port {silent}"),
        ),
    ] {
        let mut command = tributary(&folder, words)?;
        command.envs(environment);
        let mut process = Process::spawn(words[0], command)?;
        process.wait_for_line(&said, SOON).await?;
        let output = process.output()?;
        ensure!(
            output.lines().all(|line| line.starts_with("20")),
            "a line that does not begin with a time:\n{output}"
        );
    }
    Ok(())
}

/// A list of brokers that can never be one ends the command; one that may come to be right is told with the setting that it
/// came from, and the command goes on trying.
#[tokio::test]
async fn a_wrong_address_of_kafka_is_told_as_what_it_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let words = |command: &'static str| match command {
        "lakewriter" => vec!["lakewriter", "--lake", "lake", "--listen", "127.0.0.1:0"],
        _ => vec![command, "--listen", "127.0.0.1:0"],
    };
    for command in ["cdc", "lakewriter"] {
        for (brokers, told) in [
            ("kafka", "`kafka` has no port"),
            ("http://kafka:9092", "`http://kafka:9092` is a URL"),
            ("kafka:banana", "`banana` of `kafka:banana` is not a port"),
        ] {
            let mut by_flag = words(command);
            by_flag.extend(["--bootstrap-servers", brokers]);
            let by_flag = tributary(&folder, &by_flag)?;
            let mut by_variable = tributary(&folder, &words(command))?;
            by_variable.env("TRIBUTARY_KAFKA__BOOTSTRAP_SERVERS", brokers);
            for (run, origin) in [
                (by_flag, "flag"),
                (by_variable, "TRIBUTARY_KAFKA__BOOTSTRAP_SERVERS"),
            ] {
                let (output, said) = ends(run).await?;
                let named = format!("kafka.bootstrap_servers = `{brokers}` ({origin}): ");
                ensure!(
                    output.status.code() == Some(2) && said.contains(&named) && said.contains(told),
                    "{said}"
                );
            }
        }
        let nobody = format!("127.0.0.1:{}", stack::free_port()?);
        for (brokers, told) in [
            ("kafka.invalid:9092", "`kafka.invalid:9092`".to_owned()),
            (&nobody, format!("nothing listens at `{nobody}`")),
        ] {
            let mut run = tributary(&folder, &words(command))?;
            run.env("TRIBUTARY_KAFKA__BOOTSTRAP_SERVERS", brokers);
            let mut process = Process::spawn(command, run)?;
            let line = process
                .wait_for_line("no broker of kafka.bootstrap_servers", SOON)
                .await?;
            ensure!(
                line.contains("(TRIBUTARY_KAFKA__BOOTSTRAP_SERVERS)") && line.contains(&told),
                "{line}"
            );
            ensure!(process.status()?.is_none(), "{}", process.output()?);
        }
    }
    // What Kafka Connect's images call it.
    let mut run = tributary(&folder, &words("cdc"))?;
    run.env("BOOTSTRAP_SERVERS", "kafka");
    let (output, said) = ends(run).await?;
    ensure!(
        output.status.code() == Some(2)
            && said.contains("kafka.bootstrap_servers = `kafka` (bootstrap.servers)"),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn what_no_retry_mends_is_told_at_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // AuthenticationSASL with one mechanism.
    let asks = listener(&[b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"]).await?;
    let dsn = format!("postgresql://u@127.0.0.1:{asks}/d?sslmode=disable");
    let (output, said) = ends(tributary(&folder, &["generate", "--dsn", &dsn])?).await?;
    ensure!(
        !output.status.success() && said.contains("generator.password"),
        "{said}"
    );

    for endpoint in [None, Some("http://127.0.0.1:9")] {
        let mut command = tributary(&folder, &["sql", "--lake", "s3://lake", "select 1"])?;
        command.envs(endpoint.map(|it| ("TRIBUTARY_LAKE__ENDPOINT", it)));
        let (output, said) = ends(command).await?;
        ensure!(
            output.status.code() == Some(2) && said.contains("lake.secret_access_key"),
            "{said}"
        );
    }

    let mut command = tributary(&folder, &["config"])?;
    command.env("TRIBUTARY_LAKEWRITER__FRESHNESS", "banana");
    let (output, said) = ends(command).await?;
    ensure!(
        output.status.code() == Some(2) && said.contains("lakewriter.freshness = `banana`"),
        "{said}"
    );
    let mut command = tributary(&folder, &["config"])?;
    command.env("TRIBUTARY_LAKE_URL", "s3://mine");
    let (output, said) = ends(command).await?;
    ensure!(
        output.status.success() && said.contains("did you mean TRIBUTARY_LAKE__URL?"),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_with_its_remedy() -> Result<()> {
    let (folder, minio) = (tempfile::tempdir()?, Minio::start(&["lake"]).await?);
    let mut command = tributary(&folder, &["sql", "--lake", "s3://lakes", "select 1"])?;
    command
        .env("TRIBUTARY_LAKE__ENDPOINT", minio.endpoint())
        .env("TRIBUTARY_LAKE__ACCESS_KEY_ID", minio.access_key())
        .env("TRIBUTARY_LAKE__SECRET_ACCESS_KEY", minio.secret_key());
    let (output, said) = ends(command).await?;
    ensure!(
        output.status.code() == Some(2)
            && said.contains("there is no bucket `lakes`")
            && said.contains("tributary bucket create")
            && !said.contains('<'),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn patterns_that_match_nothing_are_told_with_what_there_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start())?;
    postgres.create_database("shop").await?;
    postgres
        .execute("shop", "create table orders(id int primary key)")
        .await?;
    kafka.create_topic("shop.public.orders", 1).await?;
    let listen = format!("127.0.0.1:{}", stack::free_port()?);
    let words = [
        "lakewriter",
        "--lake",
        "lake",
        "--bootstrap-servers",
        &kafka.bootstrap(),
        "--topics",
        "shop\\.orders",
        "--listen",
        &listen,
    ];
    let mut writer = Process::spawn("lakewriter", tributary(&folder, &words)?)?;
    let line = writer.wait_for_line("no topic matches", PATIENCE).await?;
    ensure!(
        line.contains("shop\\.orders") && line.contains("shop.public.orders"),
        "{line}"
    );

    let connector = json!({"name": "shop", "config": {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": "127.0.0.1",
        "database.port": postgres.port().to_string(),
        "database.user": postgres.user(),
        "database.password": postgres.password(),
        "database.dbname": "shop",
        "topic.prefix": "shop",
        "table.include.list": "public.orders,public.oders",
    }});
    let connectors = folder.path().join("connectors");
    std::fs::create_dir(&connectors)?;
    std::fs::write(connectors.join("shop.json"), connector.to_string())?;
    let listen = format!("127.0.0.1:{}", stack::free_port()?);
    let words = [
        "cdc",
        "--bootstrap-servers",
        &kafka.bootstrap(),
        "--connectors",
        "connectors",
        "--listen",
        &listen,
    ];
    let mut cdc = Process::spawn("cdc", tributary(&folder, &words)?)?;
    let line = cdc.wait_for_line("no table matches", PATIENCE).await?;
    ensure!(
        line.contains("`public.oders` of table.include.list") && line.contains("public.orders"),
        "{line}"
    );
    Ok(())
}
