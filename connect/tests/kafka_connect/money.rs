//! Proves: money of currencies with three decimals, and with none, arrives value by value, in the snapshot and in the
//! stream, in every `decimal.handling.mode`.
//! Steps: a database for each locale; the same values as rows of the snapshot and as inserts, of which some are deleted;
//! PostgreSQL itself says whether each event's value is the row's.
//! Requires: PostgreSQL with locales of Bahrain, Kuwait and Japan, Kafka.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use cdc::{
    Phase, PipelineStatus,
    kafka::KafkaClient,
    pipeline,
    sink::kafka::{ActiveTopics, KafkaSink},
};
use connector::ConnectorConfig;
use serde_json::Value;
use stack::{Kafka, Postgres, PostgresOptions, until};
use tokio_util::sync::CancellationToken;

use crate::{
    events::OFFSETS,
    rest::{PATIENCE, connector, with},
};

/// Below and above a thousand, at the last digit, and the ends of what the type holds.
const VALUES: &str = "(1, 1.5), (2, 999.999), (3, 1234.5), (4, -0.25), (5, 0), (6, 0.001), (7, -0.001), (8, -1234567.891), (9, 1000),
    (10, 9223372036854775807::numeric / 10::numeric ^ scale(0::money::numeric)),
    (11, -9223372036854775808::numeric / 10::numeric ^ scale(0::money::numeric))";
const ROWS: usize = 11;
/// From this row on the values have more digits than a double keeps.
const LONG: u64 = 10;

/// How the values stand in the events.
#[derive(Clone, Copy)]
enum Handling {
    Text,
    /// Unscaled bytes with so many digits behind the point.
    Precise(u32),
    Double,
}

struct Event {
    id: u64,
    op: String,
    /// Of the row before a delete, or after anything else.
    money: String,
}

impl Handling {
    fn text(self, value: &Value) -> Result<String> {
        match self {
            Self::Text => Ok(value.as_str().context("a text")?.to_owned()),
            Self::Double => Ok(value.as_f64().context("a number")?.to_string()),
            Self::Precise(scale) => {
                let bytes = BASE64_STANDARD.decode(value.as_str().context("bytes")?)?;
                let negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
                let start = if negative { -1 } else { 0 };
                let unscaled = bytes.iter().fold(start, |number: i128, byte| {
                    (number << 8) | i128::from(*byte)
                });
                Ok(format!("{unscaled}e-{scale}"))
            }
        }
    }
}

async fn events(kafka: &Kafka, topic: &str, handling: Handling) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for record in kafka.read_all(topic, true).await? {
        let Some(value) = record.value else {
            continue;
        };
        let value: Value = serde_json::from_slice(&value)?;
        let op = value["op"].as_str().context("an operation")?.to_owned();
        let row = &value[if op == "d" { "before" } else { "after" }];
        events.push(Event {
            id: row["id"].as_u64().context("an id")?,
            money: handling.text(&row["m"])?,
            op,
        });
    }
    Ok(events)
}

/// Which events PostgreSQL does not find equal to what it has.
async fn wrong(
    postgres: &Postgres,
    database: &str,
    events: &[Event],
    handling: Handling,
) -> Result<Vec<Vec<Option<String>>>> {
    let rows: Vec<_> = events
        .iter()
        .map(|event| format!("({}, '{}', '{}')", event.id, event.op, event.money))
        .collect();
    let equal = match handling {
        Handling::Text | Handling::Precise(_) => "k.m::numeric = e.m::numeric",
        Handling::Double => "k.m::numeric::float8 = e.m::float8",
    };
    let sql = format!(
        "select e.id, e.op, e.m, k.m, k.m::numeric from (values {}) e(id, op, m) left join kept k on k.id = e.id where ({equal}) is not true",
        rows.join(", ")
    );
    postgres.query(database, &sql).await
}

/// One connector, from its snapshot to its last change.
async fn arrives(
    (kafka, postgres): (&Kafka, &Postgres),
    database: &str,
    name: &str,
    (handling, properties): (Handling, &[(&str, &str)]),
) -> Result<Vec<Event>> {
    let mut all = connector(postgres, name);
    for (property, value) in [
        ("name", name),
        ("database.dbname", database),
        ("schema.include.list", "public"),
        ("table.include.list", "public.m"),
        ("key.converter.schemas.enable", "false"),
        ("value.converter.schemas.enable", "false"),
    ]
    .iter()
    .chain(properties)
    {
        all = with(all, property, (*value).into());
    }
    let config = ConnectorConfig::parse(&serde_json::from_value(all)?)?.config;
    let sql = format!(
        "truncate m, kept; insert into m select id, n::money from (values {VALUES}) v(id, n); insert into kept select * from m"
    );
    postgres.execute(database, &sql).await?;
    let client = KafkaClient::new(kafka.bootstrap(), &BTreeMap::new())?;
    let status = Arc::new(PipelineStatus::default());
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (status, stop) = (Arc::clone(&status), stop.clone());
        async move {
            pipeline::supervise(&config, &status, &stop, || {
                let topics = ActiveTopics::default();
                KafkaSink::connect(&config, &client, OFFSETS, topics, Arc::clone(&status))
            })
            .await
        }
    });
    until("the connector to stream", PATIENCE, async || {
        Ok((status.phase() == Phase::Streaming).then_some(()))
    })
    .await?;
    let sql = "insert into m select id + 100, m from kept; insert into kept select id + 100, m from kept; delete from m where id > 100";
    postgres.execute(database, sql).await?;
    let topic = format!("{name}.public.m");
    let found = until("all events", PATIENCE, async || {
        let found = events(kafka, &topic, handling).await?;
        Ok((found.len() >= 3 * ROWS).then_some(found))
    })
    .await?;
    stop.cancel();
    running.await??;
    for op in ["r", "c", "d"] {
        let count = found.iter().filter(|event| event.op == op).count();
        ensure!(count == ROWS, "{name}: {count} of {op}");
    }
    let compared: Vec<_> = match handling {
        Handling::Text | Handling::Precise(_) => found,
        Handling::Double => found
            .into_iter()
            .filter(|event| event.id % 100 < LONG)
            .collect(),
    };
    let wrong = wrong(postgres, database, &compared, handling).await?;
    ensure!(wrong.is_empty(), "{name}: {wrong:?}");
    Ok(compared)
}

/// The texts of the first rows in the events of this operation.
fn texts<'a>(events: &'a [Event], op: &str) -> Vec<&'a str> {
    let of_it = events.iter().filter(|event| event.op == op);
    of_it.take(4).map(|event| event.money.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_decimals_and_of_none_arrives_value_by_value() -> Result<()> {
    let locales = stack::locales().await?.to_owned();
    let options = PostgresOptions {
        locales: Some(locales),
        ..PostgresOptions::default()
    };
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start_with(options))?;
    let text = ("decimal.handling.mode", "string");
    let precise = ("decimal.handling.mode", "precise");
    let double = ("decimal.handling.mode", "double");
    let three = ("money.fraction.digits", "3");
    let none = ("money.fraction.digits", "0");
    for (database, locale, decimals) in [
        ("kuwait", "ar_KW.utf8", "3"),
        ("bahrain", "ar_BH.utf8", "3"),
        ("japan", "ja_JP.utf8", "0"),
    ] {
        postgres.create_database(database).await?;
        let sql = format!("alter database {database} set lc_monetary = '{locale}'");
        postgres.execute(database, &sql).await?;
        let sql = "create table m(id int primary key, m money); alter table m replica identity full; create table kept(id int, m money)";
        postgres.execute(database, sql).await?;
        let scale = postgres
            .query(database, "select scale(0::money::numeric)")
            .await?;
        ensure!(scale[0][0].as_deref() == Some(decimals), "{locale}");
    }
    let servers = (&kafka, &postgres);
    // Those of one database one after the other: each has the rows made anew.
    let kuwait = async {
        let found = arrives(servers, "kuwait", "kw_text", (Handling::Text, &[text])).await?;
        ensure!(texts(&found, "r") == ["1.5", "999.999", "1234.5", "-0.25"]);
        ensure!(texts(&found, "c") == ["1.500", "999.999", "1234.500", "-0.250"]);
        let settings = (Handling::Precise(3), &[precise, three][..]);
        arrives(servers, "kuwait", "kw_precise", settings).await
    };
    let bahrain = async {
        let settings = (Handling::Text, &[text, three][..]);
        arrives(servers, "bahrain", "bh_text", settings).await?;
        let settings = (Handling::Double, &[double, three][..]);
        arrives(servers, "bahrain", "bh_double", settings).await
    };
    let japan = async {
        let found = arrives(servers, "japan", "jp_text", (Handling::Text, &[text])).await?;
        ensure!(texts(&found, "c") == ["2", "1000", "1235", "0"]);
        // Two digits are the usual setting.
        let settings = (Handling::Precise(2), &[precise][..]);
        arrives(servers, "japan", "jp_precise", settings).await?;
        let settings = (Handling::Precise(0), &[precise, none][..]);
        arrives(servers, "japan", "jp_precise_0", settings).await?;
        arrives(servers, "japan", "jp_double", (Handling::Double, &[double])).await
    };
    tokio::try_join!(kuwait, bahrain, japan)?;
    Ok(())
}
