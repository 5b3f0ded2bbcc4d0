//! What a column shows in rows that are older than the column.
//!
//! `ALTER TABLE ... ADD ... DEFAULT` of a constant writes no row anew, so no event tells of the rows there are; they have
//! the value all the same, and the versions of the table keep it.

use datafusion::{
    logical_expr::{Expr, lit, when},
    scalar::ScalarValue,
};
use debezium::PgType;
use lakewriter::lake::{TableVersion, VersionColumn, value_of_text};

/// The value of a column in rows of the versions before it.
#[derive(Debug)]
pub(crate) struct OlderRows {
    /// The column when the value was told.
    pub(crate) link: VersionColumn,
    pub(crate) value: ScalarValue,
    /// The text of a value that the type cannot hold.
    pub(crate) raw: Option<String>,
    /// The versions before it.
    versions: Vec<i32>,
}

impl OlderRows {
    /// `versions` in the order of their beginning. None where older rows have NULL, or there are none.
    pub(crate) fn find(versions: &[TableVersion], links: &[(i32, VersionColumn)]) -> Option<Self> {
        let (_, link) = links.iter().find(|(_, link)| link.older_rows.is_some())?;
        let (of, number) = (link.of.as_ref()?, link.number?);
        let (first, _) = links.first()?;
        let at = versions.iter().position(|version| version.id == *first)?;
        let oid = versions.get(at)?.shape.oid?;
        // A column that was there and not captured has a number below those that came later: what its rows had, nobody
        // told.
        let is_before = |version: &&TableVersion| {
            let mut numbers = version.shape.columns.iter().map(|column| column.number);
            version.shape.oid == Some(oid)
                && numbers.all(|other| other.is_some_and(|other| other < number))
        };
        let before = versions.get(..at)?.iter().filter(is_before);
        let before: Vec<i32> = before.map(|version| version.id).collect();
        if before.is_empty() {
            return None;
        }
        let pg_type = PgType {
            oid: 0,
            name: of.name.clone(),
            modifier: of.modifier,
            kind: of.kind.clone(),
        };
        let (value, raw) = value_of_text(&pg_type, link.older_rows.as_deref()?)?;
        Some(Self {
            link: link.clone(),
            value: ScalarValue::try_from_array(&value, 0).ok()?,
            raw,
            versions: before,
        })
    }

    /// `then` in rows of the versions before the column, `now` in all others. `number` is that of a row's version.
    pub(crate) fn choose(&self, number: Expr, then: Expr, now: Expr) -> Expr {
        let versions = self.versions.iter().map(|id| lit(*id)).collect();
        let is_older = number.in_list(versions, false);
        match when(is_older, then).otherwise(now.clone()) {
            Ok(chosen) => chosen,
            Err(_) => now,
        }
    }
}
