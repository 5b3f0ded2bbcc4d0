use std::collections::HashMap;

use tokio_postgres::Client;

use crate::{Error, source::server_error::control_error, table::TypeEntry};

/// The labels of enums as they were when the connector started, or when they were asked for again. A Relation message
/// says nothing of them and comes whenever the server likes, so what events list must not depend on it.
#[derive(Debug, Default)]
pub struct EnumLabels {
    by_oid: HashMap<u32, Labels>,
}

#[derive(Debug)]
struct Labels {
    now: Vec<String>,
    /// Arrays of the type list these for ever.
    first: Vec<String>,
}

const LABELS: &str = "
select e.enumtypid, array_agg(e.enumlabel::text order by e.enumsortorder)
from pg_catalog.pg_enum e where $1::oid[] is null or e.enumtypid = any ($1) group by 1";

impl EnumLabels {
    /// Those of all enums of the database.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn read(client: &Client) -> Result<Self, Error> {
        let mut labels = Self::default();
        labels.ask(client, None).await?;
        Ok(labels)
    }

    /// Read those of some types again.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub async fn refresh(&mut self, client: &Client, types: &[u32]) -> Result<(), Error> {
        self.ask(client, Some(types)).await
    }

    async fn ask(&mut self, client: &Client, types: Option<&[u32]>) -> Result<(), Error> {
        let failed = |error| control_error("read the labels of enums", error);
        for row in client.query(LABELS, &[&types]).await.map_err(failed)? {
            let oid = row.try_get(0).map_err(failed)?;
            self.learn(oid, row.try_get(1).map_err(failed)?);
        }
        Ok(())
    }

    fn learn(&mut self, oid: u32, now: Vec<String>) -> &Labels {
        let first = now.clone();
        let known = self.by_oid.entry(oid);
        let known = known.or_insert_with(|| Labels {
            now: Vec::new(),
            first,
        });
        known.now = now;
        known
    }

    /// Puts the labels that are known in place of those that were just read; types that are new are kept from now on.
    pub(super) fn hold(&mut self, oid: u32, entry: &mut TypeEntry) {
        if !entry.is_enum {
            return;
        }
        let labels = match self.by_oid.get(&oid) {
            Some(labels) => labels,
            None => self.learn(oid, entry.labels.clone()),
        };
        entry.labels.clone_from(&labels.now);
        entry.array_labels = Some(labels.first.clone());
    }
}

#[test]
fn labels_stay_as_they_were_first() {
    let entry = |labels: &[&str]| TypeEntry {
        is_enum: true,
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        ..TypeEntry::default()
    };
    let mut labels = EnumLabels::default();
    let (mut first, mut second) = (entry(&["sad", "ok"]), entry(&["sad", "ok", "happy"]));
    labels.hold(7, &mut first);
    labels.hold(7, &mut second);
    assert_eq!(second, first);
    let mut other = entry(&["happy"]);
    labels.hold(8, &mut other);
    assert_eq!(other.labels, ["happy"]);
    labels.learn(7, entry(&["sad", "ok", "happy"]).labels);
    labels.hold(7, &mut second);
    assert_eq!(second.labels, ["sad", "ok", "happy"]);
    assert_eq!(second.array_labels, Some(first.labels));
}
