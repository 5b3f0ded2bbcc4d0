//! Values that PostgreSQL did not send with a row, from the rows that have them.

use std::collections::{HashMap, HashSet};

use arrow::{
    array::{Array, ArrayRef, BooleanArray, RecordBatch},
    compute::{concat, filter, interleave},
};
use datafusion::error::Result;

use crate::change::{Place, Row};

/// The rows that other rows' values are taken from.
pub(crate) struct Donors {
    needed: HashSet<Place>,
    found: HashMap<Place, usize>,
    kept: usize,
    /// By output column, in pieces until [`Self::finish`].
    values: Vec<Vec<ArrayRef>>,
}

impl Donors {
    /// What `rows` need for output columns that show these columns of the history.
    pub(crate) fn needed(rows: &[Row], columns: &[usize]) -> Self {
        let holes = rows.iter().flat_map(|row| &row.holes);
        let holes = holes.filter(|(column, _)| columns.contains(column));
        Self {
            needed: holes.filter_map(|(_, donor)| *donor).collect(),
            found: HashMap::new(),
            kept: 0,
            values: vec![Vec::new(); columns.len()],
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.needed.is_empty()
    }

    /// Keeps the needed rows of a batch, whose output columns stand behind `skipped` others. Answers how many bytes.
    pub(crate) fn take(
        &mut self,
        batch: &RecordBatch,
        place: impl Fn(usize) -> Place,
        skipped: usize,
    ) -> Result<usize> {
        let mut mask = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let place = place(row);
            let is_needed = self.needed.contains(&place);
            if is_needed {
                self.found.insert(place, self.kept);
                self.kept += 1;
            }
            mask.push(is_needed);
        }
        let mask = BooleanArray::from(mask);
        if mask.true_count() == 0 {
            return Ok(0);
        }
        let mut bytes = 0;
        for (column, values) in batch.columns().iter().skip(skipped).zip(&mut self.values) {
            let kept = filter(column, &mask)?;
            bytes += kept.get_array_memory_size();
            values.push(kept);
        }
        Ok(bytes)
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self) -> Result<()> {
        for values in &mut self.values {
            let pieces: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
            if !pieces.is_empty() {
                *values = vec![concat(&pieces)?];
            }
        }
        Ok(())
    }

    /// The output columns of `rows`, with the values that `columns` lack.
    pub(crate) fn fill(
        &self,
        columns: Vec<ArrayRef>,
        rows: &[&Row],
        of_column: &[usize],
    ) -> Result<Vec<ArrayRef>> {
        if self.found.is_empty() {
            return Ok(columns);
        }
        let filled = columns.into_iter().zip(of_column).zip(&self.values);
        let filled = filled.map(|((column, of), donors)| {
            let mut places = Vec::with_capacity(rows.len());
            let mut has_hole = false;
            for (at, row) in rows.iter().enumerate() {
                let hole = row.holes.iter().find(|(hole, _)| hole == of);
                let donor = hole.and_then(|(_, donor)| self.found.get(donor.as_ref()?));
                has_hole |= donor.is_some();
                places.push(donor.map_or((0, at), |donor| (1, *donor)));
            }
            match donors.first() {
                Some(donors) if has_hole => {
                    Ok(interleave(&[column.as_ref(), donors.as_ref()], &places)?)
                }
                _ => Ok(column),
            }
        });
        filled.collect()
    }
}
