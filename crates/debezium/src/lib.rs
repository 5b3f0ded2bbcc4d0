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

mod event;
mod position;
mod postgres_type;
mod settings;
mod table;

pub use event::{ChangeEvent, ColumnValue, KeyChange, OldRow, Operation, SnapshotMarker, Source};
pub use position::{ChangePosition, ParsePositionError};
pub use postgres_type::{PgType, PgTypeKind, RangeKind};
pub use settings::{
    BinaryHandling, ContractSettings, DecimalFormat, DecimalHandling, HstoreHandling,
    IntervalHandling, NameAdjustment, SkippedOperations, TimePrecision,
};
pub use table::{Column, ReplicaIdentity, SchemaId, TableId, TableSchema};
