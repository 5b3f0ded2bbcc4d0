//! What is known of a source table through time.
//!
//! Names of columns change, and so do their types and the key. A row means what the table was when the row was written.
//! So every row says by a number which version of the table that was, and the table's configuration keeps all versions
//! ([`property::VERSIONS`]): how the columns stand in the lake, which of them made the key, and from which position on.
//! Versions are added and moved to an earlier beginning, never changed and never removed.

use debezium::{PgTypeKind, ReplicaIdentity, TableSchema};
use deltalake_core::kernel::StructType;
use serde::{Deserialize, Serialize};

use super::delta::property;
use crate::columns::{LakeColumn, OWN_COLUMNS, lake_columns};

/// Rows without a number were written before tables kept versions.
pub const UNNUMBERED: i32 = 0;

/// `(incarnation, commit LSN, ordinal)`, in this order.
pub type Since = (i64, i64, i64);

/// One version of a source table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableVersion {
    /// What its rows have in `_table_version`.
    pub id: i32,
    /// Position of the first row of this version.
    pub since: Since,
    #[serde(flatten)]
    pub shape: TableShape,
}

/// What distinguishes versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableShape {
    /// `pg_class.oid`; None where nobody told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<u32>,
    pub columns: Vec<VersionColumn>,
    pub identity: RowIdentity,
}

/// A column of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionColumn {
    /// `pg_attribute.attnum`; None where nobody told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i16>,
    /// In PostgreSQL.
    pub name: String,
    /// In the lake.
    pub lake: String,
    /// The lake's text column for values that its type cannot hold. It need not be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// In PostgreSQL; None where nobody told it. Two types of PostgreSQL may be one of the lake and print their values
    /// otherwise all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<ColumnType>,
    /// PostgreSQL's text of what rows have that are older than the column; None where that is NULL, or nobody told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_rows: Option<String>,
}

/// A column's type in PostgreSQL, as far as its values depend on it. An OID is no part of it: a restored database has
/// others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnType {
    /// `pg_type.typname`.
    pub name: String,
    /// `pg_attribute.atttypmod`.
    #[serde(default = "no_modifier", skip_serializing_if = "is_no_modifier")]
    pub modifier: i32,
    #[serde(flatten)]
    pub kind: PgTypeKind,
}

const NO_MODIFIER: i32 = -1;

const fn no_modifier() -> i32 {
    NO_MODIFIER
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_no_modifier(modifier: &i32) -> bool {
    *modifier == NO_MODIFIER
}

/// What tells the rows of a table apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowIdentity {
    /// These columns, as indexes into `columns`, in key order.
    Key(Vec<usize>),
    /// All columns: the table has no key that rows tell. Equal rows count; a delete removes one of them. Without
    /// `REPLICA IDENTITY FULL` PostgreSQL refuses updates and deletes of such a table.
    WholeRow,
    /// There is a key, but its columns are hidden or left out, and old rows are not sent whole: nobody can tell which
    /// row an update or a delete is about.
    Hidden,
}

impl TableShape {
    /// The shape of a version whose columns go by `names` in the lake (in the order of its lake columns).
    pub(crate) fn of(table: &TableSchema, names: &[String]) -> Self {
        let lake = lake_columns(table);
        let key = table.row_key();
        let places: Option<Vec<usize>> = key
            .iter()
            .map(|index| lake.iter().position(|column| column.index == *index))
            .collect();
        let identity = match places {
            Some(places) if !places.is_empty() => RowIdentity::Key(places),
            _ if table.key.is_empty() || table.replica_identity == ReplicaIdentity::Full => {
                RowIdentity::WholeRow
            }
            _ => RowIdentity::Hidden,
        };
        let column = |(column, name): (&LakeColumn, &String)| {
            let of_table = table.columns.get(column.index)?;
            Some(VersionColumn {
                number: of_table.number,
                name: of_table.name.clone(),
                lake: name.clone(),
                raw: Some(column.raw_name.clone()),
                // What other Debeziums' events tell changes from event to event.
                of: table.oid.map(|_| ColumnType {
                    name: of_table.pg_type.name.clone(),
                    modifier: of_table.pg_type.modifier,
                    kind: of_table.pg_type.kind.clone(),
                }),
                older_rows: of_table.older_rows.clone(),
            })
        };
        Self {
            oid: table.oid,
            columns: lake.iter().zip(names).filter_map(column).collect(),
            identity,
        }
    }

    /// Whether rows of `shape` are rows of this one. PostgreSQL forgets what older rows have when it writes the table anew,
    /// and the rows are the same after that.
    fn is(&self, shape: &Self) -> bool {
        let is_column = |(known, column): (&VersionColumn, &VersionColumn)| {
            if column.older_rows.is_some() {
                return known == column;
            }
            let older_rows = known.older_rows.clone();
            *known
                == VersionColumn {
                    older_rows,
                    ..column.clone()
                }
        };
        self.oid == shape.oid
            && self.identity == shape.identity
            && self.columns.len() == shape.columns.len()
            && self.columns.iter().zip(&shape.columns).all(is_column)
    }

    /// What is known of a table that was written before tables kept versions: its columns by their names in the lake,
    /// and the key that stands in its configuration.
    pub fn unversioned(columns: &[String], key: Option<&str>) -> Self {
        let is_raw = |name: &str| {
            let of = name.strip_suffix("_raw");
            of.is_some_and(|of| columns.iter().any(|column| column == of))
        };
        let columns: Vec<VersionColumn> = columns
            .iter()
            .filter(|name| !OWN_COLUMNS.contains(&name.as_str()) && !is_raw(name))
            .map(|name| VersionColumn {
                number: None,
                name: name.clone(),
                lake: name.clone(),
                raw: Some(format!("{name}_raw")),
                of: None,
                older_rows: None,
            })
            .collect();
        let key: Vec<String> = key
            .and_then(|key| serde_json::from_str(key).ok())
            .unwrap_or_default();
        let places: Option<Vec<usize>> = key
            .iter()
            .map(|name| columns.iter().position(|column| column.name == *name))
            .collect();
        let identity = match places {
            Some(places) if places.is_empty() => RowIdentity::WholeRow,
            Some(places) => RowIdentity::Key(places),
            None => RowIdentity::Hidden,
        };
        Self {
            oid: None,
            columns,
            identity,
        }
    }
}

/// The versions that a table's configuration keeps, by their beginning; none where there are none yet.
///
/// # Errors
/// The text is not what this program writes.
pub fn read_versions(configured: Option<&str>) -> Result<Vec<TableVersion>, serde_json::Error> {
    let mut versions: Vec<TableVersion> = match configured {
        Some(text) => serde_json::from_str(text)?,
        None => Vec::new(),
    };
    versions.sort_by_key(|version| version.since);
    Ok(versions)
}

/// Finds the version of rows of this shape that begin at `first`, or adds it: the number, and whether `versions` have
/// changed. `versions` are in the order of their beginning, and stay so.
pub(crate) fn place(
    versions: &mut Vec<TableVersion>,
    shape: TableShape,
    first: Since,
) -> (i32, bool) {
    let after = versions.partition_point(|version| version.since <= first);
    if let Some(version) = after.checked_sub(1).and_then(|at| versions.get(at))
        && version.shape.is(&shape)
    {
        return (version.id, false);
    }
    // Rows of other partitions may have come earlier than these.
    if let Some(version) = versions.get_mut(after)
        && version.shape.is(&shape)
    {
        version.since = first;
        return (version.id, true);
    }
    let newest = versions.iter().map(|version| version.id).max();
    let id = newest.unwrap_or(UNNUMBERED) + 1;
    let since = first;
    versions.insert(after, TableVersion { id, since, shape });
    (id, true)
}

/// The number of the version that holds at a position.
pub(crate) fn version_at(versions: &[TableVersion], position: Since) -> i32 {
    let after = versions.partition_point(|version| version.since <= position);
    let at = after.checked_sub(1).and_then(|at| versions.get(at));
    at.map_or(UNNUMBERED, |version| version.id)
}

/// The versions of a table that kept none so far: what it was, where rows may be in it.
pub(crate) fn before_versions(schema: &StructType, key: Option<&str>) -> TableVersion {
    let columns: Vec<String> = schema.fields().map(|field| field.name().clone()).collect();
    TableVersion {
        id: UNNUMBERED,
        since: (0, 0, 0),
        shape: TableShape::unversioned(&columns, key),
    }
}

/// The configuration's text.
pub(crate) fn versions_property(versions: &[TableVersion]) -> (String, String) {
    let text = serde_json::json!(versions).to_string();
    (property::VERSIONS.to_owned(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(name: &str) -> TableShape {
        TableShape::unversioned(&[name.to_owned()], None)
    }

    #[test]
    fn versions_are_found_added_and_moved_to_an_earlier_beginning() {
        let mut versions = Vec::new();
        for (name, first, placed, count) in [
            ("a", 10, (1, true), 1),
            ("a", 12, (1, false), 1),
            ("b", 30, (2, true), 2),
            // A partition that is behind.
            ("a", 20, (1, false), 2),
            ("b", 25, (2, true), 2),
            ("b", 26, (2, false), 2),
            ("a", 5, (1, true), 2),
            // The name is given back: another version, because its rows come after those of the second.
            ("a", 40, (3, true), 3),
            ("b", 31, (2, false), 3),
        ] {
            assert_eq!(place(&mut versions, shape(name), (0, first, 0)), placed);
            assert_eq!(versions.len(), count);
        }
        let since: Vec<i64> = versions.iter().map(|version| version.since.1).collect();
        assert_eq!(since, [5, 25, 40]);
    }

    #[test]
    fn types_are_kept_as_text_and_older_releases_wrote_none() {
        let text = r#"[{"id":1,"since":[0,1,0],"oid":7,"columns":[{"number":1,"name":"a","lake":"a"},
            {"name":"b","lake":"b","of":{"name":"bpchar","modifier":8,"kind":"bpchar"}}],"identity":"whole_row"}]"#;
        let versions = read_versions(Some(text)).expect("a version");
        let types = versions[0].shape.columns.iter().map(|column| &column.of);
        let bpchar = ColumnType {
            name: "bpchar".to_owned(),
            modifier: 8,
            kind: PgTypeKind::Bpchar,
        };
        assert!(types.eq([&None, &Some(bpchar)]));
        let (_, text) = versions_property(&versions);
        assert_eq!(read_versions(Some(&text)).expect("our own text"), versions);
    }

    #[test]
    fn what_older_rows_have_is_kept_when_postgresql_forgets_it() {
        let mut told = shape("a");
        told.columns[0].older_rows = Some("5".to_owned());
        let mut versions = Vec::new();
        assert_eq!(place(&mut versions, told.clone(), (0, 1, 0)), (1, true));
        assert_eq!(place(&mut versions, shape("a"), (0, 2, 0)), (1, false));
        assert_eq!(versions[0].shape, told);
        let mut other = shape("a");
        other.columns[0].older_rows = Some("6".to_owned());
        assert_eq!(place(&mut versions, other, (0, 3, 0)), (2, true));
    }

    #[test]
    fn the_configuration_round_trips() {
        let mut versions = vec![before_versions(
            &StructType::try_new([]).expect("no columns"),
            None,
        )];
        place(&mut versions, shape("a"), (1, 2, 3));
        let (_, text) = versions_property(&versions);
        assert_eq!(read_versions(Some(&text)).expect("our own text"), versions);
        assert_eq!(read_versions(None).expect("nothing"), []);
    }
}
