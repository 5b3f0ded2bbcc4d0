//! A table's latest rows, for a program that keeps a copy of them: all of them as of one version of the log, or what later
//! changes make of the rows in the copy. Both are the same replay.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{
    catalog::TableProvider,
    common::DFSchema,
    error::{DataFusionError, Result},
    logical_expr::{Expr, ident, lit, try_cast},
    physical_expr::PhysicalExpr,
    prelude::{DataFrame, SessionContext},
    scalar::ScalarValue,
};
use deltalake_core::DeltaTable;
use futures::StreamExt as _;
use lakewriter::lake::{Lake, Since};

use crate::{
    change::{Change, is_unknown},
    eras::EraIdentity,
    fold::{LoggedChanges, RowKey},
    history::identity_of,
    identity::Parts,
    in_memory::{InMemory, Reading},
    latest::{LatestRows, Told},
    log::Log,
    notices::Notices,
    places::Places,
    tables::{self, Boxed, OpenTable},
};

/// The log of a source table at one of its versions.
pub struct SourceLog {
    pub(crate) delta: DeltaTable,
    pub(crate) log: Log,
    rows: usize,
    part_bytes: usize,
    schema: SchemaRef,
    shape: String,
    version: u64,
    /// Made when they are needed first: they hold as long as the description does.
    reading: OnceLock<Arc<Reading>>,
    keys: OnceLock<Keys>,
}

/// How rows of a table can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// Change by change. Changes from before `since` are of a time in which other columns told rows apart.
    ByKey { since: Option<Since> },
    /// A key tells rows apart, but what became of older rows only the whole log tells.
    Anew,
    /// No key tells rows apart.
    Never,
}

impl SourceLog {
    /// The log in this folder at `version`, or its newest one. A part of the replay takes at most `part_bytes`.
    ///
    /// # Errors
    /// It cannot be read, or is no log of changes.
    pub async fn open(
        lake: &Lake,
        session: &SessionContext,
        folder: &str,
        version: Option<u64>,
        part_bytes: usize,
    ) -> std::result::Result<Self, Boxed> {
        let (delta, changes) = tables::provider(lake, session, folder, version).await?;
        let table = tables::describe(delta, changes, folder)?;
        Self::of(&table, session, part_bytes)
    }

    /// The log of a table that was opened.
    pub(crate) fn of(
        table: &OpenTable,
        session: &SessionContext,
        part_bytes: usize,
    ) -> std::result::Result<Self, Boxed> {
        let info = &table.info;
        let delta = table.delta.clone();
        let log = Log {
            name: format!("{}.{}", info.schema, info.table),
            session: session.clone(),
            changes: Arc::clone(&table.changes),
            history: Arc::clone(&table.history),
        };
        let schema = kept_schema(&log.positioned_schema());
        let snapshot = delta.snapshot()?;
        let configuration = snapshot.metadata().configuration();
        let get = |key: &str| configuration.get(key).map(String::as_str);
        let columns: Vec<String> = schema.fields().iter().map(|f| format!("{f:?}")).collect();
        let shape = serde_json::json!({
            "versions": get(lakewriter::lake::property::VERSIONS),
            "key": get(lakewriter::lake::property::KEY),
            "columns": columns,
        });
        Ok(Self {
            version: snapshot.version(),
            delta,
            log,
            rows: table.rows,
            part_bytes,
            schema,
            shape: shape.to_string(),
            reading: OnceLock::new(),
            keys: OnceLock::new(),
        })
    }

    pub const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) const fn session(&self) -> &SessionContext {
        &self.log.session
    }

    /// `schema.table` of the source.
    pub fn name(&self) -> &str {
        &self.log.name
    }

    /// Everything but the rows that the latest rows depend on: rows that were kept under another one are replaced.
    pub fn shape(&self) -> &str {
        &self.shape
    }

    /// The columns of kept rows: those of the newest version, then where each row's last change stands.
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub fn keeping(&self) -> Keeping {
        let eras = &self.log.history.eras;
        match eras.last() {
            Some(era) if matches!(era.identity, EraIdentity::Key(_)) => {
                if !era.narrower.is_empty() || self.key_columns().is_none() {
                    return Keeping::Anew;
                }
                Keeping::ByKey {
                    since: (eras.len() > 1).then_some(era.since),
                }
            }
            Some(_) | None => Keeping::Never,
        }
    }

    /// Which columns of the schema tell rows apart: of each column of the key its values, and the texts of values that its
    /// type cannot hold, where there are such. None where the newest version lacks one.
    fn key_columns(&self) -> Option<Vec<(usize, Option<usize>)>> {
        let history = &self.log.history;
        let Some(EraIdentity::Key(key)) = history.identity() else {
            return None;
        };
        let find = |column: usize, raw: bool| {
            let mut shown = history.shown.iter();
            shown.position(|shown| shown.column == column && shown.raw == raw)
        };
        let columns = key.iter();
        columns
            .map(|&column| Some((find(column, false)?, find(column, true))))
            .collect()
    }

    /// The columns that [`Keys::of`] needs, in their order in the schema.
    pub fn keys(&self) -> Result<Keys> {
        made_once(&self.keys, || self.make_keys())
    }

    fn make_keys(&self) -> Result<Keys> {
        let missing = || DataFusionError::Internal("the key is not among the columns".to_owned());
        let columns = self.key_columns().ok_or_else(missing)?;
        let mut read: Vec<usize> = columns.iter().map(|(value, _)| *value).collect();
        read.extend(columns.iter().filter_map(|(_, raw)| *raw));
        read.sort_unstable();
        let schema = self.schema.project(&read)?;
        let of_schema = DFSchema::try_from(schema.clone())?;
        let state = self.log.session.state();
        let mut expressions = Vec::new();
        for (value, raw) in &columns {
            let shown = self.log.history.shown.get(*value).ok_or_else(missing)?;
            let column = self.log.history.columns.get(shown.column);
            let column = column.ok_or_else(missing)?;
            let of = ident(self.schema.field(*value).name());
            let identity = identity_of(of, column.spelling);
            expressions.push(
                state.create_physical_expr(plain_text(identity, &column.data_type), &of_schema)?,
            );
            let raw = raw.map(|raw| ident(self.schema.field(raw).name()));
            let raw = raw.unwrap_or_else(|| lit(ScalarValue::Utf8(None)));
            expressions
                .push(state.create_physical_expr(try_cast(raw, DataType::Utf8), &of_schema)?);
        }
        Ok(Keys {
            columns: read,
            expressions,
        })
    }

    /// All latest rows, in the order of their keys.
    ///
    /// # Errors
    /// The plan cannot be made.
    pub fn latest(&self) -> Result<DataFrame> {
        self.latest_telling(&Told::default())
    }

    /// The same; `told` has what the log showed beside them, once they were read.
    ///
    /// # Errors
    /// The plan cannot be made.
    pub fn latest_telling(&self, told: &Told) -> Result<DataFrame> {
        let rows = LatestRows {
            log: self.log.clone(),
            rows: self.rows,
            part_bytes: self.part_bytes,
            doubts: Arc::new([]),
            notices: Notices::default(),
            positions: true,
            told: told.clone(),
        };
        let shown = rows.schema();
        let columns = shown.fields().iter().zip(self.schema.fields());
        let columns = columns.map(|(shown, kept)| {
            let value = ident(shown.name());
            let value = match shown.data_type() == kept.data_type() {
                true => value,
                false => try_cast(value, kept.data_type().clone()),
            };
            value.alias(kept.name())
        });
        let columns: Vec<Expr> = columns.collect();
        let rows = self
            .log
            .session
            .read_table(Arc::new(rows))?
            .select(columns)?;
        let key = self.key_columns().unwrap_or_default().into_iter();
        let key = key.map(|(value, _)| ident(self.schema.field(value).name()).sort(true, true));
        let key: Vec<_> = key.collect();
        if key.is_empty() {
            Ok(rows)
        } else {
            rows.sort(key)
        }
    }

    /// The changes in these files of the log, which are active in its version.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn changes(&self, files: Vec<String>) -> std::result::Result<LoggedChanges, Boxed> {
        let state = Arc::new(self.log.session.state());
        let provider = self.delta.table_provider().with_session(state);
        let changes: Arc<dyn TableProvider> = provider.with_file_paths(files).await?;
        self.read(changes, None).await
    }

    /// The columns of the log.
    pub fn columns(&self) -> SchemaRef {
        self.log.changes.schema()
    }

    /// Whether a file of the log has the columns by the names that they have in the table.
    pub fn has_plain_names(&self) -> bool {
        let snapshot = self.delta.snapshot();
        snapshot.is_ok_and(|snapshot| {
            let configuration = snapshot.metadata().configuration();
            !configuration.contains_key("delta.columnMapping.mode")
        })
    }

    /// The changes in these rows of the log, which have [`Self::columns`]. They may be of a later version, as long as the
    /// table's description is the same. No query is planned for them.
    ///
    /// # Errors
    /// They are no changes of the table.
    pub fn changes_in(&self, rows: Vec<RecordBatch>) -> Result<LoggedChanges> {
        let reading = self.reading()?;
        let rows = InMemory { reading, rows };
        let mut found: Vec<Change> = Vec::new();
        for batch in rows.narrow() {
            self.take_changes(&batch?, &mut found)?;
        }
        found.sort_by_key(Change::order);
        Ok(LoggedChanges {
            log: self.log.clone(),
            schema: Arc::clone(&self.schema),
            changes: found,
            rows: Some(rows),
        })
    }

    fn reading(&self) -> Result<Arc<Reading>> {
        made_once(&self.reading, || {
            let reading = Reading::of(&self.log, self.schema.fields().len())?;
            Ok(Arc::new(reading))
        })
    }

    /// The changes that stand at the LSN of `from` or behind it, in all files of the log but these.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn changes_from(
        &self,
        from: Since,
        without: &[String],
    ) -> std::result::Result<LoggedChanges, Boxed> {
        let files = self.delta.snapshot()?.log_data();
        let paths = files.into_iter().map(|file| file.path().to_string());
        let paths: Vec<String> = paths.filter(|path| !without.contains(path)).collect();
        let state = Arc::new(self.log.session.state());
        let provider = self.delta.table_provider().with_session(state);
        let changes: Arc<dyn TableProvider> = provider.with_file_paths(paths).await?;
        self.read(changes, Some(from)).await
    }

    async fn read(
        &self,
        changes: Arc<dyn TableProvider>,
        from: Option<Since>,
    ) -> std::result::Result<LoggedChanges, Boxed> {
        let log = Log {
            changes,
            ..self.log.clone()
        };
        let mut found: Vec<Change> = Vec::new();
        let mut narrow = log.narrow_from(from)?.execute_stream().await?;
        while let Some(batch) = narrow.next().await {
            self.take_changes(&batch?, &mut found)?;
        }
        Ok(LoggedChanges {
            log,
            schema: Arc::clone(&self.schema),
            changes: found,
            rows: None,
        })
    }

    /// Of their identities that of the newest era is kept.
    fn take_changes(&self, narrow: &RecordBatch, found: &mut Vec<Change>) -> Result<()> {
        let era = self.log.history.eras.len().saturating_sub(1);
        self.log.changes_of(narrow, &mut |mut change| {
            if era > 0 && era < change.identities.len() {
                change.identities.swap(0, era);
            }
            change.identities.truncate(1);
            found.push(change);
            Ok(())
        })
    }

    /// Incarnation and LSN of rows that came to a new key without all of their values, and whose old half has not come.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn open_moves(&self) -> Result<Vec<(i64, i64)>> {
        let mut moved: Vec<Since> = Vec::new();
        for batch in self.log.partial_moves()?.collect().await? {
            let places = Places::of(&batch)?;
            moved.extend((0..batch.num_rows()).map(|row| places.at(row).position()));
        }
        if moved.is_empty() {
            return Ok(Vec::new());
        }
        let mut halves: HashSet<Since> = HashSet::new();
        let lsns = moved.iter().map(|(_, lsn, _)| lit(*lsn)).collect();
        for batch in self.log.deletes_at(lsns)?.collect().await? {
            let places = Places::of(&batch)?;
            halves.extend((0..batch.num_rows()).map(|row| places.at(row).position()));
        }
        let open = moved
            .into_iter()
            .filter(|position| !halves.contains(position));
        Ok(open
            .map(|(incarnation, lsn, _)| (incarnation, lsn))
            .collect())
    }

    /// Position of the log's last change.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn newest(&self) -> Result<Option<Since>> {
        let batches = self.log.last_place()?.collect().await?;
        for batch in &batches {
            if batch.num_rows() > 0 {
                return Ok(Some(Places::of(batch)?.at(0).position()));
            }
        }
        Ok(None)
    }

    /// Incarnation and LSN of the newest snapshot that the log has rows of.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn snapshot(&self) -> Result<Option<(i64, i64)>> {
        let batches = self.log.last_snapshot()?.collect().await?;
        for batch in &batches {
            if batch.num_rows() > 0 {
                let (incarnation, lsn, _) = Places::of(batch)?.at(0).position();
                return Ok(Some((incarnation, lsn)));
            }
        }
        Ok(None)
    }
}

/// What stands in the cell, which is filled when it is needed first and can be made.
fn made_once<T: Clone>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T>) -> Result<T> {
    match cell.get() {
        Some(made) => Ok(made.clone()),
        None => {
            let made = make()?;
            Ok(cell.get_or_init(|| made).clone())
        }
    }
}

/// What makes keys of kept rows.
#[derive(Clone)]
pub struct Keys {
    /// Into the schema of kept rows.
    pub columns: Vec<usize>,
    expressions: Vec<Arc<dyn PhysicalExpr>>,
}

impl Keys {
    /// The key of each row of a batch with [`Self::columns`].
    ///
    /// # Errors
    /// The batch has other columns.
    pub fn of(&self, batch: &RecordBatch) -> Result<Vec<RowKey>> {
        let rows = batch.num_rows();
        let values = self.expressions.iter();
        let values = values.map(|value| value.evaluate(batch)?.into_array(rows));
        let values: Vec<ArrayRef> = values.collect::<Result<_>>()?;
        let parts = Parts::new(values.iter().collect())?;
        let mut scratch = Vec::new();
        let keys = (0..rows).map(|row| Ok(parts.of(row, &mut scratch)?));
        keys.collect()
    }
}

/// No part of the key has a value.
pub fn is_unknown_key(key: &[u8]) -> bool {
    is_unknown(key)
}

/// One type for all texts, as [`Log::narrow`] reads them.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other types of Arrow are alike here"
)]
fn plain_text(value: Expr, data_type: &DataType) -> Expr {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => try_cast(value, DataType::Utf8),
        _ => value,
    }
}

/// The types that are written to the lake.
fn kept_schema(shown: &Schema) -> SchemaRef {
    let fields = shown.fields().iter();
    let fields = fields.map(|field| Field::new(field.name(), written(field.data_type()), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other types of Arrow are alike here"
)]
fn written(data_type: &DataType) -> DataType {
    let inner = |field: &Arc<Field>| {
        let of = field.as_ref().clone();
        let data_type = written(field.data_type());
        Arc::new(of.with_data_type(data_type).with_metadata(HashMap::new()))
    };
    match data_type {
        DataType::Null | DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            DataType::List(inner(item))
        }
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        other => other.clone(),
    }
}
