//! One pass over a table: what the plan wants is written anew, group by group, each in a commit of its own.

use std::{collections::HashMap, ops::AddAssign, time::Duration};

use deltalake_core::kernel::{Add, LogicalFileView, Remove};
use tokio_util::sync::CancellationToken;

use super::{
    plan::{CompactionLimits, FileFacts, plan},
    rewrite::{Input, Rewritten, Target, forget, rewrite},
};
use crate::{
    Error, ErrorKind,
    counters::now_micros,
    error::defect,
    lake::{
        Lake,
        delta::{LakeTable, Replaced, Replacement},
    },
};

/// A partition that got no file for this long gets no more, as a rule.
const SETTLED: Duration = Duration::from_secs(3600);

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were read, and are in the table no more.
    pub files_before: u64,
    /// Files that stand for them.
    pub files_after: u64,
    pub bytes_before: u64,
    pub bytes_after: u64,
    pub rows: u64,
    /// Groups that are left as they are: another writer was faster, or a file cannot be read as the table's columns.
    pub left: u64,
}

impl AddAssign for Compacted {
    fn add_assign(&mut self, other: Self) {
        self.files_before += other.files_before;
        self.files_after += other.files_after;
        self.bytes_before += other.bytes_before;
        self.bytes_after += other.bytes_after;
        self.rows += other.rows;
        self.left += other.left;
    }
}

/// What is worth writing anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Full tiers, and what is left of partitions that have got no file for an hour: for a table that is written.
    Tiers,
    /// Every file that is smaller than it should be: by hand, as much as can be done.
    Everything,
}

/// Write anew what is small or hollow, until nothing is left to do or the stop signal comes.
///
/// # Errors
/// The store's; what was done so far stays done.
pub async fn compact(
    lake: &Lake,
    table: &mut LakeTable,
    limits: &CompactionLimits,
    extent: Extent,
    stop: &CancellationToken,
    mut done: impl FnMut(&Compacted),
) -> Result<Compacted, Error> {
    let mut total = Compacted::default();
    let mut files: HashMap<String, LogicalFileView> = HashMap::new();
    let mut facts = Vec::new();
    for file in table.files() {
        if let Some(fact) = facts_of(&file) {
            files.insert(fact.path.clone(), file);
            facts.push(fact);
        }
    }
    let mut newest: HashMap<&str, i64> = HashMap::new();
    for fact in &facts {
        let (_, _, written) = fact.order;
        let of_partition = newest.entry(&fact.partition).or_insert(written);
        *of_partition = (*of_partition).max(written);
    }
    let quiet_since = now_micros() / 1000 - i64::try_from(SETTLED.as_millis()).unwrap_or(i64::MAX);
    let settled: Vec<String> = newest
        .into_iter()
        .filter(|(_, written)| *written < quiet_since)
        .map(|(partition, _)| partition.to_owned())
        .collect();
    let groups = plan(facts, limits, |partition| {
        extent == Extent::Everything || settled.iter().any(|settled| settled == partition)
    });
    for group in groups {
        if stop.is_cancelled() {
            break;
        }
        let views: Option<Vec<&LogicalFileView>> =
            group.iter().map(|fact| files.get(&fact.path)).collect();
        let views =
            views.ok_or_else(|| defect("a planned file is one of the table", table.relative()))?;
        match replace_group(lake, table, limits, &group, &views, stop).await {
            Ok(Some(group)) => {
                total += group;
                done(&total);
            }
            Ok(None) => break,
            // The file stays readable as it is; what is wrong with it concerns no other one.
            Err(error) if matches!(error.kind(), ErrorKind::Encode | ErrorKind::Table) => {
                tracing::warn!(
                    error = %service::render_error(&error, None),
                    table = table.relative(),
                    files = group.len(),
                    "these files are left as they are"
                );
                total.left += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// None: the stop signal came first.
async fn replace_group(
    lake: &Lake,
    table: &mut LakeTable,
    limits: &CompactionLimits,
    group: &[FileFacts],
    views: &[&LogicalFileView],
    stop: &CancellationToken,
) -> Result<Option<Compacted>, Error> {
    let Some(first) = views.first() else {
        return Ok(None);
    };
    let mut inputs = Vec::with_capacity(group.len());
    for (fact, view) in group.iter().zip(views) {
        let deleted = match view.deletion_vector_descriptor() {
            Some(vector) => table.hidden_rows(vector).await?,
            None => Vec::new(),
        };
        inputs.push(Input {
            path: lake.path(&format!("{}/{}", table.relative(), fact.path)),
            bytes: fact.bytes,
            rows: fact.rows,
            deleted,
        });
    }
    let relative = table.relative().to_owned();
    let target = Target {
        lake,
        relative: &relative,
        folder: match first.path().rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => String::new(),
        },
        schema: table.file_schema(),
        target_bytes: limits.target_bytes,
    };
    let outputs = match rewrite(&target, &inputs, stop).await? {
        Rewritten::Done(outputs) => outputs,
        Rewritten::Stopped => return Ok(None),
    };
    let partition = first.partition_values_map();
    let adds: Vec<Add> = outputs
        .iter()
        .map(|output| Add {
            partition_values: partition.clone(),
            ..output.add.clone()
        })
        .collect();
    let removes: Vec<Remove> = views.iter().map(|view| view.remove_action(false)).collect();
    let done = Compacted {
        files_before: removes.len() as u64,
        files_after: adds.len() as u64,
        bytes_before: group.iter().map(|fact| fact.bytes).sum(),
        bytes_after: adds.iter().map(|add| add.size.unsigned_abs()).sum(),
        rows: outputs.iter().map(|output| output.rows).sum(),
        left: 0,
    };
    let replacement = Replacement {
        removes,
        adds,
        target_bytes: limits.target_bytes,
        info: HashMap::from([("rows".to_owned(), done.rows.into())]),
    };
    match table.replace(&replacement).await? {
        Replaced::Committed(version) => {
            tracing::info!(
                table = relative,
                version,
                files = done.files_before,
                into = done.files_after,
                rows = done.rows,
                bytes = done.bytes_before,
                "compacted"
            );
            Ok(Some(done))
        }
        Replaced::Overtaken => {
            forget(&target, &outputs).await;
            Ok(Some(Compacted {
                left: 1,
                ..Compacted::default()
            }))
        }
    }
}

/// None for a file that is not ours to move: one that lies elsewhere, or whose name the log writes in another way than
/// the store.
fn facts_of(file: &LogicalFileView) -> Option<FileFacts> {
    let path = file.path().into_owned();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=./".contains(&byte);
    if !path.bytes().all(plain) || path.starts_with('/') {
        return None;
    }
    let mut partition: Vec<(String, Option<String>)> =
        file.partition_values_map().into_iter().collect();
    partition.sort();
    let stats: serde_json::Value = file
        .stats()
        .and_then(|stats| serde_json::from_str(&stats).ok())
        .unwrap_or_default();
    let lowest = |column: &str| {
        let minima = stats.get("minValues")?;
        minima.get(column)?.as_i64()
    };
    Some(FileFacts {
        bytes: u64::try_from(file.size()).ok()?,
        rows: stats.get("numRecords").and_then(serde_json::Value::as_u64),
        deleted: file
            .deletion_vector_descriptor()
            .map_or(0, |vector| vector.cardinality.unsigned_abs()),
        partition: format!("{partition:?}"),
        order: (
            lowest("_incarnation").unwrap_or_default(),
            lowest("_lsn").unwrap_or_default(),
            file.modification_time(),
        ),
        path,
    })
}
