//! Records that are no change of a row, from a real PostgreSQL to a real Kafka.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use cdc::{
    Phase, PipelineStatus,
    kafka::KafkaClient,
    pipeline,
    sink::kafka::{ActiveTopics, KafkaSink},
};
use connector::ConnectorConfig;
use serde_json::Value;
use stack::{Kafka, Postgres, PostgresOptions, until};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::events::OFFSETS;

const PATIENCE: Duration = Duration::from_secs(60);

struct Connector {
    status: Arc<PipelineStatus>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), cdc::Error>>,
}

impl Connector {
    async fn start(config: &ConnectorConfig, kafka: &Kafka) -> Result<Self> {
        let status = Arc::new(PipelineStatus::default());
        let stop = CancellationToken::new();
        let client = KafkaClient::new(kafka.bootstrap(), &BTreeMap::new())?;
        let task = tokio::spawn({
            let (config, status, stop) = (config.clone(), Arc::clone(&status), stop.clone());
            async move {
                let open = || {
                    KafkaSink::connect(
                        &config,
                        &client,
                        OFFSETS,
                        ActiveTopics::default(),
                        Arc::clone(&status),
                    )
                };
                pipeline::supervise(&config, &status, &stop, open).await
            }
        });
        let running = Self { status, stop, task };
        until("the connector to stream", PATIENCE, async || {
            Ok((running.status.phase() == Phase::Streaming).then_some(()))
        })
        .await?;
        Ok(running)
    }

    async fn stop(self) -> Result<()> {
        self.stop.cancel();
        Ok(self.task.await??)
    }

    /// As a kill: nothing is delivered, stored or confirmed any more.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn config(postgres: &Postgres, name: &str, properties: &[(&str, &str)]) -> Result<ConnectorConfig> {
    let (hostname, port) = (
        postgres.socket_dir().display().to_string(),
        postgres.port().to_string(),
    );
    let defaults = [
        ("name", name),
        ("topic.prefix", name),
        ("slot.name", name),
        ("database.hostname", &hostname),
        ("database.port", &port),
        ("database.user", postgres.user()),
        ("database.password", postgres.password()),
        ("database.dbname", "postgres"),
        ("key.converter.schemas.enable", "false"),
        ("value.converter.schemas.enable", "false"),
        ("status.update.interval.ms", "200"),
        ("retriable.restart.connector.wait.ms", "1000"),
        // Small, so that one transaction needs many Kafka transactions.
        ("tributary.batch.bytes", "65536"),
        ("tributary.spill.memory.bytes", "262144"),
    ];
    let all = defaults.iter().chain(properties);
    let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Ok(ConnectorConfig::parse(&all.collect::<BTreeMap<_, _>>())?.config)
}

/// Keys and values of a topic, in order, once there are `count` of them.
async fn values(kafka: &Kafka, topic: &str, count: usize) -> Result<Vec<(Value, Value)>> {
    let what = format!("{count} records in `{topic}`");
    let records = until(&what, PATIENCE, async || {
        let records = kafka.read_all(topic, true).await?;
        Ok((records.len() >= count).then_some(records))
    })
    .await?;
    records
        .into_iter()
        .map(|record| {
            let json = |bytes: Option<Vec<u8>>| {
                serde_json::from_slice(&bytes.unwrap_or_else(|| b"null".to_vec()))
            };
            Ok((json(record.key)?, json(record.value)?))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_no_change_of_a_row() -> Result<()> {
    let (kafka, postgres) = tokio::try_join!(
        Kafka::start(),
        Postgres::start_with(PostgresOptions {
            // Transactions above this are streamed while they are open.
            settings: vec![("logical_decoding_work_mem".to_owned(), "64kB".to_owned())],
            ..PostgresOptions::default()
        })
    )?;
    heartbeats_and_their_query(&kafka, &postgres).await?;
    messages_are_delivered_once(&kafka, &postgres).await?;
    transactions_are_counted_across_restarts(&kafka, &postgres).await?;
    what_cannot_be_encoded_is_left_out_where_asked_for(&kafka, &postgres).await
}

async fn heartbeats_and_their_query(kafka: &Kafka, postgres: &Postgres) -> Result<()> {
    postgres
        .execute("postgres", "create table hb(id int primary key, n int)")
        .await?;
    let config = config(
        postgres,
        "beats",
        &[
            ("heartbeat.interval.ms", "100"),
            (
                "heartbeat.action.query",
                "insert into hb values (1, 1) on conflict (id) do update set n = hb.n + 1",
            ),
            ("topic.heartbeat.prefix", "beat"),
            ("topic.creation.default.partitions", "3"),
            ("topic.creation.default.replication.factor", "1"),
            ("table.include.list", "public.hb"),
        ],
    )?;
    let connector = Connector::start(&config, kafka).await?;
    let beats = values(kafka, "beat.beats", 5).await?;
    let rows = values(kafka, "beats.public.hb", 4).await?;
    connector.stop().await?;
    for (key, value) in &beats {
        ensure!(key["serverName"] == "beats", "{key}");
        ensure!(value["ts_ms"].as_i64().is_some_and(|millis| millis > 0));
    }
    let partitions = kafka.read_all("beat.beats", true).await?;
    ensure!(partitions.iter().all(|record| record.partition == 0));
    ensure!(rows[1].1["after"]["n"].as_i64() == Some(2), "{:?}", rows[1]);
    Ok(())
}

async fn messages_are_delivered_once(kafka: &Kafka, postgres: &Postgres) -> Result<()> {
    let config = config(
        postgres,
        "notes",
        &[("message.prefix.exclude.list", "secret.*")],
    )?;
    let connector = Connector::start(&config, kafka).await?;
    postgres
        .execute("postgres", "create table notes(id int primary key)")
        .await?;
    for statement in [
        "select pg_logical_emit_message(false, 'a', 'alone')",
        "begin; select pg_logical_emit_message(true, 'b', '\\x00ff'::bytea); insert into notes values (1); select pg_logical_emit_message(true, 'secret1', 'x'); commit",
        "select pg_logical_emit_message(false, 'secret2', 'x')",
        "select pg_logical_emit_message(true, 'c', '')",
    ] {
        postgres.execute("postgres", statement).await?;
    }
    values(kafka, "notes.message", 3).await?;
    connector.kill().await;
    let connector = Connector::start(&config, kafka).await?;
    postgres
        .execute(
            "postgres",
            "select pg_logical_emit_message(false, 'd', 'last')",
        )
        .await?;
    let messages = values(kafka, "notes.message", 4).await?;
    connector.stop().await?;
    let of = |field: &str| -> Vec<String> {
        messages
            .iter()
            .map(|(_, value)| value["message"][field].as_str().unwrap_or("?").to_owned())
            .collect()
    };
    ensure!(of("prefix") == ["a", "b", "c", "d"], "{:?}", of("prefix"));
    ensure!(
        of("content") == ["YWxvbmU=", "AP8=", "", "bGFzdA=="],
        "{:?}",
        of("content")
    );
    ensure!(messages[0].1["source"]["txId"].is_null());
    ensure!(messages[1].1["source"]["txId"].is_u64());
    ensure!(messages.iter().all(|(_, value)| value["op"] == "m"));
    ensure!(messages[1].0["prefix"] == "b");
    Ok(())
}

async fn transactions_are_counted_across_restarts(
    kafka: &Kafka,
    postgres: &Postgres,
) -> Result<()> {
    const ROWS: u64 = 30_000;
    postgres
        .execute(
            "postgres",
            "create table many(id int primary key, v text); create table few(id int primary key)",
        )
        .await?;
    let config = config(
        postgres,
        "counted",
        &[
            ("provide.transaction.metadata", "true"),
            ("table.include.list", "public.many,public.few"),
        ],
    )?;
    Connector::start(&config, kafka).await?.stop().await?;
    for statement in [
        "begin; insert into few values (1); update few set id = 2 where id = 1; insert into many values (-1, 'x'); commit",
        // Streamed and spilled, a part of it rolled back.
        "begin; insert into few values (3); savepoint s; insert into many select i, 'gone' from generate_series(1, 5000) i; rollback to s; insert into many select i, repeat('v', 100) from generate_series(1, 29999) i; commit",
        "insert into few values (4)",
    ] {
        postgres.execute("postgres", statement).await?;
    }
    // Killed again and again within the large transaction.
    let mut delivered = 0;
    for _ in 0..3 {
        let connector = Connector::start(&config, kafka).await?;
        until("a part of the transaction", PATIENCE, async || {
            let records = kafka.read_all("counted.public.many", true).await?.len();
            Ok((records > delivered || records as u64 > ROWS - 1).then_some(()))
        })
        .await?;
        connector.kill().await;
        delivered = kafka.read_all("counted.public.many", true).await?.len();
    }
    let connector = Connector::start(&config, kafka).await?;
    let ends = values(kafka, "counted.transaction", 6).await?;
    connector.stop().await?;
    let many = values(kafka, "counted.public.many", ROWS as usize).await?;
    ensure!(many.len() as u64 == ROWS, "{} rows", many.len());
    for (number, (_, value)) in many.iter().skip(1).enumerate() {
        let order = &value["transaction"];
        // One row of the other table comes before.
        ensure!(
            order["total_order"].as_u64() == Some(number as u64 + 2)
                && order["data_collection_order"].as_u64() == Some(number as u64 + 1),
            "{number}: {order}"
        );
    }
    let ends: Vec<&Value> = ends.iter().map(|(_, value)| value).collect();
    let shown: Vec<String> = ends
        .iter()
        .map(|end| format!("{} {}", end["status"], end["event_count"]))
        .collect();
    ensure!(
        shown
            == [
                "\"BEGIN\" null",
                "\"END\" 4",
                "\"BEGIN\" null",
                "\"END\" 30000",
                "\"BEGIN\" null",
                "\"END\" 1"
            ],
        "{shown:?}"
    );
    let of_tables: BTreeMap<&str, u64> = ends[3]["data_collections"]
        .as_array()
        .context("data_collections")?
        .iter()
        .filter_map(|it| Some((it["data_collection"].as_str()?, it["event_count"].as_u64()?)))
        .collect();
    ensure!(
        of_tables == BTreeMap::from([("public.few", 1), ("public.many", ROWS - 1)]),
        "{of_tables:?}"
    );
    let few = values(kafka, "counted.public.few", 6).await?;
    let id = |value: &Value| value["transaction"]["id"].as_str().map(str::to_owned);
    let begin = ends[0]["id"].as_str().context("id")?;
    ensure!(id(&few[0].1).as_deref() == Some(begin), "{few:?} {begin}");
    Ok(())
}

async fn what_cannot_be_encoded_is_left_out_where_asked_for(
    kafka: &Kafka,
    postgres: &Postgres,
) -> Result<()> {
    postgres
        .execute(
            "postgres",
            "create table odd(id int primary key, t numeric(5,2) not null, v text)",
        )
        .await?;
    let settings = |name, handling| {
        config(
            postgres,
            name,
            &[
                ("table.include.list", "public.odd"),
                ("errors.max.retries", "0"),
                handling,
            ],
        )
    };
    const MODE: &str = "event.processing.failure.handling.mode";
    let skipping = Connector::start(&settings("skipping", (MODE, "skip"))?, kafka).await?;
    let warning = Connector::start(&settings("warning", (MODE, "warn"))?, kafka).await?;
    let tolerant = settings("tolerant", ("errors.tolerance", "all"))?;
    let tolerant = Connector::start(&tolerant, kafka).await?;
    let failing = Connector::start(&settings("failing", (MODE, "fail"))?, kafka).await?;
    postgres
        .execute(
            "postgres",
            "insert into odd values (1, 'NaN', 'a'), (2, 1, 'b')",
        )
        .await?;
    for name in ["skipping", "warning", "tolerant"] {
        let rows = values(kafka, &format!("{name}.public.odd"), 1).await?;
        ensure!(rows.len() == 1 && rows[0].0["id"] == 2, "{rows:?}");
    }
    ensure!(skipping.status.counts().left_out == 1);
    ensure!(warning.status.counts().left_out == 1);
    ensure!(tolerant.status.counts().left_out == 1);
    tolerant.stop().await?;
    skipping.stop().await?;
    warning.stop().await?;
    let error = failing.task.await?.err().context("it fails")?;
    let text = service::render_error(&error, None);
    ensure!(
        text.contains("position") && text.contains("public.odd") && text.contains("column `t`"),
        "{text}"
    );
    Ok(())
}
