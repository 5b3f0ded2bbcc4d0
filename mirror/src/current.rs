//! The Delta table `current`, as it was last read or written here, and commits to it.
//!
//! A commit says what it takes for true: that the log ends where it was read. It puts exactly the next entry, which the
//! store refuses if there is one, so nobody can have changed a file, a deletion vector or the `txn` in between. Whatever
//! else comes of a commit, the table is read again and its `txn` decides.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use arrow::datatypes::{DataType, TimeUnit};
use bytes::Bytes;
use console::{CURRENT_INFO, CURRENT_SHAPE, SourceLog, hashed_shape, last_progress};
use deltalake_core::{
    DeltaTable, DeltaTableError,
    kernel::{
        Action, Add, Metadata, Remove, StructType, Transaction,
        engine::arrow_conversion::TryIntoKernel as _, transaction::CommitData,
    },
    protocol::DeltaOperation,
    table::state::DeltaTableState,
};
use lakewriter::lake::{
    Lake,
    delta::{
        COMMITS_BETWEEN_CHECKPOINTS, Put, TableProperties, next_entry_is_free, put_entry,
        write_checkpoint,
    },
    read_object,
};
use serde_json::json;

use crate::{
    deletion_vector::{self, DeletedRows},
    entries::Entries,
    error::{Attempted as _, Error},
    files::now_millis,
    folded::Progress,
};

/// The name under which `current` keeps the version of `changes` that it is the fold of.
pub const APP_ID: &str = console::CURRENT_APP_ID;

/// After this much silence a commit looks before it puts: entries are deleted after two days, and one that was written
/// and deleted meanwhile could be written a second time.
const UNPROVED: Duration = Duration::from_secs(600);

/// A file of the table.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    pub(crate) add: Add,
    pub(crate) deleted: DeletedRows,
}

/// The table at one version.
pub(crate) struct Current {
    lake: Lake,
    relative: String,
    version: u64,
    proved: Instant,
    /// By the numbers that this process gave them.
    pub(crate) files: BTreeMap<u32, DataFile>,
    next_file: u32,
    pub(crate) progress: Progress,
    shape: String,
    /// The table's own description, which stands in each commit. delta-rs 1.x lets an OPTIMIZE that began before a commit
    /// of ours commit behind it, and every row of its files would be there twice: it does not look at deletion vectors. An
    /// entry that tells the table's description is one that it does not overlook.
    metadata: Metadata,
    commits: u32,
    entries: Entries,
}

/// What there is at the table's place.
pub(crate) enum Found {
    Nothing,
    Table(Box<Current>),
    /// A table that another program changed, or whose last commit of ours cannot be read: its version and id.
    Foreign {
        version: u64,
        id: String,
    },
}

/// What a commit does with one of the table's files.
pub(crate) struct Change {
    pub(crate) file: u32,
    /// None: the file goes.
    pub(crate) deleted: Option<(
        DeletedRows,
        deltalake_core::kernel::DeletionVectorDescriptor,
    )>,
}

/// What came of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Somebody else committed, or nobody knows: the table has to be opened again.
    Overtaken,
    /// Another program wrote over an entry of the log that this table was read from: only the whole log tells the rows.
    Overwritten,
}

impl Current {
    /// The table in this folder at its newest version.
    pub(crate) async fn open(lake: &Lake, relative: &str) -> Result<Found, Error> {
        let attempted = || format!("open `{relative}`");
        if !lake.is_delta_table(relative).await.attempted(attempted)? {
            return Ok(Found::Nothing);
        }
        let log = lake.log_store(relative).attempted(attempted)?;
        let proved = Instant::now();
        let mut table = DeltaTable::new(log.clone());
        match table.load().await {
            Ok(()) => {}
            Err(DeltaTableError::NotATable(_)) => return Ok(Found::Nothing),
            Err(error) => return Err(error).attempted(attempted),
        }
        let snapshot = table.snapshot().attempted(attempted)?;
        let version = snapshot.version();
        let entries = Entries::read(&log, version).await?;
        let metadata = snapshot.metadata().clone();
        let configuration = snapshot.metadata().configuration();
        let shape = configuration.get(CURRENT_SHAPE).cloned();
        let txn = snapshot
            .snapshot()
            .transaction_version(log.as_ref(), APP_ID)
            .await
            .attempted(attempted)?;
        let progress = last_progress(&log, version).await.attempted(attempted)?;
        let progress = progress.filter(|progress| {
            // The two are written by one commit: another program's would have to copy both.
            txn == i64::try_from(progress.changes_version).ok()
        });
        let (Some(progress), Some(shape)) = (progress, shape) else {
            let id = metadata.id().to_owned();
            return Ok(Found::Foreign { version, id });
        };
        let url = lake.table_url(relative).attempted(attempted)?;
        let mut files = BTreeMap::new();
        let mut next_file = 0;
        for add in adds(snapshot) {
            let deleted = match &add.deletion_vector {
                None => DeletedRows::default(),
                Some(descriptor) => {
                    let bytes = match deletion_vector::path(descriptor, &url)? {
                        None => None,
                        Some(path) => {
                            let bytes = read_object(lake, relative, &path).await;
                            Some(bytes.attempted(attempted)?)
                        }
                    };
                    deletion_vector::read(descriptor, &url, bytes)?
                }
            };
            files.insert(next_file, DataFile { add, deleted });
            next_file += 1;
        }
        Ok(Found::Table(Box::new(Self {
            lake: lake.clone(),
            relative: relative.to_owned(),
            version,
            proved,
            files,
            next_file,
            progress,
            shape,
            metadata,
            commits: 0,
            entries,
        })))
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Whether its rows were made under this shape of the log.
    pub(crate) fn is_of(&self, shape: &str) -> bool {
        self.shape == hashed_shape(shape)
    }

    /// The numbers that files had when the table was opened before: the numbers of those that are new.
    pub(crate) fn renumber(&mut self, before: &Self) -> Vec<u32> {
        let known = before.files.iter();
        let known: HashMap<&str, u32> = known
            .map(|(number, file)| (file.add.path.as_str(), *number))
            .collect();
        self.next_file = before.next_file;
        let mut added = Vec::new();
        let mut files = BTreeMap::new();
        for file in std::mem::take(&mut self.files).into_values() {
            let number = known.get(file.add.path.as_str()).copied();
            let number = number.unwrap_or_else(|| {
                added.push(self.next_file);
                self.next_file += 1;
                self.next_file - 1
            });
            files.insert(number, file);
        }
        self.files = files;
        self.commits = before.commits;
        self.entries.behind(&before.entries);
        added
    }

    /// Tells with the next commit that takes rows how long older versions can be read. A commit of its own would have
    /// others read the table again for nothing.
    pub(crate) fn keep_history(&mut self, history: Duration) -> Result<(), Error> {
        let attempted = || format!("describe `{}`", self.relative);
        let described = serde_json::to_value(&self.metadata).attempted(attempted)?;
        let described = serde_json::from_value(with_history(described, history));
        self.metadata = described.attempted(attempted)?;
        Ok(())
    }

    pub(crate) fn id(&self) -> &str {
        self.metadata.id()
    }

    /// One commit: files whose rows go, a file of rows that come, and what the table is the fold of from now on.
    pub(crate) async fn commit(
        &mut self,
        changes: Vec<Change>,
        added: Option<Add>,
        progress: Progress,
    ) -> Result<(Outcome, Option<u32>), Error> {
        let mut actions = Vec::new();
        let mut updates: Vec<(u32, Option<DataFile>)> = Vec::new();
        for Change { file, deleted } in changes {
            let missing =
                || Error::new(format!("find a file of `{}` that is active", self.relative));
            let before = self.files.get(&file).ok_or_else(missing)?;
            actions.push(Action::Remove(remove(&before.add)));
            let after = deleted.map(|(deleted, descriptor)| {
                let mut add = before.add.clone();
                add.deletion_vector = Some(descriptor);
                add.stats = add.stats.as_deref().map(loosened);
                add.data_change = true;
                DataFile { add, deleted }
            });
            actions.extend(after.iter().map(|after| Action::Add(after.add.clone())));
            updates.push((file, after));
        }
        let mut number = None;
        if let Some(add) = added {
            actions.push(Action::Add(add.clone()));
            let deleted = DeletedRows::default();
            updates.push((self.next_file, Some(DataFile { add, deleted })));
            number = Some(self.next_file);
        }
        if !updates.is_empty() {
            actions.push(Action::Metadata(self.metadata.clone()));
        }
        if self.proved.elapsed() >= UNPROVED {
            let free = next_entry_is_free(&self.lake, &self.relative, self.version).await;
            if !free.attempted(|| format!("commit to `{}`", self.relative))? {
                return Ok((Outcome::Overtaken, None));
            }
        }
        let attempted = || format!("commit to `{}`", self.relative);
        let log = self.lake.log_store(&self.relative).attempted(attempted)?;
        if !self.entries.stand(&log).await? {
            return Ok((Outcome::Overwritten, None));
        }
        let proved = Instant::now();
        let entry = data(actions, &progress)?.get_bytes().attempted(attempted)?;
        match put(&self.lake, &self.relative, self.version + 1, entry.clone()).await? {
            lost @ (Outcome::Overtaken | Outcome::Overwritten) => Ok((lost, None)),
            Outcome::Done => {
                self.version += 1;
                self.entries.remember(self.version, &entry);
                self.proved = proved;
                for (file, after) in updates {
                    match after {
                        Some(after) => self.files.insert(file, after),
                        None => self.files.remove(&file),
                    };
                }
                self.next_file += u32::from(number.is_some());
                self.progress = progress;
                self.commits += 1;
                if self.commits.is_multiple_of(COMMITS_BETWEEN_CHECKPOINTS) {
                    write_checkpoint(&self.lake, &self.relative);
                }
                Ok((Outcome::Done, number))
            }
        }
    }
}

/// What is replaced when the table is made anew.
pub(crate) struct Before {
    pub(crate) version: u64,
    pub(crate) id: String,
    pub(crate) files: Vec<Add>,
}

/// All files of a table whatever is known of it.
pub(crate) async fn files_at(lake: &Lake, relative: &str, version: u64) -> Result<Vec<Add>, Error> {
    let attempted = || format!("open version {version} of `{relative}`");
    let log = lake.log_store(relative).attempted(attempted)?;
    let mut table = DeltaTable::new(log);
    table.load_version(version).await.attempted(attempted)?;
    let snapshot = table.snapshot().attempted(attempted)?;
    Ok(adds(snapshot))
}

fn adds(snapshot: &DeltaTableState) -> Vec<Add> {
    let files = snapshot.log_data().into_iter();
    #[expect(
        deprecated,
        reason = "a commit needs the action, and there is no other way to it"
    )]
    let adds = files.map(|file| file.add_action());
    adds.collect()
}

/// One commit that makes the table, or replaces everything in it.
pub(crate) async fn replace(
    lake: &Lake,
    relative: &str,
    before: Option<Before>,
    log: &SourceLog,
    history: Duration,
    adds: Vec<Add>,
    progress: &Progress,
) -> Result<Outcome, Error> {
    let (schema, shape) = (log.schema(), log.shape());
    let attempted = || format!("make `{relative}`");
    let columns: StructType = schema.as_ref().try_into_kernel().attempted(attempted)?;
    let mut features = vec!["deletionVectors"];
    if schema
        .fields()
        .iter()
        .any(|field| has_local_time(field.data_type()))
    {
        features.push("timestampNtz");
    }
    let (version, id, files) = match before {
        None => (0, uuid::Uuid::new_v4().to_string(), Vec::new()),
        Some(before) => (before.version + 1, before.id, before.files),
    };
    let protocol = json!({"protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": features, "writerFeatures": features,
    }});
    let metadata = json!({"metaData": {
        "id": id,
        "name": null,
        "description": null,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": serde_json::to_string(&columns).attempted(attempted)?,
        "partitionColumns": [],
        "createdTime": now_millis(),
        "configuration": {
            "delta.enableDeletionVectors": "true",
            "delta.enableExpiredLogCleanup": "false",
            "delta.checkpointInterval": "1000000",
            CURRENT_SHAPE: hashed_shape(shape),
        },
    }});
    let metadata = with_history(metadata, history);
    let mut actions: Vec<Action> = Vec::new();
    for action in [protocol, metadata] {
        actions.push(serde_json::from_value(action).attempted(attempted)?);
    }
    actions.extend(files.iter().map(|add| Action::Remove(remove(add))));
    actions.extend(adds.into_iter().map(Action::Add));
    let entry = data(actions, progress)?.get_bytes().attempted(attempted)?;
    put(lake, relative, version, entry).await
}

fn data(actions: Vec<Action>, progress: &Progress) -> Result<CommitData, Error> {
    let attempted = || "write what a commit says of itself".to_owned();
    let info = serde_json::to_value(progress).attempted(attempted)?;
    let version = i64::try_from(progress.changes_version).attempted(attempted)?;
    // Whoever checks for conflicts takes it for one that has read the whole table.
    let operation = DeltaOperation::Merge {
        predicate: None,
        merge_predicate: None,
        matched_predicates: Vec::new(),
        not_matched_predicates: Vec::new(),
        not_matched_by_source_predicates: Vec::new(),
    };
    let info = [(CURRENT_INFO.to_owned(), info)].into();
    let txns = vec![Transaction::new(APP_ID, version)];
    Ok(CommitData::new(actions, operation, info, txns))
}

async fn put(lake: &Lake, relative: &str, version: u64, entry: Bytes) -> Result<Outcome, Error> {
    match put_entry(lake, relative, version, entry).await {
        Ok(Put::Done) => Ok(Outcome::Done),
        Ok(Put::Taken) => Ok(Outcome::Overtaken),
        Err(error) => Err(error).attempted(|| format!("bring `{relative}` on")),
    }
}

/// The table's description in a commit, action or content, with how long its older versions can be read.
fn with_history(mut description: serde_json::Value, history: Duration) -> serde_json::Value {
    let pointer = if description.get("metaData").is_some() {
        "/metaData/configuration"
    } else {
        "/configuration"
    };
    if let Some(serde_json::Value::Object(configuration)) = description.pointer_mut(pointer) {
        let told = TableProperties::of_history(history).0.into_iter();
        configuration.extend(told.map(|(key, value)| (key, value.into())));
    }
    description
}

fn remove(add: &Add) -> Remove {
    Remove {
        path: add.path.clone(),
        data_change: true,
        deletion_timestamp: Some(now_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(add.partition_values.clone()),
        size: Some(add.size),
        tags: None,
        deletion_vector: add.deletion_vector.clone(),
        base_row_id: None,
        default_row_commit_version: None,
    }
}

/// The statistics of a file of which rows are deleted: its bounds may be wider than what is left.
fn loosened(stats: &str) -> String {
    match serde_json::from_str(stats) {
        Ok(serde_json::Value::Object(mut stats)) => {
            stats.insert("tightBounds".to_owned(), false.into());
            serde_json::Value::Object(stats).to_string()
        }
        _ => stats.to_owned(),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other types of Arrow are alike here"
)]
fn has_local_time(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, None) => true,
        DataType::List(item) | DataType::Map(item, _) => has_local_time(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_local_time(field.data_type())),
        _ => false,
    }
}
