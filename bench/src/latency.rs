//! From a commit in PostgreSQL to a consumer, and to the lake, at a steady thousand rows a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tokio::time::{MissedTickBehavior, interval};

use crate::capture::{self, TOPIC};
use crate::lake;
use crate::report::{Bar, Report};
use crate::servers::{DATABASE, Servers};
use crate::usage::{self, Meter, Watched};

/// Where ids begin that nobody else uses.
const FIRST_ID: i64 = 1_000_000_000;
/// A thousand rows a second.
const THOUSAND: Load = Load {
    first_id: FIRST_ID,
    transactions_per_second: 100,
    rows_per_transaction: 10,
};
/// The last rows may take so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// First memory of processes that have nothing to do, then latency: with a consumer alone, then beside lakewriter.
pub async fn measure(
    servers: &Servers,
    idle: Duration,
    lasts: Duration,
    report: &mut Report,
) -> Result<()> {
    let mut cdc = capture::start(servers)?;
    capture::wait_streaming(&mut cdc).await?;
    let mut lakewriter = lake::start(servers)?;
    lakewriter.wait(lake::ROWS, |_| true).await?;
    eprintln!("nothing to do for {} s", idle.as_secs());
    let meter = Meter::start([
        ("cdc", Watched::Process(cdc.pid())),
        ("lakewriter", Watched::Process(lakewriter.pid())),
    ])?;
    tokio::time::sleep(idle).await;
    let usage = meter.read()?;
    const IDLE: &str = "idle";
    report.add(
        IDLE,
        "cdc, memory",
        usage::resident(cdc.pid())?,
        "MB",
        Some(Bar::AtMost(30.0)),
    );
    report.add(
        IDLE,
        "lakewriter, memory",
        usage::resident(lakewriter.pid())?,
        "MB",
        None,
    );
    for name in ["cdc", "lakewriter"] {
        let share = 100.0 * usage.of(name) / usage.wall;
        report.add(IDLE, format!("{name}, of one core"), share, "%", None);
    }
    lakewriter.stop().await?;

    let watched = || {
        [("cdc", Watched::Process(cdc.pid()))]
            .into_iter()
            .chain(servers.watched())
    };
    const CONSUMER: &str = "latency at 1000/s";
    let meter = Meter::start(watched())?;
    let delays = run(servers, THOUSAND, lasts).await?;
    let usage = meter.read()?;
    add_delays(report, CONSUMER, &delays);
    report.add(
        CONSUMER,
        "cdc, of one core",
        100.0 * usage.of("cdc") / delays.wall,
        "%",
        None,
    );
    report.add_cores(CONSUMER, &usage);

    // a process of its own, so that its histogram holds nothing older; what came meanwhile it writes first
    const LAKE: &str = "latency, lakewriter too";
    let mut caught_up = lake::start(servers)?;
    let before = f64::from(delays.written);
    caught_up.wait(lake::ROWS, |rows| rows >= before).await?;
    caught_up.stop().await?;
    let mut lakewriter = lake::start(servers)?;
    lakewriter.wait(lake::ROWS, |_| true).await?;
    let meter =
        Meter::start(watched().chain([("lakewriter", Watched::Process(lakewriter.pid()))]))?;
    let load = Load {
        first_id: 2 * FIRST_ID,
        ..THOUSAND
    };
    let delays = run(servers, load, lasts).await?;
    let written = f64::from(delays.written);
    lakewriter.wait(lake::ROWS, |rows| rows >= written).await?;
    let usage = meter.read()?;
    add_delays(report, LAKE, &delays);
    for (name, metric) in [
        (
            "commit to visible in the lake, p50",
            "tributary_lakewriter_freshness_p50_seconds ",
        ),
        (
            "commit to visible in the lake, p99",
            "tributary_lakewriter_freshness_p99_seconds ",
        ),
    ] {
        let seconds = lakewriter.metric(metric).await?;
        report.add(LAKE, name, seconds * 1000.0, "ms", None);
    }
    for name in ["cdc", "lakewriter"] {
        let share = 100.0 * usage.of(name) / delays.wall;
        report.add(LAKE, format!("{name}, of one core"), share, "%", None);
    }
    report.add_cores(LAKE, &usage);
    lakewriter.stop().await?;
    cdc.stop().await
}

/// What is written, at a steady pace, each commit flushed to disk.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub first_id: i64,
    pub transactions_per_second: u32,
    pub rows_per_transaction: u32,
}

/// Rows written and how late each was.
#[derive(Debug)]
pub struct Delays {
    pub written: u32,
    /// How long writing took, seconds.
    pub wall: f64,
    /// Sorted, milliseconds.
    millis: Vec<f64>,
}

pub fn add_delays(report: &mut Report, part: &'static str, delays: &Delays) {
    let quantile = |share: f64| {
        let index = (share * delays.millis.len() as f64) as usize;
        delays.millis.get(index).copied().unwrap_or(f64::NAN)
    };
    report.add(
        part,
        "written",
        f64::from(delays.written) / delays.wall,
        "rows/s",
        None,
    );
    report.add(
        part,
        "commit to read_committed consumer, p50",
        quantile(0.5),
        "ms",
        Some(Bar::AtMost(40.0)),
    );
    report.add(
        part,
        "commit to read_committed consumer, p99",
        quantile(0.99),
        "ms",
        Some(Bar::AtMost(80.0)),
    );
    report.add(
        part,
        "commit to read_committed consumer, most",
        delays.millis.last().copied().unwrap_or(f64::NAN),
        "ms",
        None,
    );
}

/// Writes rows for as long as asked, and reads each of them.
pub async fn run(servers: &Servers, load: Load, lasts: Duration) -> Result<Delays> {
    let consumer = consumer(servers)?;
    let written = Arc::new(AtomicBool::new(false));
    let reader = tokio::task::spawn_blocking({
        let written = Arc::clone(&written);
        move || read(&consumer, &written)
    });
    let started = Instant::now();
    let count = write(servers, load, lasts).await?;
    let wall = started.elapsed().as_secs_f64();
    // how many there are is known to the reader by what arrives: it ends when nothing does
    written.store(true, Ordering::Relaxed);
    let mut millis = reader.await.context("read the topic")??;
    millis.sort_by(f64::total_cmp);
    ensure!(
        millis.len() == count as usize,
        "{} rows arrived of {count}",
        millis.len()
    );
    Ok(Delays {
        written: count,
        wall,
        millis,
    })
}

/// One connection, each row with its time of writing.
async fn write(servers: &Servers, load: Load, lasts: Duration) -> Result<u32> {
    let client = servers.postgres.connect(DATABASE).await?;
    // A walsender sends what is flushed: commits that are not wait for the WAL writer's next turn.
    client
        .batch_execute("set synchronous_commit = on")
        .await
        .context("ask for flushed commits")?;
    let insert = client
        .prepare(
            "insert into tweets
             select $1::bigint + g, 1,
                    '@' || to_char(extract(epoch from clock_timestamp()), 'FM0000000000.000000') || ' hello',
                    'en', now(), 0, null, null, null, 1
             from generate_series(0, $2::bigint - 1) g",
        )
        .await
        .context("prepare the insert")?;
    let mut timer = interval(Duration::from_secs(1) / load.transactions_per_second);
    timer.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < lasts {
        timer.tick().await;
        let id = load.first_id + i64::from(count);
        client
            .execute(&insert, &[&id, &i64::from(load.rows_per_transaction)])
            .await
            .context("insert rows")?;
        count += load.rows_per_transaction;
    }
    Ok(count)
}

/// At the end of the topic, as it is now.
fn consumer(servers: &Servers) -> Result<BaseConsumer> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers.kafka.bootstrap())
        .set("group.id", "bench-latency")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "10")
        .create()
        .context("make a Kafka consumer")?;
    let (_, end) = consumer
        .fetch_watermarks(TOPIC, 0, PATIENCE)
        .with_context(|| format!("read the end of topic `{TOPIC}`"))?;
    let mut partitions = TopicPartitionList::new();
    partitions
        .add_partition_offset(TOPIC, 0, Offset::Offset(end))
        .context("choose a partition")?;
    consumer.assign(&partitions).context("choose a partition")?;
    Ok(consumer)
}

/// How late each row is, milliseconds. Ends three seconds after the last one, once writing has ended.
fn read(consumer: &BaseConsumer, written: &AtomicBool) -> Result<Vec<f64>> {
    const SILENCE: Duration = Duration::from_secs(3);
    let mut millis = Vec::new();
    let mut heard = Instant::now();
    loop {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            if written.load(Ordering::Relaxed) && heard.elapsed() > SILENCE {
                return Ok(millis);
            }
            continue;
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("read the clock")?
            .as_secs_f64();
        let message = message.context("read the topic")?;
        heard = Instant::now();
        if let Some(sent) = message.payload().and_then(time_of) {
            millis.push((now - sent) * 1000.0);
        }
    }
}

/// The time in the row's text, seconds since 1970.
fn time_of(event: &[u8]) -> Option<f64> {
    const FIELD: &str = "\"text\":\"@";
    let event = std::str::from_utf8(event).ok()?;
    let after = event.split_once("\"after\":")?.1;
    let time = after.split_once(FIELD)?.1;
    time.split_once(' ')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_stands_in_the_new_row() {
        let event = br#"{"before":null,"after":{"id":1,"text":"@1700000000.250000 hello"}}"#;
        assert_eq!(time_of(event), Some(1_700_000_000.25));
        assert_eq!(time_of(b"{\"after\":null}"), None);
    }
}
