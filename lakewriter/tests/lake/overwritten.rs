//! A program that puts entries of the log without asking whether there is one writes over ours: no row is lost by it, and
//! none comes twice.

use anyhow::{Result, ensure};
use deltalake_core::DeltaTable;
use lakewriter::{
    Lake,
    lake::delta::LakeTable,
    maintain::{CompactionLimits, Extent, compact},
};
use object_store::{ObjectStoreExt as _, PutPayload};
use tokio_util::sync::CancellationToken;

use crate::{
    direct::{Disk, disk, open},
    shop::{ORDERS, Shop, end, verify},
};

/// What such a program leaves in the place of an entry.
const FOREIGN: &str = r#"{"commitInfo":{"timestamp":1,"operation":"OPTIMIZE","engineInfo":"Apache-Spark/3.5.7 Delta-Lake/3.3.2"}}"#;

async fn newest(lake: &Lake) -> Result<u64> {
    let mut table = DeltaTable::new(lake.log_store(ORDERS)?);
    table.load().await?;
    Ok(table.snapshot()?.version())
}

async fn write_over(lake: &Lake, version: u64) -> Result<()> {
    let entry = lake.path(&format!("{ORDERS}/_delta_log/{version:020}.json"));
    ensure!(lake.store().head(&entry).await?.size > 0);
    lake.store().put(&entry, PutPayload::from(FOREIGN)).await?;
    Ok(())
}

/// Another program's OPTIMIZE, which the store was asked about: from here on the table has company.
async fn company(disk: &Disk) -> Result<()> {
    let mut table = DeltaTable::new(disk.lake.log_store(ORDERS)?);
    table.load().await?;
    table.optimize().await?;
    Ok(())
}

struct Scene {
    disk: Disk,
    shop: Shop,
    writer: lakewriter::DirectWriter,
    written: u64,
}

impl Scene {
    async fn new() -> Result<Self> {
        let disk = disk()?;
        let (writer, _) = open(&disk.lake).await?;
        let mut scene = Self {
            disk,
            shop: Shop::new(),
            writer,
            written: 0,
        };
        scene.write(3).await?;
        Ok(scene)
    }

    async fn write(&mut self, transactions: u64) -> Result<()> {
        for _ in 0..transactions {
            self.shop.write(&mut self.writer, self.written)?;
            self.writer.commit_open(end(self.written)).await?;
            self.written += 1;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_entry_is_written_over() -> Result<()> {
    let mut scene = Scene::new().await?;
    company(&scene.disk).await?;
    scene.write(2).await?;
    for _ in 0..3 {
        write_over(&scene.disk.lake, newest(&scene.disk.lake).await?).await?;
        scene.write(1).await?;
        verify(&scene.disk.lake, scene.written).await?;
    }
    // Whoever comes next finds positions and rows in agreement.
    drop(scene.writer);
    let (writer, position) = open(&scene.disk.lake).await?;
    ensure!(position == Some(end(scene.written - 1)), "{position:?}");
    scene.writer = writer;
    scene.write(2).await?;
    verify(&scene.disk.lake, scene.written).await
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_before_the_newest_are_written_over() -> Result<()> {
    let mut scene = Scene::new().await?;
    company(&scene.disk).await?;
    scene.write(6).await?;
    let at = newest(&scene.disk.lake).await?;
    for version in [at - 1, at - 3, at - 4] {
        write_over(&scene.disk.lake, version).await?;
    }
    scene.write(1).await?;
    verify(&scene.disk.lake, scene.written).await?;
    // Once is enough.
    scene.write(3).await?;
    verify(&scene.disk.lake, scene.written).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_compacted_since_do_not_come_twice() -> Result<()> {
    let mut scene = Scene::new().await?;
    company(&scene.disk).await?;
    scene.write(6).await?;
    let at = newest(&scene.disk.lake).await?;
    let mut table = LakeTable::open(&scene.disk.lake, ORDERS).await?;
    let limits = CompactionLimits {
        target_bytes: 1 << 20,
        files: 2,
        deleted_ratio: 0.2,
    };
    let stop = CancellationToken::new();
    if let Some(table) = &mut table {
        let lake = &scene.disk.lake;
        let done = compact(lake, table, &limits, Extent::Everything, &stop, |_| {}).await?;
        ensure!(done.files_before > 2, "{done:?}");
    }
    write_over(&scene.disk.lake, at).await?;
    scene.write(2).await?;
    verify(&scene.disk.lake, scene.written).await
}

/// Nobody has seen the other program before.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_noticed_after_some_commits() -> Result<()> {
    let mut scene = Scene::new().await?;
    write_over(&scene.disk.lake, newest(&scene.disk.lake).await?).await?;
    scene.write(40).await?;
    verify(&scene.disk.lake, scene.written).await
}
