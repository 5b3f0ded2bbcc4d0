//! What may go wrong between two steps: lost requests and acknowledgements, a second follower, a process that dies, other
//! programs that commit.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use datafusion::prelude::SessionContext;
use deltalake_core::DeltaTable;
use lakewriter::Lake;
use mirror::{Follower, Reason, Settings, Step};
use object_store::{ObjectStoreExt as _, memory::InMemory};

use crate::{
    equal::{advance, assert_equal, current},
    faulty_store::{Fault, FaultyStore},
    log::{Body, CHANGES, Event, Log, lake_on},
    random::settings,
};

const CURRENT: &str = "app/public.t/current";

fn change(op: char, lsn: i64, id: i64, n: i64) -> Event {
    Event {
        op,
        incarnation: 1,
        lsn,
        seq: 0,
        id,
        n,
        body: Body::Sent(Some(format!("body {n}"))),
        partition: 0,
        offset: lsn,
    }
}

struct Scene {
    store: FaultyStore,
    lake: Lake,
    log: Log,
    session: SessionContext,
}

impl Scene {
    /// Rows 0 to 9 in the log and in `current`.
    async fn new() -> Result<Self> {
        let store = FaultyStore::new(Arc::new(InMemory::new()));
        let lake = lake_on(Arc::new(store.clone()))?;
        let mut log = Log::create(lake.clone()).await?;
        let rows: Vec<Event> = (0..10).map(|id| change('c', 100 + id, id, id)).collect();
        log.commit(&rows).await?;
        let scene = Self {
            store,
            lake,
            log,
            session: SessionContext::new(),
        };
        let steps = advance(&mut scene.follower()).await?;
        ensure!(
            matches!(
                steps.as_slice(),
                [Step::Rebuilt {
                    reason: Reason::NoCurrent,
                    ..
                }]
            ),
            "{steps:?}"
        );
        Ok(scene)
    }

    fn follower(&self) -> Follower {
        Follower::new(&self.lake, &self.session, CHANGES, settings())
    }

    /// Three rows change, one goes, one comes.
    async fn go_on(&mut self, lsn: i64) -> Result<()> {
        let changes = [
            change('u', lsn, 1, lsn),
            change('u', lsn + 1, 2, lsn),
            change('d', lsn + 2, 3, 0),
            change('c', lsn + 3, lsn, lsn),
            change('u', lsn + 4, 4, lsn),
        ];
        self.log.commit(&changes).await
    }

    async fn optimize(&self, from: DeltaTable) -> Result<()> {
        let rewritten = from.optimize().await;
        rewritten.map(drop).map_err(Into::into)
    }

    async fn table(&self) -> Result<DeltaTable> {
        let mut table = DeltaTable::new(self.lake.log_store(CURRENT)?);
        table.load().await?;
        Ok(table)
    }
}

#[tokio::test]
async fn a_commit_whose_fate_is_unknown_is_decided_by_the_table() -> Result<()> {
    for fault in [Fault::Lost, Fault::AnswerLost, Fault::Retried] {
        for path in [
            "current/_delta_log",
            "current/part-",
            "current/deletion_vector",
        ] {
            let mut scene = Scene::new().await?;
            let mut follower = scene.follower();
            for round in 1..4 {
                scene.go_on(200 * round).await?;
                if round == 2 {
                    scene.store.plan(path, 0, 1, fault);
                }
                let failed = loop {
                    match follower.step().await {
                        Ok(Step::Idle) => break 0,
                        Ok(_) => {}
                        Err(_) => break 1,
                    }
                };
                scene.store.heal();
                // Whatever came of it, the rows are those of the version that it names.
                assert_equal(&scene.lake, CHANGES).await?;
                if failed == 1 {
                    advance(&mut follower).await?;
                    assert_equal(&scene.lake, CHANGES).await?;
                }
            }
            let (rows, version) = current(&scene.lake, CURRENT).await?;
            ensure!(
                version == 4 && rows.len() == 12,
                "{fault:?} {path}: {version}, {rows:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn whoever_dies_between_two_requests_goes_on() -> Result<()> {
    // Each request of a fold fails once, and another process goes on.
    for at in 0..4 {
        let mut scene = Scene::new().await?;
        scene.go_on(200).await?;
        scene.store.plan("current/", at, 1, Fault::Lost);
        let mut follower = scene.follower();
        let died = advance(&mut follower).await.is_err();
        scene.store.heal();
        assert_equal(&scene.lake, CHANGES).await?;
        drop(follower);
        advance(&mut scene.follower()).await?;
        assert_equal(&scene.lake, CHANGES).await?;
        let (rows, version) = current(&scene.lake, CURRENT).await?;
        ensure!(
            version == 2 && rows.len() == 10,
            "{at} {died}: {version}, {rows:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn of_two_followers_one_is_told_so() -> Result<()> {
    let mut scene = Scene::new().await?;
    let (mut one, mut two) = (scene.follower(), scene.follower());
    advance(&mut one).await?;
    advance(&mut two).await?;
    let mut overtaken = 0;
    for round in 1..6 {
        scene.go_on(200 * round).await?;
        let (first, second) = if round % 2 == 0 {
            (&mut one, &mut two)
        } else {
            (&mut two, &mut one)
        };
        let step = first.step().await?;
        ensure!(matches!(step, Step::Folded { .. }), "{step:?}");
        // It has the table as it was before, and its commit is the one that is refused.
        let steps = advance(second).await?;
        overtaken += steps
            .iter()
            .filter(|step| **step == Step::Overtaken)
            .count();
        ensure!(
            !steps.iter().any(|step| matches!(step, Step::Folded { .. })),
            "{steps:?}"
        );
        assert_equal(&scene.lake, CHANGES).await?;
    }
    ensure!(overtaken == 5, "{overtaken}");
    // Both at once.
    for round in 6..9 {
        scene.go_on(200 * round).await?;
        let (first, second) = tokio::join!(advance(&mut one), advance(&mut two));
        first?;
        second?;
        assert_equal(&scene.lake, CHANGES).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_foreign_optimize_gives_no_row_twice() -> Result<()> {
    let mut scene = Scene::new().await?;
    let mut follower = scene.follower();
    for round in 1..5 {
        scene.go_on(200 * round).await?;
        advance(&mut follower).await?;
    }
    // It comes between what was read and the commit.
    scene.optimize(scene.table().await?).await?;
    scene.go_on(2_000).await?;
    let steps = advance(&mut follower).await?;
    ensure!(steps.first() == Some(&Step::Overtaken), "{steps:?}");
    ensure!(
        matches!(
            steps.last(),
            Some(Step::Rebuilt {
                reason: Reason::ForeignCommit,
                ..
            })
        ),
        "{steps:?}"
    );
    assert_equal(&scene.lake, CHANGES).await?;

    // It has read the table before a commit of ours, and would commit after it: rows of its files were deleted meanwhile,
    // which the library does not look at. That the table was described anew it does.
    for round in 11..14 {
        scene.go_on(200 * round).await?;
        advance(&mut follower).await?;
    }
    let stale = scene.table().await?;
    scene.go_on(2_900).await?;
    advance(&mut follower).await?;
    let optimized = scene.optimize(stale).await;
    ensure!(optimized.is_err(), "it committed");
    assert_equal(&scene.lake, CHANGES).await?;
    scene.go_on(3_000).await?;
    let steps = advance(&mut follower).await?;
    ensure!(
        steps.iter().all(|step| matches!(step, Step::Folded { .. })),
        "{steps:?}"
    );
    assert_equal(&scene.lake, CHANGES).await
}

#[tokio::test]
async fn a_foreign_delete_is_put_right_and_what_touches_no_row_is_let_be() -> Result<()> {
    let mut scene = Scene::new().await?;
    let mut follower = scene.follower();
    advance(&mut follower).await?;
    let table = scene.table().await?;
    table.delete().with_predicate("id = 5").await?;
    scene.go_on(200).await?;
    let steps = advance(&mut follower).await?;
    ensure!(
        matches!(
            steps.last(),
            Some(Step::Rebuilt {
                reason: Reason::ForeignCommit,
                ..
            })
        ),
        "{steps:?}"
    );
    assert_equal(&scene.lake, CHANGES).await?;

    let table = scene.table().await?;
    table.vacuum().with_dry_run(false).await?;
    scene.go_on(400).await?;
    let steps = advance(&mut follower).await?;
    ensure!(
        matches!(steps.last(), Some(Step::Folded { .. })),
        "{steps:?}"
    );
    assert_equal(&scene.lake, CHANGES).await
}

/// What a program leaves in the place of an entry that does not ask whether there is one.
const FOREIGN: &str = r#"{"commitInfo":{"timestamp":1,"operation":"OPTIMIZE","engineInfo":"Apache-Spark/3.5.7 Delta-Lake/3.3.2"}}"#;

#[tokio::test]
async fn an_entry_that_is_written_over_is_put_right() -> Result<()> {
    // The newest one; and those below it, which are looked at every few commits.
    for below in [0, 1, 3] {
        let mut scene = Scene::new().await?;
        let mut follower = scene.follower();
        for round in 1..6 {
            scene.go_on(200 * round).await?;
            advance(&mut follower).await?;
        }
        let newest = scene.table().await?.snapshot()?.version();
        let entry = format!("{CURRENT}/_delta_log/{:020}.json", newest - below);
        let entry = scene.lake.path(&entry);
        scene.store.put(&entry, FOREIGN.into()).await?;
        let mut steps = Vec::new();
        for round in 6..10 {
            scene.go_on(200 * round).await?;
            steps.extend(advance(&mut follower).await?);
            if below == 0 {
                assert_equal(&scene.lake, CHANGES).await?;
            }
        }
        let rebuilt = |step: &&Step| matches!(step, Step::Rebuilt { .. });
        ensure!(
            steps.iter().filter(rebuilt).count() == 1,
            "{below}: {steps:?}"
        );
        assert_equal(&scene.lake, CHANGES).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_compaction_of_the_log_is_no_news() -> Result<()> {
    let mut scene = Scene::new().await?;
    let mut follower = scene.follower();
    scene.go_on(200).await?;
    advance(&mut follower).await?;
    scene.go_on(400).await?;
    let mut log = DeltaTable::new(scene.lake.log_store(CHANGES)?);
    log.load().await?;
    // Files that were not folded yet are rewritten, too.
    log.optimize().await?;
    let steps = advance(&mut follower).await?;
    ensure!(
        steps.iter().all(|step| matches!(step, Step::Folded { .. })),
        "{steps:?}"
    );
    let (_, version) = current(&scene.lake, CURRENT).await?;
    ensure!(version == 4, "{version}");
    assert_equal(&scene.lake, CHANGES).await
}

#[tokio::test]
async fn the_table_tells_the_history_that_is_kept() -> Result<()> {
    let mut scene = Scene::new().await?;
    let told = async |scene: &Scene| -> Result<[Option<String>; 2]> {
        let table = scene.table().await?;
        let configuration = table.snapshot()?.metadata().configuration();
        Ok([
            "delta.logRetentionDuration",
            "delta.deletedFileRetentionDuration",
        ]
        .map(|key| configuration.get(key).cloned()))
    };
    let hours = |hours: [u32; 2]| hours.map(|hours| Some(format!("interval {hours} hours")));
    // As that of the log: a file is forgotten two rounds of maintenance later than it may be deleted.
    ensure!(told(&scene).await? == hours([6, 8]));
    let longer = Settings {
        history: Duration::from_secs(48 * 3600),
        ..settings()
    };
    let mut follower = Follower::new(&scene.lake, &scene.session, CHANGES, longer);
    scene.go_on(200).await?;
    let steps = advance(&mut follower).await?;
    ensure!(
        matches!(steps.as_slice(), [Step::Folded { .. }]),
        "{steps:?}"
    );
    ensure!(told(&scene).await? == hours([48, 50]));
    assert_equal(&scene.lake, CHANGES).await
}

/// What a fold costs does not depend on how much of the log there is.
#[tokio::test]
async fn a_fold_reads_nothing_of_the_log_but_what_is_new() -> Result<()> {
    let mut scene = Scene::new().await?;
    let mut follower = scene.follower();
    for round in 1..4 {
        scene.go_on(200 * round).await?;
        advance(&mut follower).await?;
    }
    // The beginning of the log is away, and so are its first files.
    let mut away = Vec::new();
    for name in [
        "_delta_log/00000000000000000000.json",
        "_delta_log/00000000000000000001.json",
        "1.parquet",
        "2.parquet",
    ] {
        let path = scene.lake.path(&format!("{CHANGES}/{name}"));
        let bytes = scene.store.get(&path).await?.bytes().await?;
        scene.store.delete(&path).await?;
        away.push((path, bytes));
    }
    for round in 4..8 {
        scene.go_on(200 * round).await?;
        let steps = advance(&mut follower).await?;
        ensure!(
            matches!(steps.as_slice(), [Step::Folded { .. }]),
            "{steps:?}"
        );
    }
    for (path, bytes) in away {
        scene.store.put(&path, bytes.into()).await?;
    }
    assert_equal(&scene.lake, CHANGES).await
}

#[tokio::test]
async fn many_commits_with_checkpoints() -> Result<()> {
    let mut scene = Scene::new().await?;
    let mut follower = scene.follower();
    for round in 1..60 {
        scene.go_on(200 * round).await?;
        advance(&mut follower).await?;
    }
    // Small files were written anew meanwhile, and the rows were found again.
    let files = scene.table().await?.snapshot()?.log_data().num_files();
    ensure!(files < 50, "{files} files");
    assert_equal(&scene.lake, CHANGES).await?;
    let (rows, version) = current(&scene.lake, CURRENT).await?;
    ensure!(
        version == 60 && rows.len() == 9 + 59,
        "{version} {}",
        rows.len()
    );
    // Whoever opens it, checkpoint or not, finds the same.
    scene.go_on(100_000).await?;
    let steps = advance(&mut scene.follower()).await?;
    ensure!(
        matches!(steps.as_slice(), [Step::Folded { .. }]),
        "{steps:?}"
    );
    assert_equal(&scene.lake, CHANGES).await
}
