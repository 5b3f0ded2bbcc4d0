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
    RowIdentity, Since, TABLE_VERSION_COLUMN, TableShape, TableVersion, UNNUMBERED, VersionColumn,
};

use crate::names::quote;

/// Everything about a table that its latest rows depend on beside its rows.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) columns: Vec<ColumnHistory>,
    /// What the latest rows show: the columns of the newest version, then the texts of values that these cannot hold.
    pub(crate) shown: Vec<Shown>,
    pub(crate) eras: Vec<Era>,
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

/// A time in which the same columns told the rows of a table apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Era {
    pub(crate) since: Since,
    pub(crate) identity: EraIdentity,
    /// The table was dropped and made again: no row from before is in it.
    pub(crate) new_table: bool,
    /// Rows from before some columns of the identity were there, or were as they are.
    pub(crate) narrower: Vec<NarrowerRows>,
    /// There are rows from before any column of the key was there as it is now.
    pub(crate) older_keys: bool,
    /// Of the table's versions, the last one of this era.
    last: usize,
}

/// What tells rows apart that were written under versions with fewer columns.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NarrowerRows {
    pub(crate) from: Since,
    pub(crate) until: Since,
    /// Into [`History::columns`].
    pub(crate) columns: Vec<usize>,
}

/// By indexes into [`History::columns`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EraIdentity {
    Key(Vec<usize>),
    /// Equal rows count; a delete takes one of them.
    WholeRow(Vec<usize>),
    /// Which row an update or a delete is about, nobody can tell.
    Hidden,
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
        let numbers = lake.column_with_name(TABLE_VERSION_COLUMN).is_some();
        let columns: Vec<ColumnHistory> = (0..chains.links.len())
            .map(|at| chains.column(at, lake, numbers))
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

    fn column(&self, at: usize, lake: &Schema, numbers: bool) -> ColumnHistory {
        let links = self.links.get(at).cloned().unwrap_or_default();
        let of_lake = |name: &str| lake.field_with_name(name).ok();
        let data_type = links
            .iter()
            .rev()
            .find_map(|(_, link)| of_lake(&link.lake))
            .map_or(DataType::Null, |field| field.data_type().clone());
        let value = self.choose(at, lake, numbers, false, &|name, from| {
            converted(ident(name), from, &data_type)
        });
        // A value that the newest type cannot hold is kept as the text of the type that it had.
        let text = self.choose(at, lake, numbers, false, &|name, from| {
            if from == &data_type || !can_cast_types(from, &DataType::Utf8) {
                return None;
            }
            let value = ident(name);
            let lost = match converted(value.clone(), from, &data_type) {
                Some(converted) => value.clone().is_not_null().and(converted.is_null()),
                None => value.clone().is_not_null(),
            };
            when(lost, try_cast(value, DataType::Utf8)).end().ok()
        });
        let raw = self.choose(at, lake, numbers, true, &|name, _| {
            Some(try_cast(ident(name), DataType::Utf8))
        });
        let may_fail = |from: &DataType| {
            let is_text = matches!(
                from,
                DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
            );
            from != &data_type && (is_text || !can_cast_types(from, &data_type))
        };
        let mut types = links.iter().filter_map(|(_, link)| of_lake(&link.lake));
        let shows_raw = raw.is_some() || types.any(|field| may_fail(field.data_type()));
        let raw = match (raw, text) {
            (Some(raw), Some(text)) => Some(coalesce(vec![raw, text])),
            (raw, text) => raw.or(text),
        };
        ColumnHistory {
            links,
            value: value.unwrap_or_else(|| lit(ScalarValue::Null)),
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
        raw: bool,
        of: &dyn Fn(&str, &DataType) -> Option<Expr>,
    ) -> Option<Expr> {
        let name = |column: &VersionColumn| match raw {
            false => Some(column.lake.clone()),
            true => column.raw.clone(),
        };
        let mut names: Vec<(String, Vec<i32>)> = Vec::new();
        for (id, column) in self.links.get(at)? {
            let Some(name) = name(column) else { continue };
            match names.iter_mut().find(|(known, _)| *known == name) {
                Some((_, ids)) => ids.push(*id),
                None => names.push((name, vec![*id])),
            }
        }
        let expressions: Vec<(Expr, Vec<i32>, String)> = names
            .into_iter()
            .filter_map(|(name, ids)| {
                let field = lake.field_with_name(&name).ok()?;
                Some((of(&name, field.data_type())?, ids, name))
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
fn converted(value: Expr, from: &DataType, to: &DataType) -> Option<Expr> {
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

fn eras(versions: &[TableVersion], places: &[Vec<usize>]) -> Vec<Era> {
    let mut eras: Vec<Era> = Vec::new();
    let mut oid = None;
    for (at, (version, places)) in versions.iter().zip(places).enumerate() {
        let shape = &version.shape;
        let identity = match &shape.identity {
            RowIdentity::Key(key) => EraIdentity::Key(
                key.iter()
                    .filter_map(|index| places.get(*index).copied())
                    .collect(),
            ),
            RowIdentity::WholeRow => EraIdentity::WholeRow(places.clone()),
            RowIdentity::Hidden => EraIdentity::Hidden,
        };
        // Another OID after another history of the WAL is a restored or copied database: its snapshot tells what holds.
        let new_table = match (oid, shape.oid, eras.last()) {
            (Some(before), Some(now), Some(last)) => {
                before != now && last.since.0 == version.since.0
            }
            _ => false,
        };
        oid = shape.oid.or(oid);
        let joined = match eras.last_mut() {
            Some(last) if !new_table => {
                let joined = last.goes_on(&identity);
                if joined {
                    last.last = at;
                }
                joined
            }
            Some(_) | None => false,
        };
        if !joined {
            eras.push(Era {
                since: version.since,
                identity,
                new_table,
                narrower: Vec::new(),
                older_keys: false,
                last: at,
            });
        }
    }
    eras
}

/// Which rows of the same table each era meets that had fewer of the identity's columns.
fn find_narrower(eras: &mut [Era], versions: &[TableVersion], places: &[Vec<usize>]) {
    // In which column of the lake a version has the values of a column.
    let lake = |version: usize, at: usize| {
        let place = places.get(version)?.iter().position(|place| *place == at)?;
        Some(&versions.get(version)?.shape.columns.get(place)?.lake)
    };
    let mut first = 0;
    for era in eras {
        if era.new_table {
            let began = |version: &TableVersion| version.since < era.since;
            first = versions.partition_point(began);
        }
        let (EraIdentity::Key(columns) | EraIdentity::WholeRow(columns)) = &era.identity else {
            continue;
        };
        for at in first..era.last {
            let (Some(version), Some(next)) = (versions.get(at), versions.get(at + 1)) else {
                continue;
            };
            let had = columns.iter().copied();
            let had = had.filter(|column| {
                let then = lake(at, *column);
                then.is_some() && then == lake(era.last, *column)
            });
            let had: Vec<usize> = had.collect();
            if had.is_empty() {
                era.older_keys = true;
            }
            if had.is_empty() || had.len() == columns.len() {
                continue;
            }
            match era.narrower.last_mut() {
                Some(last) if last.until == version.since && last.columns == had => {
                    last.until = next.since;
                }
                _ => era.narrower.push(NarrowerRows {
                    from: version.since,
                    until: next.since,
                    columns: had,
                }),
            }
        }
    }
}

impl Era {
    /// Whether rows are still told apart as before.
    fn goes_on(&mut self, identity: &EraIdentity) -> bool {
        match (&mut self.identity, identity) {
            // Columns come and go; what tells rows apart in the end are those of now.
            (EraIdentity::WholeRow(columns), EraIdentity::WholeRow(now)) => {
                columns.clone_from(now);
                true
            }
            (before, now) => before == now,
        }
    }
}
