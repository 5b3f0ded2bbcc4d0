//! Databases that cannot be used: what was attempted and what to do, in the answer to the client, and in the task's trace.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use cdc::source::connection::ReplicationConnection;
use connector::ConnectorConfig;
use serde_json::{Value, json};
use stack::{Kafka, Postgres, PostgresOptions, until};

use crate::rest::{PATIENCE, Rest, connector};

const RULES: &str = "local all all trust
local replication all trust
host all locked_out 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
";

async fn server(settings: &[(&str, &str)]) -> Result<Postgres> {
    let settings = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let postgres = Postgres::start_with(PostgresOptions {
        hba: Some(RULES.to_owned()),
        settings,
        ..PostgresOptions::default()
    })
    .await?;
    postgres.create_database("rest").await?;
    Ok(postgres)
}

/// What is sent, and the words that have to come back.
fn with(config: &Value, changes: &[(&str, &str)]) -> Value {
    let mut config = config.clone();
    for (name, value) in changes {
        config[*name] = json!(value);
    }
    config
}

/// 400 at create and the same text of `/validate`, with all words.
async fn refused(rest: &Rest, config: &Value, words: &[&str]) -> Result<()> {
    let body = json!({"name": "refused", "config": config});
    let answer = rest.call("POST", "/connectors", Some(&body)).await?;
    ensure!(
        answer.status == 400,
        "{words:?}: {} {}",
        answer.status,
        answer.text
    );
    let message = answer.json()?["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for word in words {
        ensure!(message.contains(word), "`{word}` is not in: {message}");
    }
    ensure!(!message.contains("hunter2"), "{message}");
    let mut config = config.clone();
    config["name"] = json!("refused");
    let path = "/connector-plugins/PostgresConnector/config/validate";
    let checked = rest.call("PUT", path, Some(&config)).await?.json()?;
    ensure!(
        checked["error_count"] == 1,
        "{words:?}: {}",
        checked["error_count"]
    );
    let configs = checked["configs"].as_array().context("configs")?;
    let errors: Vec<&Value> = configs
        .iter()
        .filter(|entry| entry["value"]["name"] == "database.hostname")
        .flat_map(|entry| entry["value"]["errors"].as_array().into_iter().flatten())
        .collect();
    ensure!(
        errors
            .iter()
            .any(|error| error.as_str().is_some_and(|error| message.contains(error))),
        "{message}: {errors:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_that_cannot_be_used_are_refused_with_what_to_do() -> Result<()> {
    let (kafka, postgres, physical, full) = tokio::try_join!(
        Kafka::start(),
        server(&[]),
        server(&[("wal_level", "replica")]),
        server(&[("max_replication_slots", "1"), ("max_wal_senders", "1")])
    )?;
    for role in ["limited", "plain", "locked_out"] {
        let sql = format!("create role {role} login password 'hunter2'");
        postgres.execute("postgres", &sql).await?;
    }
    postgres
        .execute(
            "postgres",
            "alter role limited replication connection limit 0",
        )
        .await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    let good = connector(&postgres, "x");
    let free = stack::free_port()?.to_string();
    let as_role = |role| [("database.user", role), ("database.password", "hunter2")];
    for (changes, words) in [
        (
            &[("database.hostname", "nosuch.invalid")][..],
            &[
                "The connection attempt failed",
                "nosuch.invalid",
                "host and port",
            ][..],
        ),
        (
            &[("database.port", &free)],
            &[
                "refused. Check that the hostname and port are correct",
                &free,
            ],
        ),
        (
            &[("database.password", "hunter2")],
            &["password authentication failed for user \"postgres\""],
        ),
        (
            &[("database.dbname", "nosuch")],
            &["database \"nosuch\" does not exist"],
        ),
        (
            &as_role("plain"),
            &["alter role \"plain\" with replication", "for replication"],
        ),
        (&as_role("locked_out"), &["pg_hba.conf", "`locked_out`"]),
        (
            &as_role("limited"),
            &["too many connections for role", "pg_stat_activity"],
        ),
    ] {
        refused(&rest, &with(&good, changes), words).await?;
    }
    let words = [
        "wal_level property must be 'logical' but is: 'replica'",
        "alter system",
    ];
    refused(&rest, &connector(&physical, "x"), &words).await?;

    let config = connector(&full, "full");
    let parsed: BTreeMap<String, String> = config
        .as_object()
        .context("a map")?
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .chain([("name".to_owned(), "full".to_owned())])
        .collect();
    let database = ConnectorConfig::parse(&parsed)?.config.database;
    let sender = ReplicationConnection::connect(&database).await?;
    let words = ["max_wal_senders", "pg_stat_replication"];
    refused(&rest, &config, &words).await?;
    drop(sender);
    until("the walsender to be free", PATIENCE, async || {
        let busy = full
            .query("postgres", "select 1 from pg_stat_replication")
            .await?;
        Ok(busy.is_empty().then_some(()))
    })
    .await?;
    full.execute(
        "postgres",
        "select pg_create_physical_replication_slot('other')",
    )
    .await?;
    let words = ["all 1 replication slots", "max_replication_slots", "'full'"];
    refused(&rest, &config, &words).await?;
    rest.end().await
}

/// Connectors that were good once: their traces say what became of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_cannot_connect_says_why_in_its_trace() -> Result<()> {
    let (kafka, postgres) = tokio::try_join!(
        Kafka::start(),
        server(&[("max_replication_slots", "3"), ("max_wal_senders", "2")])
    )?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    for (name, breaks, mends, words) in [
        (
            "password",
            "alter role {} password 'another'",
            "",
            &[
                "database `password` at `127.0.0.1` port",
                "password authentication failed",
                "hint: check user, password",
            ][..],
        ),
        (
            "privilege",
            "alter role {} noreplication",
            "",
            &["for replication", "with replication"],
        ),
        (
            "limited",
            "alter role {} connection limit 0",
            "",
            &["too many connections for role", "pg_stat_activity"],
        ),
        (
            "database",
            "alter database {} rename to gone",
            "",
            &["does not exist", "database.dbname"],
        ),
        (
            "slots",
            "select pg_create_physical_replication_slot('a'), pg_create_physical_replication_slot('b'), pg_create_physical_replication_slot('c')",
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots",
            &["replication slots are in use", "max_replication_slots"],
        ),
    ] {
        for sql in [
            format!("create role {name} login superuser password 'hunter2'"),
            format!("create database {name} owner {name}"),
        ] {
            postgres.execute("postgres", &sql).await?;
        }
        if name != "slots" {
            let sql = format!("alter role {name} nosuperuser replication");
            postgres.execute("postgres", &sql).await?;
        }
        let config = with(
            &connector(&postgres, name),
            &[
                ("database.user", name),
                ("database.password", "hunter2"),
                ("database.dbname", name),
                ("errors.max.retries", "0"),
                ("slot.max.retries", "0"),
                ("snapshot.mode", "no_data"),
            ],
        );
        let body = json!({"name": name, "config": config, "initial_state": "STOPPED"});
        let answer = rest.call("POST", "/connectors", Some(&body)).await?;
        ensure!(answer.status == 201, "{name}: {}", answer.text);
        postgres
            .execute("postgres", &breaks.replace("{}", name))
            .await?;
        rest.call("PUT", &format!("/connectors/{name}/resume"), None)
            .await?;
        let status = rest.task_state(name, "FAILED").await.context(name)?;
        let trace = status["tasks"][0]["trace"].as_str().unwrap_or_default();
        for word in words {
            ensure!(trace.contains(word), "{name}: `{word}` is not in: {trace}");
        }
        ensure!(!trace.contains("hunter2"), "{trace}");
        rest.call("DELETE", &format!("/connectors/{name}"), None)
            .await?;
        if !mends.is_empty() {
            postgres.execute("postgres", mends).await?;
        }
    }
    stopped_server(&rest, &postgres).await?;
    rest.end().await
}

async fn stopped_server(rest: &Rest, postgres: &Postgres) -> Result<()> {
    let config = with(
        &connector(postgres, "away"),
        &[("errors.max.retries", "0"), ("snapshot.mode", "no_data")],
    );
    let body = json!({"name": "away", "config": config, "initial_state": "STOPPED"});
    let answer = rest.call("POST", "/connectors", Some(&body)).await?;
    ensure!(answer.status == 201, "{}", answer.text);
    postgres.stop().await?;
    rest.call("PUT", "/connectors/away/resume", None).await?;
    let status = rest.task_state("away", "FAILED").await?;
    let trace = status["tasks"][0]["trace"].as_str().unwrap_or_default();
    let port = format!("`127.0.0.1` port {}", postgres.port());
    for word in [
        "connect to database `rest` at",
        &port,
        "refused",
        "hint: check that the server runs",
    ] {
        ensure!(trace.contains(word), "`{word}` is not in: {trace}");
    }
    Ok(())
}

/// The server goes away in the middle of a snapshot: the connector waits for it, and every row comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_amid_a_snapshot_is_waited_for() -> Result<()> {
    const ROWS: usize = 200_000;
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), server(&[]))?;
    let sql = format!(
        "create schema inventory; create table inventory.t(id int primary key, text text);
         insert into inventory.t select i, repeat('x', 200) from generate_series(1, {ROWS}) i"
    );
    postgres.execute("rest", &sql).await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    let config = with(
        &connector(&postgres, "amid"),
        &[
            ("retriable.restart.connector.wait.ms", "500"),
            ("key.converter.schemas.enable", "false"),
            ("value.converter.schemas.enable", "false"),
        ],
    );
    let body = json!({"name": "amid", "config": config});
    let answer = rest.call("POST", "/connectors", Some(&body)).await?;
    ensure!(answer.status == 201, "{}", answer.text);
    until("the first rows", PATIENCE, async || {
        let records = kafka.read_all("amid.inventory.t", true).await?;
        Ok((!records.is_empty()).then_some(()))
    })
    .await?;
    postgres.kill9()?;
    postgres.restart().await?;
    postgres
        .execute("rest", "insert into inventory.t values (0, 'after')")
        .await?;
    let keys = until("all rows", PATIENCE * 3, async || {
        let records = kafka.read_all("amid.inventory.t", true).await?;
        let keys: std::collections::BTreeSet<Vec<u8>> = records
            .into_iter()
            .filter_map(|record| record.key)
            .collect();
        Ok((keys.len() > ROWS).then_some(keys))
    })
    .await?;
    assert_eq!(keys.len(), ROWS + 1);
    rest.task_state("amid", "RUNNING").await?;
    rest.end().await
}
