//! The direct road: events of one process, several tables, all or nothing.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use debezium::PgTypeKind;
use lakewriter::{DirectPosition, DirectWriter, ErrorKind, Lake, LakeConfig, LakeCounters, Secret};
use object_store::{ObjectStore, local::LocalFileSystem, path::Path};
use url::Url;

use crate::{
    faulty_store::{Fault, FaultyStore},
    rows,
    shop::{LINES, ORDERS, Shop, after, column, end, verify},
};

pub struct Disk {
    pub _folder: tempfile::TempDir,
    pub store: FaultyStore,
    pub lake: Lake,
}

pub fn disk() -> Result<Disk> {
    let folder = tempfile::tempdir()?;
    let store = FaultyStore::new(Arc::new(LocalFileSystem::new()));
    let root = Path::from_absolute_path(folder.path().canonicalize()?)?;
    let lake = Lake::on_store(
        Arc::new(store.clone()) as Arc<dyn ObjectStore>,
        Url::parse("file:///")?,
        root,
    );
    Ok(Disk {
        _folder: folder,
        store,
        lake,
    })
}

pub async fn open(lake: &Lake) -> Result<(DirectWriter, Option<DirectPosition>)> {
    let progress = Arc::new(LakeCounters::default());
    Ok(DirectWriter::open_on(lake.clone(), None, "test", progress).await?)
}

#[tokio::test]
async fn goes_on_from_where_it_stopped() -> Result<()> {
    let disk = disk()?;
    let shop = Shop::new();
    let (mut writer, position) = open(&disk.lake).await?;
    ensure!(position.is_none(), "a fresh lake has no position");
    for n in 0..3 {
        shop.write(&mut writer, n)?;
    }
    let committed = writer.commit_open(end(2)).await?;
    ensure!(committed.rows == 9, "{committed:?}");
    // Appended, and never committed.
    shop.write(&mut writer, 3)?;
    drop(writer);

    let (mut writer, position) = open(&disk.lake).await?;
    ensure!(position == Some(end(2)), "{position:?}");
    // The server sends more than it was asked for.
    for n in 1..5 {
        shop.write(&mut writer, n)?;
    }
    ensure!(writer.open_rows() == 6, "{}", writer.open_rows());
    writer.commit_open(end(4)).await?;
    // Nothing open: only the position moves.
    writer.commit_open(end(7)).await?;
    let (_, position) = open(&disk.lake).await?;
    ensure!(position == Some(end(7)), "{position:?}");
    verify(&disk.lake, 5).await
}

#[tokio::test]
async fn commits_overlap_with_appending_and_keep_their_order() -> Result<()> {
    let disk = disk()?;
    let shop = Shop::new();
    let (mut writer, _) = open(&disk.lake).await?;
    let mut commits = Vec::new();
    for n in 0..10 {
        shop.write(&mut writer, n)?;
        commits.push(writer.commit_open(end(n)));
    }
    for commit in commits.into_iter().rev() {
        commit.await?;
    }
    let (_, position) = open(&disk.lake).await?;
    ensure!(position == Some(end(9)), "{position:?}");
    verify(&disk.lake, 10).await
}

/// Any single request of a commit is lost, or its answer is, once or for good; the process starts over from the lake
/// as often as it must. Rows are there exactly once.
#[tokio::test(flavor = "multi_thread")]
async fn no_lost_request_or_answer_loses_or_doubles_a_row() -> Result<()> {
    let paths = [
        "_position/",
        "public.orders/changes/_delta_log/",
        "public.lines/changes/_delta_log/",
        "public.lines/changes/_date",
    ];
    for path in paths {
        for fault in [Fault::Lost, Fault::AnswerLost, Fault::Retried] {
            for times in [1, 30] {
                let case = format!("{fault:?} {times} times at {path}");
                faulty_run(Shop::new(), path, fault, times)
                    .await
                    .with_context(|| case.clone())?;
                // The transaction whose commit meets the fault is the first of another history of the WAL.
                let mut shop = Shop::new();
                shop.restored_at = 1;
                let case = format!("{case}, in a new history");
                faulty_run(shop, path, fault, times).await.context(case)?;
            }
        }
    }
    Ok(())
}

async fn faulty_run(shop: Shop, path: &str, fault: Fault, times: usize) -> Result<()> {
    let disk = disk()?;
    let (mut writer, _) = open(&disk.lake).await?;
    shop.write(&mut writer, 0)?;
    writer.commit_open(shop.end(0)).await?;
    disk.store.plan(path, 0, times, fault);
    let mut next = 1;
    let mut restarts = 0;
    while next < 4 {
        shop.write(&mut writer, next)?;
        match writer.commit_open(shop.end(next)).await {
            Ok(committed) => {
                ensure!(committed.position == shop.end(next), "{committed:?}");
                next += 1;
            }
            Err(_) => {
                restarts += 1;
                ensure!(restarts <= 2, "{restarts} restarts");
                if times > 1 {
                    disk.store.heal();
                }
                let (reopened, position) = open(&disk.lake).await?;
                writer = reopened;
                next = after(position.as_ref());
            }
        }
    }
    verify(&disk.lake, 4).await
}

/// Two processes of one pipeline: the one that comes second takes over, the other is told so and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_one_is_fenced() -> Result<()> {
    let disk = disk()?;
    let shop = Shop::new();
    let (mut first, _) = open(&disk.lake).await?;
    shop.write(&mut first, 0)?;
    first.commit_open(end(0)).await?;
    let (mut second, position) = open(&disk.lake).await?;
    ensure!(position == Some(end(0)), "{position:?}");
    for writer in [&mut first, &mut second] {
        shop.write(writer, 1)?;
    }
    second.commit_open(end(1)).await?;
    let error = first.commit_open(end(1)).await.err();
    ensure!(
        error
            .as_ref()
            .is_some_and(|error| error.kind() == ErrorKind::Fenced),
        "{error:?}"
    );
    let again = shop.write(&mut first, 2);
    ensure!(again.is_err(), "a fenced writer takes more");
    shop.write(&mut second, 2)?;
    second.commit_open(end(2)).await?;
    verify(&disk.lake, 3).await
}

/// Long enough for several checkpoints: the last commits are no slower than the first.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_commits_stay_flat() -> Result<()> {
    let disk = disk()?;
    let shop = Shop::new();
    let (mut writer, _) = open(&disk.lake).await?;
    let mut elapsed = Vec::new();
    for n in 0..200 {
        shop.write(&mut writer, n)?;
        elapsed.push(writer.commit_open(end(n)).await?.elapsed);
    }
    let median = |part: &[std::time::Duration]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        part[part.len() / 2]
    };
    let (early, late) = (median(&elapsed[10..60]), median(&elapsed[150..]));
    println!("median commit: {early:?} early, {late:?} late");
    // What grows with the log grew by tens of milliseconds; the rest is what else the machine does.
    ensure!(
        late < early * 3 + std::time::Duration::from_millis(30),
        "commits became slower: median {early:?} early, {late:?} late"
    );
    verify(&disk.lake, 200).await
}

#[tokio::test]
async fn on_a_local_folder_by_its_path() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = LakeConfig::new(folder.path().join("my lake").display().to_string());
    let shop = Shop::new();
    let progress = Arc::new(LakeCounters::default());
    let (mut writer, _) = DirectWriter::open(config.clone(), "test", progress.clone()).await?;
    shop.write(&mut writer, 0)?;
    writer.commit_open(end(0)).await?;
    ensure!(progress.rows_visible() == 3 && progress.commits() == 2);
    ensure!(progress.freshness(0.5).is_some() && progress.last_commit_micros().is_some());
    let lake = Lake::open(&config).await?;
    ensure!(lake.list_changes().await? == [LINES, ORDERS]);
    verify(&lake, 1).await
}

/// A store that overwrites what it must not is refused before anything is written.
#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused() -> Result<()> {
    let disk = disk()?;
    disk.store.ignore_conditions();
    let config = LakeConfig::new("memory:///");
    let error = Lake::prove(disk.lake.clone()).await.err();
    ensure!(
        error
            .as_ref()
            .is_some_and(|error| error.kind() == ErrorKind::UnsafeStore),
        "{error:?}"
    );
    // A store in memory keeps its promise.
    Lake::open(&config).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_minio() -> Result<()> {
    let minio = stack::Minio::start(&["lake"]).await?;
    let config = LakeConfig {
        endpoint: Some(minio.endpoint()),
        access_key: Some(minio.access_key().to_owned()),
        secret_key: Some(Secret::new(minio.secret_key())),
        allow_http: true,
        ..LakeConfig::new("s3://lake/of the shop")
    };
    let shop = Shop::new();
    for n in 0..4 {
        let progress = Arc::new(LakeCounters::default());
        let (mut writer, position) = DirectWriter::open(config.clone(), "test", progress).await?;
        ensure!(after(position.as_ref()) == n, "{position:?}");
        shop.write(&mut writer, n)?;
        writer.commit_open(end(n)).await?;
    }
    let (mut one, mut two) = {
        let open = async || DirectWriter::open(config.clone(), "test", Arc::default()).await;
        (open().await?.0, open().await?.0)
    };
    shop.write(&mut one, 4)?;
    shop.write(&mut two, 4)?;
    let results = tokio::join!(one.commit_open(end(4)), two.commit_open(end(4)));
    ensure!(
        results.0.is_ok() != results.1.is_ok(),
        "both or none committed: {results:?}"
    );
    let lake = Lake::open(&config).await?;
    ensure!(lake.list_changes().await? == [LINES, ORDERS]);
    verify(&lake, 5).await
}

/// Columns come, go and change their type: old rows keep what they have.
#[tokio::test]
async fn a_table_follows_its_source() -> Result<()> {
    let disk = disk()?;
    let id = || column("id", PgTypeKind::Int8);
    let versions = [
        vec![id()],
        vec![id(), column("size", PgTypeKind::Int4)],
        vec![
            id(),
            column("note", PgTypeKind::Text),
            column("size", PgTypeKind::Text),
        ],
        vec![id()],
        vec![id(), column("size", PgTypeKind::Int4)],
    ];
    let (mut writer, _) = open(&disk.lake).await?;
    for (n, columns) in (0..).zip(versions) {
        Shop::with_orders(columns).write(&mut writer, n)?;
        if n != 1 {
            // Two versions of one table in one commit, too.
            writer.commit_open(end(n)).await?;
        }
    }
    let found = rows::query(
        &disk.lake,
        ORDERS,
        "SELECT id, size, note, size__v2, arrow_typeof(size), arrow_typeof(size__v2) FROM t ORDER BY id",
    )
    .await?;
    let want = [
        "0|NULL|NULL|NULL|Int64|Utf8",
        "1|1|NULL|NULL|Int64|Utf8",
        "2|NULL|2|2|Int64|Utf8",
        "3|NULL|NULL|NULL|Int64|Utf8",
        "4|4|NULL|NULL|Int64|Utf8",
    ];
    ensure!(
        found
            .iter()
            .map(|row| row.replace("Utf8View", "Utf8"))
            .eq(want),
        "{found:#?}"
    );
    verify(&disk.lake, 5).await
}

/// Its parts are uploaded while it comes, so memory stays bounded; nothing of it is visible before its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_transaction_is_uploaded_in_parts() -> Result<()> {
    const LIMIT: usize = 96 << 20;
    const ROWS: u64 = 400_000;
    let disk = disk()?;
    let shop = Shop::new();
    let (mut writer, _) = open(&disk.lake).await?;
    shop.write(&mut writer, 0)?;
    writer.commit_open(end(0)).await?;
    for n in 1..ROWS {
        shop.write(&mut writer, n)?;
        if writer.open_bytes() >= LIMIT {
            writer.wait_room(LIMIT).await;
            ensure!(writer.open_bytes() < LIMIT, "no room comes");
        }
    }
    verify(&disk.lake, 1).await?;
    let committed = writer.commit_open(end(ROWS - 1)).await?;
    ensure!(committed.rows == 3 * (ROWS - 1), "{committed:?}");
    let counted = "SELECT count(*), count(DISTINCT id) FROM t";
    let orders = rows::query(&disk.lake, ORDERS, counted).await?;
    ensure!(orders == [format!("{ROWS}|{ROWS}")], "{orders:?}");
    let lines = rows::query(&disk.lake, LINES, counted).await?;
    ensure!(lines == [format!("{0}|{0}", 2 * ROWS)], "{lines:?}");
    Ok(())
}
