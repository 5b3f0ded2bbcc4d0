//! Tables that come into sight after the first snapshot: which are published, and which have not been copied.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use super::server_error::control_error;
use crate::{Error, followed::Followed, table::SnapshotTable};
use connector::ConnectorConfig;

// Read from the catalog's own tables, so that a transaction sees it as of its snapshot; the view of published tables shows
// what is there now.
// A partition that was made as one began empty, and the table's own entry of its first system column and that of its place
// below its parent were written together; one that was attached may have brought rows, which no stream has.
const PUBLISHED: &str = "
with recursive below as (
    select i.inhparent as root, i.inhrelid as part, i.xmin as since
    from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhparent where c.relkind = 'p'
    union all
    select b.root, i.inhrelid, i.xmin
    from below b join pg_catalog.pg_inherits i on i.inhparent = b.part
), attached as (
    select b.root, pg_catalog.string_agg(b.part::text, ',' order by b.part) as parts
    from below b join pg_catalog.pg_attribute a on a.attrelid = b.part and a.attnum = -1
    where a.xmin::text <> b.since::text group by b.root
)
select c.oid, coalesce(r.oid, p.oid),
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) || coalesce(' ' || a.parts, '')
from pg_catalog.pg_publication p
cross join pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join attached a on a.root = c.oid
left join pg_catalog.pg_publication_rel r on r.prpubid = p.oid and r.prrelid = c.oid
where p.pubname = $1 and c.relkind in ('r', 'p') and c.relpersistence = 'p'
  and (r.oid is not null or p.puballtables)";

/// The tables that the connector's publication has, as the client's transaction sees it.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn published(
    client: &Client,
    config: &ConnectorConfig,
) -> Result<Followed, Error> {
    let name = &config.publication_name;
    let failed = |error| control_error(format!("read the tables of publication `{name}`"), error);
    let rows = client.query(PUBLISHED, &[name]).await.map_err(failed)?;
    rows.iter()
        .map(|row| {
            let entry = row
                .try_get(0)
                .and_then(|table| Ok((table, row.try_get(1)?, row.try_get(2)?)));
            entry.map_err(failed)
        })
        .collect()
}

pub(crate) fn oids(tables: &[SnapshotTable]) -> BTreeSet<u32> {
    tables.iter().map(|table| table.oid).collect()
}

/// Those that were dropped.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn gone(client: &Client, followed: &Followed) -> Result<Followed, Error> {
    let failed = |error| control_error("look whether tables are there", error);
    let tables = followed.tables();
    let asked: Vec<u32> = tables.iter().copied().collect();
    let sql = "select c.oid from pg_catalog.pg_class c where c.oid = any($1)";
    let rows = client.query(sql, &[&asked]).await.map_err(failed)?;
    let there: Result<BTreeSet<u32>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    let there = there.map_err(failed)?;
    Ok(followed
        .clone()
        .of(&tables.difference(&there).copied().collect()))
}

/// Whether there are tables to be copied, or to be published first: `captured` ones that are not `followed`. Those that
/// were found `unpublishable` count only when somebody has published them.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn has_later_tables(
    client: &Client,
    config: &ConnectorConfig,
    captured: &BTreeSet<u32>,
    (followed, unpublishable): (&Followed, &BTreeSet<u32>),
) -> Result<bool, Error> {
    let published = published(client, config).await?;
    let there = published.tables();
    let unpublished = captured
        .iter()
        .any(|table| !there.contains(table) && !unpublishable.contains(table));
    Ok(unpublished || !published.of(captured).without(followed).is_empty())
}
