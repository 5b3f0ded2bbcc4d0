//! A table's versions through time -> its columns through time, and what told its rows apart when.
//!
//! A column of PostgreSQL is known by its attribute number as long as the table is the same one. In the lake its values
//! may lie in several columns one after another, because the column was renamed or its type changed; and one column of
//! the lake may have held values of several columns of PostgreSQL. Which is which, every row's version tells.

use std::sync::Arc;

use arrow::{
    compute::can_cast_types,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{
    functions::expr_fn::coalesce,
    logical_expr::{Expr, ident, lit, try_cast, when},
    scalar::ScalarValue,
};
use lakewriter::lake::{
    Since, TABLE_VERSION_COLUMN, TableShape, TableVersion, UNNUMBERED, VersionColumn,
};

use crate::{
    doubt::{Doubt, doubts},
    eras::{Era, EraIdentity, eras, find_narrower},
    names::quote,
    older_rows::OlderRows,
    respell::spelled,
    spelling::{Respelling, Spelling, canonical, respelling},
};

/// Everything about a table that its latest rows depend on beside its rows.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) columns: Vec<ColumnHistory>,
    /// What the latest rows show: the columns of the newest version, then the texts of values that these cannot hold.
    pub(crate) shown: Vec<Shown>,
    pub(crate) eras: Vec<Era>,
    /// What the log does not tell about older rows.
    pub(crate) doubts: Vec<Doubt>,
    /// `pg_class.oid` by the beginnings of versions, where it was told.
    pub(crate) oids: Vec<(Since, u32)>,
    /// The table kept no versions when (some of) its rows were written.
    pub(crate) unversioned: bool,
}

/// One column of PostgreSQL through time.
#[derive(Debug)]
pub(crate) struct ColumnHistory {
    /// By version; the newest last.
    links: Vec<(i32, VersionColumn)>,
    /// Its value in the type of its newest link.
    pub(crate) value: Expr,
    /// The value as rows are told apart by it: equal where PostgreSQL takes it for equal.
    pub(crate) identity: Expr,
    /// How [`Self::identity`] is made of the value, where it is another one.
    pub(crate) spelling: Option<Spelling>,
    pub(crate) data_type: DataType,
    /// The text of a value that the type cannot hold.
    pub(crate) raw: Option<Expr>,
    /// There may be such values.
    shows_raw: bool,
}

/// A column of the latest rows.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) name: String,
    /// Into [`History::columns`].
    pub(crate) column: usize,
    /// The text of the column's values rather than the values.
    pub(crate) raw: bool,
}

impl History {
    /// `versions` in the order of their beginning; without any, the table's columns and its configured key.
    pub(crate) fn new(mut versions: Vec<TableVersion>, key: Option<&str>, lake: &Schema) -> Self {
        if versions.is_empty() {
            let names: Vec<String> = lake.fields().iter().map(|f| f.name().clone()).collect();
            versions.push(TableVersion {
                id: UNNUMBERED,
                since: (0, 0, 0),
                shape: TableShape::unversioned(&names, key),
            });
        }
        let unversioned = versions.iter().any(|version| version.id == UNNUMBERED);
        let mut chains = Chains::default();
        let places: Vec<Vec<usize>> = versions.iter().map(|v| chains.add(v)).collect();
        let mut eras = eras(&versions, &places);
        find_narrower(&mut eras, &versions, &places);
        let doubts = doubts(&versions, &places, &eras);
        let oids = versions.iter();
        let oids = oids.filter_map(|version| Some((version.since, version.shape.oid?)));
        let oids = oids.collect();
        let numbers = lake.column_with_name(TABLE_VERSION_COLUMN).is_some();
        let columns: Vec<ColumnHistory> = (0..chains.links.len())
            .map(|at| {
                let older = OlderRows::find(&versions, chains.links(at)).filter(|_| numbers);
                chains.column(at, lake, numbers, older)
            })
            .collect();
        let mut shown: Vec<Shown> = Vec::new();
        if let (Some(newest), Some(places)) = (versions.last(), places.last()) {
            for (column, &at) in newest.shape.columns.iter().zip(places) {
                shown.push(Shown {
                    name: column.name.clone(),
                    column: at,
                    raw: false,
                });
            }
            for (column, &at) in newest.shape.columns.iter().zip(places) {
                let has_raw = columns.get(at).is_some_and(|column| column.shows_raw);
                let mut name = format!("{}_raw", column.name);
                if has_raw {
                    while shown.iter().any(|shown| shown.name == name) {
                        name.push('_');
                    }
                    shown.push(Shown {
                        name,
                        column: at,
                        raw: true,
                    });
                }
            }
        }
        Self {
            columns,
            shown,
            eras,
            doubts,
            oids,
            unversioned,
        }
    }

    /// The schema of the latest rows.
    pub(crate) fn schema(&self) -> SchemaRef {
        let fields = self.shown.iter().map(|shown| {
            let column = self.columns.get(shown.column);
            let data_type = match column {
                Some(column) if !shown.raw => column.data_type.clone(),
                _ => DataType::Utf8,
            };
            Field::new(&shown.name, data_type, true)
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The expression of a shown column over the log of changes.
    pub(crate) fn expression(&self, shown: &Shown) -> Expr {
        let column = self.columns.get(shown.column);
        let found = column.and_then(|column| match shown.raw {
            false => Some(column.value.clone()),
            true => column.raw.clone(),
        });
        found.unwrap_or_else(|| lit(ScalarValue::Utf8(None)))
    }

    /// The column that a row of this version calls by this name of the lake.
    pub(crate) fn column_of(&self, version: i32, lake: &str) -> Option<usize> {
        self.columns.iter().position(|column| {
            let mut links = column.links.iter();
            links.any(|(id, link)| *id == version && link.lake == lake)
        })
    }

    /// How rows are told apart now.
    pub(crate) fn identity(&self) -> Option<&EraIdentity> {
        self.eras.last().map(|era| &era.identity)
    }

    /// Which of the newest version's columns go by another name in the log, as `id as "ID__2"`.
    pub(crate) fn renamed(&self, lake: &Schema) -> Vec<String> {
        let values = self.shown.iter().filter(|shown| !shown.raw);
        let renamed = values.filter_map(|shown| {
            let (_, link) = self.columns.get(shown.column)?.links.last()?;
            let differs = link.lake != link.name && lake.field_with_name(&link.lake).is_ok();
            differs.then(|| format!("{} is {}", quote(&link.name), quote(&link.lake)))
        });
        renamed.collect()
    }

    /// Names of the key's columns as they are now; empty without a key.
    pub(crate) fn key(&self) -> Vec<String> {
        let Some(EraIdentity::Key(key)) = self.identity() else {
            return Vec::new();
        };
        let name = |at: &usize| {
            let (_, link) = self.columns.get(*at)?.links.last()?;
            Some(link.name.clone())
        };
        key.iter().filter_map(name).collect()
    }
}

/// Columns under construction.
#[derive(Default)]
struct Chains {
    links: Vec<Vec<(i32, VersionColumn)>>,
    /// OID of the table that a chain was last a column of.
    tables: Vec<Option<u32>>,
    /// The version that was added last.
    last: Option<i32>,
}

impl Chains {
    /// The chain of each column of the version.
    fn add(&mut self, version: &TableVersion) -> Vec<usize> {
        let shape = &version.shape;
        let mut taken: Vec<usize> = Vec::new();
        for column in &shape.columns {
            let found = (0..self.links.len()).find(|&at| {
                let last = self.links.get(at).and_then(|links| links.last());
                let table = self.tables.get(at).copied().flatten();
                !taken.contains(&at)
                    && last.is_some_and(|(id, last)| {
                        let one_table = match (table, shape.oid) {
                            (Some(before), Some(now)) => before == now,
                            _ => true,
                        };
                        match (last.number, column.number) {
                            (Some(before), Some(now)) if one_table => before == now,
                            // A number means nothing in another table; without numbers the name is all there is. A
                            // name that was away is another column's when it comes again.
                            _ => last.name == column.name && Some(*id) == self.last,
                        }
                    })
            });
            let at = found.unwrap_or_else(|| {
                self.links.push(Vec::new());
                self.tables.push(None);
                self.links.len() - 1
            });
            if let (Some(links), Some(table)) = (self.links.get_mut(at), self.tables.get_mut(at)) {
                links.push((version.id, column.clone()));
                *table = shape.oid;
            }
            taken.push(at);
        }
        self.last = Some(version.id);
        taken
    }

    fn links(&self, at: usize) -> &[(i32, VersionColumn)] {
        self.links.get(at).map_or(&[], Vec::as_slice)
    }

    fn column(
        &self,
        at: usize,
        lake: &Schema,
        numbers: bool,
        older: Option<OlderRows>,
    ) -> ColumnHistory {
        let links = self.links(at).to_vec();
        let of_lake = |name: &str| lake.field_with_name(name).ok();
        let data_type = links
            .iter()
            .rev()
            .find_map(|(_, link)| of_lake(&link.lake))
            .map_or(DataType::Null, |field| field.data_type().clone());
        let newest = links.last().and_then(|(_, link)| link.of.clone());
        let becomes = |link: &VersionColumn| match (&link.of, &newest) {
            (Some(before), Some(now)) => respelling(before, now),
            _ => Respelling::Cast,
        };
        let value = self.choose(
            at,
            lake,
            numbers,
            &becomes,
            false,
            &|name, from, becomes| converted(ident(name), from, &data_type, becomes),
        );
        // A value that the newest type cannot hold is kept as the text of the type that it had.
        let text = self.choose(
            at,
            lake,
            numbers,
            &becomes,
            false,
            &|name, from, becomes| {
                if from == &data_type || !can_cast_types(from, &DataType::Utf8) {
                    return None;
                }
                let value = ident(name);
                let lost = match converted(value.clone(), from, &data_type, becomes) {
                    Some(converted) => value.clone().is_not_null().and(converted.is_null()),
                    None => value.clone().is_not_null(),
                };
                when(lost, try_cast(value, DataType::Utf8)).end().ok()
            },
        );
        let raw = self.choose(at, lake, numbers, &becomes, true, &|name, _, _| {
            Some(try_cast(ident(name), DataType::Utf8))
        });
        let may_fail = |from: &DataType, becomes: Respelling| {
            from != &data_type
                && match becomes {
                    Respelling::Print(_) => !is_text(&data_type),
                    Respelling::Cast | Respelling::Unknown => {
                        is_text(from) || !can_cast_types(from, &data_type)
                    }
                }
        };
        let mut types = links
            .iter()
            .filter_map(|(_, link)| Some((of_lake(&link.lake)?, becomes(link))));
        let shows_raw =
            raw.is_some() || types.any(|(field, becomes)| may_fail(field.data_type(), becomes));
        let raw = match (raw, text) {
            (Some(raw), Some(text)) => Some(coalesce(vec![raw, text])),
            (raw, text) => raw.or(text),
        };
        let value = value.unwrap_or_else(|| lit(ScalarValue::Null));
        let shows_raw = shows_raw || older.as_ref().is_some_and(|older| older.raw.is_some());
        let (value, raw) = match older {
            Some(older) => {
                let choose = |then, now| older.choose(version_number(true), then, now);
                let then = converted(
                    lit(older.value.clone()),
                    &older.value.data_type(),
                    &data_type,
                    becomes(&older.link),
                );
                let text = older
                    .raw
                    .clone()
                    .map(|text| lit(ScalarValue::Utf8(Some(text))));
                let raw = match (raw, text) {
                    (raw, Some(text)) => Some(choose(
                        text,
                        raw.unwrap_or_else(|| lit(ScalarValue::Utf8(None))),
                    )),
                    (raw, None) => raw,
                };
                (
                    choose(then.unwrap_or_else(|| lit(ScalarValue::Null)), value),
                    raw,
                )
            }
            None => (value, raw),
        };
        let canonical = newest.as_ref().and_then(|newest| canonical(&newest.kind));
        let spelling = canonical.filter(|_| is_text(&data_type));
        let identity = identity_of(value.clone(), spelling);
        ColumnHistory {
            links,
            value,
            identity,
            spelling,
            data_type,
            raw,
            shows_raw,
        }
    }

    /// One expression for all versions; None where no version has such a column in the lake.
    fn choose(
        &self,
        at: usize,
        lake: &Schema,
        numbers: bool,
        becomes: &dyn Fn(&VersionColumn) -> Respelling,
        raw: bool,
        of: &dyn Fn(&str, &DataType, Respelling) -> Option<Expr>,
    ) -> Option<Expr> {
        let name = |column: &VersionColumn| match raw {
            false => Some(column.lake.clone()),
            true => column.raw.clone(),
        };
        let mut names: Vec<(String, Respelling, Vec<i32>)> = Vec::new();
        for (id, column) in self.links.get(at)? {
            let Some(name) = name(column) else { continue };
            // The text of a value is what it was.
            let becomes = match raw {
                false => becomes(column),
                true => Respelling::Cast,
            };
            let mut known = names.iter_mut();
            match known.find(|(known, spelt, _)| *known == name && *spelt == becomes) {
                Some((_, _, ids)) => ids.push(*id),
                None => names.push((name, becomes, vec![*id])),
            }
        }
        let expressions: Vec<(Expr, Vec<i32>, String)> = names
            .into_iter()
            .filter_map(|(name, becomes, ids)| {
                let field = lake.field_with_name(&name).ok()?;
                Some((of(&name, field.data_type(), becomes)?, ids, name))
            })
            .collect();
        let others = self
            .links
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at);
        let mut others = others.flat_map(|(_, links)| links);
        let shared = others.any(|(_, column)| {
            let of_others = [Some(&column.lake), column.raw.as_ref()];
            let mut mine = expressions.iter().map(|(_, _, name)| name);
            mine.any(|name| of_others.contains(&Some(name)))
        });
        if let ([(only, _, _)], true) = (expressions.as_slice(), !shared || !numbers) {
            return Some(only.clone());
        }
        if expressions.is_empty() {
            return None;
        }
        if !numbers {
            let values = expressions.into_iter().map(|(value, _, _)| value);
            return Some(coalesce(values.collect()));
        }
        let mut cases = expressions.into_iter().map(|(value, ids, _)| {
            let ids = ids.into_iter().map(lit).collect();
            (version_number(true).in_list(ids, false), value)
        });
        let (first, value) = cases.next()?;
        let mut choice = when(first, value);
        for (is_it, value) in cases {
            choice = choice.when(is_it, value);
        }
        choice.end().ok()
    }
}

/// A value as rows are told apart by it.
pub(crate) fn identity_of(value: Expr, spelling: Option<Spelling>) -> Expr {
    match spelling {
        Some(spelling) => spelled(value, spelling),
        None => value,
    }
}

/// The number of the version that a row was written under.
pub(crate) fn version_number(numbers: bool) -> Expr {
    if numbers {
        coalesce(vec![ident(TABLE_VERSION_COLUMN), lit(UNNUMBERED)])
    } else {
        lit(UNNUMBERED)
    }
}

/// A value of one type in another one, as PostgreSQL's `ALTER TABLE ... TYPE` makes it without `USING`; None where that
/// is not known. A value that does not fit becomes null.
fn converted(value: Expr, from: &DataType, to: &DataType, becomes: Respelling) -> Option<Expr> {
    if let Respelling::Print(spelling) = becomes {
        // Whole numbers are hours only where they are a time of the day.
        let is_other = matches!(from, DataType::Int64) && spelling != Spelling::Time;
        let respelled = spelled(value.clone(), spelling);
        // What is none of the new type stays as it was where both are texts.
        return match is_other {
            true => Some(try_cast(value, to.clone())),
            false if is_text(from) && is_text(to) => {
                Some(try_cast(coalesce(vec![respelled, value]), to.clone()))
            }
            false => Some(try_cast(respelled, to.clone())),
        };
    }
    if from == to {
        return Some(value);
    }
    match (from, to) {
        // PostgreSQL rounds, a cast of Arrow's cuts off.
        (DataType::Decimal128(precision, _), DataType::Int64) => Some(try_cast(
            try_cast(value, DataType::Decimal128(*precision, 0)),
            DataType::Int64,
        )),
        _ if can_cast_types(from, to) => Some(try_cast(value, to.clone())),
        _ => None,
    }
}

const fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
    )
}
