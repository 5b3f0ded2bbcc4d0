use std::{collections::BTreeSet, sync::Arc};

use arrow::datatypes::DataType;
use datafusion::{
    catalog::{
        CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider,
    },
    dataframe::DataFrame,
    error::DataFusionError,
    execution::context::SQLOptions,
    prelude::{SessionConfig, SessionContext},
};
use deltalake_core::DeltaTable;
use lakewriter::{
    LakeConfig,
    lake::{Lake, check_certificate, property},
};

use crate::{
    Error,
    latest::{ViewColumn, latest_rows, quote},
};

/// The catalog of unqualified names.
const CATALOG: &str = "lake";

/// The schema of unqualified names, as PostgreSQL's default search path has it.
const DEFAULT_SCHEMA: &str = "public";

/// Columns that the writer adds to a source table's own.
const CHANGE_COLUMNS: [&str; 10] = [
    "_op",
    "_lsn",
    "_seq",
    "_tx_id",
    "_ts",
    "_ingest_ts",
    "_partition",
    "_offset",
    "_unavailable",
    "_date",
];

/// A source table that the lake holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    pub schema: String,
    pub table: String,
    /// Names of the key's columns; empty for a table without a key.
    pub key: Vec<String>,
    /// Folder of its `changes` table, relative to the lake's root.
    pub folder: String,
    /// Version of that Delta table.
    pub version: u64,
}

/// DataFusion over every table of a lake. Read-only.
pub struct SqlEngine {
    url: String,
    lake: Lake,
    session: SessionContext,
    tables: Vec<(TableInfo, DeltaTable)>,
}

impl SqlEngine {
    /// Open the lake and register its tables.
    ///
    /// # Errors
    /// The URL names no store, or the store cannot be read.
    pub async fn open(config: &LakeConfig) -> Result<Self, Error> {
        let trusted = check_certificate(config).await;
        let lake = trusted
            .and_then(|()| Lake::connect(config))
            .map_err(|source| Error::OpenLake {
                url: config.url.clone(),
                source: source.into(),
            })?;
        let mut session_config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA)
            .with_information_schema(true);
        session_config.options_mut().sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
        let mut engine = Self {
            url: config.url.clone(),
            lake,
            session: SessionContext::new_with_config(session_config),
            tables: Vec::new(),
        };
        engine.refresh().await?;
        Ok(engine)
    }

    /// The lake's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the lake holds, as of the last refresh.
    pub fn tables(&self) -> impl Iterator<Item = &TableInfo> {
        self.tables.iter().map(|(info, _)| info)
    }

    /// See what was committed since: new tables, and the newest version of the known ones.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let folders = self
            .lake
            .list_changes()
            .await
            .map_err(|source| self.unreadable(source))?;
        let mut tables = Vec::with_capacity(folders.len());
        for folder in folders {
            let log_store = self
                .lake
                .log_store(&folder)
                .map_err(|source| self.unreadable(source))?;
            let mut table = DeltaTable::new(log_store);
            table
                .load()
                .await
                .map_err(|source| self.unreadable(source))?;
            let info = describe(&table, &folder).map_err(|source| self.unreadable(source))?;
            tables.push((info, table));
        }
        self.tables = tables;
        self.register().await
    }

    fn unreadable(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::OpenLake {
            url: self.url.clone(),
            source: source.into(),
        }
    }

    /// Builds the catalog anew, so that a query sees one version of each table.
    async fn register(&self) -> Result<(), Error> {
        let catalog = Arc::new(MemoryCatalogProvider::new());
        let mut schemas: BTreeSet<&str> = self.tables().map(|t| t.schema.as_str()).collect();
        schemas.insert(DEFAULT_SCHEMA);
        for schema in schemas {
            catalog
                .register_schema(schema, Arc::new(MemorySchemaProvider::new()))
                .map_err(|source| registering(schema, source))?;
        }
        self.session
            .register_catalog(CATALOG, Arc::clone(&catalog) as Arc<dyn CatalogProvider>);
        for (info, table) in &self.tables {
            let schema = catalog.schema(&info.schema).ok_or_else(|| {
                registering(
                    &info.table,
                    DataFusionError::Internal("its schema is not registered".to_owned()),
                )
            })?;
            self.register_table(schema.as_ref(), info, table)
                .await
                .map_err(|source| {
                    registering(&format!("{}.{}", info.schema, info.table), source)
                })?;
        }
        Ok(())
    }

    async fn register_table(
        &self,
        schema: &dyn SchemaProvider,
        info: &TableInfo,
        table: &DeltaTable,
    ) -> Result<(), DataFusionError> {
        let changes_name = format!("{}_changes", info.table);
        // Two prefixes may carry a table of the same name: the first by folder has the name.
        if schema.table_exist(&changes_name) {
            return Ok(());
        }
        let state = self.session.state();
        table
            .update_datafusion_session(&state)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let changes = table.table_provider().with_session(Arc::new(state)).await?;
        let columns = view_columns(changes.as_ref());
        schema.register_table(changes_name.clone(), changes)?;
        let log = format!("{}.{}", quote(&info.schema), quote(&changes_name));
        let sql = latest_rows(&log, &info.key, &columns);
        let view = self.session.sql(&sql).await?.into_view();
        schema.register_table(info.table.clone(), view)?;
        Ok(())
    }

    /// Plan a query. Statements that change anything are refused.
    ///
    /// # Errors
    /// The SQL is wrong.
    pub async fn query(&self, sql: &str) -> Result<DataFrame, Error> {
        let options = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        self.session
            .sql_with_options(sql, options)
            .await
            .map_err(Error::Query)
    }

    /// The query behind `\d` (all tables) and `\d name` (its columns).
    pub(crate) fn describe_sql(&self, name: &str) -> String {
        if name.is_empty() {
            return "SELECT table_schema AS schema, table_name AS name, \
                    CASE table_type WHEN 'VIEW' THEN 'latest rows' ELSE 'changes' END AS holds \
                    FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY 1, 2"
                .to_owned();
        }
        let (schema, table) = name.split_once('.').unwrap_or((DEFAULT_SCHEMA, name));
        let text = |name: &str| name.trim_matches('"').replace('\'', "''");
        format!(
            "SELECT column_name AS column, data_type AS type FROM information_schema.columns \
             WHERE table_schema = '{}' AND table_name = '{}' ORDER BY ordinal_position",
            text(schema),
            text(table)
        )
    }
}

fn registering(table: &str, source: DataFusionError) -> Error {
    Error::Register {
        table: table.to_owned(),
        source,
    }
}

/// The source table behind a `changes` table, from the configuration that its writer left.
fn describe(
    table: &DeltaTable,
    folder: &str,
) -> Result<TableInfo, Box<dyn std::error::Error + Send + Sync>> {
    let snapshot = table.snapshot()?;
    let configuration = snapshot.metadata().configuration();
    let get = |key: &str| configuration.get(key).cloned();
    // A table that another tool wrote: its folder names it.
    let named_by_folder = folder
        .rsplit('/')
        .nth(1)
        .and_then(|name| name.split_once('.'))
        .unwrap_or((DEFAULT_SCHEMA, folder));
    let key = match get(property::KEY) {
        Some(text) => serde_json::from_str(&text)?,
        None => Vec::new(),
    };
    Ok(TableInfo {
        schema: get(property::SCHEMA).unwrap_or_else(|| named_by_folder.0.to_owned()),
        table: get(property::TABLE).unwrap_or_else(|| named_by_folder.1.to_owned()),
        key,
        folder: folder.to_owned(),
        version: snapshot.version(),
    })
}

fn view_columns(changes: &dyn TableProvider) -> Vec<ViewColumn> {
    changes
        .schema()
        .fields()
        .iter()
        .filter(|field| !CHANGE_COLUMNS.contains(&field.name().as_str()))
        .map(|field| ViewColumn {
            name: field.name().clone(),
            toastable: !matches!(
                field.data_type(),
                DataType::Boolean
                    | DataType::Int64
                    | DataType::Float64
                    | DataType::Date32
                    | DataType::Timestamp(_, _)
            ),
        })
        .collect()
}
