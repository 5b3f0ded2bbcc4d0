//! The tables that this process writes, each opened once.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    datatypes::{DataType, Field, Schema},
    record_batch::RecordBatch,
};
use debezium::TableSchema;
use tokio::sync::Mutex;

use super::{
    Lake, LakeTableName,
    delta::{LakeTable, StagedFile, TableProperties, delta_schema, property, stage},
    layout::POSITIONS,
    snapshot_rows::CountedSnapshots,
    versioned_rows::VersionedRows,
};
use crate::Error;

/// All open tables of a lake; one writer and one mutex per table.
#[derive(Debug)]
pub(crate) struct LakeTables {
    lake: Lake,
    /// Of Kafka's records: told in each table that it writes, so that another one does not write them again.
    pipeline: Option<String>,
    open: Mutex<HashMap<String, Arc<Mutex<LakeTable>>>>,
}

impl LakeTables {
    pub(crate) fn new(lake: Lake, pipeline: Option<&str>) -> Self {
        Self {
            lake,
            pipeline: pipeline.map(str::to_owned),
            open: Mutex::new(HashMap::new()),
        }
    }

    pub(crate) const fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The table in this folder, if there is one.
    pub(crate) async fn get(&self, relative: &str) -> Result<Option<Arc<Mutex<LakeTable>>>, Error> {
        if let Some(table) = self.open.lock().await.get(relative) {
            return Ok(Some(Arc::clone(table)));
        }
        // Many tables are opened side by side at a start, so nobody waits for another one's.
        let Some(table) = LakeTable::open(&self.lake, relative).await? else {
            return Ok(None);
        };
        let mut open = self.open.lock().await;
        let table = open
            .entry(relative.to_owned())
            .or_insert_with(|| Arc::new(Mutex::new(table)));
        Ok(Some(Arc::clone(table)))
    }

    /// The `changes` table of a source table, made if it is not there.
    pub(crate) async fn get_or_create(
        &self,
        relative: &str,
        schema: &arrow::datatypes::SchemaRef,
        properties: &TableProperties,
    ) -> Result<Arc<Mutex<LakeTable>>, Error> {
        if let Some(table) = self.get(relative).await? {
            return Ok(table);
        }
        let mut open = self.open.lock().await;
        let schema = delta_schema(schema)?;
        let table = LakeTable::open_or_create(&self.lake, relative, &schema, properties).await?;
        let table = Arc::new(Mutex::new(table));
        open.insert(relative.to_owned(), Arc::clone(&table));
        Ok(table)
    }

    /// Have the table of positions: it never gets a row, only versions of `txn`.
    pub(crate) async fn have_positions(&self) -> Result<(), Error> {
        let schema = Arc::new(Schema::new(vec![Field::new("note", DataType::Utf8, true)]));
        self.get_or_create(POSITIONS, &schema, &TableProperties(Vec::new()))
            .await
            .map(drop)
    }

    /// Rows of one version of a source table -> files of its `changes` table, which is made or widened first, and told
    /// what there is to know of the snapshots that the rows are of.
    pub(crate) async fn stage_changes(
        &self,
        name: &LakeTableName,
        version: &TableSchema,
        (rows, snapshots): (RecordBatch, &CountedSnapshots),
        file: &str,
    ) -> Result<Vec<StagedFile>, Error> {
        let relative = name.changes_path();
        let mut properties = TableProperties::of_source(&name.namespace, version);
        properties.0.extend(snapshots.properties());
        if let Some(pipeline) = &self.pipeline {
            let mut pipelines = match self.get(&relative).await? {
                Some(table) => table.lock().await.pipelines()?,
                None => Vec::new(),
            };
            if !pipelines.contains(pipeline) {
                pipelines.push(pipeline.clone());
                let list = serde_json::json!(pipelines).to_string();
                properties.0.push((property::PIPELINES.to_owned(), list));
            }
        }
        let rows = VersionedRows::new(version, rows)?;
        let table = self
            .get_or_create(
                &relative,
                rows.schema(),
                &rows.properties_at_first(&properties)?,
            )
            .await?;
        let rows = {
            let mut table = table.lock().await;
            let evolution = table.evolve(rows.schema()).await?;
            let shape = rows.shape(&table.schema())?;
            let first = rows.first_position();
            let id = table.keep_version(&properties, &shape, first).await?;
            evolution.rename(&rows.numbered(id, &evolution)?)?
        };
        stage(&self.lake, &relative, rows, file).await
    }

    /// Rows -> files of the table in this folder, which is made or widened first.
    pub(crate) async fn stage_rows(
        &self,
        relative: &str,
        properties: &TableProperties,
        rows: RecordBatch,
        file: &str,
    ) -> Result<Vec<StagedFile>, Error> {
        let table = self
            .get_or_create(relative, &rows.schema(), properties)
            .await?;
        let renamed = {
            let mut table = table.lock().await;
            let evolution = table.evolve(&rows.schema()).await?;
            table.keep_properties(properties).await?;
            evolution.rename(&rows)?
        };
        stage(&self.lake, relative, renamed, file).await
    }
}
