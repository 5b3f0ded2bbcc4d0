//! What we add to Debezium's wire: headers of records, the topics of table versions and what stands in them.
//!
//! It is written in one version. A change that an older reader would misunderstand gets the next number, which then stands
//! in every record: a reader that meets a number above its own stops and says so, and sets no row aside.

use serde::{Deserialize, Serialize};

use crate::{ContractSettings, SchemaId, TableSchema};

/// The version of all that is written here. The first has no number on the wire.
pub const VERSION: u32 = 1;

/// Headers of Kafka records.
pub mod header {
    /// The version of the other headers, in decimal digits; absent in the first.
    pub const VERSION: &str = "tributary.version";
    /// Of every event: the text of its [`ChangePosition`](crate::ChangePosition).
    pub const POSITION: &str = "tributary.position";
    /// Of every event: the id under which its table's version is in the schemas topic, sixteen hexadecimal digits.
    pub const SCHEMA: &str = "tributary.schema";
    /// Of events with columns whose values PostgreSQL did not send: their names in the table's order, separated by commas.
    pub const UNAVAILABLE: &str = "tributary.unavailable";
    /// Of every row of a snapshot, in decimal digits: how many rows its table has in the snapshot, where it is the last of
    /// them, and `0` elsewhere. So a reader knows that it has all of them, through whichever partitions they came.
    pub const SNAPSHOT_ROWS: &str = "tributary.snapshot_rows";
    /// Debezium's, of the first half of a change of the key: the new key.
    pub const NEW_KEY: &str = "__debezium.newkey";
    /// Debezium's, of the second half of a change of the key: the old key.
    pub const OLD_KEY: &str = "__debezium.oldkey";
}

const SCHEMAS_SUFFIX: &str = ".tributary.schemas";

/// The compacted topic in which a connector publishes each version of each of its tables. Key: the version's [`SchemaId`].
/// Value: a [`PublishedSchema`]. The last record of a table is the version in force: one that comes in force again is
/// published again.
pub fn schemas_topic(topic_prefix: &str) -> String {
    format!("{topic_prefix}{SCHEMAS_SUFFIX}")
}

/// Whether a topic is named so. A table may be named so too: its records tell.
pub fn is_schemas_topic(topic: &str) -> bool {
    topic.ends_with(SCHEMAS_SUFFIX)
}

/// The id in the key of a record of a schemas topic, or in a [`header::SCHEMA`].
pub fn schema_id(key: &[u8]) -> Option<SchemaId> {
    let text = std::str::from_utf8(key).ok()?;
    SchemaId::try_from(text.to_owned()).ok()
}

/// One version of a table, and how its events are written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PublishedSchema {
    /// The version.
    pub table: TableSchema,
    /// What the events depend on besides.
    pub settings: ContractSettings,
}

#[derive(Serialize)]
struct BorrowedSchema<'a> {
    table: &'a TableSchema,
    settings: &'a ContractSettings,
}

#[derive(Deserialize)]
struct Versioned {
    #[serde(default = "first")]
    version: u32,
}

const fn first() -> u32 {
    1
}

/// Why a text is no [`PublishedSchema`].
#[derive(Debug, thiserror::Error)]
pub enum PublishedSchemaError {
    /// A later tributary wrote it.
    #[error("it is written in version {0} of our wire, and this program reads {VERSION}")]
    Newer(u32),
    /// It is none.
    #[error("it is no version of a table")]
    Malformed(#[from] serde_json::Error),
}

impl PublishedSchema {
    /// The text of a record's value.
    ///
    /// # Errors
    /// Never for these types; passed on rather than hidden.
    pub fn write(
        table: &TableSchema,
        settings: &ContractSettings,
    ) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&BorrowedSchema { table, settings })
    }

    /// Read the value of a record.
    ///
    /// # Errors
    /// It is of a later version, or it is none.
    pub fn read(text: &[u8]) -> Result<Self, PublishedSchemaError> {
        let Versioned { version } = serde_json::from_slice(text)?;
        if version > VERSION {
            return Err(PublishedSchemaError::Newer(version));
        }
        Ok(serde_json::from_slice(text)?)
    }
}

/// The version that a [`header::VERSION`] tells, where this program does not read it. `u32::MAX` stands for what is no
/// number.
pub fn newer(header: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(header).ok();
    let version = text.and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
    (version > VERSION).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReplicaIdentity, TableId};

    #[test]
    fn a_published_schema_is_read_as_it_was_written() {
        let table = TableSchema {
            table: TableId {
                database: "d".to_owned(),
                schema: "public".to_owned(),
                table: "t".to_owned(),
            },
            columns: Vec::new(),
            key: Vec::new(),
            replica_identity: ReplicaIdentity::Default,
            oid: None,
        };
        let settings = ContractSettings::new("p");
        let text = PublishedSchema::write(&table, &settings).unwrap();
        let read = PublishedSchema::read(&text).unwrap();
        assert_eq!(read, PublishedSchema { table, settings });
        let text = String::from_utf8(text).unwrap();
        let of_version = |version: u32| text.replacen('{', &format!("{{\"version\":{version},"), 1);
        assert_eq!(
            PublishedSchema::read(of_version(1).as_bytes()).unwrap(),
            read
        );
        // Of another shape, as it may well be.
        for newer in [of_version(2), "{\"version\":3,\"tables\":[]}".to_owned()] {
            let error = PublishedSchema::read(newer.as_bytes()).unwrap_err();
            assert!(
                matches!(error, PublishedSchemaError::Newer(2 | 3)),
                "{error}"
            );
        }
        for none in ["", "{}", "[]", "{\"version\":1}", "{\"version\":\"x\"}"] {
            let error = PublishedSchema::read(none.as_bytes()).unwrap_err();
            assert!(
                matches!(error, PublishedSchemaError::Malformed(_)),
                "{none}"
            );
        }
    }

    #[test]
    fn a_later_header_is_known_as_such() {
        assert_eq!(newer(b"1"), None);
        assert_eq!(newer(b"2"), Some(2));
        assert_eq!(newer(b"\xff"), Some(u32::MAX));
    }

    #[test]
    fn topics_of_schemas_are_known_by_their_names() {
        assert_eq!(schemas_topic("p"), "p.tributary.schemas");
        assert!(is_schemas_topic(&schemas_topic("a.b")) && !is_schemas_topic("a.schemas"));
    }
}
