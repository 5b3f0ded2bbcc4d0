//! PostgreSQL's WAL -> change events -> Kafka.

pub mod assemble;
pub mod blocking;
pub mod capture;
pub mod checkpoint;
mod clock;
mod error;
mod event_sink;
pub mod followed;
mod incarnation;
pub mod kafka;
pub mod metrics;
pub mod pipeline;
mod quoting;
pub mod registry;
mod row_values;
pub mod sink;
mod snapshot_progress;
pub mod source;
mod status;
pub mod table;

pub use error::{Error, ErrorKind, unfinished};
pub use event_sink::{EventSink, IdleMark, Progress, TransactionEnd};
pub use incarnation::Incarnation;
pub use quoting::{quote_identifier, quote_literal};
pub use service::Disposition;
pub use snapshot_progress::SnapshotProgress;
pub use status::{Counts, Phase, PipelineStatus};
