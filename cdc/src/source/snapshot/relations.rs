//! What must be the same of a table at the snapshot's moment and now, or its rows cannot be read as of then.
//!
//! PostgreSQL manual, "Concurrency Control", "Caveats": TRUNCATE and rewriting forms of ALTER TABLE are not MVCC-safe.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;

use super::super::server_error::control_error;
use crate::Error;

/// What must be the same at the snapshot's moment and now, or the rows of that moment cannot be read any more.
///
/// PostgreSQL manual, "Caveats" of "Concurrency Control": TRUNCATE and the forms of ALTER TABLE that rewrite a table are
/// not MVCC-safe. Their new file has only rows that are newer than the snapshot, which therefore sees none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Relation {
    /// `schema.table`: COPY finds a table by name.
    name: String,
    kind: String,
    /// `relfilenode`: whatever writes the table anew changes it.
    file: u32,
    /// Partitions and children are read with their parents.
    parents: Vec<u32>,
    /// Number, name, type and its modifier of each column, dropped ones too.
    columns: Vec<String>,
}

impl Relation {
    /// A column that was added without writing the table anew is not read, and disturbs nobody.
    fn still_is(&self, now: &Self) -> bool {
        self.name == now.name
            && self.kind == now.kind
            && self.file == now.file
            && self.parents == now.parents
            && now.columns.starts_with(&self.columns)
    }
}

/// Relations by OID, as one connection sees them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Relations(BTreeMap<u32, Relation>);

// With everything below them: a partition that was detached is no longer found by reading its parent. The columns of
// indexes are of no interest, and their files may change: they hold what the table holds.
const RELATIONS: &str = "
with recursive tree(oid) as (
    select unnest($1::oid[])
    union
    select i.inhrelid from tree join pg_catalog.pg_inherits i on i.inhparent = tree.oid)
select c.oid, n.nspname::text || '.' || c.relname::text, c.relkind::text, c.relfilenode,
       array(select i.inhparent from pg_catalog.pg_inherits i where i.inhrelid = c.oid order by i.inhparent),
       array(select concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod)
             from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 order by a.attnum)
from tree
join pg_catalog.pg_class c on c.oid = tree.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'm', 'v', 'f') and n.nspname <> 'pg_toast'";

impl Relations {
    /// These and everything that is read with them.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(super) async fn read(client: &Client, oids: &BTreeSet<u32>) -> Result<Self, Error> {
        let failed = |error| control_error("read what the snapshot's tables are", error);
        let oids: Vec<u32> = oids.iter().copied().collect();
        let mut relations = BTreeMap::new();
        for row in client.query(RELATIONS, &[&oids]).await.map_err(failed)? {
            let relation = Relation {
                name: row.try_get(1).map_err(failed)?,
                kind: row.try_get(2).map_err(failed)?,
                file: row.try_get(3).map_err(failed)?,
                parents: row.try_get(4).map_err(failed)?,
                columns: row.try_get(5).map_err(failed)?,
            };
            relations.insert(row.try_get(0).map_err(failed)?, relation);
        }
        Ok(Self(relations))
    }

    /// Whether it is a table whose rows are all its own: reading it reads no partition and no child.
    pub(super) fn is_plain(&self, oid: u32) -> bool {
        let is_table = |relation: &Relation| relation.kind == "r";
        self.0.get(&oid).is_some_and(is_table)
            && !self.0.values().any(|it| it.parents.contains(&oid))
    }

    /// Whether it has rows of its own, whatever inherits from it.
    pub(super) fn is_table(&self, oid: u32) -> bool {
        self.0
            .get(&oid)
            .is_some_and(|relation| relation.kind == "r")
    }

    /// The name of a relation that is not what it was; `self` is the snapshot's view.
    pub(super) fn difference<'a>(&'a self, now: &'a Self) -> Option<&'a str> {
        let of_then = self.0.iter();
        let mut changed = of_then.filter(|(oid, then)| {
            now.0
                .get(*oid)
                .is_none_or(|relation| !then.still_is(relation))
        });
        let mut unknown = now.0.iter().filter(|(oid, _)| !self.0.contains_key(*oid));
        let (_, relation) = changed.next().or_else(|| unknown.next())?;
        Some(&relation.name)
    }
}

// Fast-path locks are listed too. A lock that a transaction has on a table stays until its end.
const LOCKED: &str = "
select l.relation from pg_catalog.pg_locks l
where l.pid = pg_catalog.pg_backend_pid() and l.locktype = 'relation' and l.granted
  and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
  and l.relation >= 16384";

/// The relations of users that the transaction of this connection has a lock on: everything that its statements read.
///
/// # Errors
/// The server cannot be asked.
pub(super) async fn locked(client: &Client) -> Result<BTreeSet<u32>, Error> {
    let failed = |error| control_error("read which tables the snapshot has locked", error);
    let rows = client.query(LOCKED, &[]).await.map_err(failed)?;
    rows.iter()
        .map(|row| row.try_get(0).map_err(failed))
        .collect()
}

/// The name of a relation, of these and those read with them, that is not as it is in the snapshot; None where all are.
/// To be asked once the snapshot's connection has them locked: then it stays so.
///
/// # Errors
/// A catalog cannot be read.
pub(super) async fn changed_since(
    snapshot: &Client,
    current: &Client,
    oids: &BTreeSet<u32>,
) -> Result<Option<String>, Error> {
    let then = Relations::read(snapshot, oids).await?;
    let now = Relations::read(current, oids).await?;
    Ok(then.difference(&now).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OID, name, file, parents and columns.
    type Row<'a> = (u32, &'a str, u32, &'a [u32], &'a [&'a str]);

    fn relations(list: &[Row<'_>]) -> Relations {
        let relations = list.iter().map(|(oid, name, file, parents, columns)| {
            let relation = Relation {
                name: (*name).to_owned(),
                kind: "r".to_owned(),
                file: *file,
                parents: parents.to_vec(),
                columns: columns.iter().map(|it| (*it).to_owned()).collect(),
            };
            (*oid, relation)
        });
        Relations(relations.collect())
    }

    #[test]
    fn what_reads_otherwise_is_a_difference() {
        let then = relations(&[
            (1, "s.a", 1, &[], &["1 id 23 -1"]),
            (2, "s.b", 2, &[1], &[]),
        ]);
        let b = (2, "s.b", 2, &[1_u32][..], &[][..]);
        for (a, want) in [
            ((1, "s.a", 1, &[][..], &["1 id 23 -1"][..]), None),
            ((1, "s.a", 1, &[], &["1 id 23 -1", "2 n 23 -1"]), None),
            ((1, "s.a", 9, &[], &["1 id 23 -1"]), Some("s.a")),
            ((1, "s.c", 1, &[], &["1 id 23 -1"]), Some("s.a")),
            ((1, "s.a", 1, &[7], &["1 id 23 -1"]), Some("s.a")),
            ((1, "s.a", 1, &[], &["1 id 20 -1"]), Some("s.a")),
            ((1, "s.a", 1, &[], &[]), Some("s.a")),
            ((3, "s.a", 1, &[], &["1 id 23 -1"]), Some("s.a")),
        ] {
            assert_eq!(then.difference(&relations(&[a, b])), want, "{a:?}");
        }
        assert!(
            then.is_plain(2) && !then.is_plain(1),
            "a parent is not plain"
        );
        let a = (1, "s.a", 1, &[][..], &["1 id 23 -1"][..]);
        assert_eq!(then.difference(&relations(&[a])), Some("s.b"), "detached");
        let attached = (3, "s.c", 3, &[1_u32][..], &[][..]);
        let now = relations(&[a, b, attached]);
        assert_eq!(then.difference(&now), Some("s.c"));
    }
}
