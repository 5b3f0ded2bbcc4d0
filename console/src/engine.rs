//! DataFusion over the tables of a lake: each log as `<table>_changes`, and the rows of now as `<table>`.
//!
//! It is read-only, and a query stays within the memory that was given.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use datafusion::{
    catalog::{MemoryCatalogProvider, MemorySchemaProvider, TableProvider},
    dataframe::DataFrame,
    datasource::MemTable,
    error::DataFusionError,
    execution::{context::SQLOptions, memory_pool::FairSpillPool, runtime_env::RuntimeEnvBuilder},
    prelude::{SessionConfig, SessionContext},
};
use lakewriter::{
    LakeConfig,
    lake::{DEAD_LETTERS, Lake, check_certificate, dead_letter_schema},
};

use crate::{
    Error,
    describe::{self, Listed},
    kept::SourceLog,
    kept_table::{KeptTable, kept_table},
    latest::{LatestRows, Told},
    log::Log,
    memory, multiply,
    names::{CATALOG, DEFAULT_SCHEMA, SourceName, SqlNames, own_name, sql_names},
    notices::Notices,
    now::{Kept, Now},
    renames::tell_of_each_other,
    statement,
    tables::{self, Boxed, OpenTable, TableInfo},
};

/// How the latest rows of a table are found. The answers are the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rows {
    /// In `current` and the changes that were committed after it, where it is there and whole.
    #[default]
    Kept,
    /// By a replay of the whole log.
    Replayed,
}

/// DataFusion over every table of a lake. Read-only.
pub struct SqlEngine {
    url: String,
    rows: Rows,
    lake: Lake,
    session: SessionContext,
    memory_limit: usize,
    tables: Vec<TableInfo>,
    listed: Vec<Listed>,
    warnings: Vec<String>,
    notices: Notices,
}

impl SqlEngine {
    /// Open the lake and register its tables. Queries take at most `memory_limit` bytes; without it, a quarter of the
    /// machine's memory.
    ///
    /// # Errors
    /// The URL names no store, or the store cannot be read.
    pub async fn open(config: &LakeConfig, memory_limit: Option<usize>) -> Result<Self, Error> {
        let trusted = check_certificate(config).await;
        let lake = trusted
            .and_then(|()| Lake::connect(config))
            .map_err(|source| Error::OpenLake {
                url: config.url.clone(),
                source: source.into(),
            })?;
        Self::over(lake, &config.url, memory_limit, Rows::Kept).await
    }

    /// The same over a lake that was opened. `rows`: how latest rows are found.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn over(
        lake: Lake,
        url: &str,
        memory_limit: Option<usize>,
        rows: Rows,
    ) -> Result<Self, Error> {
        let memory_limit = memory_limit.unwrap_or_else(memory::default_limit);
        let mut session_config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA)
            .with_information_schema(true);
        session_config.options_mut().sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(memory_limit)))
            .build_arc()
            .map_err(Error::Query)?;
        let mut engine = Self {
            url: url.to_owned(),
            rows,
            lake,
            session: SessionContext::new_with_config_rt(session_config, runtime),
            memory_limit,
            tables: Vec::new(),
            listed: Vec::new(),
            warnings: Vec::new(),
            notices: Notices::default(),
        };
        multiply::bound(&engine.session, memory_limit);
        engine.refresh().await?;
        Ok(engine)
    }

    /// The lake's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the lake holds, as of the last refresh.
    pub fn tables(&self) -> impl Iterator<Item = &TableInfo> {
        self.tables.iter()
    }

    /// What of the lake cannot be shown, and what is not what it seems.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What the rows of the last queries may not be, and how that is mended: known once their rows were read.
    pub fn take_notices(&self) -> Vec<String> {
        self.notices.take()
    }

    /// [`Self::take_notices`] on standard error, so that an output that is piped stays what was asked for.
    pub fn print_notices(&self) {
        for notice in self.take_notices() {
            eprintln!("NOTICE: {notice}");
        }
    }

    /// See what was committed since: new tables, and the newest version of the known ones. A table that cannot be
    /// shown is left out, and a warning names it.
    ///
    /// # Errors
    /// The store cannot be read, or none of its tables.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let folders = self
            .lake
            .list_changes()
            .await
            .map_err(|source| self.unreadable(source))?;
        self.warnings.clear();
        let mut open = Vec::with_capacity(folders.len());
        let mut kept_tables = HashMap::new();
        let mut first_failure = None;
        for folder in &folders {
            // Before its log: then that is not behind it.
            let kept = match self.rows {
                Rows::Replayed => None,
                Rows::Kept => match kept_table(&self.lake, &self.session, folder).await {
                    Ok(kept) => kept,
                    Err(error) => {
                        self.warnings.push(not_kept(folder, error.as_ref()));
                        None
                    }
                },
            };
            match tables::open(&self.lake, &self.session, folder).await {
                Ok(table) => {
                    kept_tables.extend(kept.map(|kept| (folder.clone(), kept)));
                    open.push(table);
                }
                Err(error) => {
                    self.warnings.push(left_out(folder, error.as_ref()));
                    first_failure.get_or_insert(error);
                }
            }
        }
        if let Some(error) = first_failure.filter(|_| open.is_empty()) {
            return Err(self.unreadable(error));
        }
        if folders.is_empty() {
            self.warnings.push(format!(
                "the lake at `{}` holds no table (yet): is this its root?",
                self.url
            ));
        }
        self.register(open, kept_tables).await
    }

    fn unreadable(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::OpenLake {
            url: self.url.clone(),
            source: source.into(),
        }
    }

    /// Builds the catalogs anew, so that a query sees one version of each table.
    async fn register(
        &mut self,
        mut open: Vec<OpenTable>,
        mut kept: HashMap<String, KeptTable>,
    ) -> Result<(), Error> {
        tell_of_each_other(&mut open);
        let sources: Vec<SourceName> = open.iter().map(|table| table.info.name()).collect();
        let names = sql_names(&sources);
        let letters = own_name(DEAD_LETTERS, &sources, &names);
        let mut catalogs: BTreeSet<&str> = names.iter().map(|n| n.catalog.as_str()).collect();
        catalogs.insert(CATALOG);
        for catalog in catalogs {
            self.session
                .register_catalog(catalog, Arc::new(MemoryCatalogProvider::new()));
        }
        self.register_tables(CATALOG, DEFAULT_SCHEMA, Vec::new())
            .map_err(|source| registering(CATALOG, source))?;
        self.tables.clear();
        self.listed.clear();
        // Sorting and the query itself need the most.
        let part_bytes = self.memory_limit / 8;
        for (table, names) in open.into_iter().zip(names) {
            let info = table.info.clone();
            let kept = kept.remove(&info.folder);
            match self.register_table(&table, kept, &names, part_bytes) {
                Ok(()) => {
                    self.listed.extend(describe::list_table(&info, &names));
                    self.tables.push(info);
                }
                Err(error) => self.warnings.push(left_out(&info.folder, error.as_ref())),
            }
        }
        self.register_dead_letters(&letters).await;
        self.listed
            .sort_by(|left, right| (&left.schema, &left.name).cmp(&(&right.schema, &right.name)));
        Ok(())
    }

    fn register_table(
        &self,
        table: &OpenTable,
        kept: Option<KeptTable>,
        names: &SqlNames,
        part_bytes: usize,
    ) -> Result<(), Boxed> {
        let info = &table.info;
        let kept = match kept {
            None => None,
            Some(kept) => Some(Kept {
                lake: self.lake.clone(),
                changes: info.folder.clone(),
                table: kept,
                log: SourceLog::of(table, &self.session, part_bytes)?,
            }),
        };
        let replay = LatestRows {
            log: Log {
                name: format!("{}.{}", info.schema, info.table),
                session: self.session.clone(),
                changes: Arc::clone(&table.changes),
                history: Arc::clone(&table.history),
            },
            rows: table.rows,
            part_bytes,
            doubts: table.doubts.as_slice().into(),
            notices: self.notices.clone(),
            positions: false,
            told: Told::default(),
        };
        let latest = Now::of(replay, kept);
        let mut catalogs = vec![names.catalog.as_str()];
        if names.is_unique {
            catalogs.push(CATALOG);
        }
        for catalog in catalogs {
            let both = vec![
                (info.table.clone(), Arc::clone(&latest)),
                (names.changes.clone(), Arc::clone(&table.changes)),
            ];
            self.register_tables(catalog, &info.schema, both)?;
        }
        Ok(())
    }

    /// Tables into a schema, which is made if it is not there.
    fn register_tables(
        &self,
        catalog: &str,
        schema: &str,
        tables: Vec<(String, Arc<dyn TableProvider>)>,
    ) -> Result<(), DataFusionError> {
        let missing = |what: &str| DataFusionError::Internal(format!("{what} is not registered"));
        let catalog = self
            .session
            .catalog(catalog)
            .ok_or_else(|| missing(catalog))?;
        if catalog.schema(schema).is_none() {
            catalog.register_schema(schema, Arc::new(MemorySchemaProvider::new()))?;
        }
        let provider = catalog.schema(schema).ok_or_else(|| missing(schema))?;
        for (name, table) in tables {
            provider.register_table(name, table)?;
        }
        Ok(())
    }

    /// Records that could not become rows, under this name. Where there are none the table is empty and not listed: the
    /// question whether there are any has an answer in every lake.
    async fn register_dead_letters(&mut self, name: &str) {
        if name != DEAD_LETTERS {
            // Whoever looks for them under their usual name finds rows of something else there.
            self.warnings.push(format!(
                "`{DEFAULT_SCHEMA}.{DEAD_LETTERS}` is a table of the source; the lake's own dead letters are `{DEFAULT_SCHEMA}.{name}`"
            ));
        }
        let registered = match self.lake.is_delta_table(DEAD_LETTERS).await {
            Ok(true) => self.register_set_aside(name).await,
            Ok(false) => {
                if let Err(error) = self.register_none_set_aside(name) {
                    self.warnings.push(left_out(DEAD_LETTERS, &error));
                }
                return;
            }
            Err(error) => Err(error.into()),
        };
        match registered {
            Ok(()) => self.listed.push(Listed {
                schema: DEFAULT_SCHEMA.to_owned(),
                name: name.to_owned(),
                holds: "dead letters",
                note: "records that could not become rows".to_owned(),
            }),
            Err(error) => self.warnings.push(left_out(DEAD_LETTERS, error.as_ref())),
        }
    }

    fn register_none_set_aside(&self, name: &str) -> Result<(), DataFusionError> {
        let none = MemTable::try_new(dead_letter_schema(), vec![Vec::new()])?;
        let table: Arc<dyn TableProvider> = Arc::new(none);
        self.register_tables(CATALOG, DEFAULT_SCHEMA, vec![(name.to_owned(), table)])
    }

    async fn register_set_aside(&self, name: &str) -> Result<(), Boxed> {
        let (_, provider) = tables::provider(&self.lake, &self.session, DEAD_LETTERS, None).await?;
        let table = vec![(name.to_owned(), provider)];
        Ok(self.register_tables(CATALOG, DEFAULT_SCHEMA, table)?)
    }

    /// Plan a query. Statements that change anything are refused.
    ///
    /// # Errors
    /// The SQL is wrong.
    pub async fn query(&self, sql: &str) -> Result<DataFrame, Error> {
        statement::check(sql).map_err(Error::Statement)?;
        let options = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        self.session
            .sql_with_options(sql, options)
            .await
            .map_err(Error::Query)
    }

    /// The answer to `\d` (all tables) and `\d name` (its columns).
    ///
    /// # Errors
    /// There is no table of this name.
    pub async fn describe(&self, name: &str) -> Result<DataFrame, Error> {
        let batch = if name.is_empty() {
            describe::list(&self.listed).map_err(|error| Error::Query(error.into()))
        } else {
            describe::columns(&self.session, name)
                .await
                .map_err(Error::Query)
        }?;
        self.session.read_batch(batch).map_err(Error::Query)
    }
}

fn left_out(table: &str, error: &(dyn std::error::Error + 'static)) -> String {
    with_causes(
        format!("`{table}` is left out, because it cannot be shown: {error}"),
        error,
    )
}

fn not_kept(changes: &str, error: &(dyn std::error::Error + 'static)) -> String {
    with_causes(
        format!(
            "the rows of `{changes}` are made from the whole log, because `current` beside it cannot be read: {error}"
        ),
        error,
    )
}

fn with_causes(mut text: String, error: &(dyn std::error::Error + 'static)) -> String {
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn registering(table: &str, source: DataFusionError) -> Error {
    Error::Register {
        table: table.to_owned(),
        source,
    }
}
