//! The registries of a connector, and the ids of the schemas of what it writes.

use std::sync::Arc;

use debezium::{AvroSchemaError, ConnectSchema};

use super::Registry;
use crate::{Error, ErrorKind};
use connector::{Registries, SubjectNameStrategy};

/// The registries of keys and values.
#[derive(Debug, Clone, Default)]
pub(crate) struct SchemaRegistries {
    key: Option<Arc<Registry>>,
    value: Option<Arc<Registry>>,
}

/// Ids at the registry; 0 where a key or a value is not Avro.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RegisteredIds {
    pub(crate) key: u32,
    pub(crate) value: u32,
}

/// A schema and the subject that it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    name: String,
    schema: String,
}

/// What has to be known to the registries before records of a kind can be sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subjects {
    key: Option<Subject>,
    value: Option<Subject>,
}

impl Subjects {
    /// Nothing is Avro.
    pub(crate) fn is_empty(&self) -> bool {
        self.key.is_none() && self.value.is_none()
    }
}

impl SchemaRegistries {
    /// # Errors
    /// A client cannot be made.
    pub(crate) fn new(config: &Registries) -> Result<Self, Error> {
        let client = |config: &Option<_>| match config {
            Some(config) => Registry::new(Clone::clone(config)).map(|it| Some(Arc::new(it))),
            None => Ok(None),
        };
        let key = client(&config.key)?;
        Ok(Self {
            value: if config.value == config.key {
                key.clone()
            } else {
                client(&config.value)?
            },
            key,
        })
    }

    /// The schemas of records with this key and value on this topic.
    ///
    /// # Errors
    /// A schema has a name that Avro does not allow.
    pub(crate) fn subjects(
        &self,
        topic: &str,
        key: Option<&ConnectSchema>,
        value: &ConnectSchema,
    ) -> Result<Subjects, Error> {
        Ok(Subjects {
            key: subject(&self.key, topic, "key", key)?,
            value: subject(&self.value, topic, "value", Some(value))?,
        })
    }

    /// Their ids, the key's first.
    ///
    /// # Errors
    /// A registry does not answer or refuses.
    pub(crate) async fn ids(&self, subjects: &Subjects) -> Result<RegisteredIds, Error> {
        let mut ids = RegisteredIds::default();
        if let (Some(registry), Some(subject)) = (&self.key, &subjects.key) {
            ids.key = registry.schema_id(&subject.name, &subject.schema).await?;
        }
        if let (Some(registry), Some(subject)) = (&self.value, &subjects.value) {
            ids.value = registry.schema_id(&subject.name, &subject.schema).await?;
        }
        Ok(ids)
    }
}

fn subject(
    registry: &Option<Arc<Registry>>,
    topic: &str,
    part: &str,
    schema: Option<&ConnectSchema>,
) -> Result<Option<Subject>, Error> {
    let (Some(registry), Some(schema)) = (registry, schema) else {
        return Ok(None);
    };
    let config = registry.config();
    let unnamed = |error: AvroSchemaError| {
        Error::new(
            ErrorKind::Encode,
            format!("make the Avro schema of the {part}s of topic `{topic}`"),
        )
        .with_hint("set schema.name.adjustment.mode=avro and field.name.adjustment.mode=avro")
        .with_source(error)
    };
    let record = schema.name.as_deref().unwrap_or_default();
    Ok(Some(Subject {
        name: match config.strategy {
            SubjectNameStrategy::Topic => format!("{topic}-{part}"),
            SubjectNameStrategy::Record => record.to_owned(),
            SubjectNameStrategy::TopicRecord => format!("{topic}-{record}"),
        },
        schema: schema.to_avro(config.connect_meta_data).map_err(unnamed)?,
    }))
}
