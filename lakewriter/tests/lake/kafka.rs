//! The Kafka road: offsets live in the lake, whatever happens to the process or to the group.

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use debezium::{ChangeEvent, ChangePosition, Format, Operation};
use deltalake_core::DeltaTable;
use lakewriter::{
    ErrorKind, KafkaConfig, Lake, LakeConfig, LakeWriterConfig, Secret, lake::ToldRows,
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    message::{Header, OwnedHeaders},
    producer::FutureRecord,
};
use tokio_util::sync::CancellationToken;

use crate::{
    road::{Case, PATIENCE, Running, case, reach},
    rows,
    shop::{ORDERS, verify},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_pipeline_goes_on_where_the_lake_ends() -> Result<()> {
    let mut case = case("restart", 3).await?;
    case.transactions(0..20).await?;
    for round in 1..4 {
        let running = Running::start(&case.config);
        reach(&case.lake, round * 20).await?;
        case.transactions(round * 20..round * 20 + 20).await?;
        let progress = running.stop().await?;
        ensure!(progress.dead_letters() == 0 && progress.duplicates_dropped() == 0);
    }
    let running = Running::start(&case.config);
    reach(&case.lake, 80).await?;
    running.stop().await?;
    verify(&case.lake, 80).await
}

/// An at-least-once producer sends again what it is not sure of: the positions tell, also across a restart.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_twice_is_there_once() -> Result<()> {
    let mut case = case("twice", 1).await?;
    case.transactions(0..10).await?;
    case.transactions(5..15).await?;
    let running = Running::start(&case.config);
    reach(&case.lake, 15).await?;
    running.stop().await?;
    case.transactions(10..20).await?;
    let running = Running::start(&case.config);
    reach(&case.lake, 20).await?;
    let progress = running.stop().await?;
    ensure!(
        progress.duplicates_dropped() == 15,
        "{} duplicates",
        progress.duplicates_dropped()
    );
    verify(&case.lake, 20).await
}

/// A restored backup, or a standby that lagged when it was promoted: its LSNs were used before, and its changes are new.
#[tokio::test(flavor = "multi_thread")]
async fn lsns_that_come_back_in_a_later_incarnation_are_new_changes() -> Result<()> {
    let mut case = case("incarnation", 1).await?;
    case.transactions(10..20).await?;
    let mut running = Running::start(&case.config);
    reach(&case.lake, 10).await?;
    for (incarnation, range) in [(7, 5..10), (8, 0..5)] {
        case.connector.incarnation = incarnation;
        let done = 20 - range.start;
        case.transactions(range.clone()).await?;
        reach(&case.lake, done).await?;
        running.stop().await?;
        // Sent again, across a restart too.
        case.transactions(range).await?;
        running = Running::start(&case.config);
    }
    case.transactions(20..22).await?;
    reach(&case.lake, 22).await?;
    running.stop().await?;
    verify(&case.lake, 22).await
}

/// What `current` goes by: it does not depend on the partitions through which the rows come, nor on a restart.
#[tokio::test(flavor = "multi_thread")]
async fn the_table_says_how_many_rows_a_snapshot_has() -> Result<()> {
    const ROWS: u64 = 12;
    let mut case = case("counted", 3).await?;
    case.connector.incarnation = 7;
    case.connector.last_row = Some((ROWS - 1, ROWS));
    let snapshot = (7, 1_000_007);
    let told = async |case: &Case| -> Result<ToldRows> {
        let mut table = DeltaTable::new(case.lake.log_store(ORDERS)?);
        table.load().await?;
        let configuration = table.snapshot()?.metadata().configuration().clone();
        let get = |key: &str| configuration.get(key).map(String::as_str);
        ensure!(ToldRows::of(get, (6, snapshot.1)) == ToldRows::Nothing);
        Ok(ToldRows::of(get, snapshot))
    };
    case.connector.publish(&case.shop.orders).await?;
    // Not counted: a change.
    case.connector.some(&case.shop, 0, Some("orders")).await?;
    for (rows, want) in [(0..5, ToldRows::More), (5..ROWS, ToldRows::Whole(ROWS))] {
        let end = rows.end;
        for ordinal in rows {
            let mut sent = Vec::new();
            case.shop.events(100 + ordinal, |event| {
                if event.table.table.table == "orders" {
                    sent.push(case.connector.event(&ChangeEvent {
                        op: Operation::Read,
                        position: ChangePosition::new(1_000_007, ordinal),
                        ..*event
                    })?);
                }
                Ok(())
            })?;
            for delivery in sent {
                delivery.await?.map_err(|(error, _)| error)?;
            }
        }
        let running = Running::start(&case.config);
        stack::until("the rows in the lake", PATIENCE, async || {
            let rows = rows::ids(&case.lake, ORDERS).await?.len() as u64;
            Ok((rows == end + 1).then_some(()))
        })
        .await?;
        running.stop().await?;
        let told = told(&case).await?;
        ensure!(told == want, "{told:?} after {end} rows");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_become_a_row_is_set_aside_once_and_the_stream_goes_on() -> Result<()> {
    let mut case = case("junk", 1).await?;
    let topic = case.connector.topic("orders");
    case.transactions(0..5).await?;
    let plain = FutureRecord::to(&topic).key("k").payload("no event");
    case.connector.send(plain).await?;
    let unknown =
        FutureRecord::to(&topic)
            .key("k")
            .payload("{}")
            .headers(OwnedHeaders::new().insert(Header {
                key: "tributary.schema",
                value: Some("00000000000000ff"),
            }));
    case.connector.send(unknown).await?;
    // A tombstone is no dead letter.
    let tombstone: FutureRecord<'_, str, str> = FutureRecord::to(&topic).key("k");
    case.connector.send(tombstone).await?;
    case.transactions(5..10).await?;
    let schema = case.shop.orders.id(&case.connector.settings).to_string();
    let broken = FutureRecord::to(&topic)
        .key("k")
        .payload("{\"before\":null,")
        .headers(OwnedHeaders::new().insert(Header {
            key: "tributary.schema",
            value: Some(&schema),
        }));
    case.connector.send(broken).await?;
    for end in [10, 12] {
        let running = Running::start(&case.config);
        reach(&case.lake, end).await?;
        stack::until("three dead letters", Duration::from_secs(30), async || {
            if !case.lake.is_delta_table("_dead_letters").await? {
                return Ok(None);
            }
            let count = rows::query(&case.lake, "_dead_letters", "SELECT 1 FROM t").await?;
            Ok((count.len() >= 3).then_some(()))
        })
        .await?;
        running.stop().await?;
        case.transactions(end..12).await?;
    }
    let letters = rows::query(
        &case.lake,
        "_dead_letters",
        "SELECT topic, partition, \"offset\", CAST(value AS VARCHAR), reason FROM t ORDER BY \"offset\"",
    )
    .await?;
    ensure!(letters.len() == 3, "{letters:#?}");
    for (letter, (offset, value, reason)) in letters.iter().zip([
        (5, "no event", "expected an object"),
        (6, "{}", "nobody published"),
        (13, "{\"before\":null,", "decode change event"),
    ]) {
        let want = format!("{topic}|0|{offset}|{value}|");
        ensure!(
            letter.starts_with(&want) && letter.contains(reason),
            "{letter}, want {want} and {reason}"
        );
    }
    verify(&case.lake, 12).await
}

/// A connector was switched to Avro: its values stand with the reason in the dead-letter table, and what is JSON again
/// goes on.
#[tokio::test(flavor = "multi_thread")]
async fn values_in_avro_are_set_aside_with_the_reason() -> Result<()> {
    let mut case = case("avro", 1).await?;
    case.transactions(0..2).await?;
    case.connector.settings.value_format = Format::Avro;
    case.connector.encoders.clear();
    case.transactions(100..102).await?;
    // As another Debezium writes them.
    case.connector.foreign = true;
    case.transactions(102..103).await?;
    case.connector.foreign = false;
    case.connector.settings.value_format = Format::Json;
    case.connector.encoders.clear();
    case.transactions(2..4).await?;
    let set_aside = "SELECT topic, reason FROM t ORDER BY topic, \"offset\"";
    for end in [4, 6] {
        let running = Running::start(&case.config);
        reach(&case.lake, end).await?;
        stack::until("nine dead letters", Duration::from_secs(30), async || {
            if !case.lake.is_delta_table("_dead_letters").await? {
                return Ok(None);
            }
            let letters = rows::query(&case.lake, "_dead_letters", set_aside).await?;
            Ok((letters.len() >= 9).then_some(()))
        })
        .await?;
        running.stop().await?;
        case.transactions(end..6).await?;
    }
    let letters = rows::query(&case.lake, "_dead_letters", set_aside).await?;
    ensure!(letters.len() == 9, "{letters:#?}");
    let of_settings =
        |letter: &&String| letter.contains("|the value is Avro, and the lake reads JSON");
    let of_bytes = |letter: &&String| {
        letter.contains("Confluent's wire format (Avro or another, schema id 0)")
    };
    ensure!(
        letters.iter().filter(of_settings).count() == 6,
        "{letters:#?}"
    );
    ensure!(letters.iter().filter(of_bytes).count() == 3, "{letters:#?}");
    verify(&case.lake, 6).await
}

/// Events without our headers: typed by their embedded schema, or by what they look like.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_foreign_debezium_become_rows() -> Result<()> {
    let mut case = case("foreign", 1).await?;
    case.connector.foreign = true;
    case.connector.settings.key_schemas_enable = true;
    case.connector.settings.value_schemas_enable = true;
    case.transactions(0..5).await?;
    let running = Running::start(&case.config);
    reach(&case.lake, 5).await?;
    case.connector.settings.key_schemas_enable = false;
    case.connector.settings.value_schemas_enable = false;
    case.connector.encoders.clear();
    case.transactions(5..10).await?;
    reach(&case.lake, 10).await?;
    let progress = running.stop().await?;
    ensure!(progress.dead_letters() == 0);
    verify(&case.lake, 10).await
}

/// A router put several tables into one topic: each keeps its own position in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_may_carry_several_tables() -> Result<()> {
    let mut case = case("routed", 1).await?;
    let topic = "routed.public.all".to_owned();
    case.kafka.create_topic(&topic, 2).await?;
    case.connector.route = Some(topic);
    for end in [10, 30, 50] {
        let running = Running::start(&case.config);
        case.transactions(end - 10..end).await?;
        reach(&case.lake, end).await?;
        running.stop().await?;
        // More than one batch waits for the next process.
        case.transactions(end..end + 10).await?;
    }
    let running = Running::start(&case.config);
    reach(&case.lake, 60).await?;
    running.stop().await?;
    verify(&case.lake, 60).await
}

/// A second process joins while the first writes, and leaves again: partitions change hands twice.
#[tokio::test(flavor = "multi_thread")]
async fn partitions_change_hands_without_loss_or_repetition() -> Result<()> {
    let mut case = case("hands", 4).await?;
    let first = Running::start(&case.config);
    case.transactions(0..50).await?;
    reach(&case.lake, 50).await?;
    let second = Running::start(&case.config);
    let mut next = 50;
    let deadline = std::time::Instant::now() + PATIENCE;
    while second.progress.rows_visible() == 0 {
        ensure!(
            std::time::Instant::now() < deadline,
            "the second process got no partition"
        );
        case.transactions(next..next + 10).await?;
        next += 10;
    }
    case.transactions(next..next + 50).await?;
    second.stop().await?;
    case.transactions(next + 50..next + 100).await?;
    reach(&case.lake, next + 100).await?;
    first.stop().await?;
    verify(&case.lake, next + 100).await
}

/// A topic that was deleted and made again has another id: it is read from its beginning.
#[tokio::test(flavor = "multi_thread")]
async fn a_recreated_topic_is_read_from_its_beginning() -> Result<()> {
    let mut case = case("again", 1).await?;
    case.transactions(0..10).await?;
    let running = Running::start(&case.config);
    reach(&case.lake, 10).await?;
    running.stop().await?;
    for table in ["orders", "lines"] {
        let topic = case.connector.topic(table);
        case.kafka.delete_topic(&topic).await?;
        case.kafka.create_topic(&topic, 1).await?;
    }
    case.transactions(10..14).await?;
    let running = Running::start(&case.config);
    reach(&case.lake, 14).await?;
    running.stop().await?;
    verify(&case.lake, 14).await
}

/// Records that the lake has not seen were deleted from the topic: going on would hide the gap.
#[tokio::test(flavor = "multi_thread")]
async fn records_deleted_before_they_were_read_halt_the_pipeline() -> Result<()> {
    let mut case = case("gap", 1).await?;
    case.transactions(0..10).await?;
    let running = Running::start(&case.config);
    reach(&case.lake, 10).await?;
    running.stop().await?;
    case.transactions(10..20).await?;
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", case.kafka.bootstrap())
        .create()?;
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&case.connector.topic("orders"), 0, Offset::Offset(15))?;
    admin.delete_records(&before, &AdminOptions::new()).await?;
    let running = Running::start(&case.config);
    let ended = tokio::time::timeout(Duration::from_secs(60), running.task).await??;
    let error = ended.err().context("the pipeline goes on over a gap")?;
    ensure!(error.kind() == ErrorKind::OffsetsLost, "{error:?}");
    verify(&case.lake, 10).await
}

const CHILD: &str = "LAKEWRITER_TEST_PROCESS";

/// Not a test by itself: the process that the next test kills.
#[tokio::test(flavor = "multi_thread")]
async fn writer_process() -> Result<()> {
    let Ok(arguments) = std::env::var(CHILD) else {
        return Ok(());
    };
    let [bootstrap, prefix, url, endpoint]: [&str; 4] = arguments
        .split('|')
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| anyhow::anyhow!("wrong arguments"))?;
    let mut writer = child_config(bootstrap, prefix, url, endpoint);
    writer.max_batch_rows = 40;
    lakewriter::run(writer, Arc::default(), CancellationToken::new()).await?;
    bail!("the pipeline ended by itself")
}

fn child_config(bootstrap: &str, prefix: &str, url: &str, endpoint: &str) -> LakeWriterConfig {
    LakeWriterConfig {
        lake: LakeConfig {
            endpoint: Some(endpoint.to_owned()),
            access_key: Some("tributary".to_owned()),
            secret_key: Some(Secret::new("tributary-secret")),
            allow_http: true,
            namespace: Some("shop".to_owned()),
            ..LakeConfig::new(url)
        },
        kafka: KafkaConfig {
            bootstrap: bootstrap.to_owned(),
            group: format!("{prefix}-lake"),
            topics: vec![format!("^{prefix}\\.public\\..*")],
            schema_topics: Vec::new(),
            overrides: [
                ("session.timeout.ms", "6000"),
                ("heartbeat.interval.ms", "500"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        },
        pipeline: prefix.to_owned(),
        freshness: Duration::from_millis(50),
        max_batch_bytes: 1 << 20,
        max_batch_rows: 10_000,
        maintenance: None,
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Proves: kill -9 at any moment loses and doubles nothing. On MinIO, while records come.
#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_on_minio() -> Result<()> {
    let mut case = case("killed", 2).await?;
    let minio = stack::Minio::start(&["lake"]).await?;
    let arguments = format!(
        "{}|killed|s3://lake|{}",
        case.kafka.bootstrap(),
        minio.endpoint()
    );
    let config = child_config(
        &case.kafka.bootstrap(),
        "killed",
        "s3://lake",
        &minio.endpoint(),
    );
    let lake = Lake::connect(&config.lake)?;
    let mut next = 0;
    for round in 0..6_u64 {
        let child = Command::new(std::env::current_exe()?)
            .args(["--exact", "kafka::writer_process", "--nocapture"])
            .env(CHILD, &arguments)
            .stdout(Stdio::null())
            .spawn()?;
        let child = Killed(child);
        // Killed at a different place of its work each time: so many transactions after its first new row.
        case.transactions(next..next + 30).await?;
        next += 30;
        reach_some(&lake, next - 29).await?;
        case.transactions(next..next + 7 * round).await?;
        next += 7 * round;
        drop(child);
    }
    let running = Running::start(&config);
    reach(&lake, next).await?;
    running.stop().await?;
    verify(&lake, next).await
}

async fn reach_some(lake: &Lake, transactions: u64) -> Result<()> {
    let want = transactions as usize;
    stack::until(
        "the first rows of the round",
        Duration::from_secs(60),
        async || Ok((rows::ids(lake, ORDERS).await?.len() >= want).then_some(())),
    )
    .await
}
