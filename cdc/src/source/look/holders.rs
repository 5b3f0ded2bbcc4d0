use std::time::Duration;

use super::{Look, column, count};
use crate::{Error, source::server_error::control_error};

/// A transaction that has been open for long: no slot can be made before it ends, and WAL since its beginning is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub kind: HolderKind,
    pub age: Duration,
    /// Who, and what it does.
    pub told: String,
}

/// How such a transaction is ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HolderKind {
    /// A session, by its process.
    Session { pid: i32 },
    /// A prepared transaction, by its name, in its database.
    Prepared { name: String, database: String },
}

// Of other roles' sessions only those see the age who may see their statistics. A reader of a slot holds nothing.
const HOLDERS: &str = "
select a.pid, null::text, null::text, extract(epoch from clock_timestamp() - a.xact_start)::int8,
       concat_ws(', ', 'of ' || a.usename, 'application ' || nullif(a.application_name, ''), a.state)
from pg_catalog.pg_stat_activity a
where a.xact_start < clock_timestamp() - make_interval(secs => $1)
  and (a.backend_xid is not null or a.backend_xmin is not null)
  and a.pid <> pg_catalog.pg_backend_pid() and a.backend_type = 'client backend'
union all
select null, p.gid, p.database::text, extract(epoch from clock_timestamp() - p.prepared)::int8, 'of ' || p.owner::text
from pg_catalog.pg_prepared_xacts p where p.prepared < clock_timestamp() - make_interval(secs => $1)
order by 4 desc";

impl Look {
    /// Transactions that have been open for longer than `than`, the oldest first.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn holders(&self, than: Duration) -> Result<Vec<Holder>, Error> {
        const ATTEMPTED: &str = "read which transactions have been open for long";
        let rows = self.client.query(HOLDERS, &[&than.as_secs_f64()]).await;
        let rows = rows.map_err(|error| control_error(ATTEMPTED, error))?;
        rows.iter()
            .map(|row| {
                let prepared: Option<String> = column(row, 1, ATTEMPTED)?;
                let kind = match prepared {
                    Some(name) => HolderKind::Prepared {
                        name,
                        database: column(row, 2, ATTEMPTED)?,
                    },
                    None => HolderKind::Session {
                        pid: column(row, 0, ATTEMPTED)?,
                    },
                };
                Ok(Holder {
                    kind,
                    age: Duration::from_secs(count(row, 3, ATTEMPTED)?),
                    told: column(row, 4, ATTEMPTED)?,
                })
            })
            .collect()
    }
}
