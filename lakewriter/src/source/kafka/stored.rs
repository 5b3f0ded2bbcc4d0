//! Where every table of the lake stands in the partitions that were assigned: read once a table, several at a time.

use std::{collections::HashMap, sync::Arc, time::Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    Error, ErrorKind,
    error::task_ended,
    lake::{DEAD_LETTERS, LakeTables, POSITIONS},
    progress::{Positions, RecordOrder, StoredPartition},
};

/// Tables that are read at the same time: enough to hide the store's latency, few enough for its rate limits.
const TABLES_AT_ONCE: usize = 16;

/// A partition that was assigned.
#[derive(Debug, Clone)]
pub(super) struct Assigned {
    pub(super) topic: String,
    pub(super) topic_id: String,
    pub(super) partition: i32,
}

/// Next offset and last row of a partition, by the partition's number.
type Stored = Vec<(usize, i64, Option<RecordOrder>)>;

/// Read the lake.
///
/// # Errors
/// The store's; `Configuration`: a table has these partitions under another pipeline's name.
pub(super) async fn read_positions(
    lake: &Arc<LakeTables>,
    tables: Vec<String>,
    pipeline: &str,
    assigned: Vec<Assigned>,
) -> Result<Positions, Error> {
    let mut partitions: Vec<StoredPartition> = assigned
        .iter()
        .map(|it| StoredPartition {
            topic: it.topic.clone(),
            partition: it.partition,
            app_id: app_id_of(pipeline, it),
            ..StoredPartition::default()
        })
        .collect();
    let reading = Arc::new(Reading {
        lake: Arc::clone(lake),
        pipeline: pipeline.to_owned(),
        app_ids: partitions.iter().map(|it| it.app_id.clone()).collect(),
        assigned,
    });
    let (floors, letters) = futures::try_join!(reading.own(POSITIONS), reading.own(DEAD_LETTERS))?;
    for (partition, (floor, letter)) in partitions.iter_mut().zip(floors.into_iter().zip(letters)) {
        partition.floor = floor;
        partition.dead_letters = letter;
    }
    let read = stream::iter(
        tables
            .clone()
            .into_iter()
            .enumerate()
            .map(|(number, table)| {
                let reading = Arc::clone(&reading);
                async move {
                    let attempted = format!("read where `{table}` stands");
                    // A task of its own: what is decoded for one table takes as long as the store does.
                    let task = tokio::spawn(async move { reading.table(&table).await });
                    let stored = task.await.map_err(|error| task_ended(attempted, error))??;
                    Ok::<_, Error>((number, stored))
                }
            }),
    );
    let mut read = read.buffer_unordered(TABLES_AT_ONCE);
    while let Some((number, stored)) = read.try_next().await? {
        for (partition, offset, last) in stored {
            if let Some(partition) = partitions.get_mut(partition) {
                partition.tables.push((number, offset, last));
            }
        }
    }
    Ok(Positions::read(tables, partitions, Instant::now()))
}

/// Under which name a table stores the next offset of a partition.
fn app_id_of(pipeline: &str, assigned: &Assigned) -> String {
    let (id, partition) = (&assigned.topic_id, assigned.partition);
    format!("tributary/{pipeline}/{id}/{partition}")
}

/// What all tables are asked.
struct Reading {
    lake: Arc<LakeTables>,
    pipeline: String,
    assigned: Vec<Assigned>,
    app_ids: Vec<String>,
}

impl Reading {
    /// Next offsets that a table of our own stores, by the partition's number.
    async fn own(&self, table: &str) -> Result<Vec<Option<i64>>, Error> {
        let Some(table) = self.lake.get(table).await? else {
            return Ok(vec![None; self.app_ids.len()]);
        };
        let mut table = table.lock().await;
        table.know_txns().await?;
        let mut stored = Vec::with_capacity(self.app_ids.len());
        for app_id in &self.app_ids {
            stored.push(table.txn(app_id).await?);
        }
        table.checkpoint_if_behind().await?;
        Ok(stored)
    }

    /// Where a table of changes stands in the partitions that it has something of.
    async fn table(&self, relative: &str) -> Result<Stored, Error> {
        let Some(table) = self.lake.get(relative).await? else {
            return Ok(Stored::new());
        };
        let mut table = table.lock().await;
        table.know_txns().await?;
        let mut others = table.pipelines()?;
        others.retain(|other| *other != self.pipeline);
        let mut stored = Stored::new();
        for (number, (app_id, assigned)) in self.app_ids.iter().zip(&self.assigned).enumerate() {
            let Some(offset) = table.txn(app_id).await? else {
                for other in &others {
                    let app_id = app_id_of(other, assigned);
                    if let Some(next) = table.txn(&app_id).await? {
                        return Err(self.written_by(other, relative, assigned, next));
                    }
                }
                continue;
            };
            let mut parts = HashMap::new();
            for app_id in RecordOrder::app_ids(app_id) {
                let txn = table.txn(&app_id).await?;
                parts.insert(app_id, txn);
            }
            let last = RecordOrder::read(app_id, |app_id| *parts.get(app_id)?);
            stored.push((number, offset, last));
        }
        // Whoever reads the table replays what came after its last checkpoint, and a process that was killed left some.
        table.checkpoint_if_behind().await?;
        Ok(stored)
    }

    /// The same records would come into the same table once for each name.
    fn written_by(&self, other: &str, table: &str, assigned: &Assigned, next: i64) -> Error {
        Error::new(
            ErrorKind::Configuration,
            format!(
                "write `{}` [{}] to `{table}` as pipeline `{}`: pipeline `{other}` has written it up to offset {next}, and every change would come in a second time",
                assigned.topic, assigned.partition, self.pipeline
            ),
        )
        .with_hint(format!(
            "set lakewriter.pipeline to `{other}`, or write to another lake (lake.url)"
        ))
    }
}

#[cfg(test)]
#[path = "stored_tests.rs"]
mod tests;
