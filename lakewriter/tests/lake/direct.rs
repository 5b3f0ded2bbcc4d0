//! The direct road: events of one process, several tables, all or nothing.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use debezium::{
    ChangeEvent, ChangePosition, Column, ColumnValue, KeyChange, OldRow, Operation, PgType,
    PgTypeKind, ReplicaIdentity, SnapshotMarker, Source, TableId, TableSchema,
};
use lakewriter::{
    DirectPosition, DirectWriter, ErrorKind, Lake, LakeConfig, LakeProgress,
};
use object_store::{ObjectStore, local::LocalFileSystem, path::Path};
use url::Url;

use crate::{
    faulty_store::{Fault, FaultyStore},
    rows,
};

const ORDERS: &str = "shop/public.orders/changes";
const LINES: &str = "shop/public.lines/changes";

fn column(name: &str, kind: PgTypeKind) -> Column {
    Column {
        name: name.to_owned(),
        pg_type: PgType {
            oid: 20,
            name: "int8".to_owned(),
            modifier: -1,
            kind,
        },
        optional: false,
        default_expression: None,
    }
}

fn table(name: &str) -> Arc<TableSchema> {
    Arc::new(TableSchema {
        table: TableId {
            database: "shop".to_owned(),
            schema: "public".to_owned(),
            table: name.to_owned(),
        },
        columns: vec![column("id", PgTypeKind::Int8)],
        key: vec![0],
        replica_identity: ReplicaIdentity::Default,
    })
}

/// A source of transactions: number `n` inserts order `n` and lines `2n` and `2n + 1`.
struct Shop {
    orders: Arc<TableSchema>,
    lines: Arc<TableSchema>,
}

impl Shop {
    fn new() -> Self {
        Self {
            orders: table("orders"),
            lines: table("lines"),
        }
    }

    fn write(&self, writer: &mut DirectWriter, n: u64) -> Result<()> {
        let rows = [
            (&self.orders, n),
            (&self.lines, 2 * n),
            (&self.lines, 2 * n + 1),
        ];
        for (ordinal, (table, id)) in rows.into_iter().enumerate() {
            let id = id.to_string();
            let row = [ColumnValue::Text(id.as_bytes())];
            writer.append(&ChangeEvent {
                table,
                op: Operation::Create,
                before: OldRow::None,
                after: Some(&row),
                key_change: KeyChange::None,
                source: Source {
                    lsn: commit_lsn(n) - 50,
                    tx_id: Some(n),
                    commit_micros: 1_790_000_000_000_000,
                    last_commit_lsn: None,
                    snapshot: SnapshotMarker::False,
                },
                position: ChangePosition::new(commit_lsn(n), ordinal as u64),
            })?;
        }
        Ok(())
    }
}

fn commit_lsn(n: u64) -> u64 {
    1_000_000 + n * 100
}

fn end(n: u64) -> DirectPosition {
    DirectPosition {
        position: ChangePosition::new(commit_lsn(n), 2),
        end_lsn: commit_lsn(n) + 48,
        last_commit_lsn: n.checked_sub(1).map(|n| commit_lsn(n) + 48),
        snapshot_completed: true,
        slot: "{}".to_owned(),
    }
}

/// The transaction after a stored position.
fn after(position: Option<&DirectPosition>) -> u64 {
    position.map_or(0, |position| {
        (position.position.commit_lsn - 1_000_000) / 100 + 1
    })
}

struct Disk {
    _folder: tempfile::TempDir,
    store: FaultyStore,
    lake: Lake,
}

fn disk() -> Result<Disk> {
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

async fn open(lake: &Lake) -> Result<(DirectWriter, Option<DirectPosition>)> {
    let progress = Arc::new(LakeProgress::default());
    Ok(DirectWriter::open_on(lake.clone(), None, "test", progress).await?)
}

async fn verify(lake: &Lake, transactions: u64) -> Result<()> {
    let orders = rows::ids(lake, ORDERS).await?;
    let want: Vec<i64> = (0..transactions as i64).collect();
    ensure!(orders == want, "orders are {orders:?}, want 0..{transactions}");
    let lines = rows::ids(lake, LINES).await?;
    let want: Vec<i64> = (0..2 * transactions as i64).collect();
    ensure!(lines == want, "lines are {lines:?}, want 0..{}", 2 * transactions);
    Ok(())
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
                faulty_run(path, fault, times).await.context(case)?;
            }
        }
    }
    Ok(())
}

async fn faulty_run(path: &str, fault: Fault, times: usize) -> Result<()> {
    let disk = disk()?;
    let shop = Shop::new();
    let (mut writer, _) = open(&disk.lake).await?;
    shop.write(&mut writer, 0)?;
    writer.commit_open(end(0)).await?;
    disk.store.plan(path, 0, times, fault);
    let mut next = 1;
    let mut restarts = 0;
    while next < 4 {
        shop.write(&mut writer, next)?;
        match writer.commit_open(end(next)).await {
            Ok(committed) => {
                ensure!(committed.position == end(next), "{committed:?}");
                next += 1;
            }
            Err(_) => {
                restarts += 1;
                if times > 1 {
                    disk.store.heal();
                }
                let (reopened, position) = open(&disk.lake).await?;
                writer = reopened;
                next = after(position.as_ref());
            }
        }
    }
    ensure!(restarts <= 2, "{restarts} restarts");
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
        error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Fenced),
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
    ensure!(
        late < early * 3,
        "commits became slower: median {early:?} early, {late:?} late"
    );
    verify(&disk.lake, 200).await
}

#[tokio::test]
async fn on_a_local_folder_by_its_path() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = LakeConfig::new(folder.path().join("my lake").display().to_string());
    let shop = Shop::new();
    let progress = Arc::new(LakeProgress::default());
    let (mut writer, _) = DirectWriter::open(config.clone(), "test", progress.clone()).await?;
    shop.write(&mut writer, 0)?;
    writer.commit_open(end(0)).await?;
    ensure!(progress.rows_visible() == 3 && progress.commits() == 2);
    ensure!(progress.freshness(0.5).is_some() && progress.last_commit_micros().is_some());
    let lake = Lake::open(&config).await?;
    ensure!(lake.list_changes().await? == [LINES, ORDERS]);
    verify(&lake, 1).await
}
