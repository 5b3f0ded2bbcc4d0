//! How long a fold of 1,000 random keys into `current` takes, and how much memory: `upsert_speed ROWS`, on a local disk.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "it measures, and fails loudly"
)]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../tests/current/log.rs"]
mod log;

use std::time::{Duration, Instant};

use anyhow::Result;
use datafusion::prelude::SessionContext;
use lakewriter::{Lake, LakeConfig};
use log::{Body, CHANGES, Event, Log};
use mirror::{Follower, Settings, Step};

fn event(op: char, lsn: i64, seq: i64, id: i64) -> Event {
    Event {
        op,
        incarnation: 1,
        lsn,
        seq,
        id,
        n: lsn,
        body: Body::Sent(Some(format!(
            "the text of row {id} as of {lsn}, which is not short"
        ))),
        partition: 0,
        offset: lsn,
    }
}

fn resident_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse::<u64>().ok())
        .unwrap_or_default()
        / 1024
}

async fn until_idle(follower: &mut Follower) -> Result<()> {
    while follower.step().await? != Step::Idle {}
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let rows: i64 = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(100_000);
    let folder = tempfile::tempdir()?;
    let lake = Lake::connect(&LakeConfig::new(folder.path().display().to_string()))?;
    let mut log = Log::create(lake.clone()).await?;
    for (at, begin) in (0..rows).step_by(100_000).enumerate() {
        let lsn = 100 + i64::try_from(at)?;
        let some: Vec<Event> = (begin..rows.min(begin + 100_000))
            .map(|id| event('c', lsn, id, id))
            .collect();
        log.commit(&some).await?;
    }
    let settings = Settings {
        snapshot_pause: Duration::ZERO,
        ..Settings::default()
    };
    let session = SessionContext::new();
    let mut follower = Follower::new(&lake, &session, CHANGES, settings.clone());
    let began = Instant::now();
    until_idle(&mut follower).await?;
    println!(
        "{rows} rows made anew in {:?}, {} MB resident",
        began.elapsed(),
        resident_megabytes()
    );
    let mut follower = Follower::new(&lake, &session, CHANGES, settings);
    let began = Instant::now();
    until_idle(&mut follower).await?;
    println!(
        "opened with its index in {:?}, {} MB resident",
        began.elapsed(),
        resident_megabytes()
    );
    let mut random: i64 = 88_172_645_463_325_252;
    let mut took = Vec::new();
    for round in 0..40 {
        let lsn = 10_000 + round;
        let some: Vec<Event> = (0..1_000)
            .map(|seq| {
                random ^= random << 13;
                random ^= (random >> 7) & 0x01ff_ffff_ffff_ffff;
                random ^= random << 17;
                event('u', lsn, seq, random.rem_euclid(rows))
            })
            .collect();
        log.commit(&some).await?;
        let began = Instant::now();
        let step = follower.step().await?;
        assert!(matches!(step, Step::Folded { .. }), "{step:?}");
        took.push(began.elapsed());
    }
    let shown: Vec<u128> = took.iter().map(Duration::as_millis).collect();
    println!(
        "1,000 random keys, ms a commit: {shown:?}, {} MB resident",
        resident_megabytes()
    );
    took.sort_unstable();
    println!(
        "median {:?}, slowest {:?}",
        took[took.len() / 2],
        took[took.len() - 1]
    );
    Ok(())
}
