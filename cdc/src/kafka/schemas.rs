//! Which versions of tables are in the topic of a connector ([`debezium::wire`]): what gives schemaless events their types.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use debezium::{
    ContractSettings, SchemaId, TableSchema,
    wire::{PublishedSchema, PublishedSchemaError, schema_id, schemas_topic},
};

use super::{KafkaClient, OwnedRecord, compacted::read_to_end};
use crate::{Error, ErrorKind};

/// Which versions are in the topic, with which text.
#[derive(Debug, Default)]
pub struct PublishedSchemas {
    topic: String,
    /// With a hash of their text: all that is asked is whether a text is there already.
    known: HashMap<SchemaId, u64>,
    /// The version in force of each table, by its names.
    in_force: HashMap<(String, String), SchemaId>,
    /// Versions in the order in which they came in force, until they are taken.
    versions: Option<Vec<Arc<TableSchema>>>,
}

fn digest(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl PublishedSchemas {
    /// Read the topic. Blocks.
    ///
    /// # Errors
    /// Kafka does not answer.
    pub fn read(client: &KafkaClient, topic_prefix: &str) -> Result<Self, Error> {
        let topic = schemas_topic(topic_prefix);
        let mut published = Self {
            topic: topic.clone(),
            versions: Some(Vec::new()),
            ..Self::default()
        };
        read_to_end(client, &topic, |key, value| {
            match (key.and_then(schema_id), value) {
                (Some(id), Some(value)) => published.take_record(id, value)?,
                (Some(id), None) => {
                    published.known.remove(&id);
                }
                (None, _) => {}
            }
            Ok(())
        })?;
        Ok(published)
    }

    fn take_record(&mut self, id: SchemaId, value: &[u8]) -> Result<(), Error> {
        self.known.insert(id, digest(value));
        match PublishedSchema::read(value) {
            Ok(published) => self.is_in_force(id, &Arc::new(published.table)),
            Err(error @ PublishedSchemaError::Newer(_)) => {
                let attempted = format!("read version {id} of a table in topic `{}`", self.topic);
                return Err(Error::new(ErrorKind::Configuration, attempted)
                    .with_source(error)
                    .with_hint("a later tributary has run this connector: start that version, or a later one"));
            }
            Err(PublishedSchemaError::Malformed(error)) => {
                tracing::warn!(topic = %self.topic, schema = %id, error = %error, "a version of a table cannot be read: what was true at its time is not known");
            }
        }
        Ok(())
    }

    fn is_in_force(&mut self, id: SchemaId, table: &Arc<TableSchema>) {
        let names = (table.table.schema.clone(), table.table.table.clone());
        self.in_force.insert(names, id);
        if let Some(versions) = &mut self.versions {
            versions.push(Arc::clone(table));
        }
    }

    /// A snapshot is about to publish versions: they are kept for who takes them.
    pub fn keep_versions(&mut self) {
        self.versions.get_or_insert_default();
    }

    /// The versions in the order in which they came in force, and from now on none.
    pub fn take_versions(&mut self) -> Vec<Arc<TableSchema>> {
        self.versions.take().unwrap_or_default()
    }

    /// The record that publishes the table's version, unless it is the one in force, with the same settings.
    ///
    /// # Errors
    /// Never for these types; passed on rather than hidden.
    pub fn publish(
        &mut self,
        table: &Arc<TableSchema>,
        settings: &ContractSettings,
    ) -> Result<Option<OwnedRecord>, Error> {
        let id = table.id(settings);
        let value = PublishedSchema::write(table, settings).map_err(|error| {
            Error::new(
                ErrorKind::Encode,
                format!("write the schema of table `{}`", table.table),
            )
            .with_source(error)
        })?;
        let digest = digest(&value);
        let names = (table.table.schema.clone(), table.table.table.clone());
        let is_known = self.known.insert(id, digest) == Some(digest);
        if is_known && self.in_force.get(&names) == Some(&id) {
            return Ok(None);
        }
        self.is_in_force(id, table);
        Ok(Some(OwnedRecord {
            topic: self.topic.clone(),
            key: id.to_string().into_bytes(),
            value: Some(value),
        }))
    }
}

#[cfg(test)]
mod tests {
    use debezium::{ReplicaIdentity, TableId};

    use super::*;

    fn table() -> Arc<TableSchema> {
        Arc::new(TableSchema {
            table: TableId {
                database: "d".to_owned(),
                schema: "public".to_owned(),
                table: "t".to_owned(),
            },
            columns: Vec::new(),
            key: Vec::new(),
            replica_identity: ReplicaIdentity::Default,
            oid: None,
        })
    }

    #[test]
    fn a_version_of_a_later_program_halts() {
        let mut published = PublishedSchemas::default();
        let newer = published.take_record(SchemaId(7), br#"{"version":2,"table":{}}"#);
        let error = newer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.hint().contains("later"));
        published.take_record(SchemaId(8), b"no JSON").unwrap();
    }

    #[test]
    fn a_version_is_published_once_for_its_settings() {
        let mut published = PublishedSchemas::default();
        let settings = ContractSettings::new("p");
        let record = published.publish(&table(), &settings).unwrap().unwrap();
        assert_eq!(record.key, table().id(&settings).to_string().into_bytes());
        let read = PublishedSchema::read(&record.value.unwrap()).unwrap();
        assert_eq!(read.table, *table());
        assert_eq!(read.settings, settings);
        assert_eq!(published.publish(&table(), &settings).unwrap(), None);
        let mut other = settings.clone();
        other.money_fraction_digits = 4;
        assert!(published.publish(&table(), &other).unwrap().is_some());
        // In force again: the last record of a table tells which version holds.
        assert!(published.publish(&table(), &settings).unwrap().is_some());
        assert_eq!(published.publish(&table(), &settings).unwrap(), None);
    }
}
