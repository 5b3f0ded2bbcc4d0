//! A table's log of changes, read as its latest rows need it.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit},
};
use datafusion::{
    catalog::TableProvider,
    error::{DataFusionError, Result},
    functions::expr_fn::coalesce,
    logical_expr::{Expr, ident, lit, try_cast},
    prelude::{DataFrame, SessionContext},
    scalar::ScalarValue,
};
use debezium::Operation;
use lakewriter::lake::{Since, TABLE_VERSION_COLUMN, UNAVAILABLE_COLUMN};

use crate::{
    change::{Change, EraRule, Narrower, Rule},
    eras::EraIdentity,
    history::{History, version_number},
    identity::Parts,
    places::{PLACE, POSITION_COLUMNS, Places, place_column},
};

/// Column of the narrow reading: false for the old row of an UPDATE of the key.
const SECOND_HALF: &str = "second half";

/// The position of a row's last change. A copy of the latest rows has it behind the row's own columns.
pub(crate) const POSITION: [&str; 4] = ["_incarnation", "_lsn", "_seq", "_ts"];

/// The number of a column of the latest rows that the history does not know.
const NO_COLUMN: usize = usize::MAX;

/// A log, or some files of it.
#[derive(Clone)]
pub(crate) struct Log {
    /// Of the source table.
    pub(crate) name: String,
    pub(crate) session: SessionContext,
    pub(crate) changes: Arc<dyn TableProvider>,
    pub(crate) history: Arc<History>,
}

impl Log {
    pub(crate) fn rows(&self) -> Result<DataFrame> {
        self.session.read_table(Arc::clone(&self.changes))
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.changes.schema().column_with_name(column).is_some()
    }

    /// Columns of the identities of a [`Change`].
    pub(crate) fn identities(&self) -> Vec<&[usize]> {
        let eras = self.history.eras.iter();
        let of_eras = eras.clone().map(|era| match &era.identity {
            EraIdentity::Key(columns) | EraIdentity::WholeRow(columns) => columns.as_slice(),
            EraIdentity::Hidden => &[],
        });
        let narrower = eras.flat_map(|era| era.narrower.iter());
        let narrower = narrower.map(|rows| rows.columns.as_slice());
        of_eras.chain(narrower).collect()
    }

    pub(crate) fn rules(&self) -> Vec<EraRule> {
        let mut identities = self.history.eras.len();
        let eras = self.history.eras.iter();
        eras.map(|era| EraRule {
            since: era.since,
            narrower: era
                .narrower
                .iter()
                .map(|rows| {
                    identities += 1;
                    Narrower {
                        from: rows.from,
                        until: rows.until,
                        identity: identities - 1,
                    }
                })
                .collect(),
            rule: match era.identity {
                EraIdentity::Key(_) => Rule::Key,
                EraIdentity::WholeRow(_) => Rule::Bag,
                EraIdentity::Hidden => Rule::AddOnly,
            },
            new_table: era.new_table,
        })
        .collect()
    }

    pub(crate) fn place(&self) -> Vec<Expr> {
        let number = |(name, default): (&str, i64)| {
            let number = if self.has(name) {
                coalesce(vec![try_cast(ident(name), DataType::Int64), lit(default)])
            } else {
                lit(default)
            };
            number.alias(place_column(name))
        };
        PLACE.map(number).into()
    }

    /// Columns of the history that tell rows apart in any era.
    pub(crate) fn identifying(&self) -> Vec<usize> {
        // What is narrower has no columns but those of its era.
        let mut columns: Vec<usize> = self.identities().concat();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// The log without values, in the order of positions. The sort comes last: what the planner puts over a sort may be
    /// done in parallel, and then the batches come in any order.
    pub(crate) fn narrow(&self) -> Result<DataFrame> {
        self.narrow_from(None)
    }

    /// The columns of [`Self::narrow`].
    pub(crate) fn narrow_columns(&self) -> Vec<Expr> {
        let mut columns = self.place();
        columns.push(try_cast(ident("_op"), DataType::Utf8).alias("operation"));
        // The halves of an UPDATE of the key share a position: the old row goes first.
        columns.push(ident("_op").not_eq(lit("d")).alias(SECOND_HALF));
        columns.push(version_number(self.has(TABLE_VERSION_COLUMN)).alias("version"));
        if self.has(UNAVAILABLE_COLUMN) {
            columns.push(ident(UNAVAILABLE_COLUMN).alias("unsent"));
        } else {
            columns.push(lit(false).alias("unsent"));
        }
        for at in self.identifying() {
            let Some(column) = self.history.columns.get(at) else {
                continue;
            };
            // One type for all texts, however the reader of Parquet gives them.
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "all other types of Arrow are alike here"
            )]
            let value = match column.data_type {
                DataType::Utf8View | DataType::LargeUtf8 => {
                    try_cast(column.identity.clone(), DataType::Utf8)
                }
                _ => column.identity.clone(),
            };
            columns.push(value.alias(format!("value {at}")));
            let raw = column.raw.clone();
            let raw = raw.unwrap_or_else(|| lit(ScalarValue::Utf8(None)));
            columns.push(try_cast(raw, DataType::Utf8).alias(format!("raw {at}")));
        }
        columns
    }

    /// [`Self::narrow`] of the changes that stand at a position or behind it.
    pub(crate) fn narrow_from(&self, from: Option<Since>) -> Result<DataFrame> {
        let columns = self.narrow_columns();
        let mut order: Vec<String> = PLACE.iter().map(|(name, _)| place_column(name)).collect();
        order.insert(POSITION_COLUMNS, SECOND_HALF.to_owned());
        let order = order.iter().map(|name| ident(name).sort(true, false));
        let rows = match from {
            Some(from) => self.rows()?.filter(self.is_behind(from))?,
            None => self.rows()?,
        };
        rows.select(columns)?.sort(order.collect())
    }

    /// Whether a row stands at the LSN of this position or behind it.
    fn is_behind(&self, (incarnation, lsn, _): Since) -> Expr {
        let of = |name: &str| match self.has(name) {
            true => coalesce(vec![ident(name), lit(0_i64)]),
            false => lit(0_i64),
        };
        // Bare columns are compared with the statistics of files.
        let at_lsn = ident("_lsn").gt_eq(lit(lsn));
        if !self.has("_incarnation") || incarnation == 0 {
            let later = of("_incarnation").gt(lit(0_i64));
            return at_lsn.or(later);
        }
        let this = ident("_incarnation").eq(lit(incarnation)).and(at_lsn);
        this.or(ident("_incarnation").gt(lit(incarnation)))
    }

    /// The place of the last change alone.
    pub(crate) fn last_place(&self) -> Result<DataFrame> {
        Self::last(self.rows()?.select(self.place())?, false)
    }

    /// The place of a row of the newest snapshot. Of those that have no incarnation, the first one counts for all.
    pub(crate) fn last_snapshot(&self) -> Result<DataFrame> {
        let rows = self.rows()?.filter(ident("_op").eq(lit("r")))?;
        Self::last(rows.select(self.place())?, false)
    }

    /// The ordinals of a snapshot's rows, each once. `in_parts`: only of those that came through Kafka; the direct road
    /// commits all of them at once.
    pub(crate) fn snapshot_rows(&self, snapshot: (i64, i64), in_parts: bool) -> Result<DataFrame> {
        let (incarnation, lsn) = snapshot;
        let of = match self.has("_incarnation") {
            true => coalesce(vec![ident("_incarnation"), lit(0_i64)]),
            false => lit(0_i64),
        };
        // A bare column is compared with the statistics of files.
        let mut rows = ident("_lsn").eq(lit(lsn)).and(of.eq(lit(incarnation)));
        rows = rows.and(ident("_op").eq(lit("r")));
        if in_parts && self.has("_partition") {
            rows = rows.and(ident("_partition").gt_eq(lit(0_i32)));
        }
        let rows = self.rows()?.filter(rows)?.select(vec![ident("_seq")])?;
        // Grouping goes on on disk where there are too many for memory.
        rows.aggregate(vec![ident("_seq")], Vec::new())
    }

    /// Places of rows that came to a new key without all of their values.
    pub(crate) fn partial_moves(&self) -> Result<DataFrame> {
        let moved = match self.has(UNAVAILABLE_COLUMN) {
            true => ident("_op")
                .eq(lit("c"))
                .and(ident(UNAVAILABLE_COLUMN).is_not_null()),
            false => lit(false),
        };
        self.rows()?.filter(moved)?.select(self.place())
    }

    /// Places of deletes at these LSNs.
    pub(crate) fn deletes_at(&self, lsns: Vec<Expr>) -> Result<DataFrame> {
        let deletes = ident("_op")
            .eq(lit("d"))
            .and(ident("_lsn").in_list(lsns, false));
        self.rows()?.filter(deletes)?.select(self.place())
    }

    fn last(rows: DataFrame, ascending: bool) -> Result<DataFrame> {
        let order = PLACE.iter().take(POSITION_COLUMNS);
        let order = order.map(|(name, _)| ident(place_column(name)).sort(ascending, false));
        rows.sort(order.collect())?.limit(0, Some(1))
    }

    /// The rows of the log with the wanted columns.
    pub(crate) fn wide(&self, values: &[Expr]) -> Result<DataFrame> {
        self.rows()?
            .filter(Self::has_values())?
            .select(self.wide_columns(values))
    }

    /// The columns of [`Self::wide`].
    pub(crate) fn wide_columns(&self, values: &[Expr]) -> Vec<Expr> {
        let values = values.iter().enumerate();
        let values = values.map(|(at, value)| value.clone().alias(format!("value {at}")));
        self.place().into_iter().chain(values).collect()
    }

    /// Whether a change has a row's values.
    pub(crate) fn has_values() -> Expr {
        ident("_op").in_list(vec![lit("d"), lit("t")], true)
    }

    /// The schema of the latest rows with [`POSITION`]. Delta's names ignore case, PostgreSQL's do not, and a column of the
    /// source may be called as one of ours: the later one gets a number.
    pub(crate) fn positioned_schema(&self) -> SchemaRef {
        let mut names: Vec<String> = POSITION.map(str::to_owned).to_vec();
        let shown = self.history.schema();
        let own = shown.fields().iter().map(|field| {
            let mut name = field.name().clone();
            let mut number = 1;
            // Of every letter, not of those of ASCII alone: `Ä` and `ä` are one name there.
            while names
                .iter()
                .any(|taken| taken.to_lowercase() == name.to_lowercase())
            {
                number += 1;
                name = format!("{}__{number}", field.name());
            }
            names.push(name.clone());
            Arc::new(field.as_ref().clone().with_name(name))
        });
        let own: Vec<_> = own.collect();
        let position = POSITION.map(|name| Arc::new(Field::new(name, position_type(name), true)));
        Arc::new(Schema::new(
            own.into_iter().chain(position).collect::<Vec<_>>(),
        ))
    }

    /// What [`Self::wide`] has to read for these columns of the latest rows, and which columns of the history they show.
    pub(crate) fn columns(&self, wanted: &[usize]) -> (Vec<Expr>, Vec<usize>) {
        let history = &self.history;
        let columns = wanted.iter().map(|&at| {
            if let Some(shown) = history.shown.get(at) {
                return (history.expression(shown), shown.column);
            }
            let name = at.checked_sub(history.shown.len());
            let name = name.and_then(|at| POSITION.get(at).copied());
            let value = match name {
                Some(name) if self.has(name) => try_cast(ident(name), position_type(name)),
                Some(name) => try_cast(lit(ScalarValue::Null), position_type(name)),
                None => lit(ScalarValue::Null),
            };
            let value = match name {
                Some("_ts") | None => value,
                Some(_) => coalesce(vec![value, lit(0_i64)]),
            };
            (value, NO_COLUMN)
        });
        columns.unzip()
    }

    /// The changes of a batch of [`Self::narrow`].
    pub(crate) fn changes_of(
        &self,
        batch: &RecordBatch,
        each: &mut dyn FnMut(Change) -> Result<()>,
    ) -> Result<()> {
        let places = Places::of(batch)?;
        let column = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| {
                DataFusionError::Internal(format!("the log was read without `{name}`"))
            })
        };
        let operations = column("operation")?.as_string::<i32>();
        let versions = column("version")?.as_primitive::<Int32Type>();
        let unsent = column("unsent")?.as_list_opt::<i32>();
        let mut identities = Vec::new();
        for of_identity in self.identities() {
            let mut columns: Vec<&ArrayRef> = Vec::with_capacity(2 * of_identity.len());
            for at in of_identity {
                columns.push(column(&format!("value {at}"))?);
                columns.push(column(&format!("raw {at}"))?);
            }
            identities.push(Parts::new(columns)?);
        }
        let mut scratch = Vec::new();
        for row in 0..batch.num_rows() {
            let letter = operations.value(row);
            let operation = match letter.as_bytes() {
                [code] => Operation::from_code(*code),
                _ => None,
            };
            let Some(operation) = operation else {
                return Err(DataFusionError::Execution(format!(
                    "a change of {} has the unknown operation `{letter}`",
                    self.name
                )));
            };
            let identities: Vec<_> = identities
                .iter()
                .map(|parts| parts.of(row, &mut scratch))
                .collect::<Result<_, _>>()?;
            let mut change = Change {
                operation,
                place: places.at(row),
                identities,
                unsent: Vec::new(),
            };
            if let Some(unsent) = unsent
                && unsent.is_valid(row)
            {
                let version = versions.value(row);
                let names = arrow::compute::cast(&unsent.value(row), &DataType::Utf8)?;
                let names = names.as_string::<i32>().iter().flatten();
                let columns = names.filter_map(|name| self.history.column_of(version, name));
                change.unsent = columns.collect();
            }
            each(change)?;
        }
        Ok(())
    }
}

fn position_type(name: &str) -> DataType {
    match name {
        "_ts" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => DataType::Int64,
    }
}
