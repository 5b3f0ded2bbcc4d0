//! What lies in the lake: its tables, opened.

use std::sync::Arc;

use datafusion::{arrow::datatypes::Schema, catalog::TableProvider, prelude::SessionContext};
use deltalake_core::DeltaTable;
use lakewriter::lake::{Lake, property, read_versions};

use crate::{
    doubt::Doubt,
    eras::EraIdentity,
    history::History,
    names::{DEFAULT_SCHEMA, SourceName},
};

pub(crate) type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// A source table that the lake holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    /// The topic prefix, or the database.
    pub namespace: String,
    pub schema: String,
    pub table: String,
    /// Names of the key's columns; empty for a table without a key.
    pub key: Vec<String>,
    /// Folder of its `changes` table, relative to the lake's root.
    pub folder: String,
    /// Version of that Delta table.
    pub version: u64,
    /// What its latest rows are, where they are not simply the rows of the source.
    pub notes: Vec<String>,
}

impl TableInfo {
    pub(crate) fn name(&self) -> SourceName {
        SourceName {
            namespace: self.namespace.clone(),
            schema: self.schema.clone(),
            table: self.table.clone(),
        }
    }
}

/// A table with everything that its latest rows are made from.
pub(crate) struct OpenTable {
    pub(crate) info: TableInfo,
    pub(crate) delta: DeltaTable,
    pub(crate) changes: Arc<dyn TableProvider>,
    pub(crate) history: Arc<History>,
    /// What nobody can know of its latest rows.
    pub(crate) doubts: Vec<Doubt>,
    /// The newest history of the WAL that a row of its log is of.
    pub(crate) incarnation: Option<i64>,
    /// Rows of its log.
    pub(crate) rows: usize,
}

/// Columns without which a table is no log of changes.
const NEEDED: [&str; 3] = ["_op", "_lsn", "_seq"];

/// Opens the log in this folder at its newest version.
pub(crate) async fn open(
    lake: &Lake,
    session: &SessionContext,
    folder: &str,
) -> Result<OpenTable, Boxed> {
    let (table, changes) = provider(lake, session, folder, None).await?;
    describe(table, changes, folder)
}

/// What the log is that was opened there.
pub(crate) fn describe(
    table: DeltaTable,
    changes: Arc<dyn TableProvider>,
    folder: &str,
) -> Result<OpenTable, Boxed> {
    let schema = changes.schema();
    if let Some(lacks) = NEEDED
        .iter()
        .find(|name| schema.column_with_name(name).is_none())
    {
        return Err(format!("it has no column `{lacks}`: another program wrote it").into());
    }
    let snapshot = table.snapshot()?;
    let configuration = snapshot.metadata().configuration();
    let get = |key: &str| configuration.get(key).map(String::as_str);
    let versions = read_versions(get(property::VERSIONS))
        .map_err(|error| format!("its versions cannot be read: {error}"))?;
    let history = History::new(versions, get(property::KEY), &schema);
    // A table without a configuration of ours: its folder names it.
    let mut parts = folder.split('/');
    let namespace = parts.next().unwrap_or_default();
    let named_by_folder = parts
        .next()
        .and_then(|name| name.split_once('.'))
        .unwrap_or((DEFAULT_SCHEMA, folder));
    let text = |key: &str, otherwise: &str| get(key).unwrap_or(otherwise).to_owned();
    let info = TableInfo {
        namespace: text(property::NAMESPACE, namespace),
        schema: text(property::SCHEMA, named_by_folder.0),
        table: text(property::TABLE, named_by_folder.1),
        key: history.key(),
        folder: folder.to_owned(),
        version: snapshot.version(),
        notes: notes(&history, &schema),
    };
    Ok(OpenTable {
        rows: row_count(&table),
        doubts: history.doubts.clone(),
        incarnation: newest_incarnation(&table),
        info,
        delta: table,
        changes,
        history: Arc::new(history),
    })
}

/// The Delta table in this folder at a version or its newest one, for queries of this session.
pub(crate) async fn provider(
    lake: &Lake,
    session: &SessionContext,
    folder: &str,
    version: Option<u64>,
) -> Result<(DeltaTable, Arc<dyn TableProvider>), Boxed> {
    let mut table = DeltaTable::new(lake.log_store(folder)?);
    match version {
        Some(version) => table.load_version(version).await?,
        None => table.load().await?,
    }
    let state = session.state();
    table.update_datafusion_session(&state)?;
    let provider = table.table_provider().with_session(Arc::new(state)).await?;
    Ok((table, provider))
}

/// What the files say that they hold; a file that does not say it counts as a large one.
fn row_count(table: &DeltaTable) -> usize {
    const UNKNOWN: usize = 100_000;
    let Ok(snapshot) = table.snapshot() else {
        return UNKNOWN;
    };
    let files = snapshot.log_data();
    files
        .into_iter()
        .map(|file| file.num_records().unwrap_or(UNKNOWN))
        .sum()
}

/// What the statistics of its files say; None where one of them says nothing.
fn newest_incarnation(table: &DeltaTable) -> Option<i64> {
    let mut newest = None;
    for file in table.snapshot().ok()?.log_data() {
        let stats: serde_json::Value = serde_json::from_str(&file.stats()?).ok()?;
        let of_file = |kind: &str| stats.get(kind)?.get("_incarnation")?.as_i64();
        // Rows without one are of the first history; where they alone are in a file, it has no greatest value.
        of_file("nullCount")?;
        newest = newest.max(Some(of_file("maxValues").unwrap_or(0)));
    }
    newest
}

fn notes(history: &History, schema: &Schema) -> Vec<String> {
    let mut notes = Vec::new();
    match history.identity() {
        Some(EraIdentity::Key(_)) | None => {}
        Some(EraIdentity::WholeRow(_)) => notes.push(
            "no key: its rows are told apart by all their values, and equal rows count".to_owned(),
        ),
        // A doubt of its own.
        Some(EraIdentity::Hidden) => {}
    }
    // Types are recorded since a later release than versions are; what a doubt says better is said by it.
    if history.doubts.is_empty() && history.eras.iter().any(|era| era.older_keys) {
        notes.push(
            "its key came later than its first rows, or changed its type: a row from before may stand beside what became of it, until a new snapshot"
                .to_owned(),
        );
    }
    if history.unversioned {
        notes.push(
            "an earlier release wrote (some of) it without versions: columns that were renamed or retyped then are not connected"
                .to_owned(),
        );
    }
    let renamed = history.renamed(schema);
    if !renamed.is_empty() {
        notes.push(format!("in its log {}", renamed.join(", ")));
    }
    notes
}
