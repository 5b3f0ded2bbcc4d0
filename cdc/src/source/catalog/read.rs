//! The queries of the catalog: a table with its columns, keys and defaults, and the types that it is made of.
//!
//! Reading takes no lock on the table, except for the expressions of generated columns, which are asked for only where
//! nobody has to be waited for.

use std::collections::HashMap;

use debezium::ReplicaIdentity;
use tokio_postgres::Client;

use super::labels::EnumLabels;
use crate::table::{CatalogColumn, CatalogTable, TypeCatalog, TypeEntry};
use crate::{
    Error, ErrorKind,
    source::server_error::{LOCK_NOT_AVAILABLE, control_error, sqlstate},
};

/// Whether the expressions of generated columns are wanted. They name columns, and PostgreSQL locks the table (`ACCESS
/// SHARE`) to print those: the query waits for every `ALTER TABLE` that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeneratedExpressions {
    /// Take none.
    No,
    /// Wait for the lock.
    Wait,
}

// One statement, so that columns and key are of one moment even while the table changes. A table without columns is one
// row without a name of a column.
//
// Unique indexes over expressions or a part of the rows identify nothing. A NOT NULL that is NOT VALID (PostgreSQL 18)
// promises nothing of the rows there are.
//
// Nothing here waits for a lock on the table: the catalog is read like any other table, and an expression without
// columns is printed without opening one (relation 0). With the table's OID `pg_get_expr` takes ACCESS SHARE and waits
// behind every ACCESS EXCLUSIVE, which is why only those who can wait ask for the expressions of generated columns.
//
// A column that was added with a constant default keeps its value for the rows there were in `attmissingval`, an array of
// one. A partitioned table has no rows, so its partitions have it.
//
// age() counts back from the next transaction id; rows that are older than it can count are negative, and frozen ones
// are older than everything.
const TABLE: &str = "
select n.nspname::text, c.relname::text, c.relreplident::text, identity.keys,
       a.attname::text, a.atttypid, a.atttypmod,
       a.attnotnull and not exists (
           select from pg_catalog.pg_constraint u
           where u.conrelid = a.attrelid and u.contype = 'n' and u.conkey[1] = a.attnum and not u.convalidated)
       or (t.typtype = 'd' and t.typnotnull),
       a.attgenerated <> '',
       case when a.attgenerated = '' then pg_catalog.pg_get_expr(d.adbin, 0::oid)
            when $3 then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end,
       case when pg_catalog.age(a.xmin) >= 0 and pg_catalog.age(a.xmin) < pg_catalog.age($2::text::xid)
            then a.xmin::text end, a.attnum,
       (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
            'number', g.attnum,
            'changed_by', case when pg_catalog.age(g.xmin) >= 0
                and pg_catalog.age(g.xmin) < pg_catalog.age($2::text::xid) then g.xmin::text::int8 end)
            order by g.attnum), '[]')::text
        from pg_catalog.pg_attribute g where g.attrelid = c.oid and g.attnum > 0 and g.attisdropped),
       case when c.relkind = 'p' then
           (select (x.attmissingval::text::text[])[1]
            from pg_catalog.pg_inherits i
            join pg_catalog.pg_attribute x on x.attrelid = i.inhrelid and x.attname = a.attname
            where i.inhparent = c.oid and x.atthasmissing
            limit 1)
            else (a.attmissingval::text::text[])[1] end
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join lateral (
    select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
        'columns', array(
            select a.attname::text
            from unnest(i.indkey::int2[]) with ordinality k(attnum, place)
            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
            where k.place <= i.indnkeyatts or not i.indisprimary
            order by k.place),
        'unique', array(
            select a.attname::text
            from unnest(i.indkey::int2[]) with ordinality k(attnum, place)
            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
            where k.place <= i.indnkeyatts
            order by k.place),
        'primary', i.indisprimary,
        'identity', i.indimmediate and case c.relreplident when 'd' then i.indisprimary
            when 'i' then i.indisreplident else false end,
        'changed_by', case when pg_catalog.age(i.xmin) >= 0
            and pg_catalog.age(i.xmin) < pg_catalog.age($2::text::xid) then i.xmin::text::int8 end)
        order by i.indisprimary desc, ic.relname), '[]')::text
    from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid
    where i.indrelid = c.oid and i.indisunique and i.indisvalid
      and i.indexprs is null and i.indpred is null) identity(keys) on true
left join (pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid)
       on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where c.oid = $1
order by a.attnum";

const TYPES: &str = "
with recursive needed(oid) as (
    select unnest($1::oid[])
    union
    select t.oid from pg_catalog.pg_type t where t.typnamespace = 11 and t.typname = any ($2::text[])
    union
    select part.oid
    from needed n
    join pg_catalog.pg_type t on t.oid = n.oid
    cross join lateral (values (t.typbasetype), (t.typelem)) part(oid)
    where part.oid <> 0)
select t.oid, t.typname::text, t.typtype::text, t.typbasetype,
       -- money has no modifier: in its place, the digits behind the point of lc_monetary, which its text has always
       case when t.oid = 790 then pg_catalog.scale(0::pg_catalog.money::pg_catalog.numeric) else t.typtypmod end,
       coalesce((select e.oid from pg_catalog.pg_type e where e.oid = t.typelem and e.typarray = t.oid), 0::oid),
       array(select e.enumlabel::text from pg_catalog.pg_enum e where e.enumtypid = t.oid order by e.enumsortorder)
from pg_catalog.pg_type t join needed n on n.oid = t.oid";

/// Read a table by its OID; None when it does not exist (any more). `since` is the transaction whose time is asked
/// about: what was written by a later one is marked.
///
/// # Errors
/// The catalog cannot be read.
pub async fn read_table(
    client: &Client,
    oid: u32,
    since: Option<u32>,
    generated: GeneratedExpressions,
) -> Result<Option<CatalogTable>, Error> {
    let attempted = format!("read the catalog of table {oid}");
    let failed = |error| control_error(attempted.clone(), error);
    let since = since.map(|xid| xid.to_string());
    let wanted = generated == GeneratedExpressions::Wait;
    let rows = client
        .query(TABLE, &[&oid, &since, &wanted])
        .await
        .map_err(failed)?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let identity: String = row.try_get(2).map_err(failed)?;
    let mut columns = Vec::new();
    for column in &rows {
        let Some(name) = column.try_get(4).map_err(failed)? else {
            continue;
        };
        columns.push(CatalogColumn {
            name,
            type_oid: column.try_get(5).map_err(failed)?,
            type_modifier: column.try_get(6).map_err(failed)?,
            not_null: column.try_get(7).map_err(failed)?,
            generated: column.try_get(8).map_err(failed)?,
            default_expression: column.try_get(9).map_err(failed)?,
            older_rows: column.try_get(13).map_err(failed)?,
            changed_by: column
                .try_get::<_, Option<String>>(10)
                .map_err(failed)?
                .and_then(|xid| xid.parse().ok()),
            number: column.try_get(11).map_err(failed)?,
        });
    }
    let unreadable = |error: serde_json::Error| {
        Error::new(ErrorKind::Protocol, attempted.clone()).with_source(error)
    };
    let keys: String = row.try_get(3).map_err(failed)?;
    let keys = serde_json::from_str(&keys).map_err(unreadable)?;
    let dropped: String = row.try_get(12).map_err(failed)?;
    let dropped = serde_json::from_str(&dropped).map_err(unreadable)?;
    Ok(Some(CatalogTable {
        oid,
        schema: row.try_get(0).map_err(failed)?,
        name: row.try_get(1).map_err(failed)?,
        replica_identity: match identity.as_str() {
            "f" => ReplicaIdentity::Full,
            "i" => ReplicaIdentity::Index,
            "n" => ReplicaIdentity::Nothing,
            _ => ReplicaIdentity::Default,
        },
        columns,
        dropped,
        keys,
    }))
}

/// How long the printing of a generated column's expression may wait for a lock.
const LOCK_PATIENCE: &str = "begin; set local lock_timeout = '250ms'";

/// Read a table with the expressions of its generated columns, if that does not have to wait: None where somebody holds
/// an ACCESS EXCLUSIVE lock on it, or it does not exist.
///
/// # Errors
/// The catalog cannot be read.
pub async fn read_generated(
    client: &Client,
    oid: u32,
    since: Option<u32>,
) -> Result<Option<CatalogTable>, Error> {
    let attempted = || format!("read the generated columns of table {oid}");
    let failed = |error| control_error(attempted(), error);
    client.batch_execute(LOCK_PATIENCE).await.map_err(failed)?;
    let read = read_table(client, oid, since, GeneratedExpressions::Wait).await;
    client.batch_execute("rollback").await.map_err(failed)?;
    match read {
        Err(error) if sqlstate(&error) == Some(LOCK_NOT_AVAILABLE) => Ok(None),
        read => read,
    }
}

/// Read types and everything they are made of: base types of domains, elements of arrays, labels of enums, which are
/// those of `labels` where they are known there. `built_in` are names of types of PostgreSQL itself.
///
/// # Errors
/// The catalog cannot be read.
pub async fn read_types(
    client: &Client,
    oids: Vec<u32>,
    built_in: Vec<&str>,
    mut labels: Option<&mut EnumLabels>,
) -> Result<TypeCatalog, Error> {
    let failed = |error| control_error("read the catalog of types", error);
    let mut entries = HashMap::new();
    let rows = client
        .query(TYPES, &[&oids, &built_in])
        .await
        .map_err(failed)?;
    for row in rows {
        let kind: String = row.try_get(2).map_err(failed)?;
        let oid = row.try_get(0).map_err(failed)?;
        let mut entry = TypeEntry {
            name: row.try_get(1).map_err(failed)?,
            is_domain: kind == "d",
            is_composite: kind == "c",
            base: row.try_get(3).map_err(failed)?,
            modifier: row.try_get(4).map_err(failed)?,
            element: row.try_get(5).map_err(failed)?,
            is_enum: kind == "e",
            labels: row.try_get(6).map_err(failed)?,
            array_labels: None,
        };
        if let Some(labels) = &mut labels {
            labels.hold(oid, &mut entry);
        }
        entries.insert(oid, entry);
    }
    Ok(TypeCatalog::new(entries))
}
