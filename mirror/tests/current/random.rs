//! Random changes, delivered in parts: after each commit `current` is what a replay of the log shows, and in the end what
//! the source has.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use datafusion::prelude::SessionContext;
use mirror::{Follower, Reason, Settings, Step};
use object_store::memory::InMemory;

use crate::{
    equal::{advance, assert_equal, assert_roads_agree, current},
    log::{CHANGES, Log, lake_on},
    source::{Dice, Habits, Source},
};

pub fn settings() -> Settings {
    Settings {
        snapshot_pause: Duration::ZERO,
        ..Settings::default()
    }
}

/// Commits to the log.
const ROUNDS: usize = 10;

/// Steps of a run, and how many of them folded changes.
struct Run {
    folded: usize,
    rebuilt: Vec<Reason>,
}

async fn run(seed: u64, habits: Habits, settings: &Settings) -> Result<Run> {
    let mut dice = Dice::new(seed);
    let lake = lake_on(Arc::new(InMemory::new()))?;
    let session = SessionContext::new();
    let mut log = Log::create(lake.clone()).await?;
    let mut source = Source::new(habits);
    let mut follower = Follower::new(&lake, &session, CHANGES, settings.clone());
    let mut run = Run {
        folded: 0,
        rebuilt: Vec::new(),
    };
    for round in 0..ROUNDS {
        for _ in 0..=dice.below(5) {
            source.transact(&mut dice);
        }
        let events = match round {
            _ if round + 1 == ROUNDS => source.drain(),
            _ if habits.partitions == 1 && !habits.repeats => source.drain(),
            _ => source.deliver(&mut dice),
        };
        log.commit(&events).await?;
        if round % 2 == 1 {
            let behind = assert_roads_agree(&lake).await;
            behind.with_context(|| format!("seed {seed}, behind in round {round}, {habits:?}"))?;
        }
        if dice.one_in(5) {
            // It dies here, and another one goes on.
            follower = Follower::new(&lake, &session, CHANGES, settings.clone());
        }
        for step in advance(&mut follower).await? {
            match step {
                Step::Folded { .. } => run.folded += 1,
                Step::Rebuilt { reason, .. } => run.rebuilt.push(reason),
                step => anyhow::bail!("{step:?}"),
            }
        }
        let equal = assert_equal(&lake, CHANGES).await;
        equal.with_context(|| format!("seed {seed}, round {round}, {habits:?}"))?;
    }
    let (rows, _) = current(&lake, "app/public.t/current").await?;
    let rows: Vec<String> = rows
        .iter()
        .map(|row| row.split('|').take(3).collect::<Vec<_>>().join("|"))
        .collect();
    // Of a delete that comes once more between the moves of two keys over each other a replay takes another row.
    ensure!(
        habits.repeats && habits.swaps || rows == source.rows(),
        "seed {seed}: {rows:#?} for {:#?}",
        source.rows()
    );
    Ok(run)
}

pub const QUIET: Habits = Habits {
    partitions: 1,
    truncates: false,
    snapshots: false,
    swaps: true,
    repeats: false,
};

fn seeds() -> std::ops::Range<u64> {
    // `TRIBUTARY_SEED=7` replays one, `TRIBUTARY_SEEDS=1000` runs as many.
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match (number("TRIBUTARY_SEED"), number("TRIBUTARY_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, count) => 0..count.unwrap_or(3),
    }
}

#[tokio::test]
async fn what_comes_in_order_is_always_folded() -> Result<()> {
    for seed in seeds() {
        let run = run(seed, QUIET, &settings()).await?;
        ensure!(
            run.rebuilt == [Reason::NoCurrent],
            "seed {seed}: {:?}",
            run.rebuilt
        );
        ensure!(run.folded >= 7, "seed {seed}: {}", run.folded);
    }
    Ok(())
}

#[tokio::test]
async fn without_an_index_it_is_the_same() -> Result<()> {
    let settings = Settings {
        index_bytes: 0,
        ..settings()
    };
    for seed in seeds().take(4) {
        let run = run(seed, QUIET, &settings).await?;
        ensure!(
            run.rebuilt == [Reason::NoCurrent],
            "seed {seed}: {:?}",
            run.rebuilt
        );
    }
    Ok(())
}

#[tokio::test]
async fn truncates_and_snapshots_are_shown_as_the_log_has_them() -> Result<()> {
    for seed in seeds() {
        let habits = Habits {
            truncates: true,
            snapshots: true,
            ..QUIET
        };
        run(seed, habits, &settings()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn partitions_come_as_they_come() -> Result<()> {
    let mut rebuilt = Vec::new();
    let mut folded = 0;
    for seed in seeds() {
        let habits = Habits {
            partitions: 3,
            swaps: false,
            ..QUIET
        };
        let run = run(seed, habits, &settings()).await?;
        folded += run.folded;
        rebuilt.extend(run.rebuilt);
    }
    println!("{folded} folds, {} made anew: {rebuilt:?}", rebuilt.len());
    Ok(())
}

#[tokio::test]
async fn anything_in_any_order_is_what_the_replay_shows() -> Result<()> {
    for seed in seeds() {
        let habits = Habits {
            partitions: 3,
            truncates: true,
            snapshots: true,
            swaps: true,
            repeats: true,
        };
        run(seed, habits, &settings()).await?;
    }
    Ok(())
}
