//! What nobody can know about the latest rows, from the log and the versions of its table, and how that is said.
//!
//! Whether it matters, the rows decide: those from before a doubt began may be shown twice or be stale as long as they
//! are among the latest. So a new snapshot, or an UPDATE of every row, ends it.

use lakewriter::lake::{ColumnType, Since, TableVersion};
use serde::{Deserialize, Serialize};

use crate::{
    eras::{Era, EraIdentity, column_of},
    names::quote,
    spelling::{Respelling, respelling},
};

/// Something that happened to a table and that the log does not tell whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// Position of the first row after it.
    pub(crate) since: Since,
    pub(crate) about: About,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// A column that tells rows apart has another type.
    Retyped {
        column: String,
        from: String,
        to: String,
        /// PostgreSQL's own cast is known, so that only `USING` leaves a doubt.
        known: bool,
    },
    /// Rows from before have no value of the key.
    LaterKey { columns: Vec<String> },
    /// Columns of the key are left out or hidden, and old rows do not come whole.
    Hidden,
    /// Another table has the name by now: it was made anew, or it was given the name and has rows from before.
    OtherTable {
        before: u32,
        now: u32,
        /// Where the lake has rows of that table from before.
        stands: Option<String>,
    },
    /// The table had another name before its first row here.
    CameFrom { name: String },
    /// The table goes on under another name.
    MovedTo { name: String },
    /// Other tables have rows of a later history of the WAL.
    NotInSnapshot { incarnation: i64 },
}

/// Doubts of a table by itself, in the order of their beginning.
pub(crate) fn doubts(versions: &[TableVersion], places: &[Vec<usize>], eras: &[Era]) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let mut first = 0;
    let mut oid = None;
    for era in eras {
        if era.new_table {
            first = versions.partition_point(|version| version.since < era.since);
            if let Some(last) = doubts.len().checked_sub(1) {
                // Of rows that are gone nothing is in doubt.
                doubts.drain(..=last);
            }
            let now = versions.get(first).and_then(|version| version.shape.oid);
            if let (Some(before), Some(now)) = (oid, now) {
                doubts.push(Doubt {
                    since: era.since,
                    about: About::OtherTable {
                        before,
                        now,
                        stands: None,
                    },
                });
            }
        }
        oid = versions.get(era.last).and_then(|version| version.shape.oid);
        if era.identity == EraIdentity::Hidden {
            doubts.push(Doubt {
                since: era.since,
                about: About::Hidden,
            });
        }
        let name =
            |at: usize| column_of(versions, places, era.last, at).map(|column| column.name.clone());
        if era.older_keys
            && let EraIdentity::Key(key) = &era.identity
        {
            let missing = |at: &&usize| column_of(versions, places, first, **at).is_none();
            let columns: Vec<String> = key
                .iter()
                .filter(missing)
                .filter_map(|at| name(*at))
                .collect();
            if !columns.is_empty() {
                doubts.push(Doubt {
                    since: era.since,
                    about: About::LaterKey { columns },
                });
            }
        }
        let (EraIdentity::Key(identity) | EraIdentity::WholeRow(identity)) = &era.identity else {
            continue;
        };
        for at in identity {
            let mut before: Option<&ColumnType> = None;
            for version in first..=era.last {
                let column = column_of(versions, places, version, *at);
                let Some(now) = column.and_then(|column| column.of.as_ref()) else {
                    continue;
                };
                if let Some(before) = before
                    && let Some(version) = versions.get(version)
                    && is_retyped(before, now)
                {
                    let doubt = Doubt {
                        since: version.since,
                        about: About::Retyped {
                            column: name(*at).unwrap_or_default(),
                            from: written(before),
                            to: written(now),
                            known: respelling(before, now) != Respelling::Unknown,
                        },
                    };
                    // A later era may tell rows apart by the same column.
                    if !doubts.contains(&doubt) {
                        doubts.push(doubt);
                    }
                }
                before = Some(now);
            }
        }
    }
    doubts.sort_by_key(|doubt| doubt.since);
    doubts
}

/// Whether the table was rewritten, or its values print otherwise. A length that changes does neither.
fn is_retyped(before: &ColumnType, now: &ColumnType) -> bool {
    use debezium::PgTypeKind::{Bpchar, Enum};
    match (&before.kind, &now.kind) {
        (Bpchar, Bpchar) => false,
        // Labels are added without a change of any value.
        (Enum { labels }, Enum { labels: later }) => {
            before.name != now.name || labels.iter().any(|label| !later.contains(label))
        }
        (kind, later) => kind != later,
    }
}

/// `numeric(10,2)`: the type with what events tell of its modifier.
fn written(of: &ColumnType) -> String {
    use debezium::PgTypeKind as Kind;
    if let Kind::Numeric { precision, scale } = &of.kind {
        return format!("{}({precision},{scale})", of.name);
    }
    if let Kind::Bit { length }
    | Kind::Varbit {
        length: Some(length),
    } = &of.kind
    {
        return format!("{}({length})", of.name);
    }
    if let Kind::Time { precision }
    | Kind::TimeTz { precision }
    | Kind::Timestamp { precision }
    | Kind::TimestampTz { precision } = &of.kind
        && *precision < 6
    {
        return format!("{}({precision})", of.name);
    }
    of.name.clone()
}

/// What a replay saw that no log should have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// UPDATEs and DELETEs of rows that were not there, and the first of them.
    pub(crate) unmet: u64,
    pub(crate) first_unmet: Option<Since>,
    /// Rows that came to a key that another row had, and the first of them.
    pub(crate) shared: u64,
    pub(crate) first_shared: Option<Since>,
    /// Where the table was empty for the last time: TRUNCATE, or a snapshot of everything.
    pub(crate) began: Option<Since>,
}

impl Evidence {
    pub(crate) fn unmet(&mut self, position: Since) {
        self.unmet += 1;
        self.first_unmet.get_or_insert(position);
    }

    pub(crate) fn shared(&mut self, position: Since) {
        self.shared += 1;
        self.first_shared.get_or_insert(position);
    }

    /// That of another part of the keys.
    pub fn join(&mut self, other: &Self) {
        let earlier = |one: Option<Since>, two: Option<Since>| one.into_iter().chain(two).min();
        self.unmet += other.unmet;
        self.shared += other.shared;
        self.first_unmet = earlier(self.first_unmet, other.first_unmet);
        self.first_shared = earlier(self.first_shared, other.first_shared);
        self.began = self.began.max(other.began);
    }
}

/// How a doubt ends, with this product's own means. The log does not tell which of them wrote it.
const REMEDY: &str = "A new snapshot puts it right. Of a table of `tributary mirror`: `alter publication ... drop table ...` in PostgreSQL, after which the mirror publishes it again and copies it anew. Of a connector: PUT /connectors/NAME/stop, DELETE /connectors/NAME/offsets, PUT /connectors/NAME/resume";

/// What is said with a query of a table's latest rows. `older`: how many of them are from before each of the doubts.
pub(crate) fn notices(
    table: &str,
    doubts: &[Doubt],
    older: &[u64],
    evidence: &Evidence,
) -> Vec<String> {
    let mut said = Vec::new();
    let mut explained = false;
    for (doubt, &older) in doubts.iter().zip(older) {
        let text = match &doubt.about {
            About::Retyped { .. } | About::LaterKey { .. } if older > 0 => {
                explained = true;
                format!(
                    "{}. Latest rows from before: {older}; they may be shown twice, be stale or be gone in PostgreSQL",
                    doubt.about
                )
            }
            About::Retyped { .. } | About::LaterKey { .. } => continue,
            About::OtherTable { .. } | About::CameFrom { .. }
                if evidence.began.is_none_or(|began| began < doubt.since) =>
            {
                explained = true;
                doubt.about.to_string()
            }
            About::OtherTable { .. } | About::CameFrom { .. } => continue,
            About::Hidden => {
                // No snapshot tells more.
                said.push(format!(
                    "{table}, since {}: {}.",
                    place(doubt.since),
                    doubt.about
                ));
                continue;
            }
            About::MovedTo { .. } => doubt.about.to_string(),
            About::NotInSnapshot { .. } => doubt.about.to_string(),
        };
        said.push(format!(
            "{table}, since {}: {text}. {REMEDY}.",
            place(doubt.since)
        ));
    }
    if let Some(first) = evidence.first_shared {
        said.push(format!(
            "{table}, since {}: rows that came to a key that another row had, so that only the later one is shown: {}. The key is not unique in the events: `message.key.columns` names other columns than a key of the table, or its type has values that differ in PostgreSQL and not in an event (interval, timetz, varbit). REPLICA IDENTITY FULL without a key, or a key of another type, tells such rows apart; a new snapshot after that shows them.",
            place(first),
            evidence.shared
        ));
    }
    if let Some(first) = evidence.first_unmet {
        let why = if explained {
            "Rows from before them are still shown as they were"
        } else {
            "The log began after those rows were there (then rows that did not change are missing), or their key changed in a way that it does not tell, as an `ALTER TYPE ... RENAME VALUE` or `USING` (then they are still shown as they were)"
        };
        said.push(format!(
            "{table}, since {}: changes of rows that were not found: {}. {why}. {REMEDY}.",
            place(first),
            evidence.unmet
        ));
    }
    said
}

/// A position for people: the LSN as PostgreSQL writes it.
fn place((incarnation, lsn, _): Since) -> String {
    let lsn = lsn.cast_unsigned();
    let lsn = format!("LSN {:X}/{:X}", lsn >> 32, lsn & 0xffff_ffff);
    match incarnation {
        0 => lsn,
        incarnation => format!("{lsn} of incarnation {incarnation}"),
    }
}

impl Doubt {
    /// For the list of tables, where nobody has read the rows.
    pub(crate) fn note(&self) -> String {
        format!(
            "since {} {} (queries say which rows that concerns)",
            place(self.since),
            self.about
        )
    }
}

impl std::fmt::Display for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Retyped {
                column,
                from,
                to,
                known,
            } => {
                let column = quote(column);
                write!(
                    f,
                    "{column}, which tells its rows apart, was {from} and is {to}; "
                )?;
                f.write_str(if *known {
                    "rows are compared as PostgreSQL's cast makes them, and whether the values changed otherwise (USING) no log tells"
                } else {
                    "how PostgreSQL made the old values new no log tells"
                })
            }
            Self::LaterKey { columns } => {
                let columns: Vec<String> = columns.iter().map(|name| quote(name)).collect();
                write!(
                    f,
                    "{} came later than the table and tells its rows apart; which values rows from before have in it no log tells",
                    columns.join(", ")
                )
            }
            Self::Hidden => f.write_str(
                "not the latest rows but every row that was inserted: columns of the key are left out or hidden, so that nobody can tell which row an UPDATE or a DELETE is about; REPLICA IDENTITY FULL tells it",
            ),
            Self::OtherTable {
                before,
                now,
                stands,
            } => {
                write!(
                    f,
                    "another table has its name (OID {now}, before {before}); "
                )?;
                match stands {
                    Some(name) => write!(
                        f,
                        "rows that it had before, as {name}, are in the log of {name} and not shown here"
                    ),
                    None => f.write_str(
                        "if it was renamed and not made anew, rows that it had before are not shown",
                    ),
                }
            }
            Self::CameFrom { name } => write!(
                f,
                "the table was called {name} before; rows that did not change since are in the log of {name} and not shown here"
            ),
            Self::MovedTo { name } => write!(
                f,
                "the table is called {name}: what is shown here is what it was before, and PostgreSQL has no such table or another one"
            ),
            Self::NotInSnapshot { incarnation } => write!(
                f,
                "a later snapshot (incarnation {incarnation}) has rows of other tables and none of this one (yet): if it was empty, all rows that are shown are gone in PostgreSQL"
            ),
        }
    }
}

#[cfg(test)]
#[path = "doubt_tests.rs"]
mod tests;
