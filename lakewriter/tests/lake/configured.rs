//! Settings that are wrong by a little: they are told, or do no harm.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use lakewriter::{ErrorKind, whole_names};
use rdkafka::producer::FutureRecord;
use stack::Kafka;

use crate::{
    road::{Case, Running, case, case_on, reach},
    rows,
    shop::verify,
};

const WAIT: Duration = Duration::from_secs(90);

/// `a|b` means these two topics, not what begins with `a` or ends with `b`.
#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_of_alternatives_matches_whole_names() -> Result<()> {
    let mut case = case("whole", 1).await?;
    case.config.kafka.topics = vec![whole_names(r"whole\.public\.orders|whole\.public\.lines")];
    for other in [
        "whole.public.orders_old",
        "z.whole.public.lines",
        "whole.public.orders.x",
    ] {
        case.kafka.create_topic(other, 1).await?;
        let junk = FutureRecord::to(other).key("k").payload("junk");
        case.connector.send(junk).await?;
    }
    case.transactions(0..5).await?;
    let running = Running::start(&case.config);
    reach(&case.lake, 5).await?;
    case.transactions(5..10).await?;
    reach(&case.lake, 10).await?;
    let progress = running.stop().await?;
    ensure!(
        progress.dead_letters() == 0,
        "{} records of other topics",
        progress.dead_letters()
    );
    verify(&case.lake, 10).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_that_is_none_halts() -> Result<()> {
    let mut case = case("pattern", 1).await?;
    case.config.kafka.topics = vec![whole_names("pattern.(")];
    let running = Running::start(&case.config);
    let ended = tokio::time::timeout(WAIT, running.task).await??;
    let error = ended.err().context("the pattern is taken")?;
    ensure!(error.kind() == ErrorKind::Configuration, "{error:?}");
    Ok(())
}

/// The versions are found wherever they were published.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_topic_prefix_sets_nothing_aside() -> Result<()> {
    let mut case = case("astray", 1).await?;
    case.config.kafka.schema_topics = vec!["twitter.tributary.schemas".to_owned()];
    case.transactions(0..5).await?;
    let running = Running::start(&case.config);
    reach(&case.lake, 5).await?;
    let progress = running.stop().await?;
    ensure!(
        progress.dead_letters() == 0,
        "{} dead letters",
        progress.dead_letters()
    );
    verify(&case.lake, 5).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_under_another_name_does_not_write_everything_again() -> Result<()> {
    let mut case = case("renamed", 1).await?;
    case.transactions(0..5).await?;
    let running = Running::start(&case.config);
    reach(&case.lake, 5).await?;
    running.stop().await?;
    let mut renamed = case.config.clone();
    renamed.pipeline = "another".to_owned();
    let running = Running::start(&renamed);
    let ended = tokio::time::timeout(WAIT, running.task).await??;
    let error = ended.err().context("everything is written again")?;
    ensure!(error.kind() == ErrorKind::Configuration, "{error:?}");
    let text = error.to_string();
    ensure!(
        text.contains("`another`") && text.contains("`renamed`"),
        "{text}"
    );
    case.transactions(5..8).await?;
    let running = Running::start(&case.config);
    reach(&case.lake, 8).await?;
    running.stop().await?;
    verify(&case.lake, 8).await
}

/// What is open is counted row by row: a batch is committed when it is full, long before it would be for its age.
#[tokio::test(flavor = "multi_thread")]
async fn large_rows_of_several_tables_fill_a_batch() -> Result<()> {
    let mut case = case("large", 1).await?;
    case.config.freshness = Duration::from_secs(3600);
    let topic = case.connector.topic("orders");
    let body = "x".repeat(100_000);
    let send = async |case: &Case, n: usize| {
        let value = format!(
            r#"{{"before":null,"after":{{"id":{n},"body":"{body}"}},"source":{{"connector":"postgresql","name":"f","ts_ms":1,"db":"shop","schema":"public","table":"t{}","txId":1,"lsn":{n}}},"op":"c"}}"#,
            n % 4
        );
        let key = format!(r#"{{"id":{n}}}"#);
        let record = FutureRecord::to(&topic)
            .key(key.as_str())
            .payload(value.as_str());
        case.connector.send(record).await
    };
    for n in 0..80 {
        send(&case, n).await?;
    }
    let running = Running::start(&case.config);
    stack::until(
        "most of 8 MB, of which 1 MB may be open",
        WAIT,
        async || {
            let mut found = 0;
            for table in 0..4 {
                let folder = format!("shop/public.t{table}/changes");
                if case.lake.is_delta_table(&folder).await? {
                    found += rows::query(&case.lake, &folder, "SELECT 1 FROM t")
                        .await?
                        .len();
                }
            }
            Ok((found >= 70).then_some(()))
        },
    )
    .await?;
    running.stop().await?;
    Ok(())
}

/// A frozen broker keeps its connections: whoever asks whether records are read must not be told so for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_of_a_frozen_kafka_is_not_ready() -> Result<()> {
    let kafka: &'static Kafka = Box::leak(Box::new(Kafka::start().await?));
    let mut case = case_on(kafka, "frozen", 1).await?;
    let signal = |name: &str| -> Result<()> {
        let pid = kafka.pid().to_string();
        ensure!(Command::new("kill").args([name, &pid]).status()?.success());
        Ok(())
    };
    let running = Running::start(&case.config);
    case.transactions(0..2).await?;
    reach(&case.lake, 2).await?;
    let ready = |want: bool| {
        let progress = &running.progress;
        async move {
            stack::until("readiness", WAIT, async || {
                Ok((progress.is_reading() == want).then_some(()))
            })
            .await
        }
    };
    ready(true).await?;
    signal("-STOP")?;
    let silent = ready(false).await;
    signal("-CONT")?;
    silent?;
    ready(true).await?;
    case.transactions(2..4).await?;
    reach(&case.lake, 4).await?;
    running.stop().await?;
    verify(&case.lake, 4).await
}
