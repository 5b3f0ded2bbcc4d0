//! A lake that is kept small while it is written: the rows stay what they are, whoever else writes and whatever fails.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use debezium::PgTypeKind;
use deltalake_core::{DeltaTable, operations::optimize::OptimizeType};
use futures::TryStreamExt as _;
use lakewriter::{
    Lake,
    lake::delta::LakeTable,
    maintain::{
        Compacted, CompactionLimits, Extent, Maintainer, Maintenance, compact, expire, vacuum,
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    direct::{Disk, disk, open},
    faulty_store::Fault,
    rows,
    shop::{LINES, ORDERS, Shop, column, end, verify},
};

const LIMITS: CompactionLimits = CompactionLimits {
    target_bytes: 1 << 20,
    files: 4,
    deleted_ratio: 0.2,
};

/// One commit for each transaction.
async fn write(disk: &Disk, shop: &Shop, transactions: std::ops::Range<u64>) -> Result<()> {
    let (mut writer, _) = open(&disk.lake).await?;
    for n in transactions {
        shop.write(&mut writer, n)?;
        writer.commit_open(end(n)).await?;
    }
    Ok(())
}

async fn table(lake: &Lake, folder: &str) -> Result<LakeTable> {
    LakeTable::open(lake, folder).await?.context("a table")
}

async fn compacted(lake: &Lake, folder: &str) -> Result<Compacted> {
    let mut table = table(lake, folder).await?;
    let stop = CancellationToken::new();
    Ok(compact(lake, &mut table, &LIMITS, Extent::Tiers, &stop, |_| {}).await?)
}

/// The data files that lie in the table's folder, readers' or not.
async fn stored(lake: &Lake, folder: &str) -> Result<BTreeSet<String>> {
    let root = lake.root().clone();
    let root = folder.split('/').fold(root, |path, part| path.join(part));
    let objects: Vec<_> = lake.store().list(Some(&root)).try_collect().await?;
    Ok(objects
        .into_iter()
        .map(|object| object.location.to_string())
        .filter(|path| path.ends_with(".parquet") && !path.contains("_delta_log"))
        .collect())
}

/// The data files that readers read.
async fn read(lake: &Lake, folder: &str) -> Result<usize> {
    let mut table = DeltaTable::new(lake.log_store(folder)?);
    table.load().await?;
    Ok(table.snapshot()?.log_data().num_files())
}

const IN_ORDER: &str = "SELECT id, _lsn, _seq FROM t";

#[tokio::test(flavor = "multi_thread")]
async fn small_files_become_one_with_the_same_rows_in_the_same_order() -> Result<()> {
    let disk = disk()?;
    write(&disk, &Shop::new(), 0..12).await?;
    // A column that only later rows have.
    let wider = Shop::with_orders(vec![
        column("id", PgTypeKind::Int8),
        column("note", PgTypeKind::Text),
    ]);
    write(&disk, &wider, 12..20).await?;
    let all = "SELECT id, note, _op, _lsn, _seq, _ts, _incarnation FROM t ORDER BY _lsn, _seq";
    let before = rows::query(&disk.lake, ORDERS, all).await?;
    ensure!(before.len() == 20, "{before:?}");

    let done = compacted(&disk.lake, ORDERS).await?;
    ensure!(
        done.files_before == 20 && done.files_after == 1 && done.rows == 20,
        "{done:?}"
    );
    ensure!(read(&disk.lake, ORDERS).await? == 1);
    ensure!(rows::query(&disk.lake, ORDERS, all).await? == before);
    let in_order = rows::query(&disk.lake, ORDERS, IN_ORDER).await?;
    let sorted = rows::query(
        &disk.lake,
        ORDERS,
        &format!("{IN_ORDER} ORDER BY _lsn, _seq"),
    )
    .await?;
    ensure!(in_order == sorted, "{in_order:?}");
    // Nothing left to do.
    let done = compacted(&disk.lake, ORDERS).await?;
    ensure!(done == Compacted::default(), "{done:?}");

    // The writer goes on, and so do its positions.
    write(&disk, &wider, 20..30).await?;
    verify(&disk.lake, 30).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_and_its_compaction_do_not_hinder_each_other() -> Result<()> {
    let disk = disk()?;
    let shop = Shop::new();
    let (mut writer, _) = open(&disk.lake).await?;
    let stop = CancellationToken::new();
    shop.write(&mut writer, 0)?;
    writer.commit_open(end(0)).await?;
    let lake = disk.lake.clone();
    let stopping = stop.clone();
    let maintenance = tokio::spawn(async move {
        let mut total = Compacted::default();
        while !stopping.is_cancelled() {
            for folder in [ORDERS, LINES] {
                total += compacted(&lake, folder).await?;
            }
            tokio::task::yield_now().await;
        }
        anyhow::Ok(total)
    });
    // A pace at which a freshness of a tenth of a second would have it written.
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for n in 1..80 {
        pace.tick().await;
        shop.write(&mut writer, n)?;
        writer.commit_open(end(n)).await?;
    }
    stop.cancel();
    let total = maintenance.await??;
    ensure!(total.files_before > 80, "{total:?}");
    ensure!(read(&disk.lake, ORDERS).await? < 40);
    verify(&disk.lake, 80).await
}

/// Both have read the same files; one of the two takes effect.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_compactions_one_takes_effect() -> Result<()> {
    let disk = disk()?;
    write(&disk, &Shop::new(), 0..8).await?;
    let mut first = table(&disk.lake, ORDERS).await?;
    let mut second = table(&disk.lake, ORDERS).await?;
    let stop = CancellationToken::new();
    let one = compact(
        &disk.lake,
        &mut first,
        &LIMITS,
        Extent::Tiers,
        &stop,
        |_| {},
    )
    .await?;
    let two = compact(
        &disk.lake,
        &mut second,
        &LIMITS,
        Extent::Tiers,
        &stop,
        |_| {},
    )
    .await?;
    ensure!(one.files_before == 8 && one.left == 0, "{one:?}");
    ensure!(two.files_before == 0 && two.left == 1, "{two:?}");
    // What the second wrote is gone again.
    ensure!(stored(&disk.lake, ORDERS).await?.len() == 9);
    verify(&disk.lake, 8).await
}

/// Another tool's OPTIMIZE began before ours was committed, and the other way round. The library that is used here
/// overlooks files that were taken away without a change of data: by itself it would show every row twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_optimize_never_doubles_rows() -> Result<()> {
    for ours_first in [true, false] {
        let disk = disk()?;
        write(&disk, &Shop::new(), 0..8).await?;
        let mut ours = table(&disk.lake, ORDERS).await?;
        let mut foreign = DeltaTable::new(disk.lake.log_store(ORDERS)?);
        foreign.load().await?;
        let stop = CancellationToken::new();
        if ours_first {
            compact(&disk.lake, &mut ours, &LIMITS, Extent::Tiers, &stop, |_| {}).await?;
            let refused = foreign.optimize().with_type(OptimizeType::Compact).await;
            ensure!(
                refused.is_err(),
                "an OPTIMIZE of files that are gone was committed"
            );
        } else {
            foreign.optimize().with_type(OptimizeType::Compact).await?;
            let left =
                compact(&disk.lake, &mut ours, &LIMITS, Extent::Tiers, &stop, |_| {}).await?;
            ensure!(left.files_before == 0 && left.left == 1, "{left:?}");
        }
        verify(&disk.lake, 8).await?;
        write(&disk, &Shop::new(), 8..12).await?;
        verify(&disk.lake, 12).await?;
    }
    Ok(())
}

/// The request that commits a compaction is lost, or its answer is, once or for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_request_or_answer_neither_loses_nor_doubles_a_row() -> Result<()> {
    for path in [
        "public.orders/changes/_delta_log/",
        "public.orders/changes/_date",
    ] {
        for fault in [Fault::Lost, Fault::AnswerLost, Fault::Retried] {
            for times in [1, 30] {
                let disk = disk()?;
                write(&disk, &Shop::new(), 0..8).await?;
                disk.store.plan(path, 0, times, fault);
                let result = compacted(&disk.lake, ORDERS).await;
                disk.store.heal();
                let case = format!("{fault:?} {times} times at {path}: {result:?}");
                verify(&disk.lake, 8).await.context(case.clone())?;
                compacted(&disk.lake, ORDERS).await.context(case.clone())?;
                ensure!(read(&disk.lake, ORDERS).await? == 1, "{case}");
                write(&disk, &Shop::new(), 8..10)
                    .await
                    .context(case.clone())?;
                verify(&disk.lake, 10).await.context(case)?;
            }
        }
    }
    Ok(())
}

/// A process that dies leaves what its requests have done so far: here it is one whose future is dropped, later each time.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_dies_at_any_point_costs_nothing() -> Result<()> {
    let disk = disk()?;
    let shop = Shop::new();
    let mut written = 0;
    let mut died = 0;
    for after in (0..20).map(Duration::from_millis) {
        write(&disk, &shop, written..written + 5).await?;
        written += 5;
        let compaction = tokio::time::timeout(after * 6, compacted(&disk.lake, ORDERS));
        died += usize::from(compaction.await.is_err());
    }
    ensure!(died > 0, "none died");
    verify(&disk.lake, written).await?;
    compacted(&disk.lake, ORDERS).await?;
    verify(&disk.lake, written).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopped_leaves_nothing_behind() -> Result<()> {
    let disk = disk()?;
    write(&disk, &Shop::new(), 0..8).await?;
    let before = stored(&disk.lake, ORDERS).await?;
    let stop = CancellationToken::new();
    stop.cancel();
    let mut orders = table(&disk.lake, ORDERS).await?;
    let done = compact(
        &disk.lake,
        &mut orders,
        &LIMITS,
        Extent::Tiers,
        &stop,
        |_| {},
    )
    .await?;
    ensure!(done == Compacted::default(), "{done:?}");
    ensure!(stored(&disk.lake, ORDERS).await? == before);
    Ok(())
}

/// A file that cannot be read leaves its group as it is, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_an_error_and_no_lost_row() -> Result<()> {
    let disk = disk()?;
    write(&disk, &Shop::new(), 0..8).await?;
    let broken = stored(&disk.lake, ORDERS).await?;
    let broken = format!("/{}", broken.first().context("a file")?);
    let bytes = std::fs::read(&broken)?;
    let mut damaged = bytes.clone();
    damaged.truncate(bytes.len() / 2);
    std::fs::write(&broken, damaged)?;
    ensure!(compacted(&disk.lake, ORDERS).await.is_err());
    ensure!(read(&disk.lake, ORDERS).await? == 8);
    std::fs::write(&broken, bytes)?;
    compacted(&disk.lake, ORDERS).await?;
    verify(&disk.lake, 8).await
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_deletes_what_no_version_of_the_history_needs_and_no_upload() -> Result<()> {
    let disk = disk()?;
    write(&disk, &Shop::new(), 0..8).await?;
    let old = stored(&disk.lake, ORDERS).await?;
    compacted(&disk.lake, ORDERS).await?;
    let new: BTreeSet<String> = stored(&disk.lake, ORDERS).await?;
    // An upload whose commit is still to come.
    let upload = old
        .first()
        .context("a file")?
        .replace(".parquet", "-upload.parquet");
    std::fs::write(format!("/{upload}"), b"rows")?;

    let mut orders = table(&disk.lake, ORDERS).await?;
    let none = vacuum(&disk.lake, &mut orders, Duration::from_secs(3600), false).await?;
    ensure!(none.files.is_empty(), "{none:?}");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let would = vacuum(&disk.lake, &mut orders, Duration::from_millis(10), true).await?;
    ensure!(would.files.len() == 8 && would.bytes > 0, "{would:?}");
    ensure!(stored(&disk.lake, ORDERS).await?.len() == new.len() + 1);
    let did = vacuum(&disk.lake, &mut orders, Duration::from_millis(10), false).await?;
    ensure!(did == would, "{did:?}");
    let left = stored(&disk.lake, ORDERS).await?;
    let kept: BTreeSet<String> = new.difference(&old).cloned().chain([upload]).collect();
    ensure!(left == kept, "{left:?}");
    verify(&disk.lake, 8).await
}

/// The direct road's commit point names files of several tables, and its process may be away for long before it has
/// committed all of them.
#[tokio::test(flavor = "multi_thread")]
async fn vacuum_keeps_what_a_position_record_promises() -> Result<()> {
    let disk = disk()?;
    write(&disk, &Shop::new(), 0..2).await?;
    // The record is put, the commit of the orders fails, and so does everything after it.
    disk.store
        .plan("public.orders/changes/_delta_log/", 0, 1000, Fault::Lost);
    ensure!(write(&disk, &Shop::new(), 2..3).await.is_err());
    disk.store.heal();
    let month_ago = std::time::SystemTime::now() - Duration::from_secs(30 * 24 * 3600);
    for path in stored(&disk.lake, ORDERS).await? {
        std::fs::File::open(format!("/{path}"))?.set_modified(month_ago)?;
    }
    let mut orders = table(&disk.lake, ORDERS).await?;
    let hour = Duration::from_secs(3600);
    let none = vacuum(&disk.lake, &mut orders, hour, false).await?;
    ensure!(none.files.is_empty(), "{none:?}");
    // Opening finishes what was begun.
    write(&disk, &Shop::new(), 3..4).await?;
    verify(&disk.lake, 4).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_cut_and_positions_stay() -> Result<()> {
    let disk = disk()?;
    write(&disk, &Shop::new(), 0..120).await?;
    let mut orders = table(&disk.lake, ORDERS).await?;
    orders.checkpoint().await?;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let expired = expire(&disk.lake, &mut orders, Duration::from_millis(10)).await?;
    ensure!(expired.entries >= 120, "{expired:?}");
    verify(&disk.lake, 120).await?;
    write(&disk, &Shop::new(), 120..125).await?;
    verify(&disk.lake, 125).await
}

/// A day at a commit every two seconds, shortened: as many files and entries at its end as after its first part.
#[tokio::test(flavor = "multi_thread")]
async fn upkeep_bounds_files_and_log() -> Result<()> {
    let disk = disk()?;
    let shop = Shop::new();
    let maintainer = Maintainer::new(
        disk.lake.clone(),
        Maintenance {
            limits: LIMITS,
            history: Duration::from_millis(500),
            ..Maintenance::default()
        },
    );
    let stop = CancellationToken::new();
    let mut sizes = Vec::new();
    for part in 0..4 {
        write(&disk, &shop, part * 100..(part + 1) * 100).await?;
        tokio::time::sleep(Duration::from_millis(600)).await;
        maintainer.upkeep(ORDERS, &stop).await?;
        let root = disk.lake.root().clone();
        let root = ORDERS.split('/').fold(root, |path, part| path.join(part));
        let objects: Vec<_> = disk.lake.store().list(Some(&root)).try_collect().await?;
        sizes.push(objects.len());
    }
    // Entries stay from the newest checkpoint on that is older than the history. There is one every 50 commits, and which of
    // them is old enough depends on how fast this machine commits; 400 commits leave over 800 objects without upkeep.
    let most = sizes.iter().max().copied().unwrap_or_default();
    ensure!(most <= 200, "{sizes:?}");
    verify(&disk.lake, 400).await
}
