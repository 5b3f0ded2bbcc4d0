//! The change-event contract that the reader of the WAL and the writer of the lake share.
//!
//! Pure: no IO, no async, no logging. The road through this crate:
//!
//! ```text
//! TableSchema + ChangeEvent --encode--> key / value bytes (Debezium's)   [cdc]
//! value bytes --decode--> DecodedEvent + TableSchema                     [lakewriter]
//! ```
//!
//! A [`TableSchema`] is one version of a captured table as PostgreSQL describes it; a [`ChangeEvent`] is one
//! change of one row with its values still borrowed text, exactly as PostgreSQL printed them.

#![warn(missing_docs)]

mod avro;
mod column_rule;
mod column_schemas;
mod connect;
mod connect_json;
mod connect_value;
pub mod decode;
mod default_value;
mod encode;
mod event;
mod json;
mod mapping;
mod name;
mod position;
mod postgres_type;
mod settings;
mod shown_alike;
mod source_record;
mod table;
mod transaction;
mod type_class;
mod type_row;
mod value;
pub mod wire;

pub use avro::{AvroSchemaError, DatumError};
pub use column_rule::{ColumnRule, ColumnSize, HashAlgorithm, HashInput};
pub use connect::{ConnectField, ConnectSchema, ConnectType};
pub use connect_json::ParseSchemaError;
pub use connect_value::ConnectValue;
pub use encode::{
    EncodeError, EventEncoder, HeartbeatEncoder, MessageEncoder, RecordEncoder, TransactionEncoder,
    Unconverted, halves, has_tombstone, whole_row_halves,
};
pub use event::{
    ChangeEvent, ColumnValue, KeyChange, OldRow, Operation, Origin, SnapshotMarker, Source,
};
pub use mapping::{mapping, type_mapping};
pub use name::{sanitised_topic, topic_name};
pub use position::{ChangePosition, ParsePositionError};
pub use postgres_type::{PgType, PgTypeKind, RangeKind};
pub use settings::{
    BinaryHandling, Compat, ContractSettings, DecimalFormat, DecimalHandling, Format, HeaderFormat,
    HstoreHandling, IntervalHandling, NameAdjustment, SkippedOperations, TimePrecision,
};
pub use source_record::{LogicalMessage, SourceRecord};
pub use table::{Column, ReplicaIdentity, SchemaId, TableId, TableSchema};
pub use transaction::{CollectionCounts, TransactionMetadata, TransactionOrder};
pub use type_class::{Elements, TypeClass};
pub use type_row::TypeRow;
pub use value::Figure;
