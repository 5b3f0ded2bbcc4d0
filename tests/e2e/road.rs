//! The whole road of one test: a database, `tributary cdc`, Kafka, `tributary lakewriter`, a lake.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::{Process, free_port, get, until};
use tempfile::TempDir;

use crate::servers::{BUCKET, Servers};
use crate::truth::first_column;

/// Longest time one of our processes may take to be ready, on a machine that compiles something else meanwhile.
pub const READY: Duration = Duration::from_secs(60);
/// Longest time of everything that has no bound of its own.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The road from a database of its own to a lake of its own: PostgreSQL -> `tributary cdc` -> Kafka ->
/// `tributary lakewriter` -> MinIO. `name` is that of the database, the topic prefix, the slot and the lake's folder.
pub struct Road {
    pub servers: Arc<Servers>,
    pub name: String,
    pub folder: TempDir,
    cdc_port: u16,
    lakewriter_port: u16,
    pub cdc: Option<Process>,
    pub lakewriter: Option<Process>,
    began: Instant,
}

impl Road {
    /// A database with `schema` in it, and the connector's file, with further `properties`. Nothing runs yet.
    pub async fn prepare(
        servers: Arc<Servers>,
        name: &str,
        schema: &str,
        tables: &[&str],
        properties: &[(&str, &str)],
    ) -> Result<Self> {
        servers.postgres.create_database(name).await?;
        let schema = servers.schema(schema);
        servers.postgres.execute(name, &schema).await?;
        let folder = tempfile::Builder::new()
            .prefix("tributary-e2e-")
            .tempdir()
            .context("make a folder")?;
        let road = Self {
            servers,
            name: name.to_owned(),
            folder,
            cdc_port: free_port()?,
            lakewriter_port: free_port()?,
            cdc: None,
            lakewriter: None,
            began: Instant::now(),
        };
        let connectors = road.folder.path().join("connectors");
        fs::create_dir(&connectors)?;
        let mut connector = road.connector(tables);
        for (key, value) in properties {
            connector["config"][key] = json!(value);
        }
        let file = connectors.join("source.json");
        fs::write(file, serde_json::to_vec_pretty(&connector)?)?;
        Ok(road)
    }

    /// A line for who watches the test.
    pub fn say(&self, what: &str) {
        eprintln!(
            "{:>5.1} s  {}: {what}",
            self.began.elapsed().as_secs_f32(),
            self.name
        );
    }

    /// What a user of Debezium would post, with the route of docker-compose.yml: topic `<name>.<table>`.
    fn connector(&self, tables: &[&str]) -> Value {
        let postgres = &self.servers.postgres;
        json!({
            "name": self.name,
            "config": {
                "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
                "plugin.name": "pgoutput",
                "database.hostname": "127.0.0.1",
                "database.port": postgres.port().to_string(),
                "database.user": postgres.user(),
                "database.password": postgres.password(),
                "database.dbname": self.name,
                "topic.prefix": self.name,
                "slot.name": self.name,
                "publication.name": format!("{}_publication", self.name),
                "publication.autocreate.mode": "filtered",
                "table.include.list": tables.join(","),
                "snapshot.mode": "initial",
                "skipped.operations": "none",
                "transforms": "route",
                "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
                "transforms.route.regex": "([^.]+)\\.([^.]+)\\.([^.]+)",
                "transforms.route.replacement": "$1.$3",
                "topic.creation.default.partitions": "2",
                "topic.creation.default.replication.factor": "1",
                "key.converter": "org.apache.kafka.connect.json.JsonConverter",
                "key.converter.schemas.enable": "false",
                "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                "value.converter.schemas.enable": "false"
            }
        })
    }

    /// `tributary` with this road's settings.
    pub fn tributary(&self, arguments: &[&str]) -> Result<Command> {
        let name = &self.name;
        let mut command = stack::tributary()?;
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env(
                "TRIBUTARY_KAFKA__BOOTSTRAP_SERVERS",
                self.servers.kafka.bootstrap(),
            )
            .env(
                "TRIBUTARY_CDC__LISTEN",
                format!("127.0.0.1:{}", self.cdc_port),
            )
            .env(
                "TRIBUTARY_CDC__CONNECTORS_FOLDER",
                self.folder.path().join("connectors"),
            )
            .env("TRIBUTARY_CDC__GROUP_ID", name)
            .env(
                "TRIBUTARY_CDC__CONFIG_STORAGE_TOPIC",
                format!("{name}_connect_configs"),
            )
            .env(
                "TRIBUTARY_CDC__OFFSET_STORAGE_TOPIC",
                format!("{name}_connect_offsets"),
            )
            .env(
                "TRIBUTARY_CDC__STATUS_STORAGE_TOPIC",
                format!("{name}_connect_statuses"),
            )
            .env(
                "TRIBUTARY_LAKEWRITER__LISTEN",
                format!("127.0.0.1:{}", self.lakewriter_port),
            )
            .env("TRIBUTARY_LAKEWRITER__PIPELINE", name)
            .env("TRIBUTARY_LAKEWRITER__GROUP_ID", name)
            .env("TRIBUTARY_LAKEWRITER__TOPICS", format!("{name}\\.[a-z_]+"))
            .env("TRIBUTARY_LAKEWRITER__TOPIC_PREFIX", name)
            .env("TRIBUTARY_LAKEWRITER__FRESHNESS", "500ms")
            .env("TRIBUTARY_LAKE__URL", self.lake_url())
            .env("TRIBUTARY_LAKE__ENDPOINT", self.servers.minio.endpoint())
            .env(
                "TRIBUTARY_LAKE__ACCESS_KEY_ID",
                self.servers.minio.access_key(),
            )
            .env(
                "TRIBUTARY_LAKE__SECRET_ACCESS_KEY",
                self.servers.minio.secret_key(),
            );
        Ok(command)
    }

    pub fn lake_url(&self) -> String {
        format!("s3://{BUCKET}/{}", self.name)
    }

    /// Of the worker that `cdc` is.
    pub fn cdc_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.cdc_port)
    }

    /// The URL of a table's log of changes, `table` as `schema.table`.
    pub fn changes_url(&self, table: &str) -> String {
        format!("{}/{}/{table}/changes", self.lake_url(), self.name)
    }

    /// The topic of a table, `table` as `schema.table`.
    pub fn topic(&self, table: &str) -> String {
        let table = table.split_once('.').map_or(table, |(_, table)| table);
        format!("{}.{table}", self.name)
    }

    /// Starts cdc and waits until it answers that it is well.
    pub async fn start_cdc(&mut self) -> Result<()> {
        let mut process = Process::spawn("tributary cdc", self.tributary(&["cdc"])?)?;
        let url = format!("http://127.0.0.1:{}/healthz", self.cdc_port);
        process.wait_for_http(&url, READY).await?;
        self.cdc = Some(process);
        self.say("cdc is ready");
        Ok(())
    }

    /// Starts the lake writer and waits until it answers that it reads.
    pub async fn start_lakewriter(&mut self) -> Result<()> {
        let mut process = Process::spawn("tributary lakewriter", self.tributary(&["lakewriter"])?)?;
        process
            .wait_for_http(&self.lakewriter_url("readyz"), READY)
            .await?;
        self.lakewriter = Some(process);
        self.say("the lake writer is ready");
        Ok(())
    }

    pub fn lakewriter_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.lakewriter_port)
    }

    /// Waits until the slot's reader streams: the snapshot is over.
    pub async fn streaming(&mut self) -> Result<()> {
        let sql = format!(
            "select 1 from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid \
             where s.slot_name = '{}' and r.state = 'streaming'",
            self.name
        );
        let name = self.name.clone();
        let Self { servers, cdc, .. } = self;
        let cdc = cdc.as_mut().context("cdc runs")?;
        let streaming = until("cdc to stream", PATIENCE, async || {
            if let Some(status) = cdc.status()? {
                return Ok(Some(Err(anyhow::anyhow!("cdc ended with {status}"))));
            }
            let rows = servers.postgres.query(&name, &sql).await?;
            Ok((!rows.is_empty()).then_some(Ok(())))
        });
        let streaming = streaming.await.and_then(|ended| ended);
        streaming.with_context(|| format!("the log of cdc:\n{}", cdc.output().unwrap_or_default()))
    }

    /// Waits until everything committed up to now is durable downstream: the slot is confirmed up to there, and the
    /// snapshot is behind. Ask when it streams: a slot that was just made is confirmed up to its own beginning. Needs
    /// somebody who writes meanwhile.
    pub async fn delivered(&self) -> Result<()> {
        let client = self.servers.postgres.connect(&self.name).await?;
        let now = first_column(&client, "select pg_current_wal_lsn()::text").await?;
        let now = now.first().context("no LSN")?;
        let sql = format!(
            "select 1 from pg_replication_slots where slot_name = '{}' and confirmed_flush_lsn >= '{now}'",
            self.name
        );
        let confirmed = until("the slot to be confirmed", PATIENCE, async || {
            Ok((!first_column(&client, &sql).await?.is_empty()).then_some(()))
        });
        confirmed.await.with_context(|| self.logs())?;
        self.say(&format!("everything up to {now} is delivered"));
        Ok(())
    }

    /// A number of the lake writer's `/metrics`, 0 where it does not answer (yet).
    pub async fn lakewriter_metric(&self, name: &str) -> f64 {
        let body = get(&self.lakewriter_url("metrics"))
            .await
            .map(|response| response.body)
            .unwrap_or_default();
        body.lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
            .find_map(|value| value.trim().parse().ok())
            .unwrap_or(0.0)
    }

    /// Ends both processes as a user would, cdc first, and looks at how they ended.
    pub async fn stop(&mut self) -> Result<()> {
        for process in [self.cdc.take(), self.lakewriter.take()] {
            let Some(mut process) = process else { continue };
            let log = fs::read_to_string(process.log()).unwrap_or_default();
            process.terminate()?;
            let status = process.wait(READY).await?;
            ensure!(
                status.success(),
                "a process ended with {status} on SIGTERM:\n{log}"
            );
        }
        Ok(())
    }

    /// Lines of level WARN or ERROR in the logs of both processes.
    pub fn complaints(&self) -> Vec<String> {
        let processes = [&self.cdc, &self.lakewriter].into_iter().flatten();
        let logs = processes.filter_map(|process| process.output().ok());
        logs.flat_map(|log| log.lines().map(str::to_owned).collect::<Vec<_>>())
            .filter(|line| line.contains(" WARN ") || line.contains(" ERROR "))
            .collect()
    }

    /// The end of the logs of both processes, for a test that has failed.
    pub fn logs(&self) -> String {
        let log = |process: &Option<Process>| {
            let output = process.as_ref().map(Process::output);
            let output = output.and_then(Result::ok).unwrap_or_default();
            let start = output.len().saturating_sub(4000);
            let start = (start..=output.len()).find(|&at| output.is_char_boundary(at));
            output[start.unwrap_or(0)..].to_owned()
        };
        format!(
            "the log of cdc:\n{}\nthe log of the lake writer:\n{}",
            log(&self.cdc),
            log(&self.lakewriter)
        )
    }
}
