//! Changes of a log, and what they make of rows that are kept: a replay that goes on from those.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arrow::{
    array::{BooleanArray, RecordBatch},
    compute::{cast, filter_record_batch},
    datatypes::SchemaRef,
};
use datafusion::error::{DataFusionError, Result};
use debezium::Operation;
use futures::StreamExt as _;
use lakewriter::lake::Since;

use crate::{
    change::{Change, Place, Row},
    doubt::Evidence,
    fill::Donors,
    in_memory::InMemory,
    log::Log,
    places::{PLACE_COLUMNS, Places},
    replay::Replay,
};

/// What tells a row apart, as bytes that are equal where PostgreSQL takes the keys for equal.
pub type RowKey = Box<[u8]>;

/// Some changes of a log, in the order of their positions.
#[derive(Clone)]
pub struct LoggedChanges {
    pub(crate) log: Log,
    pub(crate) schema: SchemaRef,
    pub(crate) changes: Vec<Change>,
    /// The rows of the log that they are, where these are in memory.
    pub(crate) rows: Option<InMemory>,
}

/// One of them, as far as it does not take its values to know it.
#[derive(Debug, Clone, Copy)]
pub struct LoggedChange<'a> {
    pub operation: Operation,
    pub position: Since,
    pub key: &'a RowKey,
    /// It lacks values that PostgreSQL did not send.
    pub is_partial: bool,
}

/// What changes made of rows that are kept.
pub struct Folded {
    log: Log,
    schema: SchemaRef,
    /// The rows of the log that the changes are, where these are in memory.
    read: Option<InMemory>,
    /// New ones, by their places.
    rows: Vec<Row>,
    /// Numbers of the kept rows that are no more.
    pub gone: Vec<u64>,
    /// What these changes show beside the rows.
    pub evidence: Evidence,
}

impl LoggedChanges {
    pub fn iter(&self) -> impl Iterator<Item = LoggedChange<'_>> + Clone {
        self.changes.iter().filter_map(|change| {
            Some(LoggedChange {
                operation: change.operation,
                position: change.place.position(),
                key: change.identities.first()?,
                is_partial: !change.unsent.is_empty(),
            })
        })
    }

    /// Drops changes by their number.
    pub fn without(&mut self, dropped: &HashSet<usize>) {
        let mut at = 0;
        self.changes.retain(|_| {
            at += 1;
            !dropped.contains(&(at - 1))
        });
    }

    /// What the changes make of the rows that are kept for their keys. `kept` numbers the rows; all of the keys that have
    /// one must be in it. `snapshot`: the newest that the kept rows are of.
    ///
    /// # Errors
    /// A defect: the changes do not stand in the order of their positions.
    pub fn replay(
        self,
        kept: &HashMap<RowKey, u64>,
        snapshot: Option<(i64, i64)>,
    ) -> Result<Folded> {
        let rows = kept.iter().map(|(key, at)| (key.clone(), kept_place(*at)));
        let mut replay = Replay::resumed(rows, snapshot);
        for change in self.changes {
            replay.apply(change).map_err(|error| {
                DataFusionError::Internal(format!("the log of {}: {error}", self.log.name))
            })?;
        }
        let (rows, evidence) = replay.finish();
        let (still, rows): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| is_kept(&row.place));
        let still: HashSet<u64> = still.iter().map(|row| number(&row.place)).collect();
        let gone = kept.values().copied().filter(|at| !still.contains(at));
        Ok(Folded {
            log: self.log,
            schema: self.schema,
            read: self.rows,
            rows,
            gone: gone.collect(),
            evidence,
        })
    }
}

impl Folded {
    /// How many rows come.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Positions of rows with values that no row has as far as these changes tell.
    pub fn lacking(&self) -> impl Iterator<Item = Since> {
        let rows = self.rows.iter();
        let lacking = rows.filter(|row| row.holes.iter().any(|(_, donor)| donor.is_none()));
        lacking.map(|row| row.place.position())
    }

    /// Numbers of the kept rows whose values others go on with.
    pub fn needed(&self) -> Vec<u64> {
        let holes = self.rows.iter().flat_map(|row| &row.holes);
        let kept = holes.filter_map(|(_, donor)| donor.as_ref().filter(|donor| is_kept(donor)));
        let mut needed: Vec<u64> = kept.map(number).collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// The rows that come, in the schema of kept rows. `old`: the needed rows, in the order of their numbers.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn values(self, old: Option<RecordBatch>) -> Result<RecordBatch> {
        let needed = self.needed();
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let (values, of_column) = self.log.columns(&all);
        let mut donors = Donors::needed(&self.rows, &of_column);
        if let Some(old) = &old {
            let place = |row: usize| {
                needed
                    .get(row)
                    .map_or_else(Place::default, |at| kept_place(*at))
            };
            donors.take(old, place, 0)?;
        }
        let mut batches = Vec::new();
        let mut take = |batch: RecordBatch| -> Result<()> {
            let places = Places::of(&batch)?;
            let places: Vec<Place> = (0..batch.num_rows()).map(|row| places.at(row)).collect();
            let columns = batch.columns().iter().skip(PLACE_COLUMNS);
            let columns = columns.zip(self.schema.fields());
            let columns = columns.map(|(column, field)| Ok(cast(column, field.data_type())?));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
            donors.take(&batch, |row| place_at(&places, row), 0)?;
            batches.push((batch, places));
            Ok(())
        };
        match &self.read {
            Some(rows) => rows.wide()?.into_iter().try_for_each(&mut take)?,
            None => {
                let mut log = self.log.wide(&values)?.execute_stream().await?;
                while let Some(batch) = log.next().await {
                    take(batch?)?;
                }
            }
        }
        donors.finish()?;
        let mut filled = Vec::with_capacity(batches.len());
        let mut found = 0;
        for (batch, places) in batches {
            let mut wanted = Vec::new();
            let mask: BooleanArray = places
                .iter()
                .map(|place| {
                    let at = self.rows.binary_search_by_key(place, |row| row.place).ok();
                    wanted.extend(at.and_then(|at| self.rows.get(at)));
                    Some(at.is_some())
                })
                .collect();
            found += wanted.len();
            let left = filter_record_batch(&batch, &mask)?;
            let columns = donors.fill(left.columns().to_vec(), &wanted, &of_column)?;
            filled.push(RecordBatch::try_new(Arc::clone(&self.schema), columns)?);
        }
        if found != self.rows.len() {
            return Err(DataFusionError::Internal(format!(
                "of {} rows of {} that come, {found} were read",
                self.rows.len(),
                self.log.name
            )));
        }
        Ok(arrow::compute::concat_batches(&self.schema, &filled)?)
    }
}

fn place_at(places: &[Place], row: usize) -> Place {
    places.get(row).copied().unwrap_or_default()
}

/// The place of a kept row: before all that a log has.
fn kept_place(number: u64) -> Place {
    Place {
        incarnation: i64::MIN,
        lsn: number.cast_signed(),
        ..Place::default()
    }
}

const fn is_kept(place: &Place) -> bool {
    place.incarnation == i64::MIN
}

const fn number(place: &Place) -> u64 {
    place.lsn.cast_unsigned()
}
