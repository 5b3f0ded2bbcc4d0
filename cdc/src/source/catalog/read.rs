use std::collections::HashMap;

use debezium::ReplicaIdentity;
use tokio_postgres::Client;

use super::{
    labels::EnumLabels,
    types::{TypeCatalog, TypeEntry},
};
use crate::{Error, source::server_error::control_error};

/// A table of the catalog, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogTable {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub replica_identity: ReplicaIdentity,
    /// By attribute number; dropped ones are left out.
    pub columns: Vec<CatalogColumn>,
    /// Names of the primary key's columns in key order, else of the first usable unique index; empty without either.
    pub key: Vec<String>,
}

/// A column of a [`CatalogTable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogColumn {
    pub name: String,
    pub type_oid: u32,
    pub type_modifier: i32,
    /// By the column itself or by its domain.
    pub not_null: bool,
    /// Stored or virtual; pgoutput before version 18 never sends them.
    pub generated: bool,
    /// `pg_get_expr`: of a generated column what it is made from.
    pub default_expression: Option<String>,
}

// One statement, so that columns and key are of one moment even while the table changes. A table without columns is one
// row without a name of a column.
//
// The primary key comes first, then unique indexes by name; those over expressions or a part of the rows identify
// nothing. A NOT NULL that is NOT VALID (PostgreSQL 18) promises nothing of the rows there are. Columns that an index only includes count as Debezium counts them: not to the primary key, but to others.
const TABLE: &str = "
select n.nspname::text, c.relname::text, c.relreplident::text, coalesce(identity.key, '{}'),
       a.attname::text, a.atttypid, a.atttypmod,
       a.attnotnull and not exists (
           select from pg_catalog.pg_constraint u
           where u.conrelid = a.attrelid and u.contype = 'n' and u.conkey[1] = a.attnum and not u.convalidated)
       or (t.typtype = 'd' and t.typnotnull),
       a.attgenerated <> '',
       pg_catalog.pg_get_expr(d.adbin, d.adrelid)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join lateral (
    select array(
        select a.attname::text
        from unnest(i.indkey::int2[]) with ordinality k(attnum, place)
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
        where k.place <= i.indnkeyatts or not i.indisprimary
        order by k.place)
    from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid
    where i.indrelid = c.oid and i.indisunique and i.indisvalid
      and i.indexprs is null and i.indpred is null
    order by i.indisprimary desc, ic.relname
    limit 1) identity(key) on true
left join (pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid)
       on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where c.oid = $1
order by a.attnum";

const TYPES: &str = "
with recursive needed(oid) as (
    select unnest($1::oid[])
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

/// Read a table by its OID; None when it does not exist (any more).
///
/// # Errors
/// The catalog cannot be read.
pub async fn read_table(client: &Client, oid: u32) -> Result<Option<CatalogTable>, Error> {
    let failed = |error| control_error(format!("read the catalog of table {oid}"), error);
    let rows = client.query(TABLE, &[&oid]).await.map_err(failed)?;
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
        });
    }
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
        key: row.try_get(3).map_err(failed)?,
    }))
}

/// Read types and everything they are made of: base types of domains, elements of arrays, labels of enums, which are
/// those of `labels` where they are known there.
///
/// # Errors
/// The catalog cannot be read.
pub async fn read_types(
    client: &Client,
    oids: Vec<u32>,
    mut labels: Option<&mut EnumLabels>,
) -> Result<TypeCatalog, Error> {
    let failed = |error| control_error("read the catalog of types", error);
    let mut entries = HashMap::new();
    for row in client.query(TYPES, &[&oids]).await.map_err(failed)? {
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
