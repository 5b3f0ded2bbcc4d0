use super::{Look, column};
use crate::{Error, source::server_error::control_error};

/// What the connector's role may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleFacts {
    /// The session's role, which is who asks.
    pub name: String,
    pub is_superuser: bool,
    /// REPLICATION, or a role of a hosted server that stands for it.
    pub may_replicate: bool,
    /// CREATE on the database, which a publication needs.
    pub may_create: bool,
    /// It sees what other roles' sessions do.
    pub sees_sessions: bool,
}

const ROLE: &str = "
select r.rolname::text, r.rolsuper,
       r.rolsuper or r.rolreplication or exists (select from pg_catalog.pg_roles h
           where h.rolname in ('rds_replication', 'rds_superuser') and pg_catalog.pg_has_role(h.oid, 'member')),
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
       r.rolsuper or pg_catalog.pg_has_role('pg_read_all_stats', 'usage')
from pg_catalog.pg_roles r where r.rolname = current_user";

impl Look {
    /// What the session's role may do.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn role(&self) -> Result<RoleFacts, Error> {
        const ATTEMPTED: &str = "read what the role may do";
        let row = self.client.query_one(ROLE, &[]).await;
        let row = row.map_err(|error| control_error(ATTEMPTED, error))?;
        Ok(RoleFacts {
            name: column(&row, 0, ATTEMPTED)?,
            is_superuser: column(&row, 1, ATTEMPTED)?,
            may_replicate: column(&row, 2, ATTEMPTED)?,
            may_create: column(&row, 3, ATTEMPTED)?,
            sees_sessions: column(&row, 4, ATTEMPTED)?,
        })
    }
}
