//! What retention may remove: everything that was seen, though the last of it was no record of the table that waits.

use std::time::Duration;

use anyhow::Result;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    producer::Producer,
};

use crate::{
    road::{Case, Running, case, reach},
    rows,
    shop::{LINES, verify},
};

const ANSWER: Duration = Duration::from_secs(30);

/// From now on the case's producer writes in Kafka transactions, as cdc's does.
fn exactly_once(case: &mut Case) -> Result<()> {
    case.connector.producer = ClientConfig::new()
        .set("bootstrap.servers", case.kafka.bootstrap())
        .set("transactional.id", format!("{}-cdc", case.connector.prefix))
        .set("partitioner", "murmur2_random")
        .create()?;
    case.connector.producer.init_transactions(ANSWER)?;
    Ok(())
}

/// One Kafka transaction of these shop transactions; only the events of one table where one is named.
async fn committed(
    case: &mut Case,
    range: std::ops::Range<u64>,
    table: Option<&str>,
    commit: bool,
) -> Result<()> {
    case.connector.producer.begin_transaction()?;
    for n in range {
        case.connector.some(&case.shop, n, table).await?;
    }
    let producer = case.connector.producer.clone();
    tokio::task::spawn_blocking(move || match commit {
        true => producer.commit_transaction(ANSWER),
        false => producer.abort_transaction(ANSWER),
    })
    .await??;
    Ok(())
}

/// As retention does once everything has become old.
async fn remove_everything(case: &Case, topics: &[String]) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", case.kafka.bootstrap())
        .create()?;
    let mut ends = TopicPartitionList::new();
    for topic in topics {
        ends.add_partition_offset(topic, 0, Offset::End)?;
    }
    for result in admin
        .delete_records(&ends, &AdminOptions::new())
        .await?
        .elements()
    {
        result.error()?;
    }
    Ok(())
}

/// The last offset of an exactly-once topic is the marker of its last transaction, which no table stores by itself.
#[tokio::test(flavor = "multi_thread")]
async fn markers_and_aborted_records_may_be_removed_once_they_were_passed() -> Result<()> {
    let mut case = case("markers", 1).await?;
    exactly_once(&mut case)?;
    let topics = ["orders", "lines"].map(|table| case.connector.topic(table));
    // With the versions of the tables, which an aborted transaction would not leave behind.
    committed(&mut case, 0..1, None, true).await?;
    for (start, end) in [(1, 5), (5, 10), (10, 15)] {
        let running = Running::start(&case.config);
        committed(&mut case, 1000..1003, None, false).await?;
        committed(&mut case, start..end, None, true).await?;
        reach(&case.lake, end).await?;
        running.stop().await?;
        remove_everything(&case, &topics).await?;
    }
    let running = Running::start(&case.config);
    committed(&mut case, 15..20, None, true).await?;
    reach(&case.lake, 20).await?;
    running.stop().await?;
    verify(&case.lake, 20).await
}

/// One table gets rows, the other of the same topic none: what retention removes was shown to both.
#[tokio::test(flavor = "multi_thread")]
async fn records_of_other_tables_may_be_removed_once_they_were_passed() -> Result<()> {
    let mut case = case("idle", 1).await?;
    let topic = "idle.public.all".to_owned();
    case.kafka.create_topic(&topic, 1).await?;
    case.connector.route = Some(topic.clone());
    exactly_once(&mut case)?;
    let running = Running::start(&case.config);
    committed(&mut case, 0..3, None, true).await?;
    reach(&case.lake, 3).await?;
    committed(&mut case, 3..30, Some("lines"), true).await?;
    stack::until("the lines", Duration::from_secs(60), async || {
        Ok((rows::ids(&case.lake, LINES).await?.len() >= 60).then_some(()))
    })
    .await?;
    running.stop().await?;
    remove_everything(&case, &[topic]).await?;
    let running = Running::start(&case.config);
    committed(&mut case, 3..30, Some("orders"), true).await?;
    committed(&mut case, 30..33, None, true).await?;
    reach(&case.lake, 33).await?;
    running.stop().await?;
    verify(&case.lake, 33).await
}
