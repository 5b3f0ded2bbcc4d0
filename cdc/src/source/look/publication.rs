use super::{Look, column};
use crate::{
    Error,
    source::{
        publication_contents::{Narrowed, narrowed, unpublished_operations, unpublished_tables},
        server_error::control_error,
    },
    table::TableName,
};

/// The connector's publication, beside what the connector captures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicationFacts {
    pub all_tables: bool,
    pub via_root: bool,
    /// The role may alter it.
    pub is_ours: bool,
    /// Captured tables that it does not have.
    pub lacks: Vec<TableName>,
    /// Captured tables of which it publishes a part.
    pub narrowed: Vec<Narrowed>,
    /// Captured operations that it does not publish.
    pub unpublished: Vec<&'static str>,
}

const PUBLICATION: &str = "
select p.puballtables, p.pubviaroot, pg_catalog.pg_has_role(p.pubowner, 'usage')
from pg_catalog.pg_publication p where p.pubname = $1";

impl Look {
    /// The connector's publication; None where there is none.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn publication(&self) -> Result<Option<PublicationFacts>, Error> {
        const ATTEMPTED: &str = "read the publication";
        let name = &self.config.publication_name;
        let row = self.client.query_opt(PUBLICATION, &[name]).await;
        let Some(row) = row.map_err(|error| control_error(ATTEMPTED, error))? else {
            return Ok(None);
        };
        Ok(Some(PublicationFacts {
            all_tables: column(&row, 0, ATTEMPTED)?,
            via_root: column(&row, 1, ATTEMPTED)?,
            is_ours: column(&row, 2, ATTEMPTED)?,
            lacks: unpublished_tables(&self.client, &self.config).await?,
            narrowed: narrowed(&self.client, &self.config).await?,
            unpublished: unpublished_operations(&self.client, &self.config).await?,
        }))
    }
}
