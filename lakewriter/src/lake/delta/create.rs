//! A new `changes` table and its properties.

use std::time::Duration;

use debezium::{ReplicaIdentity, TableSchema};
use deltalake_core::{
    kernel::{StructField, StructType, transaction::CommitProperties},
    operations::create::CreateBuilder,
    protocol::SaveMode,
};

use super::{LakeTable, property};
use crate::{
    Error,
    error::delta_error,
    lake::Lake,
    maintain::{DEFAULT_HISTORY, round},
};

/// The partition column: the UTC date of the row's commit.
pub(crate) const PARTITION_COLUMN: &str = "_date";

/// The configuration of a table, as key and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableProperties(pub Vec<(String, String)>);

impl TableProperties {
    /// What readers need in order to show a source table: its names and its key.
    pub fn of_source(namespace: &str, table: &TableSchema) -> Self {
        let key: Vec<&str> = table
            .row_key()
            .iter()
            .filter_map(|&index| table.columns.get(index))
            .map(|column| column.name.as_str())
            .collect();
        let replica_identity = match table.replica_identity {
            ReplicaIdentity::Default => "default",
            ReplicaIdentity::Nothing => "nothing",
            ReplicaIdentity::Full => "full",
            ReplicaIdentity::Index => "index",
        };
        let mut properties = vec![
            (property::NAMESPACE, namespace.to_owned()),
            (property::DATABASE, table.table.database.clone()),
            (property::SCHEMA, table.table.schema.clone()),
            (property::TABLE, table.table.table.clone()),
        ];
        // A version without columns is of a truncate of which nothing else was told: the key stays what it was.
        if !table.columns.is_empty() {
            properties.extend([
                (property::KEY, serde_json::json!(key).to_string()),
                (property::REPLICA_IDENTITY, replica_identity.to_owned()),
            ]);
        }
        let properties = properties.into_iter();
        Self(
            properties
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }
}

impl TableProperties {
    /// How long older versions of the table can be read, for the tools of others and for the library's checkpoints. A
    /// checkpoint forgets that a file was taken away after the second time; whoever deletes it must have come by until
    /// then, so that is later than the first by two rounds of maintenance.
    pub fn of_history(history: Duration) -> Self {
        let deletion = history + 2 * round(history);
        let properties = [
            ("delta.logRetentionDuration", history),
            ("delta.deletedFileRetentionDuration", deletion),
        ];
        Self(
            properties
                .map(|(key, time)| (key.to_owned(), interval(time)))
                .into(),
        )
    }
}

/// As Delta writes it.
fn interval(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3600 {
        hours if hours > 0 && seconds.is_multiple_of(3600) => format!("interval {hours} hours"),
        _ => format!("interval {seconds} seconds"),
    }
}

/// What the writer relies on. `delta.setTransactionRetentionDuration` must never be set: it would forget offsets.
const WRITER_PROPERTIES: [(&str, &str); 3] = [
    ("delta.appendOnly", "true"),
    ("delta.enableExpiredLogCleanup", "false"),
    // Checkpoints are written off the hot path, never by a commit's own hook.
    ("delta.checkpointInterval", "1000000"),
];

impl LakeTable {
    /// The table in this folder; made with `schema` if it is not there yet. A lost race or acknowledgement is no
    /// matter: whoever made it, it is opened.
    ///
    /// # Errors
    /// The store's, or `Table` if what lies there cannot be read as a table.
    pub async fn open_or_create(
        lake: &Lake,
        relative: &str,
        schema: &StructType,
        properties: &TableProperties,
    ) -> Result<Self, Error> {
        if let Some(table) = Self::open(lake, relative).await? {
            return Ok(table);
        }
        let created = create(lake, relative, schema, properties).await;
        match Self::open(lake, relative).await? {
            Some(table) => Ok(table),
            None => Err(created.err().unwrap_or_else(|| {
                Error::new(
                    crate::ErrorKind::Storage,
                    format!("create `{relative}`: the store does not show it"),
                )
            })),
        }
    }
}

async fn create(
    lake: &Lake,
    relative: &str,
    schema: &StructType,
    properties: &TableProperties,
) -> Result<(), Error> {
    let columns: Vec<StructField> = schema
        .fields()
        .map(|field| StructField::nullable(field.name(), field.data_type().clone()))
        .collect();
    let history = TableProperties::of_history(DEFAULT_HISTORY).0.into_iter();
    let configuration = WRITER_PROPERTIES
        .iter()
        .map(|&(key, value)| (key.to_owned(), Some(value.to_owned())))
        .chain(history.map(|(key, value)| (key, Some(value))))
        .chain(
            properties
                .0
                .iter()
                .map(|(key, value)| (key.clone(), Some(value.clone()))),
        );
    let builder = CreateBuilder::new()
        .with_log_store(lake.log_store(relative)?)
        .with_save_mode(SaveMode::ErrorIfExists)
        .with_columns(columns)
        .with_partition_columns([PARTITION_COLUMN])
        .with_raise_if_key_not_exists(false)
        .with_configuration(configuration)
        .with_commit_properties(quiet());
    builder
        .await
        .map(drop)
        .map_err(|error| delta_error(format!("create `{relative}`"), error))
}

/// Without the default hooks, which list the whole log on each commit and can fail a commit that is in.
pub(super) fn quiet() -> CommitProperties {
    CommitProperties::default()
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false))
}
