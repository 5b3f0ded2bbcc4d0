//! A registry that refuses, is silent or talks nonsense: what the task's trace says, and that nothing is lost.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use cdc::{ErrorKind, registry::Registry};
use connector::{Registration, RegistryConfig, SubjectNameStrategy};
use serde_json::{Value, json};
use stack::{Apicurio, Kafka, Postgres, get, request, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{PATIENCE, worker::Worker};

/// A column that the subject's compatibility level does not allow stops the task with table, position and the registry's
/// words; when the level is lowered, the connector goes on where it stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incompatible_schema_stops_the_task_and_loses_nothing() -> Result<()> {
    let (kafka, postgres, registry) =
        tokio::try_join!(Kafka::start(), Postgres::start(), Apicurio::start())?;
    let worker = Worker::start(&kafka).await?;
    let rest = &worker.url;
    postgres
        .execute("postgres", "create table t(id int primary key)")
        .await?;
    let avro = "io.confluent.connect.avro.AvroConverter";
    let body = json!({"name": "strict", "config": {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": "127.0.0.1",
        "database.port": postgres.port().to_string(),
        "database.user": postgres.user(),
        "database.password": postgres.password(),
        "database.dbname": "postgres",
        "topic.prefix": "strict",
        "key.converter": avro,
        "key.converter.schema.registry.url": registry.url(),
        "value.converter": avro,
        "value.converter.schema.registry.url": registry.url(),
    }});
    let answer = request(
        "POST",
        &format!("{rest}/connectors"),
        Some(&body.to_string()),
    )
    .await?;
    ensure!(answer.status == 201, "{}: {}", answer.status, answer.body);
    let records = async |count: usize| {
        until("the records", PATIENCE, async || {
            let found = kafka.read_all("strict.public.t", true).await;
            let found = found.unwrap_or_default();
            Ok((found.len() >= count).then_some(found))
        })
        .await
    };
    postgres
        .execute("postgres", "insert into t values (1)")
        .await?;
    records(1).await?;
    let level = async |level: &str| {
        let url = format!("{}/config/strict.public.t-value", registry.url());
        let body = json!({ "compatibility": level }).to_string();
        let answer = request("PUT", &url, Some(&body)).await?;
        ensure!(answer.status == 200, "{}", answer.body);
        Ok(())
    };
    level("BACKWARD").await?;
    postgres
        .execute(
            "postgres",
            "truncate t; alter table t add column v text not null; insert into t values (2, 'x'), (3, 'y')",
        )
        .await?;
    let trace = until("the task to fail", PATIENCE, async || {
        let status = get(&format!("{rest}/connectors/strict/status")).await?;
        let status: Value = serde_json::from_str(&status.body)?;
        let task = &status["tasks"][0];
        Ok((task["state"] == "FAILED")
            .then(|| task["trace"].as_str().unwrap_or_default().to_owned()))
    })
    .await?;
    for said in [
        "the change of table `public.t` at position ",
        "topic `strict.public.t`",
        "subject `strict.public.t-value`",
        "409",
        "compatibility level",
    ] {
        ensure!(trace.contains(said), "no `{said}` in: {trace}");
    }
    ensure!(records(1).await?.len() == 1, "something was written");
    level("NONE").await?;
    let url = format!("{rest}/connectors/strict/tasks/0/restart");
    let answer = request("POST", &url, None).await?;
    ensure!(answer.status == 204, "{}", answer.body);
    let found = records(3).await?;
    ensure!(found.len() == 3, "{} records", found.len());
    worker.end().await
}

/// A server that gives one answer to everything; what a real registry will not do on demand.
async fn answering(answer: &'static str) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let answer: Arc<str> = answer.into();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    Ok(url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_names_the_subject_and_what_to_do() -> Result<()> {
    let cases = [
        (
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 45\r\n\r\n{\"error_code\":401,\"message\":\"User not known\"}",
            ErrorKind::Permission,
            "User not known",
            "basic.auth",
        ),
        (
            "HTTP/1.1 422 Unprocessable\r\ncontent-length: 49\r\n\r\n{\"error_code\":42201,\"message\":\"Invalid Avro name\"}",
            ErrorKind::Encode,
            "Invalid Avro name",
            "schema.name.adjustment.mode",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n<html>Hi</html>",
            ErrorKind::Configuration,
            "expected value",
            "not that of Confluent's API",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"id\":\"x\"}",
            ErrorKind::Configuration,
            "invalid type",
            "not that of Confluent's API",
        ),
        (
            "HTTP/1.1 503 Busy\r\ncontent-length: 9\r\n\r\nin a hour",
            ErrorKind::Connection,
            "in a hour",
            "asked again",
        ),
        // It breaks off.
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{",
            ErrorKind::Connection,
            "",
            "check that the schema registry runs",
        ),
        (
            "",
            ErrorKind::Connection,
            "",
            "check that the schema registry runs",
        ),
    ];
    let mut all = tokio::task::JoinSet::new();
    for (answer, kind, said, hinted) in cases {
        all.spawn(async move {
            let registry = Registry::new(RegistryConfig {
                urls: vec![answering(answer).await?],
                login: None,
                truststore: None,
                keystore: None,
                registration: Registration::Register,
                normalize: false,
                strategy: SubjectNameStrategy::Topic,
                connect_meta_data: true,
            })?;
            let asked = registry.schema_id("t-value", "\"int\"");
            let error = tokio::time::timeout(Duration::from_secs(30), asked)
                .await
                .context("it ends")?
                .err()
                .with_context(|| format!("`{answer}` is no id"))?;
            let text = service::render_error(&error, None);
            ensure!(error.kind() == kind, "{answer}: {text}");
            ensure!(
                text.contains("subject `t-value`") && text.contains(said),
                "{answer}: {text}"
            );
            ensure!(error.hint().contains(hinted), "{answer}: {}", error.hint());
            Ok(())
        });
    }
    while let Some(checked) = all.join_next().await {
        checked??;
    }
    Ok(())
}
