//! A day of small commits, shortened: what a lake looks like, and what reading and writing it costs, at its end and on its
//! first minutes. A commit every two seconds is taken to be one every [`COMMIT_SECONDS`]; maintenance is called as often
//! as its schedule would have it, and the history is as much shorter as the day is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use debezium::{
    ChangeEvent, ChangePosition, Column, ColumnValue, KeyChange, OldRow, Operation, PgType,
    PgTypeKind, ReplicaIdentity, SnapshotMarker, Source, TableId, TableSchema,
};
use futures::TryStreamExt as _;
use lakewriter::{
    DirectPosition, DirectWriter, Lake, LakeConfig,
    lake::delta::LakeTable,
    maintain::{CompactionLimits, Extent, Maintainer, Maintenance, compact},
};
use stack::tributary;
use tokio_util::sync::CancellationToken;

use crate::report::Report;
use crate::usage;

const PART: &str = "a day of commits";
const TABLE: &str = "day/public.tweets/changes";
/// Rows of a commit.
const ROWS: u64 = 20;
/// Time between two commits of the day.
const COMMIT_SECONDS: u64 = 2;
/// Commits between two looks of the schedule (a minute), and between two rounds (an hour).
const COMMITS_OF_A_MINUTE: u64 = 60 / COMMIT_SECONDS;
const COMMITS_OF_AN_HOUR: u64 = 3600 / COMMIT_SECONDS;
/// Commits whose latency is told.
const SAMPLE: u64 = 300;

/// Makes so many commits and measures after the first minutes and at the end.
pub async fn measure(commits: u64, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = LakeConfig::new(folder.path().display().to_string());
    let lake = Lake::open(&config).await?;
    let namespace = Some("day".to_owned());
    let (mut writer, _) =
        DirectWriter::open_on(lake.clone(), namespace, "day", Arc::default()).await?;
    let table = Arc::new(tweets());
    let stop = CancellationToken::new();
    let limits = CompactionLimits::default();
    let begun = Instant::now();
    let mut latencies = Vec::new();
    let mut maintained = Duration::ZERO;
    for commit in 0..commits {
        let before = Instant::now();
        append(&mut writer, &table, commit)?;
        writer.commit_open(end(commit)).await?;
        latencies.push(before.elapsed());
        let number = commit + 1;
        let before = Instant::now();
        if number.is_multiple_of(COMMITS_OF_AN_HOUR) {
            // As much of this run as six hours are of the day.
            let history = begun.elapsed() * u32::try_from(6 * COMMITS_OF_AN_HOUR)?
                / u32::try_from(number.max(6 * COMMITS_OF_AN_HOUR))?;
            let settings = Maintenance {
                history,
                ..Maintenance::default()
            };
            let maintainer = Maintainer::new(lake.clone(), settings);
            maintainer.upkeep(TABLE, &stop).await?;
        } else if number.is_multiple_of(COMMITS_OF_A_MINUTE) {
            let mut table = LakeTable::open(&lake, TABLE).await?.context("a table")?;
            compact(&lake, &mut table, &limits, Extent::Tiers, &stop, |_| {}).await?;
        }
        maintained += before.elapsed();
        if number == SAMPLE || number == commits {
            let sample = latencies.split_off(latencies.len().saturating_sub(SAMPLE as usize));
            state(&lake, &config, number, sample, report).await?;
        }
    }
    report.add(
        PART,
        "maintenance, of the time of all commits",
        100.0 * maintained.as_secs_f64() / begun.elapsed().as_secs_f64(),
        "%",
        None,
    );
    report.add(
        PART,
        "the writer's memory at the end",
        usage::resident(std::process::id())?,
        "MB",
        None,
    );
    Ok(())
}

async fn state(
    lake: &Lake,
    config: &LakeConfig,
    commits: u64,
    mut latencies: Vec<Duration>,
    report: &mut Report,
) -> Result<()> {
    latencies.sort_unstable();
    let quantile = |share: f64| {
        let at = ((latencies.len() - 1) as f64 * share) as usize;
        let latency = latencies.get(at).copied().unwrap_or_default();
        latency.as_secs_f64() * 1e3
    };
    let mut add = |name: &str, value: f64, unit: &'static str| {
        report.add(
            PART,
            format!("{name}, at {commits} commits"),
            value,
            unit,
            None,
        );
    };
    add("commit, p50", quantile(0.5), "ms");
    add("commit, p99", quantile(0.99), "ms");
    let size = LakeTable::open(lake, TABLE)
        .await?
        .context("a table")?
        .size()
        .await?;
    add("files that are read", size.files as f64, "");
    let root = TABLE
        .split('/')
        .fold(lake.root().clone(), |path, part| path.join(part));
    let objects: Vec<_> = lake.store().list(Some(&root)).try_collect().await?;
    let (log, data): (Vec<_>, Vec<_>) = objects
        .iter()
        .partition(|object| object.location.as_ref().contains("/_delta_log/"));
    let megabytes = |objects: &[&object_store::ObjectMeta]| {
        objects.iter().map(|object| object.size).sum::<u64>() as f64 / 1e6
    };
    add("data files that are kept", data.len() as f64, "");
    add("entries of the log", log.len() as f64, "");
    add("the log", megabytes(&log), "MB");
    let rows = commits * ROWS;
    for (name, query, answer) in [
        ("open and select 1", "select 1 as n", "1".to_owned()),
        (
            "count(*) of the latest rows",
            "select count(*) as n from public.tweets",
            rows.to_string(),
        ),
        (
            "count(*) of the changes",
            "select count(*) as n from public.tweets_changes",
            rows.to_string(),
        ),
    ] {
        let mut command = tributary()?;
        command.args(["sql", "--format", "csv", query, "--lake", &config.url]);
        let began = Instant::now();
        let output = tokio::process::Command::from(command).output().await?;
        let took = began.elapsed();
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(said.lines().last() == Some(&answer), "{query}: {said}");
        add(name, took.as_secs_f64() * 1e3, "ms");
    }
    Ok(())
}

fn tweets() -> TableSchema {
    let column = |name: &str, oid, type_name: &str, kind| Column {
        name: name.to_owned(),
        pg_type: PgType {
            oid,
            name: type_name.to_owned(),
            modifier: -1,
            kind,
        },
        optional: false,
        default_expression: None,
        generated: false,
        older_rows: None,
        number: None,
        rule: None,
    };
    TableSchema {
        table: TableId {
            database: "day".to_owned(),
            schema: "public".to_owned(),
            table: "tweets".to_owned(),
        },
        columns: vec![
            column("id", 20, "int8", PgTypeKind::Int8),
            column("text", 25, "text", PgTypeKind::Text),
        ],
        key: vec![0],
        replica_identity: ReplicaIdentity::Default,
        oid: None,
    }
}

const fn lsn(commit: u64) -> u64 {
    1_000_000 + commit * 1000
}

fn append(writer: &mut DirectWriter, table: &Arc<TableSchema>, commit: u64) -> Result<()> {
    for ordinal in 0..ROWS {
        let id = (commit * ROWS + ordinal).to_string();
        let text = format!("tweet {id} of a day that is as long as any other one, more or less");
        let row = [
            ColumnValue::Text(id.as_bytes()),
            ColumnValue::Text(text.as_bytes()),
        ];
        writer.append(&ChangeEvent {
            table,
            op: Operation::Create,
            before: OldRow::None,
            after: Some(&row),
            key_change: KeyChange::None,
            source: Source {
                lsn: lsn(commit) - 50,
                tx_id: Some(commit),
                commit_micros: 1_790_000_000_000_000
                    + i64::try_from(commit * COMMIT_SECONDS * 1_000_000)?,
                snapshot: SnapshotMarker::False,
                last_commit_lsn: None,
                xmin: None,
            },
            position: ChangePosition::new(lsn(commit), ordinal),
            transaction: None,
            origin: None,
        })?;
    }
    Ok(())
}

fn end(commit: u64) -> DirectPosition {
    DirectPosition {
        position: ChangePosition::new(lsn(commit), ROWS),
        end_lsn: lsn(commit) + 48,
        last_commit_lsn: None,
        snapshot_completed: true,
        slot: "{}".to_owned(),
    }
}
