//! The validated settings of one connector. Fields are named after Debezium's properties.
//!
//! ```text
//! connector JSON / flat map --ConnectorConfig::parse--> ConnectorConfig + Vec<Notice>   or   ConfigReport
//! ```

mod cloud_events;
mod column_rules;
mod connection;
mod contract;
mod converter;
mod debezium_server;
mod environment;
mod error;
mod file;
mod filter;
mod java_properties;
mod kafka_settings;
mod lookup;
mod metric_tags;
mod parse;
mod property;
mod provider;
mod reader;
mod records;
mod regex_router;
mod registry;
mod replica_identity;
mod report;
mod snapshot;
mod topic_creation;

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use debezium::{ContractSettings, SkippedOperations};
use postgres_tls::TlsSettings;
use regex::Regex;
use service::Secret;

pub use column_rules::{ColumnRules, RuledColumn};
pub use converter::{APICURIO_AVRO, CONFLUENT_AVRO, CONVERTERS, HEADER_CONVERTERS};
pub use environment::{FromEnvironment, properties_from_environment};
pub use error::{Error, ErrorKind};
pub use file::{ConnectorFile, load_connector_file, load_connectors_folder, string_map};
pub use java_properties::{MalformedEscape, parse_properties};
pub use kafka_settings::librdkafka_settings;
pub use lookup::{find as find_property, handling, holds_secret, is_secret, shown};
pub use metric_tags::metric_tags;
pub use parse::{CONNECTOR_CLASS, METRIC_TAGS, Parsed};
pub use property::{Form, Handling, Property, ValueType, known, properties};
pub use provider::{Providers, is_reference};
pub use records::{HeartbeatConfig, MessageFilter, RecordsConfig};
pub use regex_router::{REGEX_ROUTER, RouterError, regex_router, routed_topic};
pub use registry::{Registration, Registries, RegistryConfig, SubjectNameStrategy};
pub use replica_identity::{IdentityRule, WantedIdentity};
pub use report::{ConfigReport, Notice, Problem};
pub use snapshot::{RowCountOrder, SnapshotConfig, SnapshotIsolation, SnapshotMode};
pub use topic_creation::{NewTopicSettings, TopicCreation};

/// `publication.autocreate.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PublicationAutocreate {
    #[default]
    AllTables,
    Filtered,
    Disabled,
    NoTables,
}

/// `event.processing.failure.handling.mode`: what becomes of a streamed event that cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailureHandling {
    /// The connector fails.
    #[default]
    Fail,
    /// It is left out, with a warning.
    Warn,
    /// It is left out, and only counted.
    Skip,
}

/// `delivery.guarantee`: ours; `exactly.once.support=required` also asks for `ExactlyOnce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeliveryGuarantee {
    #[default]
    ExactlyOnce,
    AtLeastOnce,
}

/// `database.*`. A hostname that starts with `/` is the folder of a Unix socket.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    pub hostname: String,
    pub port: u16,
    pub user: String,
    pub password: Secret,
    pub dbname: String,
    /// `database.sslmode` and the files that go with it.
    pub tls: TlsSettings,
    /// `database.tcpKeepAlive`.
    pub tcp_keepalive: bool,
    /// `database.query.timeout.ms`: how long a statement may run, unless it reads a snapshot; zero is without end.
    pub query_timeout: Duration,
    /// `database.initial.statements`: run on each ordinary connection.
    pub initial_statements: Vec<String>,
}

/// Include and exclude lists; regexes are anchored and ignore case.
#[derive(Debug, Clone, Default)]
pub struct CaptureFilter {
    pub schema_include: Vec<Regex>,
    pub schema_exclude: Vec<Regex>,
    /// Against `schema.table`.
    pub table_include: Vec<Regex>,
    pub table_exclude: Vec<Regex>,
    /// Against `schema.table.column`.
    pub column_include: Vec<Regex>,
    pub column_exclude: Vec<Regex>,
}

/// One entry of `message.key.columns`: a regex over `schema.table`, and those of the columns that make the key.
#[derive(Debug, Clone)]
pub struct MessageKeyColumns {
    pub table: Regex,
    pub columns: Vec<Regex>,
}

/// A `RegexRouter` of `transforms`: renames topics whose whole name matches.
#[derive(Debug, Clone)]
pub struct TopicRoute {
    pub regex: Regex,
    /// Java's replacement syntax (`$1`, `\$`), already turned into this regex library's.
    pub replacement: String,
}

/// `guardrail.collections.max`: how many tables may be captured, and whether more of them are refused or only told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guardrail {
    pub most: usize,
    pub fails: bool,
}

/// Everything a connector needs, checked.
#[derive(Clone)]
pub struct ConnectorConfig {
    /// `name`.
    pub name: String,
    pub database: DatabaseConfig,
    /// `plugin.name` may say decoderbufs: pgoutput is used all the same.
    pub slot_name: String,
    pub slot_drop_on_stop: bool,
    pub slot_max_retries: u32,
    pub slot_retry_delay: Duration,
    /// `slot.stream.params`, added to the options of START_REPLICATION.
    pub slot_stream_params: Vec<(String, String)>,
    pub publication_name: String,
    pub publication_autocreate: PublicationAutocreate,
    pub snapshot_mode: SnapshotMode,
    pub snapshot: SnapshotConfig,
    /// `replica.identity.autoset.values`; the first that matches a table counts.
    pub replica_identities: Vec<IdentityRule>,
    /// `create.slot.command.timeout`.
    pub create_slot_timeout: Duration,
    /// `slot.failover`, on servers that know it.
    pub slot_failover: bool,
    /// `publish.via.partition.root`, of a publication that is made here.
    pub publish_via_partition_root: bool,
    /// `flush.lsn.source`, `lsn.flush.mode`: whether what was delivered is confirmed to the slot.
    pub flush_lsn: bool,
    /// `xmin.fetch.interval.ms`: how often the slot's `catalog_xmin` is read; None: never.
    pub xmin_interval: Option<Duration>,
    pub guardrail: Option<Guardrail>,
    /// `offset.mismatch.strategy` is `trust_slot` or `trust_greater_lsn`: a slot beyond the stored position is gone on
    /// from, whatever it skipped.
    pub trust_slot: bool,
    pub filter: CaptureFilter,
    pub message_key_columns: Vec<MessageKeyColumns>,
    pub column_rules: ColumnRules,
    pub contract: ContractSettings,
    /// The schema registries of keys and values that are Avro.
    pub registries: Registries,
    /// `extended.headers.enabled`, which 2.7 does not have.
    pub extended_headers: bool,
    /// What a publication is narrowed to: `skipped.operations` where it is said and 3.x is written.
    pub unpublished_operations: Option<SkippedOperations>,
    /// `topic.delimiter`.
    pub topic_delimiter: String,
    pub routes: Vec<TopicRoute>,
    pub records: RecordsConfig,
    /// `provide.transaction.metadata`.
    pub transaction_metadata: bool,
    pub failure_handling: FailureHandling,
    /// `skip.messages.without.change`: only where the whole old row is known (`REPLICA IDENTITY FULL`).
    pub skip_messages_without_change: bool,
    pub topic_creation: TopicCreation,
    pub delivery: DeliveryGuarantee,
    /// `status.update.interval.ms`, at most; we answer sooner when something became durable.
    pub status_update_interval: Duration,
    /// `retriable.restart.connector.wait.ms`.
    pub retry_wait: Duration,
    /// `errors.max.retries`; None is endless.
    pub max_retries: Option<u32>,
    /// Byte budget of open streamed transactions in memory before they spill to `spill_folder`.
    pub spill_memory_bytes: usize,
    pub spill_folder: PathBuf,
    /// Byte budget of the batch that is being filled.
    pub batch_bytes: usize,
    /// `tributary.commit.interval.ms`: the least time from one batch to the next.
    pub commit_interval: Duration,
    /// librdkafka settings passed through (`producer.override.*`).
    pub producer_overrides: BTreeMap<String, String>,
    /// The flat map this was made from, as posted.
    pub properties: BTreeMap<String, String>,
}

/// The settings as posted, without what is secret among them.
impl fmt::Debug for ConnectorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorConfig")
            .field("name", &self.name)
            .field("database", &self.database)
            .field("properties", &shown(&self.properties))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod meaning_tests;
#[cfg(test)]
mod table_tests;
