//! A table's versions through time -> what told its rows apart when.

use lakewriter::lake::{RowIdentity, Since, TableVersion, VersionColumn};

use crate::spelling::{Respelling, respelling};

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
    pub(crate) last: usize,
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

pub(crate) fn eras(versions: &[TableVersion], places: &[Vec<usize>]) -> Vec<Era> {
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
pub(crate) fn find_narrower(eras: &mut [Era], versions: &[TableVersion], places: &[Vec<usize>]) {
    let column = |version, at| column_of(versions, places, version, at);
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
            let had = had.filter(|of_key| {
                let then = column(at, *of_key).zip(column(era.last, *of_key));
                then.is_some_and(|(then, now)| prints_alike(then, now))
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

/// A column of the history as it was in one of the versions.
pub(crate) fn column_of<'a>(
    versions: &'a [TableVersion],
    places: &[Vec<usize>],
    version: usize,
    at: usize,
) -> Option<&'a VersionColumn> {
    let place = places.get(version)?.iter().position(|place| *place == at)?;
    versions.get(version)?.shape.columns.get(place)
}

/// Whether values of then can be found among those of now.
fn prints_alike(then: &VersionColumn, now: &VersionColumn) -> bool {
    match (&then.of, &now.of) {
        (Some(before), Some(after)) => respelling(before, after) != Respelling::Unknown,
        // Nobody told the types: the lake keeps those that differ in columns of their own.
        _ => then.lake == now.lake,
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
