//! Connectors that ran, and whose server was changed under them: the trace of the task says what was attempted, on what, and
//! what to do; where waiting can help the connector waits.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use cdc::source::connection::ReplicationConnection;
use connector::ConnectorConfig;
use serde_json::{Value, json};
use stack::{Kafka, Postgres, PostgresOptions, until};

use crate::rest::{PATIENCE, Rest, connector};

const RULES: &str = "local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
";

/// A connector that streams from a database of its own.
struct Running<'a> {
    rest: &'a Rest,
    postgres: &'a Postgres,
    name: &'static str,
    config: Value,
}

impl<'a> Running<'a> {
    async fn start(
        rest: &'a Rest,
        postgres: &'a Postgres,
        name: &'static str,
        changes: &[(&str, &str)],
    ) -> Result<Self> {
        postgres.create_database(name).await?;
        postgres
            .execute(
                name,
                "create schema inventory; create table inventory.t(id int primary key)",
            )
            .await?;
        let mut config = connector(postgres, name);
        config["database.dbname"] = json!(name);
        config["retriable.restart.connector.wait.ms"] = json!("250");
        for (property, value) in changes {
            config[*property] = json!(value);
        }
        let running = Self {
            rest,
            postgres,
            name,
            config,
        };
        let body = json!({"name": name, "config": running.config});
        let answer = rest.call("POST", "/connectors", Some(&body)).await?;
        ensure!(answer.status == 201, "{name}: {}", answer.text);
        running.streams().await?;
        // Until then a snapshot may still have to be taken anew.
        postgres
            .execute(name, "insert into inventory.t values (0)")
            .await?;
        until(&format!("the position of {name}"), PATIENCE, async || {
            let offsets = rest.get(&format!("/connectors/{name}/offsets")).await?;
            let stored = offsets.json()?["offsets"][0]["offset"]["messageType"] == "INSERT";
            Ok(stored.then_some(()))
        })
        .await?;
        Ok(running)
    }

    async fn streams(&self) -> Result<()> {
        let sql = format!(
            "select 1 from pg_replication_slots where slot_name = '{}' and active",
            self.name
        );
        until(&format!("{} to stream", self.name), PATIENCE, async || {
            Ok((!self.postgres.query("postgres", &sql).await?.is_empty()).then_some(()))
        })
        .await
    }

    async fn order(&self, method: &str, order: &str) -> Result<()> {
        let path = format!("/connectors/{}/{order}", self.name);
        let answer = self.rest.call(method, &path, None).await?;
        ensure!(answer.status < 300, "{path}: {}", answer.text);
        Ok(())
    }

    /// Pause or stop, and until its slot is free.
    async fn rests(&self, order: &str) -> Result<()> {
        self.order("PUT", order).await?;
        let sql = format!(
            "select 1 from pg_replication_slots where slot_name = '{}' and active",
            self.name
        );
        until(&format!("{} to rest", self.name), PATIENCE, async || {
            Ok(self
                .postgres
                .query("postgres", &sql)
                .await?
                .is_empty()
                .then_some(()))
        })
        .await
    }

    async fn fails(&self, words: &[&str]) -> Result<()> {
        let status = self
            .rest
            .task_state(self.name, "FAILED")
            .await
            .context(self.name)?;
        let trace = status["tasks"][0]["trace"].as_str().unwrap_or_default();
        for word in words {
            ensure!(
                trace.contains(word),
                "{}: `{word}` is not in: {trace}",
                self.name
            );
        }
        ensure!(trace.contains("hint: "), "{trace}");
        ensure!(!trace.contains("hunter2"), "{trace}");
        assert_eq!(status["connector"]["state"], "RUNNING");
        Ok(())
    }

    async fn goes(self) -> Result<()> {
        let path = format!("/connectors/{}", self.name);
        let answer = self.rest.call("DELETE", &path, None).await?;
        ensure!(answer.status == 204, "{}", answer.text);
        let sql = format!(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '{}' and not active",
            self.name
        );
        self.postgres.execute("postgres", &sql).await
    }
}

async fn rules(postgres: &Postgres, rules: &str) -> Result<()> {
    let file = postgres.query("postgres", "show hba_file").await?;
    let file = file.first().and_then(|row| row.first().cloned().flatten());
    std::fs::write(file.context("pg_hba.conf")?, rules)?;
    postgres
        .execute("postgres", "select pg_reload_conf()")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_changed_under_a_connector_is_told_in_its_trace() -> Result<()> {
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (kafka, postgres) = tokio::try_join!(
        Kafka::start(),
        Postgres::start_with(PostgresOptions {
            hba: Some(RULES.to_owned()),
            settings: vec![
                setting("max_wal_senders", "2"),
                setting("max_replication_slots", "4")
            ],
            ..PostgresOptions::default()
        })
    )?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    no_entry(&rest, &postgres).await?;
    no_walsender(&rest, &postgres).await?;
    no_logical_wal(&rest, &postgres).await?;
    no_server(&rest, &postgres).await?;
    rest.end().await
}

/// pg_hba.conf refuses what it let in: no retry cures that.
async fn no_entry(rest: &Rest, postgres: &Postgres) -> Result<()> {
    let role = [
        ("database.user", "turned_away"),
        ("database.password", "hunter2"),
    ];
    let sql = "create role turned_away login superuser replication password 'hunter2'";
    postgres.execute("postgres", sql).await?;
    let running = Running::start(rest, postgres, "no_entry", &role).await?;
    let reject = format!("host all turned_away 127.0.0.1/32 reject\n{RULES}");
    rules(postgres, &reject).await?;
    let sql =
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'turned_away'";
    // A reload takes a moment: a session that was let in meanwhile is ended too.
    let failed = running.fails(&[
        "database `no_entry` at `127.0.0.1` port",
        "pg_hba.conf rejects connection",
        "`turned_away`",
    ]);
    let kept_out = async {
        loop {
            postgres.execute("postgres", sql).await?;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        failed = failed => failed?,
        ended = kept_out => {
            let ended: Result<()> = ended;
            ended?;
        }
    }
    rules(postgres, RULES).await?;
    until("the restarted task", PATIENCE, async || {
        running.order("POST", "tasks/0/restart").await?;
        Ok(running.streams().await.ok())
    })
    .await?;
    running.goes().await
}

/// All walsenders are taken: a connection that is tried again gets the next that is free.
async fn no_walsender(rest: &Rest, postgres: &Postgres) -> Result<()> {
    let running = Running::start(
        rest,
        postgres,
        "no_walsender",
        &[("errors.max.retries", "1")],
    )
    .await?;
    running.rests("pause").await?;
    let parsed: BTreeMap<String, String> = running
        .config
        .as_object()
        .context("a map")?
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .chain([("name".to_owned(), "other".to_owned())])
        .collect();
    let database = ConnectorConfig::parse(&parsed)?.config.database;
    let senders = tokio::try_join!(
        ReplicationConnection::connect(&database),
        ReplicationConnection::connect(&database)
    )?;
    // Its slot exists, and it is told all the same.
    let mut config = running.config.clone();
    config["name"] = json!(running.name);
    let path = "/connector-plugins/PostgresConnector/config/validate";
    let checked = rest.call("PUT", path, Some(&config)).await?;
    ensure!(
        checked.text.contains("max_wal_senders") && checked.text.contains("pg_stat_replication"),
        "{}",
        checked.json()?["error_count"]
    );
    running.order("PUT", "resume").await?;
    running
        .fails(&[
            "database `no_walsender` at `127.0.0.1` port",
            "max_wal_senders",
            "pg_stat_replication",
        ])
        .await?;
    drop(senders);
    until("the walsenders to be free", PATIENCE, async || {
        let busy = postgres
            .query("postgres", "select 1 from pg_stat_replication")
            .await?;
        Ok(busy.is_empty().then_some(()))
    })
    .await?;
    running
        .order("POST", "restart?includeTasks=true&onlyFailed=true")
        .await?;
    running.streams().await?;
    running.goes().await
}

/// wal_level was set back: a server with logical slots does not start so, hence the slot was dropped, too.
async fn no_logical_wal(rest: &Rest, postgres: &Postgres) -> Result<()> {
    let running = Running::start(rest, postgres, "no_logical", &[]).await?;
    running.rests("stop").await?;
    postgres
        .execute("postgres", "select pg_drop_replication_slot('no_logical')")
        .await?;
    postgres.restart_with(&[("wal_level", "replica")]).await?;
    running.order("PUT", "resume").await?;
    running
        .fails(&["wal_level", "replica", "logical", "alter system"])
        .await?;
    postgres.restart().await?;
    // Now it is the slot that is missed: what was written meanwhile may be gone.
    running.order("POST", "tasks/0/restart").await?;
    running.fails(&["slot `no_logical`"]).await?;
    running.goes().await
}

/// The host is gone. Retries are counted here, so that they end; without `errors.max.retries` they do not.
async fn no_server(rest: &Rest, postgres: &Postgres) -> Result<()> {
    let patient = Running::start(rest, postgres, "patient", &[]).await?;
    let running =
        Running::start(rest, postgres, "no_server", &[("errors.max.retries", "3")]).await?;
    postgres.stop().await?;
    let port = format!("`127.0.0.1` port {}", postgres.port());
    running
        .fails(&[
            "connect to database `no_server` at",
            &port,
            "refused",
            "check that the server runs",
        ])
        .await?;
    let status = rest.task_state("patient", "RESTARTING").await?;
    let trace = status["tasks"][0]["trace"].as_str().unwrap_or_default();
    ensure!(trace.contains("refused"), "{status}");
    postgres.restart().await?;
    patient.streams().await?;
    postgres
        .execute("patient", "insert into inventory.t values (1)")
        .await?;
    running.order("POST", "tasks/0/restart").await?;
    running.streams().await?;
    running.goes().await?;
    patient.goes().await
}
