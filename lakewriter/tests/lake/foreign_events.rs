//! Events of others, as they come: what is no row is told by its fields, what is one is kept, and no restart changes
//! what a column is.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lakewriter::lake::delta::LakeTable;
use rdkafka::producer::FutureRecord;

use crate::{
    road::{Case, Running, case},
    rows,
};

const WAIT: Duration = Duration::from_secs(60);

/// Records by key and value; `null` is none.
async fn send(case: &Case, topic: &str, records: &[(&str, &str)]) -> Result<()> {
    for (key, value) in records {
        let mut record: FutureRecord<'_, str, str> = FutureRecord::to(topic).partition(0);
        if *key != "null" {
            record = record.key(key);
        }
        if *value != "null" {
            record = record.payload(value);
        }
        case.connector.send(record).await?;
    }
    Ok(())
}

async fn rows_of(case: &Case, folder: &str, sql: &str) -> Result<Vec<String>> {
    if !case.lake.is_delta_table(folder).await? {
        return Ok(Vec::new());
    }
    rows::query(&case.lake, folder, sql).await
}

async fn reach(case: &Case, folder: &str, count: usize) -> Result<()> {
    let what = format!("{count} rows in {folder}");
    stack::until(&what, WAIT, async || {
        let found = rows_of(case, folder, "SELECT 1 FROM t").await?.len();
        ensure!(found <= count, "{found} rows in {folder}");
        Ok((found == count).then_some(()))
    })
    .await
}

fn source(connector: &str, table: &str, lsn: u64) -> String {
    format!(
        r#"{{"version":"2.7.3.Final","connector":"{connector}","name":"f","ts_ms":1760000000000,"snapshot":"false","db":"shop","sequence":null,"schema":"public","table":"{table}","txId":1,"lsn":{lsn},"xmin":null}}"#
    )
}

/// A row without its envelope tells not what was done to it, whatever it says: nothing of it vanishes.
#[tokio::test(flavor = "multi_thread")]
async fn flattened_rows_are_set_aside_each() -> Result<()> {
    let case = case("flat", 1).await?;
    let topic = case.connector.topic("orders");
    let records = [
        (r#"{"id": 2}"#, r#"{"id": 2, "status": "END"}"#),
        (r#"{"id": 3}"#, r#"{"id": 3, "status": "BEGIN"}"#),
        (r#"{"id": 4}"#, r#"{"id": 4, "op": "t"}"#),
        (r#"{"id": 5}"#, r#"{"id":5,"op":"m"}"#),
        (r#"{"id": 6}"#, r#"{"id": 6, "x": 1}"#),
        (
            r#"{"id": 7}"#,
            r#"{"id":7,"source":{"op":"t"},"note":"\"status\":\"END\""}"#,
        ),
        (
            r#"{"id": 8}"#,
            r#"{"schema":null,"payload":{"id":8,"op":"t"}}"#,
        ),
    ];
    send(&case, &topic, &records).await?;
    let running = Running::start(&case.config);
    reach(&case, "_dead_letters", records.len()).await?;
    running.stop().await?;
    let reasons = rows_of(&case, "_dead_letters", "SELECT DISTINCT reason FROM t").await?;
    ensure!(
        reasons.len() == 1 && reasons[0].contains("`op` and `source`"),
        "{reasons:#?}"
    );
    Ok(())
}

/// MySQL's connector names no schema. All of its records are treated alike, whatever their rows hold.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_another_connector_are_set_aside_each() -> Result<()> {
    let case = case("mysql", 1).await?;
    let topic = case.connector.topic("orders");
    let source = source("mysql", "my", 1).replace(r#""schema":"public","#, "");
    let values: Vec<String> = [
        r#"{"id":1,"status":"NEW"}"#,
        r#"{"id":2,"status":"END"}"#,
        r#"{"id":3,"op":"t"}"#,
    ]
    .iter()
    .map(|after| {
        format!(r#"{{"before":null,"after":{after},"source":{source},"op":"c","ts_ms":1}}"#)
    })
    .collect();
    let records: Vec<(&str, &str)> = values
        .iter()
        .map(|value| (r#"{"id":1}"#, value.as_str()))
        .collect();
    send(&case, &topic, &records).await?;
    let running = Running::start(&case.config);
    reach(&case, "_dead_letters", 3).await?;
    running.stop().await?;
    let reasons = rows_of(&case, "_dead_letters", "SELECT reason FROM t").await?;
    ensure!(
        reasons
            .iter()
            .all(|reason| reason.contains("connector `mysql`")),
        "{reasons:#?}"
    );
    Ok(())
}

/// It shows no row and no key: nothing of the table is learnt or forgotten by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_as_the_first_record_after_a_restart_is_kept() -> Result<()> {
    let case = case("truncate", 1).await?;
    let topic = case.connector.topic("orders");
    let row = |id: u64, lsn| {
        let source = source("postgresql", "tr", lsn);
        format!(
            r#"{{"before":null,"after":{{"id":{id},"v":"a"}},"source":{source},"op":"c","ts_ms":1}}"#
        )
    };
    let truncate = |table, lsn| {
        let source = source("postgresql", table, lsn);
        format!(r#"{{"before":null,"after":null,"source":{source},"op":"t","ts_ms":1}}"#)
    };
    let (tr, never) = ("shop/public.tr/changes", "shop/public.never/changes");
    send(&case, &topic, &[(r#"{"id":1}"#, &row(1, 1))]).await?;
    let running = Running::start(&case.config);
    reach(&case, tr, 1).await?;
    running.stop().await?;
    send(
        &case,
        &topic,
        &[
            ("null", &truncate("tr", 10)),
            // Of a table that nobody saw a row of.
            ("null", &truncate("never", 11)),
        ],
    )
    .await?;
    let running = Running::start(&case.config);
    reach(&case, tr, 2).await?;
    reach(&case, never, 1).await?;
    send(&case, &topic, &[(r#"{"id":3}"#, &row(3, 12))]).await?;
    reach(&case, tr, 3).await?;
    let progress = running.stop().await?;
    ensure!(progress.dead_letters() == 0);
    let found = rows_of(&case, tr, "SELECT _op, id, v, _lsn FROM t ORDER BY _lsn").await?;
    ensure!(
        found == ["c|1|a|1", "t|NULL|NULL|10", "c|3|a|12"],
        "{found:#?}"
    );
    let table = LakeTable::open(&case.lake, tr)
        .await?
        .context("the table")?;
    ensure!(table.property("tributary.key") == Some("[\"id\"]"));
    Ok(())
}

/// A table, values before and after the restart, the expression over its columns, and what it tells.
type Values<'a> = (
    &'a str,
    &'a [&'a str],
    &'a [&'a str],
    &'a str,
    &'a [&'a str],
);

/// Without schema a column is text, or a bool where its first value is one, whichever event comes first after a start.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_column_is_taken_for_holds_through_restarts() -> Result<()> {
    let case = case("inferred", 1).await?;
    let topic = case.connector.topic("orders");
    let tables: [Values<'_>; 6] = [
        (
            "price",
            &["5", "5.5"],
            &["7.25"],
            "v",
            &["5", "5.5", "7.25"],
        ),
        ("whole", &["5"], &["5.5", "1e3"], "v", &["5", "5.5", "1e3"]),
        (
            "large",
            &["1"],
            &["9007199254740993", "123456789012345678901234567890"],
            "v",
            &["1", "9007199254740993", "123456789012345678901234567890"],
        ),
        (
            "nothing",
            &["null"],
            &["5", "\"x\""],
            "v",
            &["NULL", "5", "x"],
        ),
        (
            "flag",
            &["null", "true"],
            &["null", "false"],
            "v",
            &["NULL", "true", "NULL", "false"],
        ),
        (
            "mixed",
            &["true"],
            &["\"maybe\"", "false", "[1, 2]"],
            "coalesce(CAST(v AS VARCHAR), v__v2)",
            &["true", "maybe", "false", "[1, 2]"],
        ),
    ];
    let mut lsn = 0;
    for restarted in [false, true] {
        for (table, before, after, ..) in tables {
            for value in if restarted { after } else { before } {
                lsn += 1;
                let source = source("postgresql", table, lsn);
                let value = format!(
                    r#"{{"before":null,"after":{{"id":{lsn},"v":{value}}},"source":{source},"op":"c","ts_ms":1}}"#
                );
                send(&case, &topic, &[(&format!(r#"{{"id":{lsn}}}"#), &value)]).await?;
            }
        }
        let running = Running::start(&case.config);
        for (table, before, after, ..) in tables {
            let count = before.len() + if restarted { after.len() } else { 0 };
            reach(&case, &format!("shop/public.{table}/changes"), count).await?;
        }
        let progress = running.stop().await?;
        ensure!(progress.dead_letters() == 0);
    }
    for (table_name, _, _, columns, want) in tables {
        let folder = format!("shop/public.{table_name}/changes");
        let sql = format!("SELECT {columns} FROM t ORDER BY _lsn");
        let found = rows_of(&case, &folder, &sql).await?;
        ensure!(found == want, "{table_name}: {found:?}");
        let table = LakeTable::open(&case.lake, &folder).await?;
        let renamed = table.context(folder)?.schema().field("v__v2").is_some();
        ensure!(renamed == (table_name == "mixed"), "{table_name}");
    }
    Ok(())
}

/// Debezium's records that are no rows, and our own: in the topics that a pattern like `.*` matches too.
#[tokio::test(flavor = "multi_thread")]
async fn records_that_change_no_row_are_passed_over() -> Result<()> {
    let mut case = case("noise", 1).await?;
    case.config.kafka.topics = vec!["^(noise\\..*|__debezium-heartbeat\\.noise)$".to_owned()];
    let begin =
        r#"{"status":"BEGIN","id":"7:9","event_count":null,"data_collections":null,"ts_ms":1}"#;
    let end = r#"{"status":"END","id":"7:9","event_count":1,"data_collections":[{"data_collection":"public.orders","event_count":1}],"ts_ms":1}"#;
    let wrapped = format!(r#"{{"schema":{{"type":"struct"}},"payload":{end}}}"#);
    let source = source("postgresql", "", 5).replace(r#""public""#, r#""""#);
    let message = format!(
        r#"{{"op":"m","ts_ms":1,"source":{source},"message":{{"prefix":"p","content":"e30="}}}}"#
    );
    for (topic, key, value) in [
        ("noise.transaction", r#"{"id":"7:9"}"#, begin),
        ("noise.transaction", r#"{"id":"7:9"}"#, end),
        (
            "noise.transaction",
            r#"{"schema":{},"payload":{"id":"7:9"}}"#,
            &wrapped,
        ),
        ("noise.message", r#"{"prefix":"p"}"#, &message),
        (
            "__debezium-heartbeat.noise",
            r#"{"serverName":"noise"}"#,
            r#"{"ts_ms":5}"#,
        ),
    ] {
        if !case
            .kafka
            .topics()
            .await?
            .iter()
            .any(|known| known == topic)
        {
            case.kafka.create_topic(topic, 1).await?;
        }
        send(&case, topic, &[(key, value)]).await?;
    }
    case.transactions(0..5).await?;
    let running = Running::start(&case.config);
    crate::road::reach(&case.lake, 5).await?;
    case.transactions(5..8).await?;
    crate::road::reach(&case.lake, 8).await?;
    let progress = running.stop().await?;
    ensure!(
        progress.dead_letters() == 0,
        "{} dead letters",
        progress.dead_letters()
    );
    ensure!(!case.lake.is_delta_table("_dead_letters").await?);
    Ok(())
}

/// A router put the same table of two connectors into one topic.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_table_of_two_prefixes_is_kept_twice() -> Result<()> {
    let mut case = case("prefixes", 1).await?;
    case.config.lake.namespace = None;
    let topic = case.connector.topic("orders");
    for (prefix, id) in [("east", 1), ("west", 2), ("east", 3)] {
        let source = source("postgresql", "t", id)
            .replace(r#""name":"f""#, &format!(r#""name":"{prefix}""#));
        let value = format!(
            r#"{{"before":null,"after":{{"id":{id}}},"source":{source},"op":"c","ts_ms":1}}"#
        );
        send(&case, &topic, &[(&format!(r#"{{"id":{id}}}"#), &value)]).await?;
    }
    let running = Running::start(&case.config);
    reach(&case, "east/public.t/changes", 2).await?;
    reach(&case, "west/public.t/changes", 1).await?;
    running.stop().await?;
    Ok(())
}
