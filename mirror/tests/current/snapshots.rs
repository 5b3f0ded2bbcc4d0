//! A new snapshot takes the place of the rows of before when all of its rows are there, and not before.
//!
//! Rows are withheld, and the follower has no patience: if it went by time, it would show a part of the snapshot at once.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use datafusion::prelude::SessionContext;
use lakewriter::Lake;
use mirror::{Follower, Reason, Settings, Step};
use object_store::memory::InMemory;

use crate::{
    equal::{advance, assert_equal, current},
    faulty_store::{Fault, FaultyStore},
    log::{Body, CHANGES, Event, Log, lake_on},
    random,
};

const CURRENT: &str = "app/public.t/current";
const OLD: i64 = 1;
const NEW: i64 = 2;

/// Rows of the new snapshot.
const ROWS: i64 = 6;

/// Where it stands: below the LSNs of the history before.
const SNAPSHOT: (i64, i64) = (NEW, 15);

fn event(op: char, (incarnation, lsn): (i64, i64), seq: i64, id: i64, n: i64) -> Event {
    Event {
        op,
        incarnation,
        lsn,
        seq,
        id,
        n,
        body: Body::Sent(None),
        partition: i32::from(id % 2 == 1),
        offset: 1_000 * incarnation + lsn + seq,
    }
}

/// Rows of the new snapshot that come through this partition.
fn rows(partition: i64) -> Vec<Event> {
    let ids = (0..ROWS).filter(|id| id % 2 == partition);
    ids.map(|id| event('r', SNAPSHOT, 10 + id, id, 100))
        .collect()
}

struct Scene {
    store: FaultyStore,
    lake: Lake,
    log: Log,
    session: SessionContext,
    settings: Settings,
}

impl Scene {
    /// Ten rows of an earlier history, in the log and in `current`.
    async fn new() -> Result<Self> {
        let scene = Self::empty().await?;
        let mut scene = Self {
            settings: Settings {
                snapshot_pause: Duration::ZERO,
                ..Settings::default()
            },
            ..scene
        };
        let old: Vec<Event> = (0..10)
            .map(|id| event('c', (OLD, 900), id, id, 1))
            .collect();
        scene.log.commit(&old).await?;
        advance(&mut scene.follower()).await?;
        scene.shows(10, 1).await?;
        Ok(scene)
    }

    async fn empty() -> Result<Self> {
        let store = FaultyStore::new(Arc::new(InMemory::new()));
        let lake = lake_on(Arc::new(store.clone()))?;
        Ok(Self {
            log: Log::create(lake.clone()).await?,
            store,
            lake,
            session: SessionContext::new(),
            settings: random::settings(),
        })
    }

    fn follower(&self) -> Follower {
        Follower::new(&self.lake, &self.session, CHANGES, self.settings.clone())
    }

    /// So many rows, all of them with this value: of the one history or of the other one, never of both.
    async fn shows(&self, count: usize, n: i64) -> Result<()> {
        let (rows, _) = current(&self.lake, CURRENT).await?;
        let of = format!("|{n}|");
        ensure!(
            rows.len() == count && rows.iter().all(|row| row.contains(&of)),
            "not {count} rows with {n}: {rows:#?}"
        );
        Ok(())
    }

    /// Whoever looks, and however often, the rows of before are shown.
    async fn waits(&self, follower: &mut Follower) -> Result<()> {
        for _ in 0..3 {
            let step = follower.step().await?;
            ensure!(step == Step::Held, "{step:?}");
        }
        let step = self.follower().step().await?;
        ensure!(step == Step::Held, "another one: {step:?}");
        self.shows(10, 1).await
    }
}

fn is_new_snapshot(steps: &[Step]) -> bool {
    matches!(
        steps,
        [Step::Rebuilt {
            reason: Reason::NewSnapshot,
            ..
        }]
    )
}

#[tokio::test]
async fn a_snapshot_that_stalls_is_shown_when_all_of_it_is_there() -> Result<()> {
    let mut scene = Scene::new().await?;
    let mut follower = scene.follower();
    advance(&mut follower).await?;
    let (even, mut odd) = (rows(0), rows(1));
    let last = odd.pop().expect("rows");
    scene.log.tell(SNAPSHOT, None).await?;
    scene.log.commit(&even[..1]).await?;
    scene.waits(&mut follower).await?;
    // The partition of the last row is faster than the other one, and goes on to what came after the snapshot.
    scene.log.tell(SNAPSHOT, Some(ROWS as u64)).await?;
    scene.log.commit(&odd).await?;
    scene.log.commit(&[last]).await?;
    scene.waits(&mut follower).await?;
    scene
        .log
        .commit(&[event('u', (NEW, 20), 0, 1, 100)])
        .await?;
    scene.waits(&mut follower).await?;
    // A row that comes twice is one row.
    let mut again = even[0].clone();
    again.offset += 500;
    scene.log.commit(&[again, even[1].clone()]).await?;
    scene.waits(&mut follower).await?;
    scene.log.commit(&even[2..]).await?;
    let steps = advance(&mut follower).await?;
    ensure!(is_new_snapshot(&steps), "{steps:?}");
    scene.shows(6, 100).await?;
    assert_equal(&scene.lake, CHANGES).await
}

#[tokio::test]
async fn whoever_dies_at_any_request_shows_the_old_rows_or_all_new_ones() -> Result<()> {
    for at in 0..40 {
        let mut scene = Scene::new().await?;
        scene.log.tell(SNAPSHOT, Some(ROWS as u64)).await?;
        scene.log.commit(&rows(1)).await?;
        let mut reached = false;
        for (part, fault) in [(&rows(0)[..2], Fault::Lost), (&rows(0)[2..], Fault::Lost)] {
            scene.log.commit(part).await?;
            scene.store.plan("public.t/", at, 1, fault);
            let mut follower = scene.follower();
            let died = advance_or_held(&mut follower).await.is_err();
            reached |= died;
            scene.store.heal();
            let (rows, _) = current(&scene.lake, CURRENT).await?;
            match rows.len() {
                10 => scene.shows(10, 1).await?,
                _ => scene.shows(6, 100).await?,
            }
        }
        advance(&mut scene.follower()).await?;
        scene.shows(6, 100).await?;
        assert_equal(&scene.lake, CHANGES).await?;
        if !reached {
            return Ok(());
        }
    }
    anyhow::bail!("there is no end of its requests")
}

async fn advance_or_held(follower: &mut Follower) -> Result<()> {
    loop {
        match follower.step().await? {
            Step::Idle | Step::Held => return Ok(()),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_snapshot_that_is_killed_gives_way_to_the_next_one() -> Result<()> {
    let mut scene = Scene::new().await?;
    let mut follower = scene.follower();
    scene.log.tell(SNAPSHOT, None).await?;
    scene.log.commit(&rows(0)).await?;
    scene.waits(&mut follower).await?;
    // The table is read again as of a later moment, and has one row by then: it is the first and the last one.
    let second = (NEW, 95);
    scene.log.tell(second, Some(1)).await?;
    scene.log.commit(&[event('r', second, 0, 3, 100)]).await?;
    let steps = advance(&mut follower).await?;
    ensure!(is_new_snapshot(&steps), "{steps:?}");
    scene.shows(1, 100).await?;
    // What is left of the first one comes late, and is of no account.
    scene.log.commit(&rows(1)).await?;
    advance(&mut follower).await?;
    scene.shows(1, 100).await?;
    assert_equal(&scene.lake, CHANGES).await
}

#[tokio::test]
async fn the_first_snapshot_of_a_table_is_waited_for_as_well() -> Result<()> {
    let mut scene = Scene::empty().await?;
    let mut follower = scene.follower();
    scene.log.tell(SNAPSHOT, None).await?;
    scene.log.commit(&rows(0)).await?;
    for _ in 0..3 {
        let step = follower.step().await?;
        ensure!(step == Step::Held, "{step:?}");
    }
    scene.log.tell(SNAPSHOT, Some(ROWS as u64)).await?;
    scene.log.commit(&rows(1)).await?;
    let steps = advance(&mut follower).await?;
    ensure!(
        matches!(steps.as_slice(), [Step::Rebuilt { .. }]),
        "{steps:?}"
    );
    scene.shows(6, 100).await
}

#[tokio::test]
async fn counted_rows_that_do_not_come_are_told() -> Result<()> {
    let mut scene = Scene::new().await?;
    scene.settings.missing_after = Duration::ZERO;
    scene.log.tell(SNAPSHOT, Some(ROWS as u64)).await?;
    scene.log.commit(&rows(0)).await?;
    let step = scene.follower().step().await?;
    ensure!(step == Step::Missing { of: 6, there: 3 }, "{step:?}");
    scene.shows(10, 1).await?;
    // More rows than were counted: the log contradicts itself, and nothing of it is shown.
    scene.log.tell(SNAPSHOT, Some(2)).await?;
    let refused = scene.follower().step().await;
    ensure!(refused.is_err(), "{refused:?}");
    scene.shows(10, 1).await
}

#[tokio::test]
async fn rows_that_came_without_kafka_came_at_once() -> Result<()> {
    let mut scene = Scene::new().await?;
    scene.settings.snapshot_pause = Duration::from_secs(3600);
    let mut follower = scene.follower();
    advance(&mut follower).await?;
    let mut all = [rows(0), rows(1)].concat();
    all.iter_mut().for_each(|event| event.partition = -1);
    scene.log.commit(&all).await?;
    let steps = advance(&mut follower).await?;
    ensure!(is_new_snapshot(&steps), "{steps:?}");
    scene.shows(6, 100).await
}

#[tokio::test]
async fn a_connector_that_does_not_count_is_given_time() -> Result<()> {
    let mut scene = Scene::new().await?;
    scene.settings.snapshot_pause = Duration::from_secs(3600);
    let mut follower = scene.follower();
    scene.log.commit(&rows(0)).await?;
    scene.waits(&mut follower).await?;
    scene.log.commit(&rows(1)).await?;
    scene.waits(&mut follower).await?;
    scene
        .log
        .commit(&[event('u', (NEW, 20), 0, 1, 100)])
        .await?;
    let steps = advance(&mut follower).await?;
    ensure!(is_new_snapshot(&steps), "{steps:?}");
    scene.shows(6, 100).await
}
