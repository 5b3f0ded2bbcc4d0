//! The tables of a lake: how large each is, and when it was last written.

use chrono::Utc;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use lakewriter::{
    Error, Lake, LakeConfig,
    lake::{
        DEAD_LETTERS,
        delta::{LakeTable, property},
    },
};
use serde::Serialize;

/// Tables that are looked at at the same time.
const AT_ONCE: usize = 8;

/// A lake.
#[derive(Debug, Serialize)]
pub struct LakeTables {
    pub place: String,
    pub tables: Vec<Table>,
    /// Records that could not become rows; None where there never were any.
    pub dead_letters: Option<u64>,
}

/// A table's log of changes.
#[derive(Debug, Serialize)]
pub struct Table {
    pub name: String,
    pub changes: Option<u64>,
    pub files: u64,
    pub bytes: u64,
    pub version: u64,
    pub last_commit_seconds: Option<f64>,
}

/// Look at each table's log.
///
/// # Errors
/// The lake is not there, or its store does not answer.
pub async fn look_at_lake(config: &LakeConfig) -> Result<LakeTables, Error> {
    let lake = Lake::connect(config)?;
    let folders = lake.list_changes().await?;
    let looks = folders.into_iter().map(|folder| {
        let lake = &lake;
        async move { look_at_table(lake, &folder).await }
    });
    // In their order: a screen that is drawn again shows them where they were.
    let tables: Vec<Option<Table>> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    let letters = look_at_table(&lake, DEAD_LETTERS).await?;
    Ok(LakeTables {
        place: config.place(),
        tables: tables.into_iter().flatten().collect(),
        dead_letters: letters.and_then(|letters| letters.changes),
    })
}

async fn look_at_table(lake: &Lake, folder: &str) -> Result<Option<Table>, Error> {
    let Some(table) = LakeTable::open(lake, folder).await? else {
        return Ok(None);
    };
    let size = table.size().await?;
    let newest = table.history(1).await?;
    let millis = newest.first().and_then(|entry| entry.millis);
    let names = [property::SCHEMA, property::TABLE].map(|key| table.property(key));
    Ok(Some(Table {
        name: match names {
            [Some(schema), Some(name)] => format!("{schema}.{name}"),
            _ => folder.to_owned(),
        },
        changes: size.rows,
        files: size.files,
        bytes: size.bytes,
        version: size.version,
        last_commit_seconds: millis
            .map(|millis| (Utc::now().timestamp_millis() - millis).max(0) as f64 / 1000.0),
    }))
}
