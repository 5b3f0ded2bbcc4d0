//! The rows of `current` by their keys.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow::{array::RecordBatch, compute::concat_batches, datatypes::SchemaRef};
use console::{Keys, RowKey, SourceLog, is_unknown_key};
use lakewriter::lake::Lake;

use crate::{
    current::{Current, DataFile},
    error::{Attempted as _, Error},
    files,
    key_index::{BYTES_PER_KEY, KeyIndex, Spot},
};

/// How rows are found.
pub(crate) enum Lookup {
    /// All keys are in memory.
    Index(KeyIndex),
    /// They would take more than they may: the columns of the key are read for each fold.
    Scan,
}

/// What a table's keys are.
pub(crate) enum Loaded {
    Unique(Lookup),
    TwoRows,
    /// There are rows whose key is not known.
    Unknown,
}

/// Where rows are read.
pub(crate) struct Rows<'a> {
    pub(crate) lake: &'a Lake,
    pub(crate) relative: &'a str,
    pub(crate) current: &'a Current,
    pub(crate) schema: &'a SchemaRef,
}

impl Rows<'_> {
    /// Reads all keys. `budget`: bytes that an index may take.
    pub(crate) async fn load(&self, log: &SourceLog, budget: usize) -> Result<Loaded, Error> {
        let keys = log
            .keys()
            .attempted(|| format!("find the key of {}", log.name()))?;
        let count: usize = self.current.files.values().map(rows_of).sum();
        let fits = count.saturating_mul(BYTES_PER_KEY) <= budget;
        let mut index = KeyIndex::with_capacity(if fits { count } else { 0 });
        // The hashes of keys alone would take as much: what is not indexed is not looked at before it is needed.
        if !fits {
            return Ok(Loaded::Unique(Lookup::Scan));
        }
        let mut twice = false;
        let mut unknown = false;
        let all: Vec<u32> = self.current.files.keys().copied().collect();
        self.scan(&keys, &all, &mut |key, spot| {
            twice |= index.insert(key, spot).is_some();
            unknown |= is_unknown_key(key);
        })
        .await?;
        Ok(match (twice, unknown) {
            (true, _) => Loaded::TwoRows,
            (false, true) => Loaded::Unknown,
            (false, false) => Loaded::Unique(Lookup::Index(index)),
        })
    }

    /// Rows were written anew to these files: false where they are not those that were known.
    pub(crate) async fn find_again(
        &self,
        lookup: &mut Lookup,
        log: &SourceLog,
        files: &[u32],
    ) -> Result<bool, Error> {
        let Lookup::Index(index) = lookup else {
            return Ok(true);
        };
        let keys = log
            .keys()
            .attempted(|| format!("find the key of {}", log.name()))?;
        self.scan(&keys, files, &mut |key, spot| {
            index.insert(key, spot);
        })
        .await?;
        Ok(index.len() == self.current.files.values().map(rows_of).sum::<usize>())
    }

    /// The rows of these keys; None: two of them have one key.
    pub(crate) async fn find(
        &self,
        lookup: &Lookup,
        keys: &Keys,
        wanted: &HashSet<RowKey>,
    ) -> Result<Option<HashMap<RowKey, u64>>, Error> {
        let mut found = HashMap::new();
        match lookup {
            Lookup::Index(index) => {
                for key in wanted {
                    if let Some(spot) = index.get(key) {
                        found.insert(key.clone(), spot.number());
                    }
                }
            }
            Lookup::Scan => {
                let mut twice = false;
                let all: Vec<u32> = self.current.files.keys().copied().collect();
                self.scan(keys, &all, &mut |key, spot| {
                    if wanted.contains(key) {
                        twice |= found.insert(key.clone(), spot.number()).is_some();
                    }
                })
                .await?;
                if twice {
                    return Ok(None);
                }
            }
        }
        Ok(Some(found))
    }

    async fn scan(
        &self,
        keys: &Keys,
        files: &[u32],
        each: &mut (dyn FnMut(&RowKey, Spot) + Send),
    ) -> Result<(), Error> {
        for &number in files {
            let Some(DataFile { add, deleted }) = self.current.files.get(&number) else {
                continue;
            };
            let mut deleted = deleted.rows().peekable();
            let mut row = 0_u32;
            let attempted = || format!("read the keys of `{}/{}`", self.relative, add.path);
            files::read_columns(
                self.lake,
                self.relative,
                add,
                self.schema,
                &keys.columns,
                |batch| {
                    for key in keys.of(batch).attempted(attempted)? {
                        if deleted.next_if_eq(&u64::from(row)).is_none() {
                            each(&key, Spot { file: number, row });
                        }
                        row += 1;
                    }
                    Ok(())
                },
            )
            .await?;
        }
        Ok(())
    }

    /// These rows by their numbers, in their order.
    pub(crate) async fn read(&self, numbers: &[u64]) -> Result<Option<RecordBatch>, Error> {
        if numbers.is_empty() {
            return Ok(None);
        }
        let mut batches = Vec::new();
        // Numbers go up by files.
        for (file, rows) in by_file(numbers) {
            let attempted = || format!("read rows of `{}`", self.relative);
            let file = self.current.files.get(&file);
            let file = file.ok_or_else(|| Error::new(attempted()))?;
            batches.push(
                files::read_rows(self.lake, self.relative, &file.add, self.schema, &rows).await?,
            );
        }
        let rows = concat_batches(self.schema, &batches)
            .attempted(|| format!("read rows of `{}`", self.relative))?;
        if rows.num_rows() != numbers.len() {
            return Err(Error::new(format!(
                "read {} rows of `{}`: there are {}",
                numbers.len(),
                self.relative,
                rows.num_rows()
            )));
        }
        Ok(Some(rows))
    }
}

/// Rows by their files.
pub(crate) fn by_file(numbers: &[u64]) -> BTreeMap<u32, BTreeSet<u32>> {
    let mut files: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for number in numbers {
        let Spot { file, row } = Spot::from_number(*number);
        files.entry(file).or_default().insert(row);
    }
    files
}

/// All rows of a file, deleted ones as well.
pub(crate) fn records(file: &DataFile) -> Option<u64> {
    let stats: serde_json::Value = serde_json::from_str(file.add.stats.as_deref()?).ok()?;
    stats.get("numRecords")?.as_u64()
}

fn rows_of(file: &DataFile) -> usize {
    let records = records(file).unwrap_or(1_000_000);
    usize::try_from(records.saturating_sub(file.deleted.count())).unwrap_or(usize::MAX)
}
