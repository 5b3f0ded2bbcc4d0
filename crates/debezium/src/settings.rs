//! The settings that decide how a change is written, with Debezium's names, words and defaults.
//!
//! They are part of a schema's id: two settings that write differently must differ here.

use serde::{Deserialize, Serialize};

/// `debezium.compat`: the release whose events are written. Later ones map more types and say more of the source, so
/// schemas differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Compat {
    /// Release 2.7.
    #[default]
    #[serde(rename = "2.7")]
    V2_7,
    /// Releases 3.x, as 3.7 writes.
    #[serde(rename = "3")]
    V3,
}

impl Compat {
    /// `source.version` of the release that it was compared with.
    pub const fn version(self) -> &'static str {
        match self {
            Self::V2_7 => "2.7.3.Final",
            Self::V3 => "3.7.0.Final",
        }
    }
}

/// `decimal.handling.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecimalHandling {
    /// Exact: the bytes of the unscaled integer.
    #[default]
    Precise,
    /// A float of 64 bits, which may lose digits.
    Double,
    /// The number's text.
    String,
}

/// `time.precision.mode`; the last three are of 3.x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimePrecision {
    /// By the precision of each column: days, milliseconds or microseconds.
    #[default]
    Adaptive,
    /// The same, but times of day are always microseconds.
    AdaptiveTimeMicroseconds,
    /// Kafka Connect's own types, in milliseconds.
    Connect,
    /// ISO 8601 text.
    Isostring,
    /// Microseconds, whatever the precision of the column is.
    Microseconds,
    /// Nanoseconds, whatever the precision of the column is.
    Nanoseconds,
}

/// `interval.handling.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntervalHandling {
    /// Microseconds, a month being 30.4375 days.
    #[default]
    Numeric,
    /// ISO 8601 text.
    String,
}

/// `hstore.handling.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HstoreHandling {
    /// A text that holds a JSON object.
    #[default]
    Json,
    /// A map of texts.
    Map,
}

/// `binary.handling.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BinaryHandling {
    /// Bytes.
    #[default]
    Bytes,
    /// Base64.
    Base64,
    /// Base64 with `-` and `_`.
    Base64UrlSafe,
    /// Hexadecimal digits.
    Hex,
}

/// `decimal.format` of the JSON converter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DecimalFormat {
    /// The bytes of the unscaled integer in base64.
    #[default]
    Base64,
    /// A JSON number.
    Numeric,
}

/// What the converter of keys or of values writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `JsonConverter`, with or without schemas.
    #[default]
    Json,
    /// Binary Avro after Confluent's prefix: a zero and the id of the schema at a registry.
    Avro,
    /// `StringConverter`: structs as Java prints them.
    Text,
    /// Debezium's `CloudEventsConverter`, as structured JSON; of values only.
    CloudEvents,
}

/// What the converter of headers writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderFormat {
    /// `SimpleHeaderConverter`.
    #[default]
    Simple,
    /// `JsonConverter`.
    Json {
        /// `header.converter.schemas.enable`.
        schemas: bool,
        /// `header.converter.decimal.format`.
        #[serde(default)]
        decimal_format: DecimalFormat,
    },
    /// `StringConverter`.
    Text,
    /// `ByteArrayConverter`: no key can be written into a header, so no key may change.
    Bytes,
}

/// `schema.name.adjustment.mode` and `field.name.adjustment.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameAdjustment {
    /// Names are left as they are.
    #[default]
    None,
    /// What Avro does not allow in a name becomes `_`.
    Avro,
    /// What Avro does not allow in a name becomes `_u` and its code.
    AvroUnicode,
}

/// `skipped.operations`: which operations are not emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SkippedOperations {
    /// `c`: no INSERT is emitted.
    pub create: bool,
    /// `u`: no UPDATE is emitted.
    pub update: bool,
    /// `d`: no DELETE is emitted.
    pub delete: bool,
    /// `t`: no TRUNCATE is emitted.
    pub truncate: bool,
}

/// Debezium's default: truncates are skipped.
impl Default for SkippedOperations {
    fn default() -> Self {
        Self {
            create: false,
            update: false,
            delete: false,
            truncate: true,
        }
    }
}

/// Everything that decides how a change is written, apart from the change and its table. Fields are named after
/// Debezium's properties.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContractSettings {
    /// Whose events these are.
    #[serde(default)]
    pub compat: Compat,
    /// `source.name`: the `topic.prefix`.
    pub topic_prefix: String,
    /// `source.version`.
    pub source_version: String,
    /// `decimal.handling.mode`.
    pub decimal_handling: DecimalHandling,
    /// `time.precision.mode`.
    pub time_precision: TimePrecision,
    /// `interval.handling.mode`.
    pub interval_handling: IntervalHandling,
    /// `hstore.handling.mode`.
    pub hstore_handling: HstoreHandling,
    /// `binary.handling.mode`.
    pub binary_handling: BinaryHandling,
    /// Scale of `money`, 0 to 18.
    pub money_fraction_digits: u8,
    /// `include.unknown.datatypes`: columns of types without a rule stand as bytes.
    pub include_unknown_datatypes: bool,
    /// `unavailable.value.placeholder`: stands for a TOASTed value that PostgreSQL did not send.
    pub unavailable_value_placeholder: String,
    /// `tombstones.on.delete`: a delete is followed by a record without a value.
    pub tombstones_on_delete: bool,
    /// `skipped.operations`.
    pub skipped_operations: SkippedOperations,
    /// `schema.name.adjustment.mode`.
    pub schema_name_adjustment: NameAdjustment,
    /// `field.name.adjustment.mode`.
    pub field_name_adjustment: NameAdjustment,
    /// `key.converter.schemas.enable`.
    pub key_schemas_enable: bool,
    /// `value.converter.schemas.enable`.
    pub value_schemas_enable: bool,
    /// `value.converter.decimal.format`.
    pub decimal_format: DecimalFormat,
    /// `value.converter.replace.null.with.default`: NULL in a column whose schema has a default is written as that
    /// default.
    #[serde(default = "yes")]
    pub replace_null_with_default: bool,
    /// `key.converter.decimal.format`.
    #[serde(default)]
    pub key_decimal_format: DecimalFormat,
    /// `key.converter.replace.null.with.default`.
    #[serde(default = "yes")]
    pub key_replace_null_with_default: bool,
    /// `value.converter.extension.attributes.enable`: cloud events have the fields of `source`.
    #[serde(default = "yes")]
    pub cloud_events_extensions: bool,
    /// `key.converter`.
    #[serde(default)]
    pub key_format: Format,
    /// `value.converter`.
    #[serde(default)]
    pub value_format: Format,
    /// `header.converter`.
    #[serde(default)]
    pub header_format: HeaderFormat,
}

fn yes() -> bool {
    true
}

impl ContractSettings {
    /// Debezium's defaults for a topic prefix.
    pub fn new(topic_prefix: impl Into<String>) -> Self {
        Self {
            compat: Compat::default(),
            topic_prefix: topic_prefix.into(),
            source_version: Compat::default().version().to_owned(),
            decimal_handling: DecimalHandling::default(),
            time_precision: TimePrecision::default(),
            interval_handling: IntervalHandling::default(),
            hstore_handling: HstoreHandling::default(),
            binary_handling: BinaryHandling::default(),
            money_fraction_digits: 2,
            include_unknown_datatypes: false,
            unavailable_value_placeholder: "__debezium_unavailable_value".to_owned(),
            tombstones_on_delete: true,
            skipped_operations: SkippedOperations::default(),
            schema_name_adjustment: NameAdjustment::default(),
            field_name_adjustment: NameAdjustment::default(),
            key_schemas_enable: true,
            value_schemas_enable: true,
            decimal_format: DecimalFormat::default(),
            replace_null_with_default: true,
            key_decimal_format: DecimalFormat::default(),
            key_replace_null_with_default: true,
            cloud_events_extensions: true,
            key_format: Format::default(),
            value_format: Format::default(),
            header_format: HeaderFormat::default(),
        }
    }
}
