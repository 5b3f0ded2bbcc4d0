//! Orders to a connector that streams: whatever is ordered, and however fast, rows that are written after it arrive, and
//! none comes twice.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::{Kafka, until};

use crate::rest::{Rest, connector, servers, with};

/// A task that is ended delivers what it has; on a busy machine this takes its time.
const PATIENCE: Duration = Duration::from_secs(90);
const TOPIC: &str = "orders.inventory.tweets";

/// How often each id was committed.
async fn committed(kafka: &Kafka) -> Result<BTreeMap<u64, usize>> {
    let mut seen = BTreeMap::new();
    for record in kafka.read_all(TOPIC, true).await? {
        let key: Value = serde_json::from_slice(record.key.as_deref().context("a key")?)?;
        let id = key["payload"]["id"].as_u64().context("an id")?;
        *seen.entry(id).or_default() += 1;
    }
    Ok(seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_connector_goes_on_after_each_order() -> Result<()> {
    let (kafka, postgres) = servers().await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    let config = connector(&postgres, "orders");
    let body = json!({"name": "orders", "config": config});
    let created = rest.call("POST", "/connectors", Some(&body)).await?;
    ensure!(created.status == 201, "{}", created.text);
    until("the snapshot", PATIENCE, async || {
        Ok(committed(&kafka).await?.contains_key(&1).then_some(()))
    })
    .await?;

    // Rows are written all the time, so that every order meets a stream that is busy.
    let client = postgres.connect("rest").await?;
    let (ended, last) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(1)),
    );
    let writer = tokio::spawn({
        let (ended, last) = (Arc::clone(&ended), Arc::clone(&last));
        async move {
            while !ended.load(Ordering::Relaxed) {
                let id = last.load(Ordering::Relaxed) + 1;
                let sql = format!("insert into inventory.tweets values ({id}, 'row {id}')");
                client.batch_execute(&sql).await?;
                last.store(id, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok::<_, anyhow::Error>(())
        }
    });
    let c = "/connectors/orders";
    let poll = |millis: u32| {
        with(
            config.clone(),
            "poll.interval.ms",
            json!(millis.to_string()),
        )
    };
    let puts = [poll(300), poll(400), poll(500)];
    let order = async |method: &str, path: &str, body: Option<&Value>| -> Result<()> {
        let answer = rest.call(method, &format!("{c}/{path}"), body).await?;
        ensure!(answer.status < 300, "{method} {path}: {}", answer.text);
        Ok(())
    };
    for round in 0..3 {
        for orders in [
            &[("PUT", "config")][..],
            &[("POST", "restart")],
            &[("POST", "tasks/0/restart")],
            &[("POST", "restart?includeTasks=true&onlyFailed=false")],
            &[("PUT", "pause"), ("PUT", "resume")],
            &[("PUT", "stop"), ("PUT", "resume")],
            // One after the other, while the task still ends.
            &[("POST", "restart"), ("PUT", "config"), ("POST", "restart")],
            &[
                ("PUT", "pause"),
                ("PUT", "config"),
                ("PUT", "resume"),
                ("POST", "restart"),
            ],
        ] {
            for (at, (method, path)) in orders.iter().enumerate() {
                // A PUT of what is there already orders nothing.
                let put = &puts[(round + at + orders.len()) % puts.len()];
                let body = (*path == "config").then_some(put);
                order(method, path, body).await.context(round)?;
            }
            let after = last.load(Ordering::Relaxed) + 1;
            let what = format!("row {after}, written after {orders:?}");
            until(&what, PATIENCE, async || {
                if committed(&kafka).await?.contains_key(&after) {
                    return Ok(Some(Ok(())));
                }
                let status = rest.get(&format!("{c}/status")).await?;
                let failed = status.text.contains("FAILED");
                Ok(failed.then(|| Err(anyhow::anyhow!("{what}: {}", status.text))))
            })
            .await??;
            rest.task_state("orders", "RUNNING").await?;
        }
    }
    // While it is paused nothing comes, and afterwards everything.
    order("PUT", "pause", None).await?;
    rest.task_state("orders", "PAUSED").await?;
    ended.store(true, Ordering::Relaxed);
    writer.await??;
    order("PUT", "resume", None).await?;
    let count = last.load(Ordering::Relaxed);
    let seen = until("all rows", PATIENCE, async || {
        let seen = committed(&kafka).await?;
        Ok((seen.len() as u64 >= count).then_some(seen))
    })
    .await?;
    let repeated: Vec<_> = seen.iter().filter(|(_, times)| **times != 1).collect();
    ensure!(
        repeated.is_empty(),
        "delivered more than once: {repeated:?}"
    );
    ensure!(
        seen.keys().copied().eq(1..=count),
        "other rows than were written"
    );
    rest.end().await
}
