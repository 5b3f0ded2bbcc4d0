//! Records that a broker does not take, however often they are sent.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::rest::{Rest, connector, servers};

/// `faults/cdc/compacted-topic-null-key.txt`, with both guarantees, in the snapshot and in the stream; and a record that is
/// larger than its topic takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_refused_for_good_fails_the_task() -> Result<()> {
    let (kafka, postgres) = servers().await?;
    postgres
        .execute(
            "rest",
            "create table inventory.nk(a int, v text); insert into inventory.nk values (1, 'one')",
        )
        .await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    for (name, guarantee, snapshot, property, value, said) in [
        (
            "once",
            "exactly_once",
            "initial",
            "cleanup.policy",
            "compact",
            "without a key (key null)",
        ),
        (
            "least",
            "at_least_once",
            "initial",
            "cleanup.policy",
            "compact",
            "without a key (key null)",
        ),
        (
            "stream",
            "exactly_once",
            "no_data",
            "cleanup.policy",
            "compact",
            "without a key (key null)",
        ),
        (
            "large",
            "exactly_once",
            "no_data",
            "max.message.bytes",
            "2000",
            "max.message.bytes",
        ),
    ] {
        let mut config = connector(&postgres, name);
        for (property, value) in [
            ("delivery.guarantee", guarantee),
            ("snapshot.mode", snapshot),
            ("table.include.list", "inventory.nk"),
            ("publication.autocreate.mode", "filtered"),
            ("topic.creation.default.replication.factor", "1"),
            ("topic.creation.default.partitions", "1"),
            (&format!("topic.creation.default.{property}"), value),
        ] {
            config[property] = json!(value);
        }
        let body = json!({"name": name, "config": config});
        let created = rest.call("POST", "/connectors", Some(&body)).await?;
        ensure!(created.status == 201, "{name}: {}", created.text);
        if snapshot == "no_data" {
            let slot =
                format!("select 1 from pg_replication_slots where slot_name = '{name}' and active");
            stack::until("the slot to be read", crate::rest::PATIENCE, async || {
                Ok((!postgres.query("rest", &slot).await?.is_empty()).then_some(()))
            })
            .await?;
            let random = "insert into inventory.nk select 2, string_agg(md5(random()::text), '') from generate_series(1, 200)";
            postgres.execute("rest", random).await?;
        }
        let status = rest.task_state(name, "FAILED").await.context(name)?;
        let trace = status["tasks"][0]["trace"].as_str().unwrap_or_default();
        for word in [
            said,
            "table `inventory.nk`",
            &format!("topic `{name}.inventory.nk`"),
            "partition 0",
            "at position",
            "hint:",
        ] {
            ensure!(trace.contains(word), "{name}: no `{word}`: {trace}");
        }
        // Nothing of it is there, and nothing is tried any more.
        let topic = format!("{name}.inventory.nk");
        ensure!(kafka.read_all(&topic, true).await?.is_empty());
        let metrics = rest.get("/metrics").await?.text;
        let failed =
            format!("tributary_cdc_connector_state{{connector=\"{name}\",state=\"failed\"}} 1");
        ensure!(metrics.contains(&failed), "{metrics}");
    }
    rest.end().await
}

/// A database in `SQL_ASCII` takes any bytes: those that are UTF-8 arrive as they are, others are never made other text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_text_are_not_made_text() -> Result<()> {
    let (kafka, postgres) = servers().await?;
    postgres
        .execute("postgres", "create database ascii encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0")
        .await?;
    postgres
        .execute(
            "ascii",
            "create schema inventory; create table inventory.t(id int primary key, v text);
             insert into inventory.t values (1, E'\\xc3\\xa4')",
        )
        .await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    for (name, mode) in [("fail", "fail"), ("warn", "warn")] {
        let mut config = connector(&postgres, name);
        config["database.dbname"] = json!("ascii");
        config["event.processing.failure.handling.mode"] = json!(mode);
        let body = json!({"name": name, "config": config});
        let created = rest.call("POST", "/connectors", Some(&body)).await?;
        ensure!(created.status == 201, "{name}: {}", created.text);
        let topic = format!("{name}.inventory.t");
        stack::until("the first row", crate::rest::PATIENCE, async || {
            Ok((kafka.read_all(&topic, true).await?.len() == 1).then_some(()))
        })
        .await?;
    }
    for sql in [
        "insert into inventory.t values (2, E'\\xe4')",
        "insert into inventory.t values (3, 'three')",
    ] {
        postgres.execute("ascii", sql).await?;
    }
    let status = rest.task_state("fail", "FAILED").await?;
    let trace = status["tasks"][0]["trace"].as_str().unwrap_or_default();
    for word in [
        "column `v` of table `inventory.t`",
        "SQL_ASCII",
        "at position",
    ] {
        ensure!(trace.contains(word), "no `{word}`: {trace}");
    }
    let records = stack::until("the third row", crate::rest::PATIENCE, async || {
        let records = kafka.read_all("warn.inventory.t", true).await?;
        Ok((records.len() >= 2).then_some(records))
    })
    .await?;
    let texts: Vec<String> = records
        .iter()
        .map(|record| {
            String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned()
        })
        .collect();
    ensure!(
        texts.len() == 2 && texts[0].contains("\u{e4}") && texts[1].contains("three"),
        "{texts:?}"
    );
    ensure!(!texts.concat().contains('\u{fffd}'), "{texts:?}");
    assert_eq!(kafka.read_all("fail.inventory.t", true).await?.len(), 1);
    rest.end().await
}
