//! Table versions in the compacted topic `<topic prefix>.tributary.schemas`: what gives schemaless events their types.
//!
//! Key: the version's id as in the header `tributary.schema`. Value: the table and the settings that events are written
//! with.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use debezium::{ContractSettings, SchemaId, TableSchema};
use serde::{Deserialize, Serialize};

use super::{KafkaClient, OwnedRecord, compacted::read_to_end};
use crate::{Error, ErrorKind};

/// The name of a connector's schemas topic.
pub fn schemas_topic(topic_prefix: &str) -> String {
    format!("{topic_prefix}.tributary.schemas")
}

/// The value of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishedSchema {
    pub table: TableSchema,
    pub settings: ContractSettings,
}

#[derive(Serialize)]
struct BorrowedSchema<'a> {
    table: &'a TableSchema,
    settings: &'a ContractSettings,
}

/// Which versions are in the topic, with which text.
#[derive(Debug, Default)]
pub struct PublishedSchemas {
    topic: String,
    /// With a hash of their text: all that is asked is whether a text is there already.
    known: HashMap<SchemaId, u64>,
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
        let mut known = HashMap::new();
        read_to_end(client, &topic, |key, value| {
            let id = key
                .and_then(|key| std::str::from_utf8(key).ok())
                .and_then(|text| SchemaId::try_from(text.to_owned()).ok());
            match (id, value) {
                (Some(id), Some(value)) => {
                    known.insert(id, digest(value));
                }
                (Some(id), None) => {
                    known.remove(&id);
                }
                (None, _) => {}
            }
            Ok(())
        })?;
        Ok(Self { topic, known })
    }

    /// The record that publishes the table's version, unless it is there with the same settings.
    ///
    /// # Errors
    /// Never for these types; passed on rather than hidden.
    pub fn publish(
        &mut self,
        table: &TableSchema,
        settings: &ContractSettings,
    ) -> Result<Option<OwnedRecord>, Error> {
        let id = table.id(settings);
        let value = serde_json::to_vec(&BorrowedSchema { table, settings }).map_err(|error| {
            Error::new(
                ErrorKind::Encode,
                format!("write the schema of table `{}`", table.table),
            )
            .with_source(error)
        })?;
        let digest = digest(&value);
        if self.known.insert(id, digest) == Some(digest) {
            return Ok(None);
        }
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

    fn table() -> TableSchema {
        TableSchema {
            table: TableId {
                database: "d".to_owned(),
                schema: "public".to_owned(),
                table: "t".to_owned(),
            },
            columns: Vec::new(),
            key: Vec::new(),
            replica_identity: ReplicaIdentity::Default,
        }
    }

    #[test]
    fn a_version_is_published_once_for_its_settings() {
        let mut published = PublishedSchemas::default();
        let settings = ContractSettings::new("p");
        let record = published.publish(&table(), &settings).unwrap().unwrap();
        assert_eq!(record.key, table().id(&settings).to_string().into_bytes());
        let read: PublishedSchema = serde_json::from_slice(&record.value.unwrap()).unwrap();
        assert_eq!(read.table, table());
        assert_eq!(read.settings, settings);
        assert_eq!(published.publish(&table(), &settings).unwrap(), None);
        let mut other = settings;
        other.money_fraction_digits = 4;
        assert!(published.publish(&table(), &other).unwrap().is_some());
    }
}
